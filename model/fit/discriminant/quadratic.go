package discriminant

import (
	"context"
	"math"
	"strconv"

	"gonum.org/v1/gonum/mat"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Quadratic is quadratic discriminant analysis: each class is a normal distribution with a covariance of its own.
// X must be finite, with 2048 features at most. A class without weight gets the probability 0.
//
// A class that does not vary in some direction (a feature is constant in it, or there are fewer rows than features) has
// no density, and scikit-learn refuses it. Here, with a RegParam of 0, a variance below 1e-5 counts as none and becomes
// 0.01, where features have the variance 1 over all rows: less would let every row in that plane belong to the class.
type Quadratic struct {
	RegParam float64 `json:"reg_param,omitempty"` // 0 … 1, how far covariances move to the identity, which depends on the units of features; default 0
}

var _ fit.Estimator = Quadratic{}

// A variance of z below flat is none, and becomes floor.
const (
	flat  = 1e-5
	floor = 1e-2
)

// Fit implements fit.Estimator for classification. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (q Quadratic) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	m, err := q.learn(ctx, d)
	if err != nil {
		return "", err
	}
	return finish(ctx, d, m, b, x, report)
}

// bells are normal distributions in z.
type bells struct {
	*groups
	whiten []*mat.Dense // (classes) of (cols, cols): the squared length of (z - mean) · whiten is the distance
	bias   []float64    // (classes)
}

func (q Quadratic) learn(ctx context.Context, d fit.Data) (*bells, error) {
	if !(q.RegParam >= 0 && q.RegParam <= 1) {
		return nil, fault.New(fault.Invalid, "reg_param must be 0 … 1").At("reg_param")
	}
	g, err := group(ctx, d, "quadratic")
	if err != nil {
		return nil, err
	}
	if bytes := 4 * d.Classes * d.Cols * d.Cols; bytes > 200<<20 {
		return nil, fault.New(fault.Invalid, "quadratic discriminant analysis of "+strconv.Itoa(d.Classes)+" classes and "+strconv.Itoa(d.Cols)+
			" features makes a model of more than 200 MB").At("model").Try("use linear discriminant analysis")
	}
	m := &bells{groups: g}
	for k, rows := range g.rows {
		if len(rows) == 0 {
			m.whiten, m.bias = append(m.whiten, mat.NewDense(d.Cols, d.Cols, nil)), append(m.bias, g.logPrior(k))
			continue
		}
		covariance, err := g.scatter(ctx, rows)
		if err != nil {
			return nil, err
		}
		whiten, logarithm, err := q.whiten(g, covariance)
		if err != nil {
			return nil, err
		}
		m.whiten, m.bias = append(m.whiten, whiten), append(m.bias, g.logPrior(k)-logarithm)
	}
	return m, nil
}

// whiten returns W with W · Wᵀ the inverse of the covariance of z, and ½ the logarithm of the determinant.
func (q Quadratic) whiten(g *groups, covariance *mat.SymDense) (*mat.Dense, float64, error) {
	n := g.Cols
	if q.RegParam > 0 { // the covariance of x plus reg · identity, in z
		toward(covariance, q.RegParam, func(j int) float64 { return g.scale[j] * g.scale[j] })
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return nil, 0, fault.New(fault.Invalid, "the covariance of the features has no numerically stable inverse").At("model").
			Try("drop features that are copies of each other, or set reg_param")
	}
	var out mat.Dense
	eigen.VectorsTo(&out)
	var logarithm float64
	for k, v := range eigen.Values(nil) {
		if q.RegParam == 0 && v < flat {
			v = floor
		}
		v = max(v, 1e-15) // a constant feature, or one whose unit makes the identity vanish
		logarithm += math.Log(v) / 2
		for j := range n {
			out.Set(j, k, out.At(j, k)/math.Sqrt(v))
		}
	}
	return &out, logarithm, nil
}

func (m *bells) joint(row []float32, out []float64) {
	z := make([]float64, m.Cols)
	for k, whiten := range m.whiten {
		m.scaled(z, row)
		for j, v := range m.mean[k] {
			z[j] -= v
		}
		var white mat.VecDense
		white.MulVec(whiten.T(), mat.NewVecDense(m.Cols, z))
		out[k] = m.bias[k] - mat.Dot(&white, &white)/2
	}
}

// far bounds z, so that squares stay in the range of float32.
const far = 1e10

// emit takes the mean of each class from z before it multiplies, so that a narrow class far from the middle keeps its
// precision: (classes, rows, cols) by (classes, cols, cols).
func (m *bells) emit(b *graph.Builder, x graph.Value) graph.Value {
	classes, cols := m.Classes, m.Cols
	var mean, whiten []float64
	for k, w := range m.whiten {
		mean = append(mean, m.mean[k]...)
		for i := range cols {
			for _, v := range w.RawRowView(i) {
				whiten = append(whiten, v*math.Sqrt(.5))
			}
		}
	}
	z := fit.Standard{Mean: m.center, Scale: m.scale}.Append(b, x)
	z = b.Op("Clip", z, b.Scalar("least", -far), b.Scalar("most", far))
	z = b.Op("Sub", z, b.Init("class_mean", tensor.Floats(fit.Narrow(mean), classes, 1, cols)))
	z = b.Op("MatMul", z, b.Init("whiten", tensor.Floats(fit.Narrow(whiten), classes, cols, cols)))
	z = b.Op("Mul", z, z)
	z = b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, z, b.Ints("features", []int64{2}))
	z = b.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 1, 0)}, z)
	return b.Op("Sub", b.Floats("constant", fit.Narrow(m.bias)), z)
}
