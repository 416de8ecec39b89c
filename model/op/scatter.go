//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ScatterElements (Scatter before opset 11): y = x, but y[i… with the index along axis replaced by indices[i…]] = updates[i…], or that and the
// update added, multiplied, their greater or lesser. https://onnx.ai/onnx/operators/onnx__ScatterElements.html
// ScatterND: the same for the parts of x that tuples of indices name. https://onnx.ai/onnx/operators/onnx__ScatterND.html
func init() {
	reduce := func(v string) graph.Attr { return graph.StringAttr("reduction", v) }
	three := i64v(1, 1, 2)
	elements := Spec{
		Name: "ScatterElements", Since: 11, Attrs: []string{"axis"}, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: inferScatter, Compile: compileScatterElements, Half: true, Grad: gradScatter,
		Cases: []Case{{Opset: 11, In: in(f64v(1, 2, 3), i64v(-1, 0), f64v(8, 9)), Out: in(f64v(9, 2, 8))}},
	}
	for _, name := range []string{"ScatterElements", "Scatter"} {
		s := elements
		if s.Name = name; name == "Scatter" {
			s.Since, s.Cases = 9, []Case{{Opset: 10, Attrs: []graph.Attr{graph.IntAttr("axis", 1)}, In: in(f64s([]int{1, 3}, 1, 2, 3), i64s([]int{1, 1}, 1), f64s([]int{1, 1}, 7)), Out: in(f64s([]int{1, 3}, 1, 7, 3))}}
		}
		register(&s)
	}
	elements.Since, elements.Attrs = 16, []string{"axis", "reduction"}
	elements.Cases = []Case{
		{Name: "add", Opset: 18, Attrs: []graph.Attr{reduce("add")}, In: in(f64v(1, 2, 3), three, f64v(5, 6, 7)), Out: in(f64v(1, 13, 10))},
		{Name: "mul", Opset: 18, Attrs: []graph.Attr{reduce("mul")}, In: in(i32v(1, 2, 3), three, i32v(5, 6, 7)), Out: in(i32v(1, 60, 21))},
		{Name: "max", Opset: 18, Attrs: []graph.Attr{reduce("max"), graph.IntAttr("axis", -1)}, In: in(f64v(1, 2, 3), three, f64v(0, 6, 1)), Out: in(f64v(1, 6, 3))},
		{Name: "min", Opset: 18, Attrs: []graph.Attr{reduce("min")}, In: in(f64v(1, 2, 3), three, f64v(0, 6, 1)), Out: in(f64v(1, 0, 1))},
		{Name: "factors", Opset: 18, Attrs: []graph.Attr{reduce("mul")}, In: in(f64v(0, 2, 3, 1), i64v(1, 1, 2, 0, 1), f64v(5, 0, 7, 2, -1)), Out: in(f64v(0, 0, 21, 1))},
		{Name: "last stays", Opset: 18, Attrs: []graph.Attr{graph.IntAttr("axis", 1)}, In: in(f64s([]int{1, 3}, 1, 2, 3), i64s([]int{1, 2}, 1, 1), f64s([]int{1, 2}, 5, 6)), Out: in(f64s([]int{1, 3}, 1, 6, 3))},
		{Name: "unknown", Opset: 18, Attrs: []graph.Attr{reduce("mean")}, In: in(f64v(1), i64v(0), f64v(1)), Err: "reduction=mean"},
		{Name: "too new", Opset: 16, Attrs: []graph.Attr{reduce("max")}, In: in(f64v(1), i64v(0), f64v(1)), Err: "reduction=max"},
		{Name: "updates", Opset: 18, In: in(f64v(1, 2), i64v(0), f64v(1, 2)), Err: "updates"},
	}
	register(&elements)
	nd := Spec{
		Name: "ScatterND", Since: 11, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: inferScatter, Compile: compileScatterND, Half: true, Grad: gradScatter,
		Cases: []Case{
			{Opset: 11, In: in(f64v(1, 2, 3), i64s([]int{2, 1}, 2, 0), f64v(8, 9)), Out: in(f64v(9, 2, 8))},
			{Name: "rows", Opset: 11, In: in(strs([]int{2, 2}, "a", "b", "c", "d"), i64s([]int{1, 1}, -1), strs([]int{1, 2}, "x", "y")), Out: in(strs([]int{2, 2}, "a", "b", "x", "y"))},
			{Name: "outside", Opset: 11, In: in(f64v(1, 2), i64s([]int{1, 1}, 2), f64v(8)), Err: "index 2"},
		},
	}
	newer := nd
	register(&nd)
	newer.Since, newer.Attrs = 16, []string{"reduction"}
	newer.Cases = []Case{
		{Name: "add", Opset: 16, Attrs: []graph.Attr{reduce("add")}, In: in(f64v(1, 2, 3), i64s([]int{2, 1}, 1, 1), f64v(8, 9)), Out: in(f64v(1, 19, 3))},
		{Name: "mul", Opset: 16, Attrs: []graph.Attr{reduce("mul")}, In: in(f64s([]int{2, 2}, 1, 2, 3, 4), i64s([]int{2, 1}, 1, 1), f64s([]int{2, 2}, 9, 5, 7, 8)), Out: in(f64s([]int{2, 2}, 1, 2, 189, 160))},
		{Name: "max", Opset: 18, Attrs: []graph.Attr{reduce("max")}, In: in(f64s([]int{2, 2}, 1, 2, 3, 4), i64s([]int{2, 1}, 1, 1), f64s([]int{2, 2}, 9, 5, 7, 8)), Out: in(f64s([]int{2, 2}, 1, 2, 9, 8))},
		{Name: "min", Opset: 18, Attrs: []graph.Attr{reduce("min")}, In: in(f64s([]int{2, 2}, 1, 2, 3, 4), i64s([]int{1, 1}, 1), f64s([]int{1, 2}, 9, 0)), Out: in(f64s([]int{2, 2}, 1, 2, 3, 0))},
	}
	register(&newer)
}

