//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// QuantAdd, a private operator that package exec makes of Add between DequantizeLinear and QuantizeLinear: the sum of two tensors of bytes of one
// shape, rounded as that of their real values is. Its inputs are those of com.microsoft's QLinearAdd, its activation cuts.
func init() {
	u8 := func(v ...uint8) *tensor.Tensor { return tensor.FromSlice(tensor.Uint8, v) }
	u8s := func(v uint8) *tensor.Tensor { return shaped(tensor.Uint8, nil, []uint8{v}) }
	scale := func(v float32) *tensor.Tensor { return f32s(nil, v) }
	register(&Spec{
		Domain: Private, Name: "QuantAdd", Since: 1, Attrs: []string{"activation", "activation_params"}, In: Arity{8, 8}, Out: Arity{1, 1},
		Infer: inferQuantAdd, Compile: compileQuantAdd, Cases: []Case{
			{In: in(u8(10, 20), scale(.5), u8s(0), u8(4, 6), scale(1), u8s(2), scale(2), u8s(1)), Out: in(u8(5, 8))},
			{
				Name: "relu", Attrs: []graph.Attr{graph.StringAttr("activation", "Relu")},
				In: in(u8(10, 20), scale(.5), u8s(16), u8(4, 6), scale(1), u8s(2), scale(.5), u8s(9)), Out: in(u8(9, 21)),
			},
			{Name: "misfit", In: in(u8(1, 2), scale(1), u8s(0), u8(1), scale(1), u8s(0), scale(1), u8s(0)), Err: "shapes"},
		},
	})
}

func inferQuantAdd(n *graph.Node, site *Site) ([]tensor.Type, error) {
	for i, t := range site.Types {
		want := byteTypes
		if i == 1 || i == 4 || i == 6 {
			want = []tensor.DType{tensor.Float32}
		}
		if err := oneOf(n, t, want...); err != nil {
			return nil, err
		}
	}
	y := site.Types[0]
	y.DType = site.Types[7].DType
	return []tensor.Type{y}, nil
}

// quantBlock is how many elements are at work at a time: they stay in the first-level cache.
const quantBlock = 1024

func compileQuantAdd(n *graph.Node, site *Site) (Kernel, error) {
	act, err := cuttingOf(n)
	if err != nil {
		return nil, err
	}
	threads := site.Threads
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		a, b := in[0], in[3]
		if !slices.Equal(a.Shape(), b.Shape()) {
			return misfit(n.Op, "two shapes: "+shapeText(a.Shape())+" and "+shapeText(b.Shape()))
		}
		for _, i := range []int{1, 2, 4, 5, 6, 7} {
			if in[i].Len() != 1 {
				return misfit(n.Op, "scales or zero points that are not one for all")
			}
		}
		if err := Reset(ctx, out[0], in[7].DType(), a.Shape()...); err != nil {
			return err
		}
		r := addRun{in: [8]*tensor.Tensor(in), y: out[0].Bytes(), scale: in[6].F32()[0]}
		roundTo(&r.q, in[7])
		cutTo(&r.q, act, r.scale)
		addRuns.run(ctx, threads, len(r.y), 1<<14, r, (*addRun).part)
		return ctx.Err()
	}, nil
}

// addRun is a run of QuantAdd.
type addRun struct {
	in    [8]*tensor.Tensor
	y     []byte
	scale float32
	q     kernel.Requantizer // its ends and zero point
}

var (
	addRuns  crew[addRun]
	addReals scratch[float32]
)

// part adds elements [lo, hi).
func (r *addRun) part(lo, hi int) {
	held := addReals.take(2 * quantBlock)
	defer addReals.put(held)
	for ; lo < hi; lo += quantBlock {
		n := min(quantBlock, hi-lo)
		s, t := (*held)[:n], (*held)[quantBlock:][:n]
		realBytes(s, r.in[0], lo, r.in[2], r.in[1])
		realBytes(t, r.in[3], lo, r.in[5], r.in[4])
		kernel.Pair(kernel.Add, s, s, t)
		kernel.QuantizeBytes(r.y[lo:lo+n], s, r.scale, r.q.Least, r.q.Most, r.q.Zero)
	}
}

// realBytes writes the real values of elements of t from at on, which have one scale.
func realBytes(dst []float32, t *tensor.Tensor, at int, zero, scale *tensor.Tensor) {
	z, f := int32(byteAt(zero, 0)), scale.F32()[0]
	if t.DType() == tensor.Int8 {
		kernel.RealBytes(dst, tensor.Data[int8](t)[at:][:len(dst)], z, f)
		return
	}
	kernel.RealBytes(dst, t.Bytes()[at:][:len(dst)], z, f)
}
