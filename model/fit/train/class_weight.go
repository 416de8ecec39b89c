package train

import (
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Counter is a Dataset of classes that knows how many of its rows each has, without reading inputs.
type Counter interface {
	Classes() []int // rows of class 0, 1, …
}

// Classes implements Counter; nil where targets are no classes.
func (m *Memory) Classes() (rows []int) {
	if m.Target.DType() != tensor.Int64 {
		return nil
	}
	for _, c := range m.Target.I64() {
		if c < 0 || c > 1<<24 { // the loss will tell
			return nil
		}
		for int(c) >= len(rows) {
			rows = append(rows, 0)
		}
		rows[c]++
	}
	return rows
}

// weights are those of classes, empty for equal ones. With Balanced they are rows/(classes·rows of the class), as scikit-learn's class_weight="balanced".
func (c Config) weights(n *Net, data Dataset) ([]float64, error) {
	if !c.Balanced {
		return c.ClassWeight, nil
	}
	counter, ok := data.(Counter)
	if !ok {
		return nil, fault.New(fault.Invalid, "this data set does not tell how many rows each class has").At("balanced").Try("give class_weight")
	}
	out, err := exec.NewTypes(graph.Extend(n.Graph.Clone())).Of(n.Graph.Outputs[0].Name)
	if err != nil {
		return nil, err
	}
	rows, present := counter.Classes(), 0
	for _, k := range rows {
		present += min(k, 1)
	}
	classes := len(rows)
	if !out.Unranked && len(out.Dims) == 2 {
		classes = max(classes, out.Dims[1].Size)
	}
	w := slices.Repeat([]float64{1}, classes) // for those without rows
	for i, k := range rows {
		if k > 0 {
			w[i] = float64(data.Rows()) / (float64(present) * float64(k))
		}
	}
	return w, nil
}

// checkWeights refuses weights of classes that mean nothing.
func (o Objective) checkWeights() error {
	if len(o.ClassWeight) == 0 {
		return nil
	}
	if o.Loss != CrossEntropy {
		return fault.New(fault.Invalid, "weights of classes are for the loss cross_entropy").At("class_weight").Try("give rows weights")
	}
	for _, w := range o.ClassWeight {
		if !(w > 0 && w <= 1e6) {
			return fault.New(fault.Invalid, "the weight of a class must be above 0 and at most 1,000,000, not "+strconv.FormatFloat(w, 'g', -1, 64)).At("class_weight").
				Try("leave out the rows of a class that is not to count")
		}
	}
	return nil
}

// classes are the weights as a constant, absent where there are none. out is what the net gives.
func (o Objective) classes(b *graph.Builder, out tensor.Type) (graph.Value, error) {
	n := len(o.ClassWeight)
	if n == 0 {
		return "", nil
	}
	if d := out.Dims; !out.Unranked && len(d) == 2 && d[1].Size != tensor.Free && d[1].Size != n {
		return "", fault.New(fault.Invalid, "the net tells "+strconv.Itoa(d[1].Size)+" classes apart, and there are "+strconv.Itoa(n)+" weights").At("class_weight")
	}
	w := make([]float32, n)
	for i, v := range o.ClassWeight {
		w[i] = float32(v)
	}
	return b.Floats("class_weight", w), nil
}

// evenly divides the sum of a batch's losses by the mean weight of its rows' classes: PyTorch's CrossEntropyLoss(weight=…) is a mean by these.
func evenly(b *graph.Builder, sum, share, classes, target graph.Value) graph.Value {
	all := func(v graph.Value) graph.Value {
		return b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, v)
	}
	weight := all(b.Op("Mul", b.Op("Gather", classes, target), share))
	return b.Op("Mul", sum, b.Op("Div", all(share), b.Op("Max", weight, b.Scalar("least", 1e-30)))) // 0 where no row counts
}
