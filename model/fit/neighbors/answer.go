package neighbors

import (
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// neighbour is a row kept and its distance.
type neighbour struct {
	at       int
	distance float64
}

// nearest are the neighbours of x, the nearest first, but for one row kept (none: -1).
func (m *memory) nearest(x []float32, without int) []neighbour {
	out := make([]neighbour, 0, m.NNeighbors+1)
	for i := range m.from {
		if i == without {
			continue
		}
		n := neighbour{i, m.distance(x, m.point[i*m.Cols:(i+1)*m.Cols])}
		if len(out) == m.NNeighbors && n.distance >= out[len(out)-1].distance {
			continue
		}
		at := len(out)
		for at > 0 && out[at-1].distance > n.distance {
			at--
		}
		out = slices.Insert(out, at, n)
		out = out[:min(len(out), m.NNeighbors)]
	}
	return out
}

// answer is that of the graph in float64: the shares of the classes, or the prediction. It leaves out one row kept
// (none: -1).
func (m *memory) answer(row []float32, without int) []float64 {
	all := m.nearest(m.mapped(row), without)
	sum := make([]float64, m.outs)
	for _, n := range all {
		w := 1.0
		switch {
		case m.Weights == "uniform":
		case all[0].distance > 0:
			w = all[0].distance / n.distance
		case n.distance > 0: // it lies on a training row, and only such rows count
			w = 0
		}
		for k := range sum {
			sum[k] += w * float64(m.vote[n.at*m.outs+k])
		}
	}
	if m.Task == fit.Regression {
		return []float64{sum[0] / sum[1]}
	}
	var total float64
	for _, v := range sum {
		total += v
	}
	for k := range sum {
		sum[k] /= total
	}
	return sum
}

func (m *memory) distance(a, b []float32) float64 {
	var sum float64
	for j, v := range a {
		difference := math.Abs(float64(v) - float64(b[j]))
		if m.P == 2 {
			difference *= difference
		}
		sum += difference
	}
	if m.P == 2 {
		return math.Sqrt(sum)
	}
	return sum
}

// sampled is the number of rows whose answers make the loss.
const sampled = 100

// loss is the mean loss of up to 100 rows, spread over the data, as their neighbours without themselves answer:
// -log p(class), p at least 1e-7, or the squared error.
func (m *memory) loss(ctx context.Context) float64 {
	n := min(sampled, len(m.from))
	losses := make([]float64, n)
	fit.Parallel(m.Workers(), n, func(part int) {
		if ctx.Err() != nil {
			return
		}
		kept := part * len(m.from) / n
		without := kept
		if len(m.from) == 1 {
			without = -1
		}
		i := m.from[kept]
		y := m.answer(m.Row(i), without)
		if m.Task == fit.Classification {
			losses[part] = -math.Log(max(y[m.Class[i]], 1e-7))
			return
		}
		e := y[0] - float64(m.Y[i])
		losses[part] = e * e
	})
	var sum float64
	for _, v := range losses {
		sum += v / float64(n)
	}
	return sum
}
