//go:build !lean

package op

import (
	"context"
	"math"
	"sync/atomic"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// DFT: the discrete Fourier transform of x (…, n, …, 1 or 2) along axis; the last dimension holds real and imaginary part. The signal is
// cut or padded with zeros to dft_length. onesided=1 gives the first n/2+1 frequencies, or with inverse=1 reads them and gives a real
// signal. The axis is an input from opset 20 on, an attribute before. https://onnx.ai/onnx/operators/onnx__DFT.html
// Real signals of float32 are computed in float64 and complex ones in float32: so does numpy, whose numbers the suite holds.
func init() {
	x := f64s([]int{1, 4, 1}, 1, 2, 3, 5)
	y := f64s([]int{1, 4, 2}, 11, 0, -2, 3, -3, 0, -2, -3)
	flag := func(name string) graph.Attr { return graph.IntAttr(name, 1) }
	register(&Spec{
		Name: "DFT", Since: 20, Half: true, Attrs: []string{"inverse", "onesided"}, In: Arity{1, 3}, Out: Arity{1, 1}, Infer: inferDFT, Compile: compileDFT, Grad: gradDFT,
		Cases: []Case{
			{In: in(x), Out: in(y)},
			{Name: "inverse", Attrs: []graph.Attr{flag("inverse")}, In: in(y), Out: in(f64s([]int{1, 4, 2}, 1, 0, 2, 0, 3, 0, 5, 0))},
			{Name: "one side", Attrs: []graph.Attr{flag("onesided")}, In: in(x), Out: in(f64s([]int{1, 3, 2}, 11, 0, -2, 3, -3, 0))},
			{Name: "one side back", Attrs: []graph.Attr{flag("onesided"), flag("inverse")}, In: in(f64s([]int{1, 3, 2}, 11, 0, -2, 3, -3, 0)), Out: in(x)},
			{Name: "axis", In: in(f64s([]int{2, 2, 1}, 1, 2, 3, 5), nil, i64s(nil, 0)), Out: in(f64s([]int{2, 2, 2}, 4, 0, 7, 0, -2, 0, -3, 0))},
			{Name: "shorter", In: in(x, i64s(nil, 2)), Out: in(f64s([]int{1, 2, 2}, 3, 0, -1, 0))},
			{Name: "longer", In: in(f64s([]int{1, 2, 2}, 1, 2, 3, 5), i64s(nil, 4)), Out: in(f64s([]int{1, 4, 2}, 4, 7, 6, -1, -2, -3, -4, 5))},
			{Name: "one side of few", Attrs: []graph.Attr{flag("onesided")}, In: in(x, i64s(nil, 3)), Out: in(f64s([]int{1, 2, 2}, 6, 0, -1.5, math.Sqrt(3)/2))},
			{Name: "one side back, odd", Attrs: []graph.Attr{flag("onesided"), flag("inverse")}, In: in(f64s([]int{1, 3, 2}, 6, 1, -1.5, .5, 2, -1), i64s(nil, 3)), Out: in(f64s([]int{1, 3, 1}, 1, 2.5-math.Sqrt(3)/6, 2.5+math.Sqrt(3)/6))},
			{Name: "prime", In: in(f64s([]int{37, 1}, append([]float64{1}, make([]float64, 36)...)...), i64s(nil, 37), i64s(nil, 0)), Out: in(f64s([]int{37, 2}, repeated(37, 1, 0)...))},
			{Name: "of nothing", In: in(f64s([]int{0, 2, 1}), i64s(nil, 2), i64s(nil, 0)), Out: in(f64s([]int{2, 2, 2}, 0, 0, 0, 0, 0, 0, 0, 0))},
			{Name: "no length", In: in(x, i64s(nil, 0)), Err: "length"},
			{Name: "absurd", In: in(x, i64s(nil, 1<<50)), Err: "2^40"},
			{Name: "last axis", In: in(x, nil, i64s(nil, 2)), Err: "axis"},
		},
	})
	register(&Spec{
		Name: "DFT", Since: 17, Half: true, Attrs: []string{"axis", "inverse", "onesided"}, In: Arity{1, 2}, Out: Arity{1, 1}, Infer: inferDFT, Compile: compileDFT, Grad: gradDFT,
		Cases: []Case{
			{In: in(x), Out: in(y)},
			{Name: "axis", Attrs: []graph.Attr{graph.IntAttr("axis", 0)}, In: in(f64s([]int{2, 2, 1}, 1, 2, 3, 5)), Out: in(f64s([]int{2, 2, 2}, 4, 0, 7, 0, -2, 0, -3, 0))},
		},
	})
}

// repeated lists v n times.
func repeated(n int, v ...float64) []float64 {
	var all []float64
	for range n {
		all = append(all, v...)
	}
	return all
}

// dft is what the attributes of a DFT node say.
type dft struct {
	inverse, onesided bool
	axis              int64 // where it is no input
}

func dftOf(n *graph.Node, site *Site) dft {
	d := dft{inverse: n.Int("inverse", 0) != 0, onesided: n.Int("onesided", 0) != 0, axis: -2}
	if site.Opset < 20 {
		d.axis = n.Int("axis", 1)
	}
	return d
}

// place brings the axis into the range of those that may be transformed.
func (d *dft) place(axis int64, rank int) (int, error) {
	at, err := axisOf("DFT", axis, rank)
	if err == nil && at == rank-1 {
		err = misfit("DFT", "axis "+itoa(axis)+" is that of real and imaginary part")
	}
	return at, err
}

// extents gives the length of the transform, and of axis and last dimension of the result, for an axis of size elements.
func (d *dft) extents(size, length int64) (n, axis int64, parts int) {
	if n = length; n == 0 {
		if n = size; d.inverse && d.onesided {
			n = 2 * (size - 1)
		}
	}
	switch {
	case d.onesided && d.inverse:
		return n, n, 1
	case d.onesided:
		return n, n/2 + 1, 2
	}
	return n, n, 2
}

func inferDFT(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "axis", "inverse", "onesided"); err != nil {
		return nil, err
	}
	t, d := site.Types[0], dftOf(n, site)
	if err := oneOf(n, t, floats...); err != nil {
		return nil, err
	}
	for i := 1; i < 3; i++ {
		if n.In(i) == "" {
			continue
		}
		if err := oneOf(n, site.typ(i), indexTypes...); err != nil {
			return nil, err
		}
	}
	if t.Unranked {
		return []tensor.Type{t}, nil
	}
	dims := append([]tensor.Dim(nil), t.Dims...)
	_, _, parts := d.extents(2, 0)
	axis, err := d.place(d.axis, len(dims))
	if n.In(2) != "" {
		c := site.constant(2)
		if c == nil {
			for i := range dims {
				dims[i] = free
			}
			dims[len(dims)-1].Size = parts
			return []tensor.Type{{DType: t.DType, Dims: dims}}, nil
		}
		var at int64
		if at, err = scalarIndex("DFT", "an axis", c); err == nil {
			axis, err = d.place(at, len(dims))
		}
	}
	if err != nil {
		return nil, err
	}
	length := int64(0)
	if c := site.constant(1); c != nil {
		if length, err = dftLength(c); err != nil {
			return nil, err
		}
	}
	size := dims[axis].Size
	dims[axis], dims[len(dims)-1] = free, tensor.Dim{Size: parts}
	if length > 0 || n.In(1) == "" && size != tensor.Free {
		if _, extent, _ := d.extents(int64(size), length); extent >= 0 && extent <= 1<<40 {
			dims[axis].Size = int(extent)
		}
	}
	return []tensor.Type{{DType: t.DType, Dims: dims}}, nil
}

