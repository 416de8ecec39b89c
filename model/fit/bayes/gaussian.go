package bayes

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Gaussian is naive Bayes with a normal distribution for each class and feature, for features that are measurements.
// Means and variances are weighted. To every variance VarSmoothing times the largest variance of a feature is added,
// which makes the answer depend on the units of features; that largest variance is not weighted, as scikit-learn's is not.
// X must be finite. A class without weight gets the probability 0.
type Gaussian struct {
	VarSmoothing float64 `json:"var_smoothing,omitempty"` // above 0; 0 means 1e-9
}

var _ fit.Estimator = Gaussian{}

// Fit implements fit.Estimator for classification. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (g Gaussian) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	if g.VarSmoothing == 0 {
		g.VarSmoothing = 1e-9
	}
	if !(g.VarSmoothing > 0) || math.IsInf(g.VarSmoothing, 1) {
		return "", fault.New(fault.Invalid, "var_smoothing must be a number above 0").At("var_smoothing")
	}
	if err := ready(ctx, d, "Gaussian"); err != nil {
		return "", err
	}
	m, err := g.learn(ctx, d)
	if err != nil {
		return "", err
	}
	return finish(ctx, d, m, b, x, report)
}

// normal holds the distributions of the features of each class, in features that are centred and scaled: what is far
// from zero or huge loses nothing in float32 then.
type normal struct {
	center, scale []float64   // (cols), float32 numbers; a feature of scale 0 is constant
	mean          [][]float64 // (classes, cols), of the scaled features
	precision     [][]float64 // (classes, cols), 1 / deviation of the scaled features
	constant      []float64   // (classes), log prior - Σ log deviation
}

func (g Gaussian) learn(ctx context.Context, d fit.Data) (*normal, error) {
	s := fit.Standardize(d).Rounded()
	m := &normal{center: s.Mean, scale: s.Scale}
	weight := classWeights(d)
	m.constant = logPriors(weight, false)
	variance, err := m.measure(ctx, d, weight)
	if err != nil {
		return nil, err
	}
	epsilon := g.VarSmoothing * largestVariance(d)
	for k, row := range variance {
		precision := make([]float64, d.Cols)
		for j, v := range row {
			if weight[k] == 0 || m.scale[j] == 0 {
				continue // all classes agree on a constant feature
			}
			// Where even the smoothing is 0 rows of weight 0 are all that vary: any deviation does, the same for all classes.
			deviation := math.Sqrt(v + epsilon*m.scale[j]*m.scale[j])
			if deviation == 0 {
				deviation = 1
			}
			precision[j] = 1 / deviation
			m.constant[k] -= math.Log(deviation)
		}
		m.precision = append(m.precision, precision)
	}
	return m, nil
}

// measure sets the means of the classes and returns their variances, of the scaled features.
func (m *normal) measure(ctx context.Context, d fit.Data, weight []float64) ([][]float64, error) {
	variance := make([][]float64, d.Classes)
	for k := range variance {
		variance[k] = make([]float64, d.Cols)
		m.mean = append(m.mean, make([]float64, d.Cols))
	}
	for pass := range 2 {
		for i := range d.Rows {
			if i%1024 == 0 && ctx.Err() != nil {
				return nil, fit.Stopped(ctx)
			}
			k, w := d.Class[i], d.W(i)
			if w == 0 {
				continue
			}
			w /= weight[k]
			for j, v := range d.Row(i) {
				z := (float64(v) - m.center[j]) * m.scale[j]
				if pass == 0 {
					m.mean[k][j] += w * z
					continue
				}
				z -= m.mean[k][j]
				variance[k][j] += w * z * z
			}
		}
	}
	return variance, nil
}

// largestVariance of a feature, without weights.
func largestVariance(d fit.Data) float64 {
	d.Weight = nil
	mean, square := make([]float64, d.Cols), make([]float64, d.Cols)
	for i := range d.Rows {
		for j, v := range d.Row(i) {
			mean[j] += float64(v) / float64(d.Rows)
		}
	}
	var largest float64
	for i := range d.Rows {
		for j, v := range d.Row(i) {
			c := float64(v) - mean[j]
			square[j] += c * c / float64(d.Rows)
			largest = max(largest, square[j])
		}
	}
	return largest
}

func (m *normal) joint(row []float32, out []float64) {
	for k, precision := range m.precision {
		out[k] = m.constant[k]
		for j, v := range row {
			z := ((float64(v)-m.center[j])*m.scale[j] - m.mean[k][j]) * precision[j]
			out[k] -= z * z / 2
		}
	}
}

// far bounds the scaled features, so that squares stay in the range of float32.
const far = 1e12

// emit appends the differences from each mean themselves (rows, classes, cols): a product of squares would be one
// MatMul, but loses all where a class is narrow and far from the middle.
func (m *normal) emit(b *graph.Builder, x graph.Value) graph.Value {
	classes, cols := len(m.mean), len(m.center)
	mean, precision := make([]float64, 0, classes*cols), make([]float64, 0, classes*cols)
	for k := range m.mean {
		mean = append(mean, m.mean[k]...)
		for _, v := range m.precision[k] {
			precision = append(precision, v*math.Sqrt(.5))
		}
	}
	z := fit.Standard{Mean: m.center, Scale: m.scale}.Append(b, x)
	z = b.Op("Clip", z, b.Scalar("least", -far), b.Scalar("most", far))
	z = b.Op("Unsqueeze", z, b.Ints("axis", []int64{1}))
	z = b.Op("Sub", z, b.Init("class_mean", tensor.Floats(fit.Narrow(mean), classes, cols)))
	z = b.Op("Mul", z, b.Init("class_precision", tensor.Floats(fit.Narrow(precision), classes, cols)))
	z = b.Op("Mul", z, z)
	z = b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, z, b.Ints("features", []int64{2}))
	return b.Op("Sub", b.Floats("constant", fit.Narrow(m.constant)), z)
}
