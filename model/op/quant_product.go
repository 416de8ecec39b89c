//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// MatMulInteger: y = (a - a's zero point)·(b - b's zero point) in int32. https://onnx.ai/onnx/operators/onnx__MatMulInteger.html
// QLinearMatMul: the same, rounded to y's scale and zero point. https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html
// Zero points and scales are one for all, one for each row of a, or one for each column of b.
func init() {
	u8 := func(shape []int, v ...uint8) *tensor.Tensor { return shaped(tensor.Uint8, shape, v) }
	i8 := func(shape []int, v ...int8) *tensor.Tensor { return shaped(tensor.Int8, shape, v) }
	i32 := func(shape []int, v ...int32) *tensor.Tensor { return shaped(tensor.Int32, shape, v) }
	a, b := u8([]int{2, 2}, 1, 2, 3, 255), i8([]int{2, 2}, 1, -128, 0, 5)
	one := f32s(nil, 1)
	register(&Spec{Name: "MatMulInteger", Since: 10, In: Arity{2, 4}, Out: Arity{1, 1}, Infer: inferMatMulInteger, Compile: compileMatMulInteger, Cases: []Case{
		{In: in(a, b), Out: in(i32([]int{2, 2}, 1, -118, 3, 891))},
		{Name: "zero points", In: in(a, b, u8([]int{2}, 1, 3), i8([]int{2}, 1, 0)), Out: in(i32([]int{2, 2}, -1, 5, -252, 1260))},
		{Name: "batches", In: in(u8([]int{2, 1, 1}, 2, 3), u8([]int{1, 1}, 4), nil, u8([]int{1}, 1)), Out: in(i32([]int{2, 1, 1}, 6, 9))},
		{Name: "misfit", In: in(a, b, u8([]int{3}, 1, 2, 3)), Err: "zero point"},
	}})
	for _, since := range []int64{10, 21} {
		register(&Spec{Name: "QLinearMatMul", Since: since, In: Arity{8, 8}, Out: Arity{1, 1}, Infer: inferQLinearMatMul, Compile: compileQLinearMatMul, Cases: []Case{
			{Opset: since, In: in(a, one, u8(nil, 0), b, f32v(1, .5), i8([]int{2}, 0, 0), f32s(nil, 2), i8(nil, 10)), Out: in(i8([]int{2, 2}, 10, -20, 12, 127))},
		}})
	}
	// A private twin, that package exec makes, with a bias in steps of the product (n) and an activation that cuts.
	register(&Spec{
		Domain: Private, Name: "QuantMatMul", Since: 1, Attrs: []string{"activation", "activation_params"}, In: Arity{8, 9}, Out: Arity{1, 1},
		Infer: inferQLinearMatMul, Compile: compileQLinearMatMul, Cases: []Case{
			{
				Attrs: []graph.Attr{graph.StringAttr("activation", "Relu")}, In: in(a, one, u8(nil, 0), b, f32v(1, .5), i8([]int{2}, 0, 0), f32s(nil, 2), i8(nil, 10), i32([]int{2}, -9, 130)),
				Out: in(i8([]int{2, 2}, 10, 13, 10, 127)),
			},
			{Name: "misfit", In: in(a, one, u8(nil, 0), b, one, i8(nil, 0), one, i8(nil, 10), i32([]int{3}, 1, 2, 3)), Err: "bias"},
		},
	})
}

var byteTypes = []tensor.DType{tensor.Uint8, tensor.Int8}

func inferMatMulInteger(n *graph.Node, site *Site) ([]tensor.Type, error) {
	for i := range site.Types {
		if t := site.Types[i]; t.DType != tensor.Undefined {
			if err := oneOf(n, t, byteTypes...); err != nil {
				return nil, err
			}
			if i > 1 && t.DType != site.Types[i-2].DType {
				return nil, bad(n, "a zero point of another type than its matrix")
			}
		}
	}
	return quantProductTypes(n, site, site.Types[0], site.Types[1], tensor.Int32)
}

