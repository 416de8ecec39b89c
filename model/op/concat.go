package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Concat: the inputs one after another along axis. https://onnx.ai/onnx/operators/onnx__Concat.html
// Split: the other way round. https://onnx.ai/onnx/operators/onnx__Split.html
func init() {
	axis := func(v int64) []graph.Attr { return []graph.Attr{graph.IntAttr("axis", v)} }
	register(&Spec{Name: "Concat", Since: 4, Attrs: []string{"axis"}, In: Arity{1, Many}, Out: Arity{1, 1}, Infer: inferConcat, Compile: compileConcat, Grad: differentiable(gradConcat), Cases: tested(func() []Case {
		return []Case{
			{Attrs: axis(1), In: in(f64s([]int{2, 1}, 1, 2), f64s([]int{2, 2}, 3, 4, 5, 6)), Out: in(f64s([]int{2, 3}, 1, 3, 4, 2, 5, 6))},
			{Name: "rows", Attrs: axis(-2), In: in(f64s([]int{1, 2}, 1, 2), f64s([]int{0, 2}), f64s([]int{1, 2}, 5, 6)), Out: in(f64s([]int{2, 2}, 1, 2, 5, 6))},
			{Name: "strings", Attrs: axis(0), In: in(strv("a"), strv("b", "c")), Out: in(strv("a", "b", "c"))},
			{Name: "misfit", Attrs: axis(0), In: in(f64s([]int{1, 2}, 1, 2), f64s([]int{1, 3}, 1, 2, 3)), Err: "shapes"},
		}
	})})
	split := Spec{Name: "Split", Since: 13, Attrs: []string{"axis"}, In: Arity{1, 2}, Out: Arity{1, Many}, Infer: inferSplit, Compile: compileSplit, Grad: differentiable(gradSplit), Cases: tested(func() []Case {
		return []Case{
			{In: in(f64v(1, 2, 3, 4)), Out: in(f64v(1, 2), f64v(3, 4))},
			{Name: "sizes", Attrs: axis(1), In: in(f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), i64v(1, 2)), Out: in(f64s([]int{2, 1}, 1, 4), f64s([]int{2, 2}, 2, 3, 5, 6))},
			{Name: "wrong sizes", In: in(f64v(1, 2, 3), i64v(1, 1)), Out: in(f64v(1), f64v(2)), Err: "sum"},
		}
	})}
	register(&split)
	newer := split
	newer.Since, newer.Attrs = 18, []string{"axis", "num_outputs"}
	newer.Cases = tested(func() []Case {
		return []Case{{Opset: 18, Attrs: []graph.Attr{graph.IntAttr("num_outputs", 2)}, In: in(f64v(1, 2, 3)), Out: in(f64v(1, 2), f64v(3))}}
	})
	register(&newer)
}

func inferConcat(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if a := n.Attr("axis"); a == nil || a.Kind != graph.AttrInt {
		return nil, bad(n, "attribute axis is missing")
	}
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	out := tensor.Type{DType: site.Types[0].DType}
	for i, t := range site.Types {
		if t.DType == tensor.Undefined {
			return nil, bad(n, "an input is absent")
		}
		if t.Unranked {
			return []tensor.Type{unranked(out.DType)}, nil
		}
		axis, err := axisOf("Concat", n.Int("axis", 0), len(t.Dims))
		if err != nil {
			return nil, err
		}
		if i == 0 {
			out.Dims = append(out.Dims, t.Dims...)
			continue
		}
		if len(t.Dims) != len(out.Dims) {
			return nil, bad(n, "inputs of different rank")
		}
		for k, d := range t.Dims {
			o := &out.Dims[k]
			switch {
			case k == axis && (o.Size == tensor.Free || d.Size == tensor.Free):
				*o = free
			case k == axis:
				o.Size += d.Size
			case o.Size == tensor.Free:
				*o = d
			case d.Size != tensor.Free && d.Size != o.Size:
				return nil, bad(n, "shapes differ beside the axis: "+site.Types[0].String()+" and "+t.String())
			}
		}
	}
	return []tensor.Type{out}, nil
}

// around gives the number of blocks before an axis and the elements of one step along it.
func around(shape []int, axis int) (outer, inner int) {
	outer, inner = 1, 1
	for i, d := range shape {
		if i < axis {
			outer *= d
		} else if i > axis {
			inner *= d
		}
	}
	return outer, inner
}

