package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// MatMul: y = a·b over the last two dimensions, the others broadcast; a vector counts as a row on the left, as a column on the
// right, and that dimension leaves the result. https://onnx.ai/onnx/operators/onnx__MatMul.html
func init() {
	a, b := f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), f64s([]int{3, 2}, 1, 0, 2, 1, 0, 3)
	register(&Spec{Name: "MatMul", Since: 1, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferMatMul, Compile: compileMatMul, Grad: gradMatMul, Cases: []Case{
		{In: in(a, b), Out: in(f64s([]int{2, 2}, 5, 11, 14, 23))},
		{Name: "row vector", In: in(f64v(1, 2), a), Out: in(f64v(9, 12, 15))},
		{Name: "column vector", In: in(a, f64v(1, 0, 2)), Out: in(f64v(7, 16))},
		{Name: "dot", In: in(f64v(1, 2), f64v(3, 4)), Out: in(f64s(nil, 11))},
		{Name: "batched", In: in(f64s([]int{2, 1, 2}, 1, 2, 3, 4), f64s([]int{2, 1}, 5, 6)), Out: in(f64s([]int{2, 1, 1}, 17, 39))},
		{Name: "batches broadcast", In: in(f64s([]int{2, 1, 1, 2}, 1, 2, 3, 4), f64s([]int{3, 2, 1}, 1, 0, 0, 1, 1, 1)), Out: in(f64s([]int{2, 3, 1, 1}, 1, 2, 3, 3, 4, 7))},
		{Name: "no rows", In: in(f64s([]int{0, 3}), b), Out: in(f64s([]int{0, 2}))},
		{Name: "nothing to sum", In: in(f64s([]int{1, 0}), f64s([]int{0, 2})), Out: in(f64s([]int{1, 2}, 0, 0))},
		{Name: "ints", In: in(i64s([]int{1, 2}, 1, 2), i64s([]int{2, 1}, 3, 4)), Out: in(i64s([]int{1, 1}, 11))},
		{Name: "misfit", In: in(a, a), Err: "(2, 3)"},
	}})
}

func inferMatMul(n *graph.Node, site *Site) ([]tensor.Type, error) {
	a, b := site.Types[0], site.Types[1]
	if err := oneOf(n, a, signed...); err != nil {
		return nil, err
	}
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	if a.Unranked || b.Unranked {
		return []tensor.Type{unranked(a.DType)}, nil
	}
	ra, rb := len(a.Dims), len(b.Dims)
	if ra == 0 || rb == 0 {
		return nil, bad(n, "a scalar")
	}
	inner := b.Dims[max(rb-2, 0)]
	if k := a.Dims[ra-1]; k.Size != inner.Size && k.Size != tensor.Free && inner.Size != tensor.Free {
		return nil, bad(n, "shapes do not fit: "+a.String()+" and "+b.String())
	}
	batch, err := broadcastTypes(n, a.DType, tensor.Type{DType: a.DType, Dims: a.Dims[:max(ra-2, 0)]}, tensor.Type{DType: a.DType, Dims: b.Dims[:max(rb-2, 0)]})
	if err != nil {
		return nil, err
	}
	if ra > 1 {
		batch.Dims = append(batch.Dims, a.Dims[ra-2])
	}
	if rb > 1 {
		batch.Dims = append(batch.Dims, b.Dims[rb-1])
	}
	return []tensor.Type{batch}, nil
}

func compileMatMul(n *graph.Node, site *Site) (Kernel, error) {
	switch d := site.Types[0].DType; d {
	case tensor.Float32:
		return matMulKernel(tensor.Data[float32], d, site), nil
	case tensor.Float64:
		return matMulKernel(tensor.Data[float64], d, site), nil
	case tensor.Int32:
		return matMulKernel(tensor.Data[int32], d, site), nil
	case tensor.Int64:
		return matMulKernel(tensor.Data[int64], d, site), nil
	default:
		return nil, refuse(n, d)
	}
}

// product is the shape of one matrix product and of its batches.
type product struct {
	m, k, n int
	batch   []int // shape of the batches, broadcast
	a, b    []int // batch shapes of the operands
	buf     [MaxRank]int
}

