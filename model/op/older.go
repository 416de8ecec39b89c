//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// The first versions of operators that take as attributes what later ones take as inputs. https://onnx.ai/onnx/operators/onnx__Slice.html#slice-1 and so on.
func init() {
	x := f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	ints := graph.IntsAttr
	register(&Spec{
		Name: "Slice", Since: 1, Attrs: []string{"axes", "ends", "starts"}, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: olderInfer(inferSlice, "starts", "ends", "axes"), Compile: olderCompile(compileSlice, "starts", "ends", "axes"), Grad: gradOldSlice, Cases: []Case{
			{Opset: 9, Attrs: []graph.Attr{ints("starts", 1), ints("ends", 1000), ints("axes", 1)}, In: in(x), Out: in(f64s([]int{2, 2}, 2, 3, 5, 6))},
			{Name: "first axes", Opset: 9, Attrs: []graph.Attr{ints("starts", 0, -1), ints("ends", 1, 3)}, In: in(x), Out: in(f64s([]int{1, 1}, 3))},
			{Name: "ends missing", Opset: 9, Attrs: []graph.Attr{ints("starts", 0)}, In: in(x), Err: "ends"},
		},
	})
	split := Spec{
		Name: "Split", Since: 2, Attrs: []string{"axis", "split"}, In: Arity{1, 1}, Out: Arity{1, Many},
		Infer: olderInfer(inferSplit, "split?"), Compile: olderCompile(compileSplit, "split?"), Grad: gradSplit, Cases: []Case{
			{Opset: 11, Attrs: []graph.Attr{ints("split", 1, 2), graph.IntAttr("axis", 1)}, In: in(x), Out: in(f64s([]int{2, 1}, 1, 4), f64s([]int{2, 2}, 2, 3, 5, 6))},
			{Name: "equal", Opset: 11, In: in(x), Out: in(f64s([]int{1, 3}, 1, 2, 3), f64s([]int{1, 3}, 4, 5, 6))},
		},
	}
	first := split
	register(&split)
	first.Since, first.Cases = 1, []Case{{Opset: 1, Attrs: []graph.Attr{graph.IntAttr("axis", 1), ints("split", 2, 1)}, In: in(x), Out: in(f64s([]int{2, 2}, 1, 2, 4, 5), f64s([]int{2, 1}, 3, 6))}}
	register(&first)
	register(&Spec{
		Name: "Reshape", Since: 1, Attrs: []string{"consumed_inputs", "shape"}, In: Arity{1, 1}, Out: Arity{1, 1}, View: true,
		Infer: olderInfer(inferReshape, "shape"), Compile: olderCompile(compileReshape, "shape"), Grad: gradReshape, Cases: []Case{
			{Opset: 4, Attrs: []graph.Attr{ints("shape", 3, -1)}, In: in(x), Out: in(f64s([]int{3, 2}, 1, 2, 3, 4, 5, 6))},
		},
	})
	register(&Spec{
		Name: "Concat", Since: 1, Attrs: []string{"axis"}, In: Arity{1, Many}, Out: Arity{1, 1},
		Infer:   func(n *graph.Node, site *Site) ([]tensor.Type, error) { return inferConcat(concatNode(n), site) },
		Compile: func(n *graph.Node, site *Site) (Kernel, error) { return compileConcat(concatNode(n), site) },
		Grad: func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
			return gradConcat(b, concatNode(n), dy)
		},
		Cases: []Case{{Opset: 3, In: in(x, f64s([]int{2, 1}, 7, 8)), Out: in(f64s([]int{2, 4}, 1, 2, 3, 7, 4, 5, 6, 8))}},
	})
}

// gradOldSlice is that of the version with inputs in the place of attributes.
func gradOldSlice(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	with := *n
	with.Inputs = slices.Clip(n.Inputs)
	for _, name := range []string{"starts", "ends", "axes"} {
		if a := n.Attr(name); a != nil {
			with.Inputs = append(with.Inputs, b.Ints(name, a.Ints))
		}
	}
	dx, err := gradSlice(b, &with, dy)
	return dx[:1], err
}

// concatNode gives a Concat before opset 4 its default axis.
func concatNode(n *graph.Node) *graph.Node {
	if n.Attr("axis") != nil {
		return n
	}
	with := *n
	with.Attrs = append(slices.Clip(n.Attrs), graph.IntAttr("axis", 1))
	return &with
}

// olderNode turns the named attributes of integers into constant inputs behind those that are there; one whose name ends in ? may be absent.
func olderNode(n *graph.Node, site *Site, names []string) (*graph.Node, *Site, error) {
	with, at := *n, *site
	with.Inputs, with.Attrs = slices.Clip(n.Inputs), nil
	at.Types, at.Constant = slices.Clip(site.Types), slices.Clip(site.Constant)
	for len(at.Constant) < len(at.Types) {
		at.Constant = append(at.Constant, nil)
	}
	taken := []string{"consumed_inputs"}
	for i, name := range names {
		optional := name[len(name)-1] == '?' || name == "axes"
		if name[len(name)-1] == '?' {
			name = name[:len(name)-1]
		}
		taken = append(taken, name)
		a := n.Attr(name)
		if a == nil && optional {
			continue
		}
		if a == nil || a.Kind != graph.AttrInts {
			return nil, nil, bad(n, "attribute "+name+" is missing or has the wrong kind")
		}
		t := tensor.Ints(a.Ints, len(a.Ints))
		with.Inputs = append(with.Inputs, graph.Value("attribute "+itoa(int64(i))))
		at.Types, at.Constant = append(at.Types, t.Type()), append(at.Constant, t)
	}
	for _, a := range n.Attrs {
		if !slices.Contains(taken, a.Name) {
			with.Attrs = append(with.Attrs, a)
		}
	}
	return &with, &at, nil
}

func olderInfer(infer func(*graph.Node, *Site) ([]tensor.Type, error), names ...string) func(*graph.Node, *Site) ([]tensor.Type, error) {
	return func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		with, at, err := olderNode(n, site, names)
		if err != nil {
			return nil, err
		}
		return infer(with, at)
	}
}

func olderCompile(compile compileFunc, names ...string) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		with, at, err := olderNode(n, site, names)
		if err != nil {
			return nil, err
		}
		kernel, err := compile(with, at)
		if err != nil {
			return nil, err
		}
		more := at.Constant[len(n.Inputs):]
		var borrowed lists
		return func(ctx context.Context, in, out []*tensor.Tensor) error {
			var buf [8]*tensor.Tensor
			copy(buf[:len(n.Inputs)], in)
			all := borrowed.take(append(buf[:len(n.Inputs)], more...)...)
			defer borrowed.put(all)
			return kernel(ctx, *all, out)
		}, nil
	}
}