func compileConcat(n *graph.Node, _ *Site) (Kernel, error) {
	wanted := n.Int("axis", 0)
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		var buf [MaxRank]int
		shape := append(buf[:0], in[0].Shape()...)
		axis, err := axisOf("Concat", wanted, len(shape))
		if err != nil {
			return err
		}
		for _, x := range in[1:] {
			s := x.Shape()
			fits := len(s) == len(shape)
			for i := range shape {
				fits = fits && (i == axis || s[i] == shape[i])
			}
			if !fits {
				return misfit("Concat", "shapes differ beside the axis: "+shapeText(in[0].Shape())+" and "+shapeText(s))
			}
			shape[axis] += s[axis]
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		outer, inner := around(shape, axis)
		if inner == 1 && out[0].DType() == tensor.Float32 {
			concatColumns(out[0].F32(), outer, shape[axis], in, axis)
			return nil
		}
		at := 0
		for _, x := range in {
			n := x.Shape()[axis] * inner
			for i := range outer {
				moveBlock(out[0], i*shape[axis]*inner+at, x, i*n, n)
			}
			at += n
		}
		return nil
	}, nil
}

// concatColumns joins narrow float32 blocks, the shape of a table's columns: dst (rows, width).
func concatColumns(dst []float32, rows, width int, in []*tensor.Tensor, axis int) {
	at := 0
	for _, x := range in {
		n, src := x.Shape()[axis], x.F32()
		if n == 1 {
			for i, v := range src[:rows] {
				dst[i*width+at] = v
			}
		} else {
			for i := range rows {
				copy(dst[i*width+at:i*width+at+n], src[i*n:])
			}
		}
		at += n
	}
}

// dxᵢ = the part of dy that came from xᵢ.
func gradConcat(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	axis := graph.IntsAttr("axes", n.Int("axis", 0))
	sizes := make([]graph.Value, len(n.Inputs))
	for i, x := range n.Inputs {
		sizes[i] = b.Node(Private, "Length", []graph.Value{x}, 1, axis)[0]
	}
	split := b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 0)}, sizes...)
	return b.Node("", "Split", []graph.Value{dy[0], split}, len(n.Inputs), graph.IntAttr("axis", n.Int("axis", 0))), nil
}

func inferSplit(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "axis", "num_outputs"); err != nil {
		return nil, err
	}
	if n.In(1) != "" && site.typ(1).DType != tensor.Int64 {
		return nil, bad(n, "sizes that are not int64")
	}
	t := site.Types[0]
	out := make([]tensor.Type, len(n.Outputs))
	if a := n.Attr("num_outputs"); a != nil && a.Int != int64(len(out)) {
		return nil, bad(n, "num_outputs is not the number of outputs")
	}
	for i := range out {
		if out[i] = t; t.Unranked {
			continue
		}
		axis, err := axisOf("Split", n.Int("axis", 0), len(t.Dims))
		if err != nil {
			return nil, err
		}
		out[i].Dims = append([]tensor.Dim(nil), t.Dims...)
		out[i].Dims[axis] = free
	}
	return out, nil
}

func compileSplit(n *graph.Node, site *Site) (Kernel, error) {
	wanted, uneven := n.Int("axis", 0), site.Opset >= 18
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		var buf [MaxRank]int
		shape := append(buf[:0], in[0].Shape()...)
		axis, err := axisOf("Split", wanted, len(shape))
		if err != nil {
			return err
		}
		var sizes []int64
		if len(in) > 1 && in[1] != nil {
			sizes = in[1].I64()
		}
		length := shape[axis]
		chunk := (length + len(out) - 1) / len(out)
		if err := checkSplit(sizes, length, len(out), uneven); err != nil {
			return err
		}
		outer, inner := around(shape, axis)
		at := 0
		for i, o := range out {
			size := max(min(chunk, length-at), 0)
			if sizes != nil {
				size = int(sizes[i])
			}
			shape[axis] = size
			if o != nil {
				if err := Reset(ctx, o, in[0].DType(), shape...); err != nil {
					return err
				}
				for k := range outer {
					moveBlock(o, k*size*inner, in[0], (k*length+at)*inner, size*inner)
				}
			}
			at += size
		}
		return nil
	}, nil
}

func checkSplit(sizes []int64, length, parts int, uneven bool) error {
	if sizes == nil {
		if !uneven && length%parts != 0 {
			return misfit("Split", "the axis does not divide into equal parts")
		}
		return nil
	}
	rest := int64(length)
	for _, s := range sizes {
		if s < 0 || s > rest {
			return misfit("Split", "sizes do not sum to the length of the axis")
		}
		rest -= s
	}
	if rest != 0 || len(sizes) != parts {
		return misfit("Split", "sizes do not sum to the length of the axis")
	}
	return nil
}

// dx = the parts' gradients joined; a part without one counts as 0.
func gradSplit(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	parts := make([]graph.Value, len(dy))
	for i, d := range dy {
		if parts[i] = d; d == "" {
			y := keptOutput(b, n, i)
			parts[i] = b.Op("Expand", scalarLike(b, 0, y), b.Op("Shape", y))
		}
	}
	dx := []graph.Value{b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", n.Int("axis", 0))}, parts...)}
	if len(n.Inputs) > 1 {
		dx = append(dx, "")
	}
	return dx, nil
}