// productOf checks that a and b can be multiplied.
func productOf(p *product, op string, a, b []int) (err error) {
	ra, rb := len(a), len(b)
	if ra == 0 || rb == 0 {
		return misfit(op, "a scalar")
	}
	p.m, p.k, p.n = 1, a[ra-1], 1
	if ra > 1 {
		p.m = a[ra-2]
	}
	if rb > 1 {
		p.n = b[rb-1]
	}
	if b[max(rb-2, 0)] != p.k {
		return misfit(op, "shapes do not fit: "+shapeText(a)+" and "+shapeText(b))
	}
	p.a, p.b = a[:max(ra-2, 0)], b[:max(rb-2, 0)]
	p.batch, err = broadcastShape(op, p.buf[:0], p.a, p.b)
	return err
}

// matMulKernel packs b once when it is constant and a plain matrix.
func matMulKernel[T kernel.Number](data lane[T], d tensor.DType, site *Site) Kernel {
	var packed *kernel.Packed[T]
	if c := site.constant(1); c != nil && c.Rank() == 2 {
		p := kernel.Pack(data(c), c.Shape()[0], c.Shape()[1], c.Shape()[1], false, nil)
		packed = &p
	}
	g := &gemm[T]{threads: site.Threads}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		a, b := in[0], in[1]
		var p product
		if err := productOf(&p, "MatMul", a.Shape(), b.Shape()); err != nil {
			return err
		}
		var buf [MaxRank]int
		shape := append(buf[:0], p.batch...)
		if a.Rank() > 1 {
			shape = append(shape, p.m)
		}
		if b.Rank() > 1 {
			shape = append(shape, p.n)
		}
		if err := Reset(ctx, out[0], d, shape...); err != nil {
			return err
		}
		x, y, z := data(a), data(b), data(out[0])
		clear(z)
		if len(p.b) == 0 && p.k > 0 { // one matrix on the right: all batches are rows of one product
			g.run(len(z)/max(p.n, 1), p.k, p.n, x, p.k, false, y, p.n, false, packed, z)
			return nil
		}
		var w grid
		w.set(p.batch, p.a, p.b)
		mk, kn, mn := p.m*p.k, p.k*p.n, p.m*p.n
		w.each(func(at int, o [3]int) {
			for i := range w.inner {
				ia, ib := o[0]+i*w.unit[0], o[1]+i*w.unit[1]
				g.run(p.m, p.k, p.n, x[ia*mk:], p.k, false, y[ib*kn:], p.n, false, nil, z[(at+i)*mn:])
			}
		})
		return nil
	}
}

// gemm multiplies matrices, with scratch memory for packing.
type gemm[T kernel.Number] struct {
	threads int
	panels  scratch[[4]T]
	rows    scratch[T]
}

// run adds A·B to c (m, n): a (m, k), or (k, m) when ta, rows lda apart; b (k, n), or (n, k) when tb, rows ldb apart; packed is b
// laid out before, or nil.
func (g *gemm[T]) run(m, k, n int, a []T, lda int, ta bool, b []T, ldb int, tb bool, packed *kernel.Packed[T], c []T) {
	if m == 0 || n == 0 || k == 0 {
		return
	}
	if ta {
		rows := g.rows.take(m * k)
		defer g.rows.put(rows)
		kernel.Transpose(*rows, a, k, m, lda)
		a, lda = *rows, k
	}
	if packed == nil && m < 4 && !tb {
		for i := range m {
			kernel.Axpy(a[i*lda:][:k], b, ldb, c[i*n:][:n])
		}
		return
	}
	if packed == nil {
		panels := g.panels.take(kernel.PackedLen(k, n))
		defer g.panels.put(panels)
		p := kernel.Pack(b, k, n, ldb, tb, *panels)
		packed = &p
	}
	if g.threads < 2 || m*n*k < 1<<18 {
		kernel.Gemm(m, a, lda, packed, c, n)
		return
	}
	g.spread(m, k, n, a, lda, packed, c)
}

// spread divides the rows of A among goroutines.
func (g *gemm[T]) spread(m, k, n int, a []T, lda int, packed *kernel.Packed[T], c []T) {
	grain := max(2, (1<<17)/(n*k))
	parallel(g.threads, m, grain, func(lo, hi int) {
		kernel.Gemm(hi-lo, a[lo*lda:], lda, packed, c[lo*n:], n)
	})
}

