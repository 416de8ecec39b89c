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
	register(&Spec{Name: "MatMul", Since: 1, Half: true, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferMatMul, Compile: compileMatMul, Grad: differentiable(gradMatMul), Cases: tested(func() []Case {
		return []Case{
			{In: in(a, b), Out: in(f64s([]int{2, 2}, 5, 11, 14, 23))},
			{Name: "row vector", In: in(f64v(1, 2), a), Out: in(f64v(9, 12, 15))},
			{Name: "column vector", In: in(a, f64v(1, 0, 2)), Out: in(f64v(7, 16))},
			{Name: "dot", In: in(f64v(1, 2), f64v(3, 4)), Out: in(f64s(nil, 11))},
			{Name: "batched", In: in(f64s([]int{2, 1, 2}, 1, 2, 3, 4), f64s([]int{2, 1}, 5, 6)), Out: in(f64s([]int{2, 1, 1}, 17, 39))},
			{Name: "batches broadcast", In: in(f64s([]int{2, 1, 1, 2}, 1, 2, 3, 4), f64s([]int{3, 2, 1}, 1, 0, 0, 1, 1, 1)), Out: in(f64s([]int{2, 3, 1, 1}, 1, 2, 3, 3, 4, 7))},
			{Name: "no rows", In: in(f64s([]int{0, 3}), b), Out: in(f64s([]int{0, 2}))},
			{Name: "nothing to sum", In: in(f64s([]int{1, 0}), f64s([]int{0, 2})), Out: in(f64s([]int{1, 2}, 0, 0))},
			{Name: "ints", In: in(i64s([]int{1, 2}, 1, 2), i64s([]int{2, 1}, 3, 4)), Out: in(i64s([]int{1, 1}, 11))},
			{Name: "uint32", In: in(u32s([]int{1, 2}, 1<<31, 3), u32s([]int{2, 1}, 1, 1<<30)), Out: in(u32s([]int{1, 1}, 1<<30))},
			{Name: "batches of vectors", In: in(f64v(1, 2), f64s([]int{2, 2, 1}, 1, 2, 3, 4)), Out: in(f64s([]int{2, 1}, 5, 11))},
			{Name: "misfit", In: in(a, a), Err: "(2, 3)"},
		}
	})})
}

// u32s is a uint32 tensor of a shape.
func u32s(shape []int, v ...uint32) *tensor.Tensor { return shaped(tensor.Uint32, shape, v) }

// productTypes are the element types of MatMul and Gemm; float16 and bfloat16 come as float32.
var productTypes = []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int32, tensor.Int64, tensor.Uint32, tensor.Uint64}

func inferMatMul(n *graph.Node, site *Site) ([]tensor.Type, error) {
	a, b := site.Types[0], site.Types[1]
	if err := oneOf(n, a, productTypes...); err != nil {
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
	case tensor.Int32, tensor.Uint32: // sums and products wrap alike
		return matMulKernel(tensor.Data[int32], d, site), nil
	case tensor.Int64, tensor.Uint64:
		return matMulKernel(tensor.Data[int64], d, site), nil
	default:
		return nil, refuse(n, d)
	}
}

// product is the size of one matrix product: (m, k) times (k, n).
type product struct{ m, k, n int }

// productOf checks that a and b can be multiplied and appends the joint shape of their batches to batch.
func productOf(op string, batch, a, b []int) (p product, _ []int, err error) {
	ra, rb := len(a), len(b)
	if ra == 0 || rb == 0 {
		return p, nil, misfit(op, "a scalar")
	}
	p = product{1, a[ra-1], 1}
	if ra > 1 {
		p.m = a[ra-2]
	}
	if rb > 1 {
		p.n = b[rb-1]
	}
	if b[max(rb-2, 0)] != p.k {
		return p, nil, misfit(op, "shapes do not fit: "+shapeText(a)+" and "+shapeText(b))
	}
	batch, err = broadcastShape(op, batch, batchOf(a), batchOf(b))
	return p, batch, err
}

// batchOf is a shape without the two dimensions of a matrix.
func batchOf(shape []int) []int { return shape[:max(len(shape)-2, 0)] }

// matMulKernel packs b once when it is constant and a plain matrix.
func matMulKernel[T kernel.Number](data lane[T], d tensor.DType, site *Site) Kernel {
	var packed *panels[T]
	if c := site.constant(1); c != nil && c.Rank() == 2 && c.Len() > 0 {
		packed = layOut(data(c), c.Shape()[0], c.Shape()[1], c.Shape()[1], false)
	}
	g := &gemm[T]{threads: site.Threads}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		a, b := in[0], in[1]
		var bb, buf [MaxRank]int
		p, batch, err := productOf("MatMul", bb[:0], a.Shape(), b.Shape())
		if err != nil {
			return err
		}
		shape := append(buf[:0], batch...)
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
		if p.k == 0 {
			clear(z)
			return nil
		}
		if b.Rank() <= 2 { // one matrix on the right: all batches are rows of one product
			g.into(ctx, g.threads, len(z)/max(p.n, 1), p.k, p.n, x, p.k, false, y, p.n, false, packed, z, p.n, false)
			return nil
		}
		return g.batches(ctx, p, batch, batchOf(a.Shape()), batchOf(b.Shape()), x, y, z)
	}
}

// batches multiplies each matrix of x with its partner in y; as and bs broadcast to batch.
func (g *gemm[T]) batches(ctx context.Context, p product, batch, as, bs []int, x, y, z []T) error {
	var w grid
	w.set(batch, as, bs)
	mk, kn, mn := p.m*p.k, p.k*p.n, p.m*p.n
	if mk == 0 || kn == 0 {
		return nil
	}
	w.each(func(at int, o [3]int) {
		row := g.runs.take()
		*row = products[T]{ctx, g, p, x[o[0]*mk:], y[o[1]*kn:], z[at*mn:], w.unit[0] * mk, w.unit[1] * kn}
		if g.threads > 1 && w.inner >= g.threads {
			spread(ctx, g.threads, w.inner, 1+(1<<16)/(p.m*p.k*p.n), row)
		} else {
			row.run(g.threads, 0, w.inner)
		}
		g.runs.put(row)
	})
	return ctx.Err()
}

// products is a row of products of one size.
type products[T kernel.Number] struct {
	ctx context.Context
	g   *gemm[T]
	product
	x, y, z []T
	dx, dy  int // from one matrix to the next
}

func (r *products[T]) run(threads, lo, hi int) {
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		r.g.into(r.ctx, threads, r.m, r.k, r.n, r.x[i*r.dx:], r.k, false, r.y[i*r.dy:], r.n, false, nil, r.z[i*r.m*r.n:], r.n, false)
	}
}

func (r *products[T]) Do(lo, hi int) { r.run(1, lo, hi) }

// da = dy·bᵀ, db = aᵀ·dy, summed over the batches that were broadcast.
func gradMatMul(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return b.Node(Private, "MatMulGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 2), nil
}
