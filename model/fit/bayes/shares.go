package bayes

import (
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// shares is a joint logarithm that is linear in the features, or in whether they are above a threshold.
type shares struct {
	weight    [][]float64 // (classes, cols)
	bias      []float64   // (classes)
	threshold *float32    // nil: the features themselves
}

// center takes from each feature's weights their middle, which all classes share: smaller numbers round less.
func (m *shares) center() {
	for j := range m.weight[0] {
		var middle float64
		for _, row := range m.weight {
			middle += row[j] / float64(len(m.weight))
		}
		for _, row := range m.weight {
			row[j] -= middle
		}
	}
}

func (m *shares) joint(row []float32, out []float64) {
	for k, weight := range m.weight {
		out[k] = m.bias[k]
		for j, v := range row {
			switch {
			case m.threshold == nil:
				out[k] += float64(v) * weight[j]
			case v > *m.threshold:
				out[k] += weight[j]
			}
		}
	}
}

// most bounds counts, so that their products stay in the range of float32.
const most = 1e30

func (m *shares) emit(b *graph.Builder, x graph.Value) graph.Value {
	classes, cols := len(m.weight), len(m.weight[0])
	weight := make([]float64, classes*cols)
	for k, row := range m.weight {
		for j, v := range row {
			weight[j*classes+k] = v
		}
	}
	if m.threshold != nil {
		x = b.Op("Greater", x, b.Scalar("binarize", *m.threshold))
		x = b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, x)
	} else {
		x = b.Op("Clip", x, b.Scalar("least", -most), b.Scalar("most", most))
	}
	x = b.Op("MatMul", x, b.Floats("log_share", fit.Narrow(weight), cols, classes))
	return b.Op("Add", x, b.Floats("log_prior", fit.Narrow(m.bias)))
}
