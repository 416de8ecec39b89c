//go:build !lean

package op

import (
	"context"
	"slices"

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
	skip := msSpec(microsoft, "SkipLayerNormalization", 1, []string{"epsilon"}, Arity{3, 5}, Arity{1, 4}, true, bodySkipNorm, 0, msFloat, msFloat, 0)
	skip.Grad = gradSkipNorm(0)
	half := []graph.Attr{graph.FloatAttr("epsilon", .5)}
	skip.Cases = []Case{
		{Name: "float64", Attrs: half, In: in(f64s([]int{1, 3}, 1, 3, 2), f64s([]int{1, 3}, 0, 0, 6), f64v(1, 2, -1), f64v(1, 2, 3), f64v(0, 0, 0)), Out: in(f64s([]int{1, 3}, 0.00913261138628, 1.33942174092, 1.67884348185))},
		{Attrs: eps, In: in(root2, root2, f32v(1, 2), f32v(0, 1), f32v(0, 4)), Out: in(f32s([]int{1, 2}, -1, 3), f32s([]int{1, 1}, 6), f32s([]int{1, 1}, .25), f32s([]int{1, 2}, 2, 10))},
	}
	skip = msSpec(microsoft, "SkipSimplifiedLayerNormalization", 1, []string{"epsilon"}, Arity{3, 4}, Arity{1, 4}, true, bodySkipNorm, 0, msFloat, msFloat, 0)
	skip.Grad = gradSkipNorm(1)
	skip.Cases = []Case{
		{Name: "float64", Attrs: half, In: in(f64s([]int{1, 3}, 1, 3, 2), f64s([]int{1, 3}, 0, 0, 6), f64v(1, 2, -1), f64v(0, 0, 0)), Out: in(f64s([]int{1, 3}, 0.199336648256, 1.19601988953, -1.59469318604))},
		{Attrs: eps, In: in(f32s([]int{1, 2}, 1, 0), f32s([]int{1, 2}, 2, 0), f32v(1, 2), f32v(0, 4)), Out: in(f32s([]int{1, 2}, .84852815, 2.2627418))},
	}
	embed := msSpec(microsoft, "EmbedLayerNormalization", 1, []string{"epsilon", "mask_index_type"}, Arity{1, 9}, Arity{1, 3}, true, bodyEmbedNorm, 2, -1-int(tensor.Int32), 2)
	embed.Grad = gradEmbedNorm
	embed.Cases = []Case{{
		Name: "float64", Attrs: half, In: in(i32m(1, 2, 1, 0), i32m(1, 2, 0, 0), f64s([]int{2, 3}, 1, 0, 2, 0, 0, 0), f64s([]int{3, 3}, 0, 1, 3, 1, 9, 9, 0, 0, 0), f64s([]int{1, 3}, 0, 3, 1), f64v(1, 2, 3), f64v(0, 1, 0)),
		Out: in(f64s([]int{1, 2, 3}, -1.32416942176, 2.32416942176, 1.98625413265, -1.39856720255, 2.39856720255, 2.09785080383)),
	}, {
		Attrs: eps, In: in(i32m(1, 2, 1, 0), i32m(1, 2, 0, 0), f32s([]int{2, 2}, 1, 0, 0, 0), f32s([]int{3, 2}, 0, 0, 0, 1, 9, 9), f32s([]int{1, 2}, 0, 3), f32v(1, 1), f32v(0, 0), i32m(1, 2, 1, 0)),
		Out: in(f32s([]int{1, 2, 2}, -1, 1, -1, 1), i32v(1), f32s([]int{1, 2, 2}, 0, 3, 1, 4)),
	}}
	old := oldest("LayerNormalization", 1, 17, Arity{2, 3}, "axis", "epsilon", "stash_type")
	old.Out.Max, old.Float32Out, old.Grad = 3, 6, gradLayerNorm(0)
	old.Cases = []Case{{Name: "float64", Opset: 12, Attrs: half, In: in(f64s([]int{1, 3}, 1, 3, 8), f64v(1, 2, -1), f64v(1, 2, 3)), Out: in(f64s([]int{1, 3}, 0.00913261138628, 1.33942174092, 1.67884348185))}, {Opset: 12, Attrs: eps, In: in(root2, f32v(1, 2), f32v(0, 1)), Out: in(f32s([]int{1, 2}, -1, 3), f32s([]int{1, 1}, 2), f32s([]int{1, 1}, 1))}}
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
	simple.Grad = gradLayerNorm(1)
	simple.Cases = []Case{{Name: "float64", Attrs: half, In: in(f64s([]int{1, 3}, 1, 3, 8), f64v(1, 2, -1)), Out: in(f64s([]int{1, 3}, 0.199336648256, 1.19601988953, -1.59469318604))}, {Attrs: eps, In: in(f32s([]int{1, 2}, 3, 4), f32v(1, 2)), Out: in(f32s([]int{1, 2}, .84852815, 2.2627418), f32s([]int{1, 1}, .2828427))}}
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

// gradSkipNorm is that of the normalisation of input + skip + bias, which output 3 is; rms tells whether it is without mean.
func gradSkipNorm(rms int) Gradient {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		dy = append(slices.Clone(dy), "", "", "")
		sum, bias, shift := keepOutput(b, n, 3, "sum"), 4-rms, n.In(3)
		if rms == 1 {
			shift = ""
		}
		attrs := []graph.Attr{graph.FloatAttr("epsilon", n.Float("epsilon", 1e-12)), graph.IntAttr("rms", int64(rms))}
		y := dy[0]
		if y == "" {
			y = b.Op("Mul", sum, scalarLike(b, 0, sum))
		}
		back := layerBack(b, attrs, y, sum, n.Inputs[2], shift, [2]graph.Value{dy[1], dy[2]})
		if dy[3] != "" {
			back[0] = b.Op("Add", back[0], dy[3])
		}
		dx := make([]graph.Value, len(n.Inputs))
		dx[0], dx[1], dx[2] = reduceTo(b, back[0], n.Inputs[0]), reduceTo(b, back[0], n.Inputs[1]), back[1]
		if shift != "" {
			dx[3] = back[2]
		}
		if n.In(bias) != "" {
			dx[bias] = reduceTo(b, back[0], n.In(bias))
		}
		return dx, nil
	}
}

