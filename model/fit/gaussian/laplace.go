package gaussian

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// mode is where the posterior of the function is highest, and Laplace's approximation around it.
type mode struct {
	evidence float64
	p        []float64 // probability of 1
	root     []float64 // √ of the weighted second derivative of the likelihood
	gradient []float64 // of the logarithm of the likelihood
	a        *mat.VecDense
	chol     mat.Cholesky // of I + root · K · root
}

// mode finds it by Newton's method (Rasmussen and Williams, algorithm 3.1); false where a factor does not exist or the
// context has ended.
func (l labels) mode(w *watch, k *mat.SymDense) (*mode, bool) {
	n := len(l.y)
	m := &mode{p: make([]float64, n), root: make([]float64, n), gradient: make([]float64, n), a: mat.NewVecDense(n, nil)}
	f, b, c := mat.NewVecDense(n, nil), mat.NewVecDense(n, nil), mat.NewVecDense(n, nil)
	evidence := math.Inf(-1)
	for range 100 {
		if w.ctx.Err() != nil || !m.factor(l, f, k) {
			return nil, false
		}
		for i := range n {
			b.SetVec(i, m.root[i]*m.root[i]*f.AtVec(i)+m.gradient[i])
		}
		c.MulVec(k, b)
		for i := range n {
			c.SetVec(i, m.root[i]*c.AtVec(i))
		}
		_ = m.chol.SolveVecTo(c, c) // its eigenvalues are 1 at least
		for i := range n {
			m.a.SetVec(i, b.AtVec(i)-m.root[i]*c.AtVec(i))
		}
		f.MulVec(k, m.a)
		m.evidence = -mat.Dot(m.a, f)/2 - m.chol.LogDet()/2
		for i, y := range l.y {
			z := (2*y - 1) * f.AtVec(i)
			m.evidence -= l.weight[i] * (math.Max(-z, 0) + math.Log1p(math.Exp(-math.Abs(z))))
		}
		if m.evidence-evidence < 1e-10 {
			break
		}
		evidence = m.evidence
	}
	return m, true
}

// factor computes the derivatives of the likelihood at f, and what follows from them.
func (m *mode) factor(l labels, f *mat.VecDense, k *mat.SymDense) bool {
	n := len(l.y)
	for i, y := range l.y {
		p := 1 / (1 + math.Exp(-f.AtVec(i)))
		m.p[i], m.gradient[i] = p, l.weight[i]*(y-p)
		m.root[i] = math.Sqrt(l.weight[i] * p * (1 - p))
	}
	inner := mat.NewSymDense(n, nil)
	to, from := inner.RawSymmetric().Data, k.RawSymmetric().Data
	for i := range n {
		for j := i; j < n; j++ {
			to[i*n+j] = m.root[i] * from[i*n+j] * m.root[j]
		}
		to[i*n+i]++
	}
	return m.chol.Factorize(inner)
}

// inverse is L⁻¹ · root, by which the variance of the function follows from the kernel.
func (m *mode) inverse() *mat.Dense {
	n := len(m.root)
	out := mat.NewDense(n, n, nil)
	for i, v := range m.root {
		out.Set(i, i, v)
	}
	m.solveLower(out)
	return out
}

// solveLower replaces x by L⁻¹ · x.
func (m *mode) solveLower(x *mat.Dense) {
	var u mat.TriDense
	m.chol.UTo(&u)
	blas64.Trsm(blas.Left, blas.Trans, 1, u.RawTriangular(), x.RawMatrix())
}

// evidence is the logarithm of the approximate marginal likelihood and its gradient by theta (algorithm 5.1). With B the
// matrix I + √W·K·√W, half the posterior variance times the third derivative is (1 - B⁻¹)·(1 - 2p)/2 on the diagonal.
func (l labels) evidence(w *watch, theta []float64, distance *mat.SymDense) (float64, []float64) {
	n := len(l.y)
	gradient := make([]float64, len(theta))
	length := math.Exp(theta[1])
	k := kernel(distance, math.Exp(theta[0]), length)
	m, ok := l.mode(w, k)
	if !ok {
		return math.Inf(-1), gradient
	}
	inverse := mat.NewSymDense(n, nil)
	_ = m.chol.InverseTo(inverse)
	third := mat.NewVecDense(n, nil)
	for i, p := range m.p {
		third.SetVec(i, -(1-inverse.At(i, i))*(1-2*p)/2)
	}
	b, c := mat.NewVecDense(n, nil), mat.NewVecDense(n, nil)
	for t := range theta {
		explicit := m.explicit(k, inverse, distance, length, t == 1, b.RawVector().Data)
		// b - K·√W·B⁻¹·√W·b is how the mode moves.
		for i, r := range m.root {
			c.SetVec(i, r*b.AtVec(i))
		}
		c.MulVec(inverse, c)
		for i, r := range m.root {
			c.SetVec(i, r*c.AtVec(i))
		}
		c.MulVec(k, c)
		b.SubVec(b, c)
		gradient[t] = explicit + mat.Dot(third, b)
	}
	return m.evidence, gradient
}

// explicit is the derivative of the evidence where the mode stays. It writes S·gradient to b, S the derivative of the
// kernel by the logarithm of its constant or of its length.
func (m *mode) explicit(k, inverse, distance *mat.SymDense, length float64, byLength bool, b []float64) float64 {
	n := len(m.root)
	clear(b)
	a := m.a.RawVector().Data
	ks, inverses, distances := k.RawSymmetric().Data, inverse.RawSymmetric().Data, distance.RawSymmetric().Data
	var sum float64
	for i := range n {
		for j := i; j < n; j++ {
			v := ks[i*n+j]
			if byLength {
				v *= distances[i*n+j] / (length * length)
			}
			term := v * (a[i]*a[j] - m.root[i]*m.root[j]*inverses[i*n+j])
			if i == j {
				sum += term / 2
				b[i] += v * m.gradient[i]
				continue
			}
			sum += term // it stands for two
			b[i] += v * m.gradient[j]
			b[j] += v * m.gradient[i]
		}
	}
	return sum
}