// quantProductTypes infers a matrix product of a and b as elements of type d.
func quantProductTypes(n *graph.Node, site *Site, a, b tensor.Type, d tensor.DType) ([]tensor.Type, error) {
	a.DType, b.DType = tensor.Float32, tensor.Float32
	types, err := inferMatMul(&graph.Node{Op: n.Op, Inputs: make([]graph.Value, 2), Outputs: n.Outputs}, &Site{Opset: site.Opset, Types: []tensor.Type{a, b}})
	if err != nil {
		return nil, err
	}
	types[0].DType = d
	return types, nil
}

func inferQLinearMatMul(n *graph.Node, site *Site) ([]tensor.Type, error) {
	for _, i := range []int{0, 2, 3, 5, 7} {
		if err := oneOf(n, site.Types[i], byteTypes...); err != nil {
			return nil, err
		}
	}
	for _, i := range []int{1, 4, 6} {
		if err := oneOf(n, site.Types[i], tensor.Float32, tensor.Float16, tensor.BFloat16); err != nil {
			return nil, err
		}
	}
	if site.Types[0].DType != site.Types[2].DType || site.Types[3].DType != site.Types[5].DType {
		return nil, bad(n, "a zero point of another type than its matrix")
	}
	if b := site.typ(8); b.DType != tensor.Undefined && b.DType != tensor.Int32 {
		return nil, bad(n, "a bias that is not int32")
	}
	return quantProductTypes(n, site, site.Types[0], site.Types[3], site.Types[7].DType)
}

// exactProduct is how many products of differences of bytes, each at most 255², sum up without rounding in float32.
const exactProduct = 256

// quantProduct multiplies matrices of bytes less their zero points. The sums are exact: float32 holds those of exactProduct terms, which
// are added up as int32, so that the fast float32 product serves.
type quantProduct struct {
	op          string
	threads     int
	left, right scratch[float32]
	part        scratch[float32]
	sums        scratch[int32]
	exact       byteProduct        // in place of all these where kernel.BytesFit
	packed      []kernel.PackedF32 // constant b, by blocks of exactProduct rows
	from        *tensor.Tensor     // what was packed
}

// prepare packs a constant b (k, n) with its constant zero points.
func (q *quantProduct) prepare(b, zero *tensor.Tensor, zeroGiven bool) {
	if b == nil || b.Rank() != 2 || zeroGiven && zero == nil {
		return
	}
	k, n := b.Shape()[0], b.Shape()[1]
	if kernel.BytesFit() {
		packed := new(kernel.PackedBytes)
		if packBytes(packed, q.op, b, zero, 0, k, n) == nil {
			q.exact.packed, q.from = packed, b
		}
		return
	}
	wide := make([]float32, k*n)
	if quantColumns(q.op, wide, b, zero, n) != nil {
		return
	}
	for p := 0; p < k; p += exactProduct {
		q.packed = append(q.packed, kernel.PackF32(wide[p*n:], min(exactProduct, k-p), n, n, false, nil))
	}
	q.from = b
}

// widenBytes writes the elements of t, int8 or uint8, less zero.
func widenBytes(dst []float32, t *tensor.Tensor, at int, zero float32) {
	if t.DType() == tensor.Int8 {
		for i, v := range tensor.Data[int8](t)[at:][:len(dst)] {
			dst[i] = float32(v) - zero
		}
		return
	}
	for i, v := range t.Bytes()[at:][:len(dst)] {
		dst[i] = float32(v) - zero
	}
}

// byteAt is element i of an int8 or uint8 tensor; 0 where it is absent, element 0 where there is only one.
func byteAt(t *tensor.Tensor, i int) float32 {
	if t == nil {
		return 0
	}
	if t.Len() == 1 {
		i = 0
	}
	if t.DType() == tensor.Int8 {
		return float32(tensor.Data[int8](t)[i])
	}
	return float32(t.Bytes()[i])
}

// quantColumns widens b (…, n) less the zero points of its columns.
func quantColumns(op string, dst []float32, b, zero *tensor.Tensor, n int) error {
	if zero != nil && zero.Len() != 1 && zero.Len() != n {
		return misfit(op, "a zero point "+shapeText(zero.Shape())+" for "+shapeText(b.Shape()))
	}
	if zero == nil || zero.Len() == 1 {
		widenBytes(dst, b, 0, byteAt(zero, 0))
		return nil
	}
	widenBytes(dst, b, 0, 0)
	for i := range dst {
		dst[i] -= byteAt(zero, i%n)
	}
	return nil
}