func dftLength(t *tensor.Tensor) (int64, error) {
	v, err := scalarIndex("DFT", "a length", t)
	if err == nil && v < 1 {
		err = misfit("DFT", "a length below 1")
	}
	if err == nil && v > 1<<40 {
		err = fault.New(fault.TooLarge, "DFT: a length of more than 2^40")
	}
	return v, err
}

func compileDFT(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return dftKernel(n, site, tensor.Data[float32]), nil
	}
	return dftKernel(n, site, tensor.Data[float64]), nil
}

// plans keeps the last plan: most runs want the same length again.
type plans[T float] struct{ last atomic.Pointer[fft[T]] }

func (p *plans[T]) get(ctx context.Context, n int, sign T) (*fft[T], error) {
	if f := p.last.Load(); f != nil && f.n == n {
		return f, nil
	}
	f, err := planned(ctx, n, sign)
	if err == nil {
		p.last.Store(f)
	}
	return f, err
}

func dftKernel[T float](node *graph.Node, site *Site, data lane[T]) Kernel {
	d, threads := dftOf(node, site), site.Threads
	var reals dftLines[float64, T] // of real signals in float64
	var pairs dftLines[T, T]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x := in[0]
		shape := x.Shape()
		wanted, length := d.axis, int64(0)
		var err error
		if len(in) > 1 && in[1] != nil {
			if length, err = dftLength(in[1]); err != nil {
				return err
			}
		}
		if len(in) > 2 && in[2] != nil {
			if wanted, err = scalarIndex("DFT", "an axis", in[2]); err != nil {
				return err
			}
		}
		axis, err := d.place(wanted, len(shape))
		if err != nil {
			return err
		}
		from := shape[len(shape)-1]
		if from != 1 && from != 2 {
			return misfit("DFT", "a last dimension that is neither 1 (real) nor 2 (complex): "+shapeText(shape))
		}
		size, extent, parts := d.extents(int64(shape[axis]), length)
		var buf [MaxRank]int
		to := append(buf[:0], shape...)
		to[axis], to[len(to)-1] = int(max(extent, 0)), parts
		if err := Reset(ctx, out[0], x.DType(), to...); err != nil || out[0].Len() == 0 {
			return err
		}
		outer, inner := around(shape[:len(shape)-1], axis)
		l := lines{d: d, threads: threads, size: int(size), count: outer * inner, inner: inner, rows: shape[axis], most: int(extent), from: from, to: parts}
		if from == 1 {
			return reals.run(ctx, data(out[0]), data(x), l)
		}
		return pairs.run(ctx, data(out[0]), data(x), l)
	}
}