// da = dy·bᵀ, db = aᵀ·dy, summed over the batches that were broadcast.
func gradMatMul(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return b.Node(Private, "MatMulGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 2), nil
}

// Gemm: y = alpha·A·B + beta·C; transA and transB transpose, C is broadcast to (m, n). https://onnx.ai/onnx/operators/onnx__Gemm.html
func init() {
	a, b := f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), f64s([]int{3, 2}, 1, 0, 2, 1, 0, 3)
	trans := func(name string) graph.Attr { return graph.IntAttr(name, 1) }
	register(&Spec{Name: "Gemm", Since: 7, Attrs: []string{"alpha", "beta", "transA", "transB"}, In: Arity{2, 3}, Out: Arity{1, 1}, Infer: inferGemm, Compile: compileGemm, Grad: gradGemm, Cases: []Case{
		{In: in(a, b, f64v(10, 20)), Out: in(f64s([]int{2, 2}, 15, 31, 24, 43))},
		{Name: "no C", In: in(a, b), Out: in(f64s([]int{2, 2}, 5, 11, 14, 23))},
		{Name: "scaled", Attrs: []graph.Attr{graph.FloatAttr("alpha", .5), graph.FloatAttr("beta", 2)}, In: in(a, b, f64s([]int{2, 1}, 1, 2)), Out: in(f64s([]int{2, 2}, 4.5, 7.5, 11, 15.5))},
		{Name: "transA", Attrs: []graph.Attr{trans("transA"), graph.FloatAttr("alpha", 2)}, In: in(f64s([]int{3, 2}, 1, 4, 2, 5, 3, 6), b, f64s(nil, 1)), Out: in(f64s([]int{2, 2}, 11, 23, 29, 47))},
		{Name: "transB", Attrs: []graph.Attr{trans("transB")}, In: in(a, f64s([]int{2, 3}, 1, 2, 0, 0, 1, 3)), Out: in(f64s([]int{2, 2}, 5, 11, 14, 23))},
		{Name: "both", Attrs: []graph.Attr{trans("transA"), trans("transB")}, In: in(f64s([]int{3, 2}, 1, 4, 2, 5, 3, 6), f64s([]int{2, 3}, 1, 2, 0, 0, 1, 3), f64s([]int{1, 2}, 1, 2)), Out: in(f64s([]int{2, 2}, 6, 13, 15, 25))},
		{Name: "misfit", In: in(a, a), Err: "shapes"},
	}})
}

func inferGemm(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "transA", "transB"); err != nil {
		return nil, err
	}
	if err := kinds(n, graph.AttrFloat, "alpha", "beta"); err != nil {
		return nil, err
	}
	a, b := site.Types[0], site.Types[1]
	if err := oneOf(n, a, signed...); err != nil {
		return nil, err
	}
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	dims := []tensor.Dim{free, free}
	var inner [2]tensor.Dim
	for i, t := range []tensor.Type{a, b} {
		if inner[i] = free; t.Unranked {
			continue
		}
		if len(t.Dims) != 2 {
			return nil, bad(n, "an operand that is not a matrix: "+t.String())
		}
		other := i == 1
		if n.Int([]string{"transA", "transB"}[i], 0) != 0 {
			other = !other
		}
		if other {
			dims[i], inner[i] = t.Dims[1], t.Dims[0]
		} else {
			dims[i], inner[i] = t.Dims[0], t.Dims[1]
		}
	}
	if inner[0].Size != inner[1].Size && inner[0].Size != tensor.Free && inner[1].Size != tensor.Free {
		return nil, bad(n, "shapes do not fit: "+a.String()+" and "+b.String())
	}
	return []tensor.Type{{DType: a.DType, Dims: dims}}, nil
}

func compileGemm(n *graph.Node, site *Site) (Kernel, error) {
	switch d := site.Types[0].DType; d {
	case tensor.Float32:
		return gemmKernel(tensor.Data[float32], d, n, site), nil
	case tensor.Float64:
		return gemmKernel(tensor.Data[float64], d, n, site), nil
	case tensor.Int32:
		return gemmKernel(tensor.Data[int32], d, n, site), nil
	case tensor.Int64:
		return gemmKernel(tensor.Data[int64], d, n, site), nil
	default:
		return nil, refuse(n, d)
	}
}

