//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// QuantDense, a private operator that package exec makes of MatMulInteger with what follows where weights are quantised and x is at run time:
// y (…, n) = activation(float32((a (…, k) - a's zero point) · (b (k, n) - b's zero point))·scale + bias (n)). scale is one, or one for each
// column. Its inputs are a, b, the zero points, scale and bias; its activations those of Dense.
func init() {
	a, b := shaped(tensor.Uint8, []int{2, 2}, []uint8{1, 2, 3, 255}), shaped(tensor.Int8, []int{2, 2}, []int8{1, -128, 0, 5})
	register(&Spec{
		Domain: Private, Name: "QuantDense", Since: 1, Attrs: []string{"activation", "activation_params"}, In: Arity{2, 6}, Out: Arity{1, 1},
		Infer: inferQuantDense, Compile: compileQuantDense, Cases: []Case{
			{In: in(a, b, shaped(tensor.Uint8, nil, []uint8{1}), shaped(tensor.Int8, nil, []int8{1}), f32s(nil, .5)), Out: in(f32s([]int{2, 2}, -.5, 2, -127, 379))},
			{Name: "columns", Attrs: []graph.Attr{graph.StringAttr("activation", "Relu")}, In: in(a, b, nil, nil, f32v(1, 2), f32v(-2, 0)), Out: in(f32s([]int{2, 2}, 0, 0, 1, 1782))},
			{Name: "misfit", In: in(a, b, nil, nil, f32v(1, 2, 3)), Err: "scale"},
		},
	})
}

func inferQuantDense(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if site.typ(4).DType != tensor.Float32 {
		return nil, bad(n, "a scale that is absent, or not float32")
	}
	for _, i := range []int{0, 1, 2, 3} {
		if t := site.typ(i); t.DType != tensor.Undefined || i < 2 {
			if err := oneOf(n, t, byteTypes...); err != nil {
				return nil, err
			}
		}
	}
	return quantProductTypes(n, site, site.Types[0], site.Types[1], tensor.Float32)
}

// byteProduct multiplies matrices of bytes in the kernel that is made for them.
type byteProduct struct {
	rows   scratch[byte]
	packed *kernel.PackedBytes // constant b
	others reuse.Pool[kernel.PackedBytes]
	zeros  kept[rowZeros]
}

// packBytes lays out the matrix b (k, n) from an element on, less its zero points.
func packBytes(into *kernel.PackedBytes, op string, b, zero *tensor.Tensor, at, k, n int) error {
	if zero != nil && zero.Len() != 1 && zero.Len() != n {
		return misfit(op, "a zero point "+shapeText(zero.Shape())+" for "+shapeText(b.Shape()))
	}
	if b.DType() == tensor.Int8 {
		kernel.PackBytes(into, tensor.Data[int8](b)[at:], k, n, bytesOf[int8](zero))
		return nil
	}
	kernel.PackBytes(into, b.Bytes()[at:], k, n, bytesOf[uint8](zero))
	return nil
}

// bytesOf are the elements of t, none where it is absent.
func bytesOf[T int8 | uint8](t *tensor.Tensor) []T {
	if t == nil {
		return nil
	}
	return tensor.Data[T](t)
}

// run gives the product of rows of a, from an element on, and of a matrix of b to sink. Row i has zero point i%m of azero, if there are so many.
func (e *byteProduct) run(ctx context.Context, q *quantProduct, rows int, p product, a, azero *tensor.Tensor, ia int, b, bzero *tensor.Tensor, ib int, sink kernel.ByteSums) error {
	packed := e.packed
	if packed == nil || b != q.from {
		own := e.others.Take()
		defer e.others.Put(own)
		if err := packBytes(own, q.op, b, bzero, ib, p.k, p.n); err != nil {
			return err
		}
		packed = own
	}
	zero, more := int32(0), int32(0)
	if a.DType() == tensor.Int8 {
		_, more = kernel.Unsigned[int8]()
	}
	if azero == nil || azero.Len() == 1 {
		zero = int32(byteAt(azero, 0)) + more
	} else {
		zeros := e.zeros.take()
		defer e.zeros.put(zeros)
		*zeros = rowZeros{sink, azero, more, p.m, packed.Sums()}
		sink = zeros
	}
	ld := kernel.ByteK(p.k)
	if ld == p.k && a.DType() == tensor.Uint8 { // as they lie
		kernel.GemmBytes(ctx.Done(), q.threads, rows, a.Bytes()[ia:], ld, zero, packed, sink)
		return ctx.Err()
	}
	laid := e.rows.take(rows * ld)
	defer e.rows.put(laid)
	if a.DType() == tensor.Int8 {
		kernel.LayBytes(*laid, tensor.Data[int8](a)[ia:], rows, p.k)
	} else {
		kernel.LayBytes(*laid, a.Bytes()[ia:], rows, p.k)
	}
	kernel.GemmBytes(ctx.Done(), q.threads, rows, *laid, ld, zero, packed, sink)
	return ctx.Err()
}

