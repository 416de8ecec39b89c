package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Gemm: y = alpha·A·B + beta·C; transA and transB transpose, C is broadcast to (m, n). https://onnx.ai/onnx/operators/onnx__Gemm.html
func init() {
	a, b := f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), f64s([]int{3, 2}, 1, 0, 2, 1, 0, 3)
	trans := func(name string) graph.Attr { return graph.IntAttr(name, 1) }
	register(&Spec{Name: "Gemm", Since: 7, Half: true, Attrs: []string{"alpha", "beta", "transA", "transB"}, In: Arity{2, 3}, Out: Arity{1, 1}, Infer: inferGemm, Compile: compileGemm, Grad: differentiable(gradGemm), Cases: tested(func() []Case {
		return []Case{
			{In: in(a, b, f64v(10, 20)), Out: in(f64s([]int{2, 2}, 15, 31, 24, 43))},
			{Name: "no C", In: in(a, b), Out: in(f64s([]int{2, 2}, 5, 11, 14, 23))},
			{Name: "scaled", Attrs: []graph.Attr{graph.FloatAttr("alpha", .5), graph.FloatAttr("beta", 2)}, In: in(a, b, f64s([]int{2, 1}, 1, 2)), Out: in(f64s([]int{2, 2}, 4.5, 7.5, 11, 15.5))},
			{Name: "transA", Attrs: []graph.Attr{trans("transA"), graph.FloatAttr("alpha", 2)}, In: in(f64s([]int{3, 2}, 1, 4, 2, 5, 3, 6), b, f64s(nil, 1)), Out: in(f64s([]int{2, 2}, 11, 23, 29, 47))},
			{Name: "transB", Attrs: []graph.Attr{trans("transB")}, In: in(a, f64s([]int{2, 3}, 1, 2, 0, 0, 1, 3)), Out: in(f64s([]int{2, 2}, 5, 11, 14, 23))},
			{Name: "both", Attrs: []graph.Attr{trans("transA"), trans("transB")}, In: in(f64s([]int{3, 2}, 1, 4, 2, 5, 3, 6), f64s([]int{2, 3}, 1, 2, 0, 0, 1, 3), f64s([]int{1, 2}, 1, 2)), Out: in(f64s([]int{2, 2}, 6, 13, 15, 25))},
			{Name: "ints scaled", Attrs: []graph.Attr{graph.FloatAttr("alpha", .5), graph.FloatAttr("beta", .5)}, In: in(i64s([]int{1, 1}, 3), i64s([]int{1, 1}, 1), i64v(5)), Out: in(i64s([]int{1, 1}, 4))},
			{Name: "uint32", Attrs: []graph.Attr{graph.FloatAttr("alpha", .5)}, In: in(u32s([]int{1, 1}, 1<<31), u32s([]int{1, 1}, 1)), Out: in(u32s([]int{1, 1}, 1<<30))},
			{Name: "misfit", In: in(a, a), Err: "shapes"},
		}
	})})
	// Before opset 7 C has the shape (m, n), and broadcasts with broadcast=1 only.
	register(&Spec{Name: "Gemm", Since: 1, Half: true, Attrs: []string{"alpha", "beta", "transA", "transB", "broadcast"}, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: inferGemm, Compile: compileGemm, Grad: differentiable(gradGemm), Cases: tested(func() []Case {
		return []Case{
			{Opset: 6, Attrs: []graph.Attr{graph.IntAttr("broadcast", 1)}, In: in(a, b, f64v(10, 20)), Out: in(f64s([]int{2, 2}, 15, 31, 24, 43))},
			{Name: "no broadcast", Opset: 6, In: in(a, b, f64v(10, 20)), Err: "broadcast"},
		}
	})})
}

func inferGemm(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "transA", "transB", "broadcast"); err != nil {
		return nil, err
	}
	if err := kinds(n, graph.AttrFloat, "alpha", "beta"); err != nil {
		return nil, err
	}
	a, b := site.Types[0], site.Types[1]
	if err := oneOf(n, a, productTypes...); err != nil {
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
		return gemmKernel(tensor.Data[float32], d, n, site, finish[float32](n, site, d)), nil
	case tensor.Float64:
		return gemmKernel(tensor.Data[float64], d, n, site, finish[float64](n, site, d)), nil
	case tensor.Int32:
		return gemmKernel(tensor.Data[int32], d, n, site, finish[int32](n, site, d)), nil
	case tensor.Int64:
		return gemmKernel(tensor.Data[int64], d, n, site, finish[int64](n, site, d)), nil
	case tensor.Uint32: // sums and products wrap as those of int32 do
		return gemmKernel(tensor.Data[int32], d, n, site, finish[uint32](n, site, d)), nil
	case tensor.Uint64:
		return gemmKernel(tensor.Data[int64], d, n, site, finish[uint64](n, site, d)), nil
	default:
		return nil, refuse(n, d)
	}
}

