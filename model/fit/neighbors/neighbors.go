// Package neighbors learns by heart: an answer is the vote or the mean of the training rows that lie nearest. The rows
// themselves go into the graph. Parameters carry scikit-learn's names, and the answers are scikit-learn's.
package neighbors

import (
	"context"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// KNeighbors answers with the shares of the classes, or the mean of the targets, of the NNeighbors nearest rows (or of
// all, where there are fewer). Of rows equally far the earlier ones count. X must be finite.
//
// Distances mix the units of all features, so features are standardised first unless Unscaled is set: scikit-learn leaves
// that to a StandardScaler in front, and on a table of lengths, weights and years nothing is learned without. A row of
// sample weight w has w votes, but is one neighbour; rows of weight 0 are left out.
//
// The model holds every training row, at most 200 MB of them. An answer takes time and memory in proportion to rows.
type KNeighbors struct {
	NNeighbors int    `json:"n_neighbors,omitempty"` // neighbours that answer; 0 means 5
	Weights    string `json:"weights,omitempty"`     // "uniform" (default), or "distance": a neighbour counts 1/distance
	P          int    `json:"p,omitempty"`           // distance: 2 is Euclid's (default; 0 means 2), 1 is the sum of differences, for up to 1024 features
	Unscaled   bool   `json:"unscaled,omitempty"`    // take features in their units, as scikit-learn does
}

var _ fit.Estimator = KNeighbors{}

// Bounds on the model, and on the nodes that the sum of differences takes (three for each feature).
const (
	mostBytes    = 200 << 20
	mostFeatures = 1024
)

// Fit implements fit.Estimator. Errors: fault.Invalid for bad data or parameters, fault.TooLarge for a model above
// 200 MB, fault.Canceled.
func (p KNeighbors) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	m, err := p.learn(ctx, d)
	if err != nil {
		return "", err
	}
	if report != nil {
		report(fit.Progress{Step: 1, Steps: 1, Loss: m.loss(ctx), Valid: math.NaN()})
	}
	if err := fit.Stopped(ctx); err != nil {
		return "", err
	}
	return m.emit(b, x), nil
}

func (p KNeighbors) defaults() (KNeighbors, error) {
	if p.NNeighbors == 0 {
		p.NNeighbors = 5
	}
	if p.Weights == "" {
		p.Weights = "uniform"
	}
	if p.P == 0 {
		p.P = 2
	}
	switch {
	case p.NNeighbors < 0:
		return p, fault.New(fault.Invalid, "n_neighbors must be above 0").At("n_neighbors")
	case p.Weights != "uniform" && p.Weights != "distance":
		return p, fault.New(fault.Invalid, "weights must be uniform or distance").At("weights")
	case p.P != 1 && p.P != 2:
		return p, fault.New(fault.Invalid, "p must be 1 or 2").At("p")
	}
	return p, nil
}

// memory is what was learned: rows, in the numbers that the graph makes of features, and what each of them votes.
type memory struct {
	KNeighbors
	fit.Data
	from  []int     // row of the data of each row kept
	point []float32 // (kept, cols)
	vote  []float32 // (kept, outs): classes, or target and 1, times the weight
	outs  int
	map32 fit.Standard // numbers that float32 holds
}

func (p KNeighbors) learn(ctx context.Context, d fit.Data) (*memory, error) {
	p, err := p.defaults()
	if err != nil {
		return nil, err
	}
	if err := d.Check(false); err != nil {
		return nil, err
	}
	if p.P == 1 && d.Cols > mostFeatures {
		return nil, fault.New(fault.Invalid, "sums of differences take "+strconv.Itoa(mostFeatures)+" features at most").At("p").Try("use p = 2")
	}
	m := &memory{KNeighbors: p, Data: d, outs: 2}
	if d.Task == fit.Classification {
		m.outs = d.Classes
	}
	var top float64
	for i := range d.Rows {
		if w := d.W(i); w > 0 {
			m.from = append(m.from, i)
			top = max(top, w)
		}
	}
	m.NNeighbors = min(m.NNeighbors, len(m.from))
	if bytes := 4 * len(m.from) * (d.Cols + m.outs); bytes > mostBytes {
		return nil, fault.New(fault.TooLarge, "the model would hold "+strconv.Itoa(len(m.from))+" rows, which are "+strconv.Itoa(bytes>>20)+
			" MB, and 200 MB is the most").
			At("model").Try("train on a sample of the rows, or use boosting")
	}
	m.scale()
	for _, i := range m.from {
		if i%1024 == 0 && ctx.Err() != nil {
			break
		}
		m.point = append(m.point, m.mapped(d.Row(i))...)
		m.vote = append(m.vote, m.votes(i, top)...)
	}
	return m, fit.Stopped(ctx)
}

// scale sets the map of features. Unscaled features keep their proportions: one power of two for all of them brings
// their squares into the range of float32 without rounding, and changes no order of distances and no share.
func (m *memory) scale() {
	m.map32 = fit.Standardize(m.Data)
	if m.Unscaled {
		var widest float64
		for _, s := range m.map32.Scale {
			if s != 0 {
				widest = max(widest, 1/s)
			}
		}
		by := 1.0
		if widest > 0 {
			by = math.Exp2(-math.Round(math.Log2(widest)))
		}
		for j := range m.Cols {
			m.map32.Scale[j] = min(max(by, 0x1p-126), 0x1p126)
		}
	}
	m.map32 = m.map32.Rounded()
	for j := range m.Cols {
		if m.Unscaled {
			m.map32.Mean[j] = min(max(m.map32.Mean[j]*m.map32.Scale[j], -far), far) // of the scaled features
		}
	}
}

// far bounds the scaled features, so that squares stay in the range of float32.
const far = 1e12

// mapped are the features as the graph computes them, step by step in float32: a row that was learned has distance 0.
func (m *memory) mapped(row []float32) []float32 {
	out := make([]float32, len(row))
	for j, v := range row {
		if !m.Unscaled {
			v = float32(v - float32(m.map32.Mean[j]))
		}
		v = float32(v * float32(m.map32.Scale[j]))
		out[j] = min(max(v, -far), far)
	}
	return out
}

// votes of a row, so scaled that those of all neighbours sum to 1 at most.
func (m *memory) votes(i int, top float64) []float32 {
	out := make([]float32, m.outs)
	w := max(m.W(i)/top, 1e-30) / float64(m.NNeighbors)
	if m.Task == fit.Classification {
		out[m.Class[i]] = float32(w)
	} else {
		out[0], out[1] = float32(w*float64(m.Y[i])), float32(w)
	}
	return out
}