// rowZeros takes off what the zero points of each row add.
type rowZeros struct {
	to   kernel.ByteSums
	zero *tensor.Tensor // (m)
	more int32
	m    int
	sums []int32 // of each column of b
}

// Take implements kernel.ByteSums.
func (z *rowZeros) Take(i, m, j, n int, sums []int32) {
	for r := range m {
		zero := int32(byteAt(z.zero, (i+r)%z.m)) + z.more
		for c, s := range z.sums[j : j+n] {
			sums[r*16+c] -= zero * s
		}
	}
	z.to.Take(i, m, j, n, sums)
}

// sumsTo collects a product, (m, n) at a time.
type sumsTo struct {
	to []int32
	n  int
}

func (s *sumsTo) begin(y *tensor.Tensor, at, n int) { s.to, s.n = tensor.Data[int32](y)[at:], n }

// Take implements kernel.ByteSums.
func (s *sumsTo) Take(i, m, j, n int, sums []int32) {
	for r := range m {
		copy(s.to[(i+r)*s.n+j:][:n], sums[r*16:])
	}
}

// denseSums makes the result of a QuantDense, one matrix.
type denseSums struct {
	y           []float32
	n           int
	scale, bias []float32 // (n)
	act         func([]float32)
	memory      []float32
}

func (d *denseSums) begin(*tensor.Tensor, int, int) {}

// Take implements kernel.ByteSums.
func (d *denseSums) Take(i, m, j, n int, sums []int32) {
	kernel.ScaleSums(d.y[i*d.n+j:], d.n, m, n, sums, d.scale[j:j+n], d.bias[j:j+n])
	if d.act != nil {
		for r := range m {
			d.act(d.y[(i+r)*d.n+j:][:n])
		}
	}
}

type quantDense struct {
	quantProduct
	act   func([]float32)
	sinks scratch[denseSums]
}

func compileQuantDense(n *graph.Node, site *Site) (Kernel, error) {
	d := &quantDense{quantProduct: quantProduct{op: n.Op, threads: site.Threads}}
	switch n.Str("activation", "") {
	case "":
	case "Gelu":
		d.act = func(y []float32) { kernel.Gelu(y, y) }
	default:
		act, err := convActivationOf(n)
		if err != nil {
			return nil, err
		}
		d.act = func(y []float32) { activate(act, y) }
	}
	d.prepare(site.constant(1), site.constant(3), n.In(3) != "")
	return d.run, nil
}

func (d *quantDense) run(ctx context.Context, in, out []*tensor.Tensor) error {
	a, b, azero, bzero, scale, bias := in[0], in[1], in[2], in[3], in[4], inputOf(in, 5)
	var bb, buf [MaxRank]int
	p, _, err := productOf(d.op, bb[:0], a.Shape(), b.Shape())
	if err != nil {
		return err
	}
	if b.Rank() != 2 || a.Rank() < 1 || azero != nil && azero.Len() != 1 {
		return misfit(d.op, "weights that are not a matrix, or zero points by rows")
	}
	if scale.Len() != 1 && scale.Len() != p.n || bias != nil && bias.Len() != p.n {
		return misfit(d.op, "a scale or bias that does not fit "+shapeText(b.Shape()))
	}
	to := append(append(buf[:0], a.Shape()[:a.Rank()-1]...), p.n)
	if err := Reset(ctx, out[0], tensor.Float32, to...); err != nil {
		return err
	}
	y := out[0].F32()
	if len(y) == 0 {
		return nil
	}
	held := d.sinks.take(1)
	sink := &(*held)[0]
	sink.set(y, p.n, scale.F32(), bias, d.act)
	defer func() { sink.y, sink.act = nil, nil; d.sinks.put(held) }()
	rows := len(y) / p.n
	if kernel.BytesFit() {
		return d.exact.run(ctx, &d.quantProduct, rows, p, a, azero, 0, b, bzero, 0, sink)
	}
	return d.quantProduct.run(ctx, a, azero, b, bzero, out[0], tensor.Float32, sink)
}

// set takes up the operands of one run.
func (d *denseSums) set(y []float32, n int, scale []float32, bias *tensor.Tensor, act func([]float32)) {
	if cap(d.memory) < 2*n {
		d.memory = make([]float32, 2*n)
	}
	d.y, d.n, d.act = y, n, act
	d.scale, d.bias = d.memory[:n], d.memory[n:2*n]
	for j := range d.scale {
		d.scale[j], d.bias[j] = scale[min(j, len(scale)-1)], 0
	}
	if bias != nil {
		copy(d.bias, bias.F32())
	}
}
