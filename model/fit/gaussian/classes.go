package gaussian

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
)

// classification is what was learned: one latent function for each class against the rest, or one for the second of two.
type classification struct {
	*points
	latent  []*latent
	present []bool // (classes) those that have points
}

// latent is a function f with its uncertainty: mean Σ gradient · kernel(x, point), variance
// constant - |root · kernel(x, points)|².
type latent struct {
	constant, length float64
	gradient         *mat.VecDense
	root             *mat.Dense // (points, points)
	evidence         float64
}

func (s *points) classes(w *watch) (*classification, error) {
	m := &classification{points: s, latent: make([]*latent, s.processes()), present: make([]bool, s.Classes)}
	for _, i := range s.from {
		m.present[s.Class[i]] = true
	}
	some := s.drawn()
	distance := s.distances(some)
	full := distance
	if len(some) < len(s.from) {
		full = s.distances(s.every())
	}
	fit.Parallel(s.Workers(), len(m.latent), func(k int) {
		if w.ctx.Err() == nil {
			m.latent[k] = s.latent(w, k, some, distance, full)
		}
	})
	if err := fit.Stopped(w.ctx); err != nil {
		return nil, err
	}
	for _, l := range m.latent {
		if l == nil {
			return nil, fault.New(fault.Invalid, "the kernel of the rows has no numerically stable inverse").At("model").Try("use logistic regression")
		}
	}
	return m, nil
}

// latent learns one function; nil where a kernel cannot be factored.
func (s *points) latent(w *watch, k int, some []int, distance, full *mat.SymDense) *latent {
	own := int32(k)
	if s.Classes == 2 {
		own = 1
	}
	theta := s.theta(s.Task)
	if !s.Fixed {
		part := s.labels(some, own)
		theta = w.maximise(theta, s.MaxIter, len(some), func(theta []float64) (float64, []float64) { return part.evidence(w, theta, distance) })
	}
	l := &latent{constant: math.Exp(theta[0]), length: math.Exp(theta[1])}
	all := s.labels(s.every(), own)
	at, ok := all.mode(w, kernel(full, l.constant, l.length))
	if !ok {
		return nil
	}
	l.evidence, l.gradient = at.evidence, mat.NewVecDense(len(all.y), at.gradient)
	l.root = at.inverse()
	w.tell(-l.evidence / float64(len(all.y)))
	return l
}

// labels are 1 for a class and 0 for the rest, with their weights.
type labels struct{ y, weight []float64 }

func (s *points) labels(some []int, class int32) labels {
	l := labels{make([]float64, len(some)), make([]float64, len(some))}
	for i, r := range some {
		l.weight[i] = s.weight[r]
		if s.Class[s.from[r]] == class {
			l.y[i] = 1
		}
	}
	return l
}

// probabilities is the graph's answer in float64.
func (m *classification) probabilities(row []float32) []float64 {
	out := make([]float64, m.Classes)
	var sum float64
	for k, l := range m.latent {
		near := m.against(row, l.constant, l.length)
		var white mat.VecDense
		white.MulVec(l.root, near)
		out[k] = squashed(mat.Dot(near, l.gradient), max(0, l.constant-mat.Dot(&white, &white)))
	}
	if m.Classes == 2 {
		out[0], out[1] = 1-out[0], out[0]
	}
	for k, p := range out {
		if out[k] = max(p, never); !m.present[k] {
			out[k] = 0
		}
		sum += out[k]
	}
	for k := range out {
		out[k] /= sum
	}
	return out
}

// never keeps the sum of probabilities above 0.
const never = 1e-20
