//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// com.microsoft SkipLayerNormalization, SkipSimplifiedLayerNormalization: the (root mean square) normalisation of input + skip + bias; output 3
// is that sum. EmbedLayerNormalization: that of the sum of embeddings of words, positions and segments; output 1 counts the ones of the mask.
// LayerNormalization before opset 17 and SimplifiedLayerNormalization (RMSNormalization with 1/rms as second output): as onnxruntime has them in
// the domain ai.onnx. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
func init() {
	root2 := f32s([]int{1, 2}, 1, 3)
	eps := []graph.Attr{graph.FloatAttr("epsilon", 0)}
	msSpec(microsoft, "SkipLayerNormalization", 1, []string{"epsilon"}, Arity{3, 5}, Arity{1, 4}, true, bodySkipNorm, 0, msFloat, msFloat, 0).Cases = []Case{
		{Attrs: eps, In: in(root2, root2, f32v(1, 2), f32v(0, 1), f32v(0, 4)), Out: in(f32s([]int{1, 2}, -1, 3), f32s([]int{1, 1}, 6), f32s([]int{1, 1}, .25), f32s([]int{1, 2}, 2, 10))},
	}
	msSpec(microsoft, "SkipSimplifiedLayerNormalization", 1, []string{"epsilon"}, Arity{3, 4}, Arity{1, 4}, true, bodySkipNorm, 0, msFloat, msFloat, 0).Cases = []Case{
		{Attrs: eps, In: in(f32s([]int{1, 2}, 1, 0), f32s([]int{1, 2}, 2, 0), f32v(1, 2), f32v(0, 4)), Out: in(f32s([]int{1, 2}, .84852815, 2.2627418))},
	}
	msSpec(microsoft, "EmbedLayerNormalization", 1, []string{"epsilon", "mask_index_type"}, Arity{1, 9}, Arity{1, 3}, true, bodyEmbedNorm, 2, -1-int(tensor.Int32), 2).Cases = []Case{{
		Attrs: eps, In: in(i32m(1, 2, 1, 0), i32m(1, 2, 0, 0), f32s([]int{2, 2}, 1, 0, 0, 0), f32s([]int{3, 2}, 0, 0, 0, 1, 9, 9), f32s([]int{1, 2}, 0, 3), f32v(1, 1), f32v(0, 0), i32m(1, 2, 1, 0)),
		Out: in(f32s([]int{1, 2, 2}, -1, 1, -1, 1), i32v(1), f32s([]int{1, 2, 2}, 0, 3, 1, 4)),
	}}
	old := oldest("LayerNormalization", 1, 17, Arity{2, 3}, "axis", "epsilon", "stash_type")
	old.Out.Max, old.Float32Out = 3, 6
	old.Cases = []Case{{Opset: 12, Attrs: eps, In: in(root2, f32v(1, 2), f32v(0, 1)), Out: in(f32s([]int{1, 2}, -1, 3), f32s([]int{1, 1}, 2), f32s([]int{1, 1}, 1))}}
	simple := &Spec{Name: "SimplifiedLayerNormalization", Since: 1, Attrs: []string{"axis", "epsilon", "stash_type"}, In: Arity{2, 2}, Out: Arity{1, 2}, Half: true, HalfLike: []int{1}, Float32Out: 2}
	simple.Infer = func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		rms := *n
		rms.Op = "RMSNormalization"
		return inferLayerNorm(&rms, site)
	}
	simple.Compile = func(n *graph.Node, site *Site) (Kernel, error) {
		rms := *n
		rms.Op = "RMSNormalization"
		kernel, err := compileLayerNorm(&rms, site)
		var results lists
		return func(ctx context.Context, in, out []*tensor.Tensor) error { // 1/rms is the third result of the kernel
			three := results.take(out[0], nil, outputOf(out, 1))
			defer results.put(three)
			return kernel(ctx, in, *three)
		}, err
	}
	simple.Cases = []Case{{Attrs: eps, In: in(f32s([]int{1, 2}, 3, 4), f32v(1, 2)), Out: in(f32s([]int{1, 2}, .84852815, 2.2627418), f32s([]int{1, 1}, .2828427))}}
	register(simple)
}

// i32m is an int32 matrix.
func i32m(rows, columns int, v ...int32) *tensor.Tensor {
	return shaped(tensor.Int32, []int{rows, columns}, v)
}

func bodySkipNorm(n *graph.Node, p *msParts) []graph.Value {
	simple := n.Op != "SkipLayerNormalization"
	bias := 4
	if simple {
		bias = 3
	}
	sum := p.op("Add", nil, p.in(0), p.in(1))
	if b := p.in(bias); b != "" {
		sum = p.op("Add", nil, sum, b)
	}
	attrs := []graph.Attr{graph.FloatAttr("epsilon", n.Float("epsilon", 1e-12))}
	if !simple {
		out := p.ops("LayerNormalization", 3, attrs, append([]graph.Value{sum, p.in(2)}, p.given(3)...)...)
		return append(out, sum)
	}
	return []graph.Value{p.op("RMSNormalization", attrs, sum, p.in(2)), "", "", sum}
}

// given is input i in a list, which is empty where it is absent.
func (p *msParts) given(i int) []graph.Value {
	if v := p.in(i); v != "" {
		return []graph.Value{v}
	}
	return nil
}

func bodyEmbedNorm(n *graph.Node, p *msParts) []graph.Value {
	ids, words, positions, segments := p.in(0), p.in(2), p.in(3), p.in(4)
	p.wantRank(ids, 2)
	sum := p.op("Gather", nil, words, ids)
	if v := p.in(8); v != "" {
		sum = p.op("Add", nil, sum, p.op("Gather", nil, positions, v))
	} else {
		sum = p.op("Add", nil, sum, p.op("Slice", nil, positions, p.ints(0), p.ints(int64(p.shape(ids)[1])), p.ints(0)))
		if s := p.shape(positions); p.err == nil && s[0] < p.shape(ids)[1] {
			p.fail(misfit(n.Op, "more words than positions"))
		}
	}
	if (segments == "") != (p.in(1) == "") {
		p.fail(bad(n, "segments without their embedding"))
	} else if segments != "" {
		sum = p.op("Add", nil, sum, p.op("Gather", nil, segments, p.in(1)))
	}
	y := p.op("LayerNormalization", []graph.Attr{graph.FloatAttr("epsilon", n.Float("epsilon", 1e-12))}, sum, p.in(5), p.in(6))
	if len(n.Outputs) < 2 {
		return []graph.Value{y}
	}
	if m := n.Int("mask_index_type", 1); m != 1 && m != 0 {
		p.fail(refuseAttr(n, "mask_index_type", itoa(m)))
	}
	var count graph.Value
	if mask := p.in(7); mask != "" && n.Int("mask_index_type", 1) != 0 {
		ones := p.op("Cast", castTo(tensor.Int32), p.op("Equal", nil, mask, p.constant(tensor.FromSlice(tensor.Int32, []int32{1}))))
		count = p.op("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, ones, p.ints(1))
	} else if batch := p.shape(ids)[0]; p.err == nil {
		count = p.op("Expand", nil, p.constant(tensor.FromSlice(tensor.Int32, []int32{0})), p.ints(int64(batch)))
	}
	return []graph.Value{y, count, sum}
}