// matrixSums takes the matrices of a product one after another: begin says that the next has n columns, and that its elements stand in y from at on.
type matrixSums interface {
	kernel.ByteSums
	begin(y *tensor.Tensor, at, n int)
}

// run computes the int32 product of a and b, which broadcast as those of MatMul, for sink, which makes y, of type d, of it.
func (q *quantProduct) run(ctx context.Context, a, azero, b, bzero, y *tensor.Tensor, d tensor.DType, sink matrixSums) error {
	var bb, buf [MaxRank]int
	p, batch, err := productOf(q.op, bb[:0], a.Shape(), b.Shape())
	if err != nil {
		return err
	}
	to := append(buf[:0], batch...)
	if a.Rank() > 1 {
		to = append(to, p.m)
	}
	if b.Rank() > 1 {
		to = append(to, p.n)
	}
	if err := Reset(ctx, y, d, to...); err != nil {
		return err
	}
	if azero != nil && azero.Len() != 1 && azero.Len() != p.m {
		return misfit(q.op, "a zero point "+shapeText(azero.Shape())+" for "+shapeText(a.Shape()))
	}
	rows, count := p.m, 1
	for _, d := range batch {
		count *= d
	}
	if count == 0 || p.m == 0 || p.n == 0 {
		return nil
	}
	oneB := b.Rank() <= 2
	if oneB && (azero == nil || azero.Len() == 1) { // all batches are rows of one product
		rows, count = rows*count, 1
	}
	var w grid
	w.set(batch, batchOf(a.Shape()), batchOf(b.Shape()))
	each := func(one func(at, ia, ib int) error) error {
		if count == 1 {
			return one(0, 0, 0)
		}
		var err error
		w.each(func(at int, o [3]int) {
			for i := 0; i < w.inner && err == nil; i++ {
				err = one(at+i, o[0]+i*w.unit[0], o[1]+i*w.unit[1])
			}
		})
		return err
	}
	if kernel.BytesFit() {
		return each(func(at, ia, ib int) error {
			sink.begin(y, at*p.m*p.n, p.n)
			return q.exact.run(ctx, q, rows, p, a, azero, ia*p.m*p.k, b, bzero, ib*p.k*p.n, sink)
		})
	}
	sums := q.sums.take(rows * p.n)
	defer q.sums.put(sums)
	left, right := q.left.take(a.Len()), q.right.take(b.Len())
	defer q.left.put(left)
	defer q.right.put(right)
	if azero == nil || azero.Len() == 1 {
		widenBytes(*left, a, 0, byteAt(azero, 0))
	} else {
		for i := 0; i < a.Len(); i += p.k {
			widenBytes((*left)[i:i+p.k], a, i, byteAt(azero, i/p.k%p.m))
		}
	}
	packed := q.packed
	if b != q.from {
		packed = nil
		if err := quantColumns(q.op, *right, b, bzero, p.n); err != nil {
			return err
		}
	}
	part := q.part.take(rows * p.n)
	defer q.part.put(part)
	return each(func(at, ia, ib int) error {
		clear(*sums)
		for k := 0; k < p.k && ctx.Err() == nil; k += exactProduct {
			n := min(exactProduct, p.k-k)
			if packed != nil {
				kernel.GemmF32(q.threads, rows, (*left)[ia*p.m*p.k+k:], p.k, false, &packed[k/exactProduct], *part, p.n, nil)
			} else {
				kernel.ProductF32(q.threads, rows, n, p.n, (*left)[ia*p.m*p.k+k:], p.k, false, (*right)[ib*p.k*p.n+k*p.n:], p.n, false, *part, p.n, nil)
			}
			for i, v := range *part {
				(*sums)[i] += int32(v)
			}
		}
		sink.begin(y, at*p.m*p.n, p.n)
		takeWhole(sink, *sums, rows, p.n)
		return ctx.Err()
	})
}

// takeWhole gives sums (m, n) that lie one after another to a sink.
func takeWhole(sink kernel.ByteSums, sums []int32, m, n int) {
	var row [16]int32
	for i := range m {
		for j := 0; j < n; j += 16 {
			copy(row[:], sums[i*n+j:(i+1)*n])
			sink.Take(i, 1, j, min(16, n-j), row[:])
		}
	}
}

