//go:build !lean

package op

import (
	"context"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Sequences: SequenceConstruct, SequenceEmpty, SequenceAt, SequenceInsert, SequenceErase, SequenceLength.
// https://onnx.ai/onnx/operators/onnx__SequenceAt.html and so on. Positions count from the end where negative.
func init() {
	a, b, c := f32v(1, 2), f32v(3), f32s([]int{2, 1}, 4, 5)
	seq := tensor.SequenceOf
	register(&Spec{
		Name: "SequenceConstruct", Since: 11, In: Arity{1, Many}, Out: Arity{1, 1}, Infer: inferSequenceConstruct, Grad: gradSequenceConstruct,
		Compile: func(*graph.Node, *Site) (Kernel, error) {
			return func(ctx context.Context, in, out []*tensor.Tensor) error {
				return fillSequence(ctx, out[0], len(in), func(i int) *tensor.Tensor { return in[i] })
			}, nil
		},
		Cases: []Case{{In: in(a, b, c), Out: in(seq(a, b, c))}, {Name: "mixed", In: in(a, i64v(1)), Err: "different types"}},
	})
	register(&Spec{
		Name: "SequenceEmpty", Since: 11, Attrs: []string{"dtype"}, In: Arity{0, 0}, Out: Arity{1, 1}, Infer: inferSequenceEmpty,
		Compile: func(*graph.Node, *Site) (Kernel, error) {
			return func(_ context.Context, _, out []*tensor.Tensor) error {
				out[0].ResetList(tensor.Sequence, 0)
				return nil
			}, nil
		},
		Cases: []Case{{Out: in(seq())}, {Name: "no type", Attrs: []graph.Attr{graph.IntAttr("dtype", 1000)}, Err: "dtype"}},
	})
	register(&Spec{
		Name: "SequenceAt", Since: 11, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferSequenceAt, Compile: compileSequenceAt, Grad: gradSequenceAt,
		Cases: []Case{
			{In: in(seq(a, b, c), i64s(nil, 1)), Out: in(b)},
			{Name: "from the end", In: in(seq(a, b, c), i64s(nil, -1)), Out: in(c)},
			{Name: "outside", In: in(seq(a), i64s(nil, 1)), Err: "position 1"},
		},
	})
	register(&Spec{
		Name: "SequenceInsert", Since: 11, In: Arity{2, 3}, Out: Arity{1, 1}, Infer: inferSequenceInsert, Compile: compileSequenceInsert, Grad: gradSequenceInsert,
		Cases: []Case{
			{In: in(seq(a, b), c), Out: in(seq(a, b, c))},
			{Name: "front", In: in(seq(a, b), c, i64s(nil, -2)), Out: in(seq(c, a, b))},
			{Name: "outside", In: in(seq(a, b), c, i64s(nil, 3)), Err: "position 3"},
		},
	})
	register(&Spec{
		Name: "SequenceErase", Since: 11, In: Arity{1, 2}, Out: Arity{1, 1}, Infer: inferSequenceErase, Compile: compileSequenceErase, Grad: gradSequenceErase,
		Cases: []Case{
			{In: in(seq(a, b)), Out: in(seq(a))},
			{Name: "first", In: in(seq(a, b), i64s(nil, 0)), Out: in(seq(b))},
			{Name: "empty", In: in(seq()), Err: "position"},
		},
	})
	register(&Spec{
		Name: "SequenceLength", Since: 11, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferSequenceLength,
		Compile: func(*graph.Node, *Site) (Kernel, error) {
			return func(ctx context.Context, in, out []*tensor.Tensor) error {
				if err := Reset(ctx, out[0], tensor.Int64); err != nil {
					return err
				}
				out[0].I64()[0] = int64(len(in[0].List()))
				return nil
			}, nil
		},
		Cases: []Case{{In: in(seq(a, b)), Out: in(i64s(nil, 2))}},
	})
}

// sequenceOf is the type of sequences of t.
func sequenceOf(t tensor.Type) tensor.Type {
	return tensor.Type{DType: tensor.Sequence, Unranked: true, Elem: &t}
}

// elementType is the type of a sequence's elements; not ok where x is none or its elements are not known.
func elementType(x tensor.Type) (tensor.Type, bool) {
	if x.DType != tensor.Sequence || x.Elem == nil {
		return tensor.Type{}, false
	}
	return *x.Elem, true
}

func inferSequenceConstruct(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	elem := site.Types[0]
	for _, t := range site.Types[1:] {
		elem, _ = common(elem, t)
	}
	return []tensor.Type{sequenceOf(elem)}, oneOf(n, elem, anyDType...)
}

func inferSequenceEmpty(n *graph.Node, _ *Site) ([]tensor.Type, error) {
	d := n.Int("dtype", int64(tensor.Float32))
	if err := kind(n, "dtype", graph.AttrInt); err != nil {
		return nil, err
	}
	if d < 0 || d > 255 || !tensor.DType(d).Known() {
		return nil, bad(n, "dtype is no element type")
	}
	return []tensor.Type{sequenceOf(unranked(tensor.DType(d)))}, nil
}

func inferSequenceAt(n *graph.Node, site *Site) ([]tensor.Type, error) {
	elem, ok := elementType(site.Types[0])
	if !ok {
		return nil, refuse(n, site.Types[0].DType)
	}
	return []tensor.Type{elem}, oneOf(n, site.Types[1], indexTypes...)
}

func inferSequenceInsert(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if site.Types[0].DType != tensor.Sequence {
		return nil, refuse(n, site.Types[0].DType)
	}
	if elem, ok := elementType(site.Types[0]); ok {
		t, same := common(elem, site.Types[1])
		if !same {
			return nil, bad(n, "inserts "+site.Types[1].String()+" into "+site.Types[0].String())
		}
		return []tensor.Type{sequenceOf(t)}, optionalIndex(n, site, 2)
	}
	return []tensor.Type{sequenceOf(site.Types[1])}, optionalIndex(n, site, 2)
}

func optionalIndex(n *graph.Node, site *Site, i int) error {
	if site.typ(i).DType == tensor.Undefined {
		return nil
	}
	return oneOf(n, site.typ(i), indexTypes...)
}

func inferSequenceErase(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if site.Types[0].DType != tensor.Sequence {
		return nil, refuse(n, site.Types[0].DType)
	}
	return []tensor.Type{site.Types[0]}, optionalIndex(n, site, 1)
}

func inferSequenceLength(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if site.Types[0].DType != tensor.Sequence {
		return nil, refuse(n, site.Types[0].DType)
	}
	return []tensor.Type{tensor.TypeOf(tensor.Int64)}, nil
}

// fillSequence makes out a sequence of n copies.
func fillSequence(ctx context.Context, out *tensor.Tensor, n int, element func(i int) *tensor.Tensor) error {
	for i, e := range out.ResetList(tensor.Sequence, n) {
		if err := Copy(ctx, e, element(i)); err != nil {
			return err
		}
	}
	return nil
}

// position reads the place in a list of n that t, a scalar, names; def where it is absent.
func position(op string, in []*tensor.Tensor, i, def, n int) (int, error) {
	at := int64(def)
	if i < len(in) && in[i] != nil {
		var buf [1]int64
		v := intsOf(buf[:0], in[i])
		if len(v) != 1 {
			return 0, misfit(op, "the position is not one number")
		}
		if at = v[0]; at < 0 {
			at += int64(n)
		}
	}
	if at < 0 || at >= int64(n) {
		return 0, misfit(op, "position "+strconv.FormatInt(at, 10)+" of "+strconv.Itoa(n))
	}
	return int(at), nil
}

func compileSequenceAt(*graph.Node, *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		list := in[0].List()
		at, err := position("SequenceAt", in, 1, 0, len(list))
		if err != nil {
			return err
		}
		return Copy(ctx, out[0], list[at])
	}, nil
}

func compileSequenceInsert(*graph.Node, *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		list := in[0].List()
		at := len(list)
		if len(in) > 2 && in[2] != nil {
			var buf [1]int64
			v := intsOf(buf[:0], in[2])
			if len(v) != 1 {
				return misfit("SequenceInsert", "the position is not one number")
			}
			p := v[0]
			if p < 0 {
				p += int64(len(list))
			}
			if p < 0 || p > int64(len(list)) {
				return misfit("SequenceInsert", "position "+strconv.FormatInt(p, 10)+" of "+strconv.Itoa(len(list)))
			}
			at = int(p)
		}
		return fillSequence(ctx, out[0], len(list)+1, func(i int) *tensor.Tensor {
			switch {
			case i < at:
				return list[i]
			case i == at:
				return in[1]
			}
			return list[i-1]
		})
	}, nil
}

func compileSequenceErase(*graph.Node, *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		list := in[0].List()
		at, err := position("SequenceErase", in, 1, len(list)-1, len(list))
		if err != nil {
			return err
		}
		return fillSequence(ctx, out[0], len(list)-1, func(i int) *tensor.Tensor {
			if i < at {
				return list[i]
			}
			return list[i+1]
		})
	}, nil
}