func gemmKernel[T kernel.Number](data lane[T], d tensor.DType, node *graph.Node, site *Site) Kernel {
	alpha, beta := node.Float("alpha", 1), node.Float("beta", 1)
	ta, tb := node.Int("transA", 0) != 0, node.Int("transB", 0) != 0
	var packed *kernel.Packed[T]
	if c := site.constant(1); c != nil && c.Rank() == 2 {
		s := c.Shape()
		k, n := s[0], s[1]
		if tb {
			k, n = n, k
		}
		p := kernel.Pack(data(c), k, n, s[1], tb, nil)
		packed = &p
	}
	g := &gemm[T]{threads: site.Threads}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		a, b := in[0].Shape(), in[1].Shape()
		if len(a) != 2 || len(b) != 2 {
			return misfit("Gemm", "an operand that is not a matrix")
		}
		m, k, kb, n := a[0], a[1], b[0], b[1]
		if ta {
			m, k = k, m
		}
		if tb {
			kb, n = n, kb
		}
		if k != kb {
			return misfit("Gemm", "shapes do not fit: "+shapeText(a)+" and "+shapeText(b))
		}
		if err := Reset(ctx, out[0], d, m, n); err != nil {
			return err
		}
		y := data(out[0])
		clear(y)
		g.run(m, k, n, data(in[0]), a[1], ta, data(in[1]), b[1], tb, packed, y)
		scale(y, alpha)
		if len(in) < 3 || in[2] == nil || beta == 0 {
			return nil
		}
		return addBias(y, m, n, data(in[2]), in[2].Shape(), beta)
	}
}

// scale multiplies y by alpha, in float32 for integers too, as ONNX gives the attribute.
func scale[T kernel.Number](y []T, alpha float32) {
	if alpha == 1 {
		return
	}
	for i, v := range y {
		y[i] = T(float64(v) * float64(alpha))
	}
}

// addBias adds beta·c, of a shape that broadcasts to (m, n), to y (m, n).
func addBias[T kernel.Number](y []T, m, n int, c []T, shape []int, beta float32) error {
	to := [2]int{m, n}
	var buf [MaxRank]int
	joint, err := broadcastShape("Gemm", buf[:0], to[:], shape)
	if err != nil {
		return err
	}
	if len(joint) != 2 || joint[0] != m || joint[1] != n {
		return misfit("Gemm", "C "+shapeText(shape)+" does not broadcast to "+shapeText(to[:]))
	}
	if beta == 1 {
		broadcastPair(y, joint, y, joint, c, shape, add)
		return nil
	}
	broadcastPair(y, joint, y, joint, c, shape, func(dst, a, b []T) {
		zip(func(x, z T) T { return x + T(float64(z)*float64(beta)) })(dst, a, b)
	})
	return nil
}

// dA = alpha·dy·Bᵀ, dB = alpha·Aᵀ·dy (each transposed where its operand is), dC = beta·dy.
func gradGemm(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	x, w := n.Inputs[0], n.Inputs[1]
	ta, tb := n.Int("transA", 0), n.Int("transB", 0)
	mul := func(p, q graph.Value, tp, tq int64) graph.Value {
		return b.OpWith("Gemm", []graph.Attr{graph.FloatAttr("alpha", n.Float("alpha", 1)), graph.IntAttr("transA", tp), graph.IntAttr("transB", tq)}, p, q)
	}
	dx := make([]graph.Value, 2, 3)
	if ta == 0 {
		dx[0] = mul(dy[0], w, 0, 1-tb)
	} else {
		dx[0] = mul(w, dy[0], tb, 1)
	}
	if tb == 0 {
		dx[1] = mul(x, dy[0], 1-ta, 0)
	} else {
		dx[1] = mul(dy[0], x, 1, ta)
	}
	if len(n.Inputs) < 3 {
		return dx, nil
	}
	dc := dy[0]
	if beta := n.Float("beta", 1); n.Inputs[2] != "" && beta != 1 {
		dc = b.Op("Mul", dc, scalarLike(b, beta, dc))
	}
	return append(dx, dc), nil
}