// gradEmbedNorm is that of the normalisation of a sum of embeddings, which output 2 is.
func gradEmbedNorm(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dy = append(slices.Clone(dy), "", "")
	sum := keepOutput(b, n, 2, "sum")
	y := dy[0]
	if y == "" {
		y = b.Op("Mul", sum, scalarLike(b, 0, sum))
	}
	back := layerBack(b, []graph.Attr{graph.FloatAttr("epsilon", n.Float("epsilon", 1e-12))}, y, sum, n.Inputs[5], n.In(6), [2]graph.Value{})
	if dy[2] != "" {
		back[0] = b.Op("Add", back[0], dy[2])
	}
	dx := make([]graph.Value, len(n.Inputs))
	gather := func(table, places graph.Value) graph.Value {
		return b.Node(Private, "GatherGrad", []graph.Value{back[0], table, places}, 1, graph.IntAttr("axis", 0))[0]
	}
	dx[2], dx[5] = gather(n.Inputs[2], n.Inputs[0]), back[1]
	if n.In(6) != "" {
		dx[6] = back[2]
	}
	if n.In(8) != "" {
		dx[3] = gather(n.Inputs[3], n.In(8))
	} else { // the first of the positions, for every text
		zero := b.Ints("zero", []int64{0})
		length := b.OpWith("Shape", []graph.Attr{graph.IntAttr("start", 1), graph.IntAttr("end", 2)}, n.Inputs[0])
		all := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, back[0], zero)
		dx[3] = b.Node(Private, "SliceGrad", []graph.Value{all, n.Inputs[3], zero, length, zero}, 1)[0]
	}
	if n.In(4) != "" {
		dx[4] = gather(n.In(4), n.In(1))
	}
	return dx, nil
}
