package gaussian

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
)

// jitter is added to the diagonal, as scikit-learn's alpha is.
const jitter = 1e-10

// regression is what was learned: the prediction is center + unit · Σ alpha · kernel(x, point).
type regression struct {
	*points
	theta        []float64 // logarithms of constant, length and noise
	likelihood   float64   // of all points
	alpha        *mat.VecDense
	center, unit float64
}

func (s *points) numbers(w *watch) (*regression, error) {
	m := &regression{points: s, theta: s.theta(s.Task), unit: 1}
	if !s.Unscaled {
		m.center, m.unit = s.target()
	}
	if !s.Fixed {
		some := s.drawn()
		distance, y := s.distances(some), m.targets(some)
		m.theta = w.maximise(m.theta, s.MaxIter, len(some), func(theta []float64) (float64, []float64) {
			value, gradient, _ := s.evidence(theta, some, distance, y, true)
			return value, gradient
		})
	}
	if err := fit.Stopped(w.ctx); err != nil {
		return nil, err
	}
	all := s.every()
	m.likelihood, _, m.alpha = s.evidence(m.theta, all, s.distances(all), m.targets(all), false)
	if m.alpha == nil {
		return nil, fault.New(fault.Invalid, "the kernel of the rows has no numerically stable inverse").At("noise_level").Try("raise noise_level")
	}
	w.tell(-m.likelihood / float64(len(all)))
	return m, fit.Stopped(w.ctx)
}

// targets of some points, in units of the process.
func (m *regression) targets(some []int) *mat.VecDense {
	y := mat.NewVecDense(len(some), nil)
	for i, r := range some {
		y.SetVec(i, (float64(m.Y[m.from[r]])-m.center)/m.unit)
	}
	return y
}

// evidence is the logarithm of the marginal likelihood of some points (Rasmussen and Williams, algorithm 2.1), its
// gradient by theta where asked for (equation 5.9), and alpha, which is nil where the kernel cannot be factored.
func (s *points) evidence(theta []float64, some []int, distance *mat.SymDense, y *mat.VecDense, slopes bool) (float64, []float64, *mat.VecDense) {
	n := len(some)
	constant, length, noise := math.Exp(theta[0]), math.Exp(theta[1]), math.Exp(theta[2])
	smooth := kernel(distance, constant, length)
	full := mat.NewSymDense(n, nil)
	full.CopySym(smooth)
	for i, r := range some {
		full.SetSym(i, i, full.At(i, i)+noise/s.weight[r]+jitter)
	}
	var chol mat.Cholesky
	if !chol.Factorize(full) {
		return math.Inf(-1), make([]float64, len(theta)), nil
	}
	alpha := mat.NewVecDense(n, nil)
	_ = chol.SolveVecTo(alpha, y) // an error says that the matrix is close to singular, which noise is there to bear
	value := -mat.Dot(y, alpha)/2 - chol.LogDet()/2 - float64(n)/2*math.Log(2*math.Pi)
	if !slopes {
		return value, nil, alpha
	}
	inverse := mat.NewSymDense(n, nil)
	_ = chol.InverseTo(inverse)
	gradient := make([]float64, 3)
	a, inverses, smooths, distances := alpha.RawVector().Data, inverse.RawSymmetric().Data, smooth.RawSymmetric().Data, distance.RawSymmetric().Data
	for i := range n {
		own := a[i]*a[i] - inverses[i*n+i]
		gradient[0] += own * smooths[i*n+i] / 2
		gradient[2] += own * noise / s.weight[some[i]] / 2
		for j := i + 1; j < n; j++ { // an entry above the diagonal stands for two
			v := (a[i]*a[j] - inverses[i*n+j]) * smooths[i*n+j]
			gradient[0] += v
			gradient[1] += v * distances[i*n+j] / (length * length)
		}
	}
	return value, gradient, alpha
}

// target is the weighted mean of the target and its deviation, 1 where it does not vary.
func (s *points) target() (mean, deviation float64) {
	n := float64(len(s.from))
	for r, i := range s.from {
		mean += s.weight[r] / n * float64(s.Y[i])
	}
	for r, i := range s.from {
		c := float64(s.Y[i]) - mean
		deviation += s.weight[r] / n * c * c
	}
	if deviation = math.Sqrt(deviation); deviation <= 1e-9*math.Abs(mean) || deviation == 0 {
		return mean, 1
	}
	return mean, deviation
}

// predict is the graph's answer in float64.
func (m *regression) predict(row []float32) float64 {
	return m.center + m.unit*mat.Dot(m.against(row, math.Exp(m.theta[0]), math.Exp(m.theta[1])), m.alpha)
}