func inferScatter(n *graph.Node, site *Site) ([]tensor.Type, error) {
	x, idx := site.Types[0], site.Types[1]
	if err := kind(n, "axis", graph.AttrInt); err != nil {
		return nil, err
	}
	if err := kind(n, "reduction", graph.AttrString); err != nil {
		return nil, err
	}
	if n.Op == "ScatterND" && idx.DType != tensor.Int64 {
		return nil, bad(n, "indices that are not int64")
	}
	if err := oneOf(n, idx, indexTypes...); err != nil {
		return nil, err
	}
	if site.Types[2].DType != x.DType {
		return nil, bad(n, "updates of another type than the input")
	}
	if !x.Unranked && n.Op != "ScatterND" {
		if _, err := axisOf(n.Op, n.Int("axis", 0), len(x.Dims)); err != nil {
			return nil, err
		}
	}
	return []tensor.Type{x}, nil
}

// scatterFunc puts updates u from s on at the places of y.
type scatterFunc func(y *tensor.Tensor, u *tensor.Tensor, s int, places []int)

func scatterOf(n *graph.Node, site *Site) (scatterFunc, error) {
	r := n.Str("reduction", "none")
	switch {
	case r == "none":
		return putAt, nil
	case r != "add" && r != "mul" && (r != "max" && r != "min" || site.Opset < 18):
		return nil, refuseAttr(n, "reduction", r)
	}
	switch d := site.Types[0].DType; d {
	case tensor.Float32:
		return scatterReduce[float32](r), nil
	case tensor.Float64:
		return scatterReduce[float64](r), nil
	case tensor.Int8:
		return scatterReduce[int8](r), nil
	case tensor.Int16:
		return scatterReduce[int16](r), nil
	case tensor.Int32:
		return scatterReduce[int32](r), nil
	case tensor.Int64:
		return scatterReduce[int64](r), nil
	case tensor.Uint8:
		return scatterReduce[uint8](r), nil
	case tensor.Uint16:
		return scatterReduce[uint16](r), nil
	case tensor.Uint32:
		return scatterReduce[uint32](r), nil
	case tensor.Uint64:
		return scatterReduce[uint64](r), nil
	default:
		return nil, refuseAttr(n, "reduction", r+" of "+d.String())
	}
}

func scatterReduce[T numeric](reduction string) scatterFunc {
	var f func(x, u T) T
	switch reduction {
	case "add":
		f = func(x, u T) T { return x + u }
	case "mul":
		f = func(x, u T) T { return x * u }
	case "max":
		f = func(x, u T) T { return max(x, u) }
	default:
		f = func(x, u T) T { return min(x, u) }
	}
	return func(y *tensor.Tensor, u *tensor.Tensor, s int, places []int) {
		dst, src := tensor.Data[T](y), tensor.Data[T](u)[s:]
		for i, at := range places {
			dst[at] = f(dst[at], src[i])
		}
	}
}

func compileScatterElements(n *graph.Node, site *Site) (Kernel, error) {
	put, err := scatterOf(n, site)
	if err != nil {
		return nil, err
	}
	wanted, op := n.Int("axis", 0), n.Op
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, idx, u := in[0], in[1], in[2]
		axis, err := axisOf(op, wanted, x.Rank())
		if err != nil {
			return err
		}
		if !slices.Equal(u.Shape(), idx.Shape()) {
			return misfit(op, "updates and indices of different shapes: "+shapeText(u.Shape())+" and "+shapeText(idx.Shape()))
		}
		if err := copyInto(ctx, out[0], x); err != nil {
			return err
		}
		return elementPlaces(ctx, op, x.Shape(), idx, axis, func(at int, places []int) { put(out[0], u, at, places) })
	}, nil
}