// inputOf is input i, nil where it is absent.
func inputOf(in []*tensor.Tensor, i int) *tensor.Tensor {
	if i < len(in) {
		return in[i]
	}
	return nil
}

func compileMatMulInteger(n *graph.Node, site *Site) (Kernel, error) {
	q := &quantProduct{op: n.Op, threads: site.Threads}
	q.prepare(site.constant(1), site.constant(3), n.In(3) != "")
	var sinks kept[sumsTo]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		sink := sinks.take()
		defer sinks.put(sink)
		return q.run(ctx, in[0], inputOf(in, 2), in[1], inputOf(in, 3), out[0], tensor.Int32, sink)
	}, nil
}

func compileQLinearMatMul(n *graph.Node, site *Site) (Kernel, error) {
	q := &quantProduct{op: n.Op, threads: site.Threads}
	q.prepare(site.constant(3), site.constant(5), true)
	d := site.Types[7].DType
	var memory scratch[tensor.Tensor]
	var sinks scratch[roundedTo]
	act, err := cuttingOf(n)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		var scale [3][]float32
		wide := memory.take(len(scale))
		defer memory.put(wide)
		for i, at := range [...]int{1, 4, 6} {
			var err error
			if scale[i], err = realsOf(ctx, &(*wide)[i], in[at]); err != nil {
				return err
			}
		}
		if len(scale[0]) != 1 || len(scale[2]) != 1 || in[7].Len() != 1 {
			return misfit(n.Op, "scales of a or y, or zero points of y, by rows")
		}
		columns, rank := 1, in[3].Rank()
		if rank > 1 {
			columns = in[3].Shape()[rank-1]
		}
		if len(scale[1]) != 1 && (rank < 2 || len(scale[1]) != columns) {
			return misfit(n.Op, "scale "+shapeText(in[4].Shape())+" for "+shapeText(in[3].Shape()))
		}
		var bias []int32
		if b := inputOf(in, 8); b != nil {
			if bias = tensor.Data[int32](b); len(bias) != columns {
				return misfit(n.Op, "bias "+shapeText(b.Shape())+" for "+shapeText(in[3].Shape()))
			}
		}
		held := sinks.take(1)
		sink := &(*held)[0]
		defer func() { sink.to = nil; sinks.put(held) }()
		roundTo(&sink.q, in[7])
		roundColumns(&sink.q, columns)
		copy(sink.q.Add, bias)
		for j := range columns {
			sink.q.Scale[j] = scale[0][0] * scale[1][min(j, len(scale[1])-1)] / scale[2][0]
		}
		cutTo(&sink.q, act, scale[2][0])
		return q.run(ctx, in[0], in[2], in[3], in[5], out[0], d, sink)
	}, nil
}

// roundTo makes q round to bytes of zero's type.
func roundTo(q *kernel.Requantizer, zero *tensor.Tensor) {
	lo, hi, _ := quantRange(zero.DType())
	z := byteAt(zero, 0)
	q.Least, q.Most, q.Zero = float32(lo)-z, float32(hi)-z, int32(z)
}

// roundColumns makes room for what q adds to n columns, or rows, and for their scales, in the memory that it has: all zero.
func roundColumns(q *kernel.Requantizer, n int) {
	whole := (n + 15) &^ 15 // the kernel likes whole vectors
	q.Add, q.Scale = slices.Grow(q.Add[:0], whole)[:whole], slices.Grow(q.Scale[:0], whole)[:whole]
	clear(q.Add)
	clear(q.Scale)
}

// roundedTo rounds a product, (m, n) at a time, to bytes.
type roundedTo struct {
	to []byte
	n  int
	q  kernel.Requantizer
}

func (b *roundedTo) begin(y *tensor.Tensor, at, n int) { b.to, b.n = y.Bytes()[at:], n }

// Take implements kernel.ByteSums.
func (b *roundedTo) Take(i, m, j, n int, sums []int32) {
	b.q.Rows(b.to[i*b.n+j:], b.n, i, m, j, n, sums)
}