// lines is how the signals lie that a call transforms.
type lines struct {
	d                  dft
	threads            int
	size, count, inner int // length of the transform; number of signals, of which inner lie side by side
	rows, most         int // elements of each that are there, and that are wanted
	from, to           int // parts of each element
}

// dftLines transforms signals of T, computing in W.
type dftLines[W, T float] struct {
	known plans[W]
	pool  scratch[cx[W]]
	runs  kept[dftRun[W, T]]
}

// dftRun is one call.
type dftRun[W, T float] struct {
	pool     *scratch[cx[W]]
	plan     *fft[W]
	dst, src []T
	lines
}

func (p *dftLines[W, T]) run(ctx context.Context, dst, src []T, l lines) error {
	sign := W(-1)
	if l.d.inverse {
		sign = 1
	}
	plan, err := p.known.get(ctx, l.size, sign)
	if err != nil {
		return err
	}
	r := p.runs.take()
	*r = dftRun[W, T]{&p.pool, plan, dst, src, l}
	err = sweep(ctx, l.threads, l.count, max(dearGrain/plan.n, 1), r)
	p.runs.put(r)
	return err
}

// Do transforms some of the signals.
func (r *dftRun[W, T]) Do(lo, hi int) {
	n := r.plan.n
	held := r.pool.take(2*n + r.plan.room())
	defer r.pool.put(held)
	a, b, work := (*held)[:n], (*held)[n:2*n], (*held)[2*n:]
	for line := lo; line < hi; line++ {
		o, i := line/r.inner, line%r.inner
		if clear(a); r.rows > 0 {
			readLine(a, r.src[(o*r.rows*r.inner+i)*r.from:], r.rows, r.inner*r.from, r.from)
		}
		if r.d.inverse && r.d.onesided {
			mirror(a)
		}
		y := r.plan.transform(a, b, work)[:r.most]
		if r.d.inverse {
			scaleAll(y, 1/W(n))
		}
		writeLine(r.dst[(o*r.most*r.inner+i)*r.to:], y, r.inner*r.to, r.to)
	}
}

// readLine fills a with up to rows elements of src, step apart, real or complex, and zeros.
func readLine[W, T float](a []cx[W], src []T, rows, step, parts int) {
	n := min(rows, len(a))
	for k := range n {
		a[k] = cx[W]{re: W(src[k*step])}
		if parts == 2 {
			a[k].im = W(src[k*step+1])
		}
	}
	clear(a[n:])
}

func writeLine[W, T float](dst []T, y []cx[W], step, parts int) {
	for k, v := range y {
		dst[k*step] = T(v.re)
		if parts == 2 {
			dst[k*step+1] = T(v.im)
		}
	}
}

// mirror fills the second half of a spectrum (n) from its first n/2+1 frequencies: y[n-k] is the conjugate of y[k].
func mirror[T float](a []cx[T]) {
	n := len(a)
	a[0].im = 0
	if n%2 == 0 {
		a[n/2].im = 0
	}
	for k := 1; k < (n+1)/2; k++ {
		a[n-k] = cx[T]{a[k].re, -a[k].im}
	}
}

func scaleAll[T float](a []cx[T], factor T) {
	for k, v := range a {
		a[k] = cx[T]{v.re * factor, v.im * factor}
	}
}