func compileScatterND(n *graph.Node, site *Site) (Kernel, error) {
	put, err := scatterOf(n, site)
	if err != nil {
		return nil, err
	}
	plain := n.Str("reduction", "none") == "none"
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, idx, u := in[0], in[1], in[2]
		t, err := tuplesOf("ScatterND", x.Shape(), idx, 0)
		if err != nil {
			return err
		}
		var buf [2 * MaxRank]int
		want := append(append(buf[:0], idx.Shape()[:idx.Rank()-1]...), x.Shape()[t.depth:]...)
		if !slices.Equal(want, u.Shape()) {
			return misfit("ScatterND", "updates of the shape "+shapeText(u.Shape())+", not "+shapeText(want))
		}
		if err := copyInto(ctx, out[0], x); err != nil {
			return err
		}
		if u.Len() == 0 {
			return nil
		}
		places := elementMemory.take(elementChunk)
		defer elementMemory.put(places)
		for i := range u.Len() / t.inner {
			at, err := t.place(i)
			if err != nil {
				return err
			}
			if i%64 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			if plain {
				moveBlock(out[0], at, u, i*t.inner, t.inner)
				continue
			}
			for lo := 0; lo < t.inner; lo += elementChunk {
				p := (*places)[:min(elementChunk, t.inner-lo)]
				for k := range p {
					p[k] = at + lo + k
				}
				put(out[0], u, i*t.inner+lo, p)
			}
		}
		return nil
	}, nil
}

// TensorScatter: y = past, but y[b…, write_indices[b]+i, …] = update[b…, i, …] along axis; circular goes on from the start.
// https://onnx.ai/onnx/operators/onnx__TensorScatter.html
func init() {
	past := f64s([]int{1, 3, 1}, 1, 2, 3)
	two := f64s([]int{1, 2, 1}, 8, 9)
	register(&Spec{Name: "TensorScatter", Since: 24, Attrs: []string{"axis", "mode"}, In: Arity{2, 3}, Out: Arity{1, 1}, Infer: inferTensorScatter, Compile: compileTensorScatter, Grad: gradTensorScatter, Cases: []Case{
		{In: in(past, two), Out: in(f64s([]int{1, 3, 1}, 8, 9, 3))},
		{Name: "from 1", In: in(past, two, i64v(1)), Out: in(f64s([]int{1, 3, 1}, 1, 8, 9))},
		{Name: "circular", Attrs: []graph.Attr{graph.StringAttr("mode", "circular"), graph.IntAttr("axis", 1)}, In: in(past, two, i64v(2)), Out: in(f64s([]int{1, 3, 1}, 9, 2, 8))},
		{Name: "beyond", In: in(past, two, i64v(2)), Err: "index 2"},
	}})
}

func inferTensorScatter(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "axis", graph.AttrInt); err != nil {
		return nil, err
	}
	if m := n.Str("mode", "linear"); m != "linear" && m != "circular" {
		return nil, refuseAttr(n, "mode", m)
	}
	if err := wants(n, site, 2, tensor.Int64); err != nil {
		return nil, err
	}
	if site.Types[1].DType != site.Types[0].DType {
		return nil, bad(n, "an update of another type than the cache")
	}
	return []tensor.Type{site.Types[0]}, nil
}

func compileTensorScatter(n *graph.Node, _ *Site) (Kernel, error) {
	wanted, circular := n.Int("axis", -2), n.Str("mode", "linear") == "circular"
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		past, update := in[0], in[1]
		if err := copyInto(ctx, out[0], past); err != nil {
			return err
		}
		return tensorWindows(past.Shape(), update.Shape(), presentIn(in, 2), wanted, circular, func(to, from, count int) {
			moveBlock(out[0], to, update, from, count)
		})
	}, nil
}

// tensorWindows calls f with the blocks of an update (us) and their places in a cache (shape).
func tensorWindows(shape, us []int, starts *tensor.Tensor, wanted int64, circular bool, f func(to, from, count int)) error {
	axis, err := axisOf("TensorScatter", wanted, len(shape))
	if err != nil {
		return err
	}
	fits := axis > 0 && len(us) == len(shape) && (starts == nil || starts.Len() == shape[0])
	for i, d := range shape {
		fits = fits && (us[i] == d || i == axis && us[i] <= d)
	}
	if !fits {
		return misfit("TensorScatter", "an update of the shape "+shapeText(us)+" for a cache of the shape "+shapeText(shape))
	}
	outer, inner := around(shape, axis)
	size, length := int64(shape[axis]), int64(us[axis])
	if outer == 0 || length == 0 {
		return nil
	}
	for o := range outer {
		start := int64(0)
		if starts != nil {
			start = starts.I64()[o/(outer/shape[0])]
		}
		if circular {
			start = ((start % size) + size) % size
		}
		if start < 0 || start > size || !circular && start+length > size {
			return misfit("TensorScatter", "index "+itoa(start)+" of "+itoa(length)+" elements on an axis of length "+itoa(size))
		}
		first := min(length, size-start)
		f((o*int(size)+int(start))*inner, o*int(length)*inner, int(first)*inner)
		f(o*int(size)*inner, (o*int(length)+int(first))*inner, int(length-first)*inner)
	}
	return nil
}
