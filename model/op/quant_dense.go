//go:build !lean

package op

import (
	"context"
	"sync"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
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
	left, right scratch[int16]
	packed      *kernel.PackedBytes // constant b
}

// packBytes lays out the matrix b (k, n) from an element on, less its zero points.
func packBytes(op string, b, zero *tensor.Tensor, at, k, n int, buf []int16) (kernel.PackedBytes, error) {
	if zero != nil && zero.Len() != 1 && zero.Len() != n {
		return kernel.PackedBytes{}, misfit(op, "a zero point "+shapeText(zero.Shape())+" for "+shapeText(b.Shape()))
	}
	if b.DType() == tensor.Int8 {
		var zeros []int8
		if zero != nil {
			zeros = tensor.Data[int8](zero)
		}
		return kernel.PackBytes(tensor.Data[int8](b)[at:], k, n, zeros, buf), nil
	}
	var zeros []uint8
	if zero != nil {
		zeros = zero.Bytes()
	}
	return kernel.PackBytes(b.Bytes()[at:], k, n, zeros, buf), nil
}

// run gives the product of rows of a, from an element on, and of a matrix of b to sink. Row i has zero point i%m of azero, if there are so many.
func (e *byteProduct) run(q *quantProduct, rows int, p product, a, azero *tensor.Tensor, ia int, b, bzero *tensor.Tensor, ib int, sink kernel.ByteSums) error {
	packed := e.packed
	if packed == nil || b != q.from {
		memory := e.right.take(kernel.EvenK(p.k) * (p.n + 16))
		defer e.right.put(memory)
		own, err := packBytes(q.op, b, bzero, ib, p.k, p.n, *memory)
		if err != nil {
			return err
		}
		packed = &own
	}
	ld := kernel.EvenK(p.k)
	wide := e.left.take(rows * ld)
	defer e.left.put(wide)
	widenRows(*wide, ld, rows, p, a, azero, ia)
	kernel.GemmBytes(q.threads, rows, *wide, packed, sink)
	return nil
}

// widenRows writes rows of a less their zero points, ld apart.
func widenRows(wide []int16, ld, rows int, p product, a, azero *tensor.Tensor, at int) {
	if ld == p.k && (azero == nil || azero.Len() == 1) { // one row
		p.m, p.k, ld, rows = 1, rows*p.k, rows*ld, 1
	}
	for i := range rows {
		zero := int(byteAt(azero, i%p.m))
		to, from := wide[i*ld:][:p.k], at+i*p.k
		if a.DType() == tensor.Int8 {
			kernel.WidenBytes(to, tensor.Data[int8](a)[from:][:p.k], int8(zero))
		} else {
			kernel.WidenBytes(to, a.Bytes()[from:][:p.k], uint8(zero))
		}
		clear(wide[i*ld+p.k : (i+1)*ld])
	}
}

// sumsTo collects a product (m, n).
type sumsTo struct {
	to []int32
	n  int
}

// Take implements kernel.ByteSums.
func (s *sumsTo) Take(i, m, j, n int, sums []int32) {
	for r := range m {
		copy(s.to[(i+r)*s.n+j:][:n], sums[r*16:])
	}
}

// denseSums makes the result of a QuantDense.
type denseSums struct {
	y           []float32
	n           int
	scale, bias []float32 // (n)
	act         func([]float32)
	memory      []float32
}

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
	sinks sync.Pool // of *denseSums
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
	d.sinks.New = func() any { return new(denseSums) }
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
	sink := d.sinks.Get().(*denseSums)
	defer d.sinks.Put(sink)
	sink.set(y, p.n, scale.F32(), bias, d.act)
	defer func() { sink.y, sink.act = nil, nil }()
	rows := len(y) / p.n
	if kernel.BytesFit() {
		return d.exact.run(&d.quantProduct, rows, p, a, azero, 0, b, bzero, 0, sink)
	}
	shape := func([]int) error { return nil }
	return d.quantProduct.run(ctx, a, azero, b, bzero, shape, func(at int, sums []int32, m, n int) { sink.whole(at, sums, m, n) })
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

// whole takes sums (m, n) that lie one after another.
func (d *denseSums) whole(at int, sums []int32, m, n int) {
	for i := range m {
		row := d.y[at+i*n:][:n]
		for j, v := range sums[i*n:][:n] {
			row[j] = float32(float32(v)*d.scale[j]) + d.bias[j]
		}
		if d.act != nil {
			d.act(row)
		}
	}
}