func gemmKernel[T kernel.Number](data lane[T], d tensor.DType, node *graph.Node, site *Site, finish func(y, c *tensor.Tensor) error) Kernel {
	ta, tb := node.Int("transA", 0) != 0, node.Int("transB", 0) != 0
	var packed *panels[T]
	if c := site.constant(1); c != nil && c.Rank() == 2 {
		s := c.Shape()
		k, n := s[0], s[1]
		if tb {
			k, n = n, k
		}
		if c.Len() > 0 {
			packed = layOut(data(c), k, n, s[1], tb)
		}
	}
	g := &gemm[T]{threads: site.Threads}
	plain := node.Float("alpha", 1) == 1 && node.Float("beta", 1) == 1 && site.Opset >= 7
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
		var c *tensor.Tensor
		if len(in) > 2 {
			c = in[2]
		}
		if plain && packed != nil && c != nil && c.Len() == n && (c.Rank() == 1 || c.Rank() == 2 && c.Shape()[0] == 1) {
			if y, ok := asSingle(data(out[0])); ok { // the bias of a dense layer, in the kernel
				x, _ := asSingle(data(in[0]))
				kernel.GemmF32(g.threads, m, x, a[1], ta, &packed.single, y, n, &kernel.Epilogue{ColBias: c.F32(), Done: ctx.Done()})
				return nil
			}
		}
		y := data(out[0])
		g.into(ctx, g.threads, m, k, n, data(in[0]), a[1], ta, data(in[1]), b[1], tb, packed, y, n, false)
		return finish(out[0], c)
	}
}

// finish makes alpha·y + beta·c of y = A·B (m, n), where c is not nil.
func finish[T kernel.Number | ~uint32 | ~uint64](n *graph.Node, site *Site, d tensor.DType) func(y, c *tensor.Tensor) error {
	alpha, beta := n.Float("alpha", 1), n.Float("beta", 1)
	strict := site.Opset < 7 && n.Int("broadcast", 0) == 0
	integers := d != tensor.Float32 && d != tensor.Float64 && (alpha != 1 || beta != 1)
	return func(yt, ct *tensor.Tensor) error {
		y := tensor.Data[T](yt)
		if ct == nil || beta == 0 {
			scale(y, alpha)
			return nil
		}
		m, n, shape := yt.Shape()[0], yt.Shape()[1], ct.Shape()
		if strict && (len(shape) != 2 || shape[0] != m || shape[1] != n) {
			return misfit("Gemm", "C "+shapeText(shape)+" does not have the shape of the result, and broadcast is not set")
		}
		var buf [MaxRank]int
		joint, err := broadcastShape("Gemm", buf[:0], yt.Shape(), shape)
		if err != nil {
			return err
		}
		if len(joint) != 2 || joint[0] != m || joint[1] != n {
			return misfit("Gemm", "C "+shapeText(shape)+" does not broadcast to "+shapeText(yt.Shape()))
		}
		c := tensor.Data[T](ct)
		if integers { // truncated once, at the end
			broadcastPair(y, joint, y, joint, c, shape, zip(func(x, z T) T { return T(float64(x)*float64(alpha) + float64(z)*float64(beta)) }))
			return nil
		}
		scale(y, alpha)
		if beta == 1 {
			broadcastPair(y, joint, y, joint, c, shape, gemmAdd)
		} else {
			broadcastPair(y, joint, y, joint, c, shape, zip(func(x, z T) T { return x + T(float64(z)*float64(beta)) }))
		}
		return nil
	}
}

// scale multiplies y by alpha, in float64 for integers too, as ONNX gives the attribute.
func scale[T kernel.Number | ~uint32 | ~uint64](y []T, alpha float32) {
	if alpha == 1 {
		return
	}
	for i, v := range y {
		y[i] = T(float64(v) * float64(alpha))
	}
}

// gemmAdd is a run of y = a + c.
func gemmAdd[T kernel.Number | ~uint32 | ~uint64](y, a, c []T) {
	a = a[:len(y)]
	if len(c) == 1 {
		for i, v := range a {
			y[i] = v + c[0]
		}
		return
	}
	c = c[:len(y)]
	for i, v := range a {
		y[i] = v + c[i]
	}
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
