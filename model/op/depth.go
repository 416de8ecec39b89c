//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// DepthToSpace: (n, c·b², h, w) → (n, c, h·b, w·b); the block's row and column come before the channel (DCR) or behind it (CRD).
// SpaceToDepth: (n, c, h·b, w·b) → (n, b²·c, h, w), the way back of DCR. https://onnx.ai/onnx/operators/onnx__DepthToSpace.html
func init() {
	two := graph.IntAttr("blocksize", 2)
	deep := f64s([]int{1, 8, 1, 1}, 0, 1, 2, 3, 4, 5, 6, 7)
	register(&Spec{Name: "DepthToSpace", Since: 1, Attrs: []string{"blocksize"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferDepth, Compile: compileDepth, Grad: gradDepth, Cases: []Case{
		{Opset: 1, Attrs: []graph.Attr{two}, In: in(deep), Out: in(f64s([]int{1, 2, 2, 2}, 0, 2, 4, 6, 1, 3, 5, 7))},
	}})
	register(&Spec{Name: "DepthToSpace", Since: 11, Attrs: []string{"blocksize", "mode"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferDepth, Compile: compileDepth, Grad: gradDepth, Cases: []Case{
		{Attrs: []graph.Attr{two}, In: in(deep), Out: in(f64s([]int{1, 2, 2, 2}, 0, 2, 4, 6, 1, 3, 5, 7))},
		{Name: "CRD", Attrs: []graph.Attr{two, graph.StringAttr("mode", "CRD")}, In: in(deep), Out: in(f64s([]int{1, 2, 2, 2}, 0, 1, 2, 3, 4, 5, 6, 7))},
		{Name: "wide", Attrs: []graph.Attr{two}, In: in(f64s([]int{1, 4, 1, 2}, 0, 1, 2, 3, 4, 5, 6, 7)), Out: in(f64s([]int{1, 1, 2, 4}, 0, 2, 1, 3, 4, 6, 5, 7))},
		{Name: "does not divide", Attrs: []graph.Attr{two}, In: in(f64s([]int{1, 3, 1, 1}, 0, 1, 2)), Err: "divide"},
	}})
	register(&Spec{Name: "SpaceToDepth", Since: 1, Attrs: []string{"blocksize", "mode"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferDepth, Compile: compileDepth, Grad: gradDepth, Cases: []Case{
		{Attrs: []graph.Attr{two}, In: in(f64s([]int{1, 2, 2, 2}, 0, 2, 4, 6, 1, 3, 5, 7)), Out: in(deep)},
		{Name: "wide", Attrs: []graph.Attr{two}, In: in(f64s([]int{1, 1, 2, 4}, 0, 2, 1, 3, 4, 6, 5, 7)), Out: in(f64s([]int{1, 4, 1, 2}, 0, 1, 2, 3, 4, 5, 6, 7))},
		{Name: "does not divide", Attrs: []graph.Attr{two}, In: in(f64s([]int{1, 1, 3, 2}, 0, 1, 2, 3, 4, 5)), Err: "divide"},
	}})
}

func inferDepth(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "mode", graph.AttrString); err != nil {
		return nil, err
	}
	m := n.Str("mode", "DCR")
	if m != "DCR" && m != "CRD" {
		return nil, refuseAttr(n, "mode", m)
	}
	b := n.Int("blocksize", 0)
	if b < 1 || b > 1<<15 {
		return nil, bad(n, "a blocksize of "+itoa(b))
	}
	t := site.Types[0]
	if t.Unranked {
		return []tensor.Type{tensor.TypeOf(t.DType, tensor.Free, tensor.Free, tensor.Free, tensor.Free)}, nil
	}
	if len(t.Dims) != 4 {
		return nil, bad(n, "an input of another rank than 4")
	}
	dims := append([]tensor.Dim{}, t.Dims...)
	for i := range dims {
		if i == 0 || b == 1 {
			continue
		}
		by := int(b)
		if i == 1 {
			by *= by
		}
		switch d := dims[i].Size; {
		case d == tensor.Free:
			dims[i] = free
		case (i == 1) == (n.Op == "DepthToSpace"):
			if d%by != 0 {
				return nil, bad(n, "the blocksize does not divide the dimension "+itoa(int64(d)))
			}
			dims[i].Size /= by
		default:
			dims[i].Size *= by
		}
	}
	return []tensor.Type{{DType: t.DType, Dims: dims}}, nil
}

func compileDepth(n *graph.Node, _ *Site) (Kernel, error) {
	b, op, crd := int(n.Int("blocksize", 1)), n.Op, n.Str("mode", "DCR") == "CRD"
	toSpace := op == "DepthToSpace"
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, s := in[0], in[0].Shape()
		if len(s) != 4 {
			return misfit(op, "an input of another rank than 4: "+shapeText(s))
		}
		batch, c, h, w := s[0], s[1]*b*b, s[2]/b, s[3]/b
		to := [4]int{batch, c, h, w}
		fits := s[2]%b == 0 && s[3]%b == 0
		if toSpace {
			c, h, w = s[1], s[2], s[3]
			to, fits = [4]int{batch, c / (b * b), h * b, w * b}, c%(b*b) == 0
		}
		if !fits {
			return misfit(op, "the blocksize does not divide the shape "+shapeText(s))
		}
		if err := Reset(ctx, out[0], x.DType(), to[:]...); err != nil || x.Len() == 0 {
			return err
		}
		c /= b * b
		// Steps in the deep tensor (n, c·b², h, w) and in the wide one (n, c, h·b, w·b), of each loop from the innermost on.
		block, channel := c*h*w, h*w
		if crd {
			block, channel = h*w, b*b*h*w
		}
		loops := [6][3]int{ // length, deep, wide
			{w, 1, b}, {b, block, 1}, {h, w, b * b * w}, {b, b * block, b * w}, {c, channel, b * b * h * w}, {batch, c * b * b * h * w, c * b * b * h * w},
		}
		var g grid
		for _, l := range loops {
			if l[0] == 1 {
				continue
			}
			if toSpace {
				g.push(l[0], [3]int{l[2], l[1]})
			} else {
				g.push(l[0], [3]int{l[1], l[2]})
			}
		}
		g.finish()
		moveGrid(out[0], 0, x, 0, &g)
		return nil
	}, nil
}

// ReverseSequence: for each element of batch_axis, the first sequence_lens of time_axis in reverse order.
// https://onnx.ai/onnx/operators/onnx__ReverseSequence.html
func init() {
	x := f64s([]int{3, 2}, 1, 2, 3, 4, 5, 6)
	register(&Spec{Name: "ReverseSequence", Since: 10, Attrs: []string{"batch_axis", "time_axis"}, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferReverse, Compile: compileReverse, Grad: gradSelf, Cases: []Case{
		{In: in(x, i64v(2, 3)), Out: in(f64s([]int{3, 2}, 3, 6, 1, 4, 5, 2))},
		{Name: "batch first", Attrs: []graph.Attr{graph.IntAttr("batch_axis", 0), graph.IntAttr("time_axis", 1)}, In: in(x, i64v(2, 1, 2)), Out: in(f64s([]int{3, 2}, 2, 1, 3, 4, 6, 5))},
		{Name: "too long", In: in(x, i64v(4, 1)), Err: "length 4"},
	}})
}

func inferReverse(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "batch_axis", "time_axis"); err != nil {
		return nil, err
	}
	if site.Types[1].DType != tensor.Int64 {
		return nil, bad(n, "lengths that are not int64")
	}
	if b, t := n.Int("batch_axis", 1), n.Int("time_axis", 0); b == t || b < 0 || b > 1 || t < 0 || t > 1 {
		return nil, bad(n, "batch_axis and time_axis must be 0 and 1")
	}
	if t := site.Types[0]; !t.Unranked && len(t.Dims) < 2 {
		return nil, bad(n, "an input of a rank below 2")
	}
	return []tensor.Type{site.Types[0]}, nil
}

func compileReverse(n *graph.Node, _ *Site) (Kernel, error) {
	timeAxis := int(n.Int("time_axis", 0))
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, shape := in[0], in[0].Shape()
		if len(shape) < 2 || in[1].Len() != shape[1-timeAxis] {
			return misfit("ReverseSequence", "one length is wanted for each sequence of the input "+shapeText(shape))
		}
		if err := copyInto(ctx, out[0], x); err != nil || x.Len() == 0 {
			return err
		}
		block := x.Len() / (shape[0] * shape[1])
		timeStep, batchStep := shape[1]*block, block
		if timeAxis == 1 {
			timeStep, batchStep = batchStep, timeStep
		}
		for b, length := range in[1].I64() {
			if length < 0 || length > int64(shape[timeAxis]) {
				return misfit("ReverseSequence", "length "+itoa(length)+" of "+itoa(int64(shape[timeAxis]))+" steps")
			}
			for t := range int(length) {
				moveBlock(out[0], b*batchStep+t*timeStep, x, b*batchStep+(int(length)-1-t)*timeStep, block)
			}
		}
		return nil
	}, nil
}
