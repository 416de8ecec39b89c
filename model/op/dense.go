//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Dense, a private operator that package exec makes of MatMul or Gemm with what follows: y (…, n) = activation(x (…, k) · w (k, n) + bias (n)),
// w being constant, or (n, k) with transB. Its activations are those of FusedConv, and Gelu.
func init() {
	x, w := f32s([]int{1, 2, 2}, 1, 2, 3, 4), f32s([]int{2, 3}, 1, 0, 2, 0, 1, -1)
	register(&Spec{
		Domain: Private, Name: "Dense", Since: 1, Attrs: []string{"activation", "activation_params", "transB"}, In: Arity{2, 3}, Out: Arity{1, 1}, Half: true,
		Infer: inferDense, Compile: compileDense, Cases: []Case{
			{In: in(x, w), Out: in(f32s([]int{1, 2, 3}, 1, 2, 0, 3, 4, 2))},
			{Name: "relu", Attrs: []graph.Attr{graph.StringAttr("activation", "Relu")}, In: in(x, w, f32v(-2, 0, .5)), Out: in(f32s([]int{1, 2, 3}, 0, 2, .5, 1, 4, 2.5))},
			{Name: "transposed", Attrs: []graph.Attr{graph.IntAttr("transB", 1), graph.StringAttr("activation", "Gelu")}, In: in(f32s([]int{1, 2}, 1, 2), f32s([]int{1, 2}, 1, -1)), Out: in(f32s([]int{1, 1}, -.158655254))},
			{Name: "misfit", In: in(f32s([]int{1, 3}, 1, 2, 3), w), Err: "shapes"},
		},
	})
}

func inferDense(n *graph.Node, site *Site) ([]tensor.Type, error) {
	x, w := site.Types[0], site.Types[1]
	if err := oneOf(n, x, tensor.Float32); err != nil {
		return nil, err
	}
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	if x.Unranked || w.Unranked || len(x.Dims) == 0 || len(w.Dims) != 2 {
		return []tensor.Type{unranked(x.DType)}, nil
	}
	width := w.Dims[1]
	if n.Int("transB", 0) != 0 {
		width = w.Dims[0]
	}
	dims := append(append([]tensor.Dim(nil), x.Dims[:len(x.Dims)-1]...), width)
	return []tensor.Type{{DType: x.DType, Dims: dims}}, nil
}

func compileDense(n *graph.Node, site *Site) (Kernel, error) {
	trans := n.Int("transB", 0) != 0
	act, gelu := activation{}, n.Str("activation", "") == "Gelu"
	if !gelu {
		var err error
		if act, err = convActivationOf(n); err != nil {
			return nil, err
		}
	}
	d := &dense{threads: site.Threads, trans: trans}
	d.epilogue.Act, d.epilogue.Lo, d.epilogue.Hi, d.epilogue.Func = epilogueOf(act)
	if gelu {
		d.epilogue.Func = geluRow
	}
	if w := site.constant(1); w != nil && w.Rank() == 2 {
		if w.Len() < laterFrom {
			d.packed = d.pack(w)
		} else {
			d.w = w
		}
	}
	return d.run, nil
}

// epilogueOf says how the product's kernel applies an activation: by itself, or by a function over rows.
func epilogueOf(act activation) (a kernel.Activation, lo, hi float32, f func([]float32)) {
	switch act.kind {
	case actNone:
		return kernel.NoActivation, 0, 0, nil
	case actRelu:
		return kernel.Clip, 0, inf32, nil
	case actClip:
		return kernel.Clip, float32(act.a), float32(act.b), nil
	case actLeaky:
		return kernel.Leaky, float32(act.a), 0, nil
	}
	return kernel.NoActivation, 0, 0, func(y []float32) { activate(act, y) }
}

type dense struct {
	threads  int
	trans    bool
	packed   *kernel.PackedF32 // of constant weights, where they are small
	w        *tensor.Tensor    // constant weights, where they are not
	later    later[kernel.PackedF32]
	epilogue kernel.Epilogue
}

func (d *dense) pack(w *tensor.Tensor) *kernel.PackedF32 {
	s := w.Shape()
	k, n := s[0], s[1]
	if d.trans {
		k, n = n, k
	}
	p := kernel.PackF32(w.F32(), k, n, s[1], d.trans, nil)
	return &p
}

func (d *dense) run(ctx context.Context, in, out []*tensor.Tensor) error {
	x, w := in[0], in[1]
	if w.Rank() != 2 {
		return misfit("Dense", "the weights are not a matrix")
	}
	packed, k, n := d.packed, w.Shape()[0], w.Shape()[1]
	if d.w != nil {
		packed = d.later.get(func() *kernel.PackedF32 { return d.pack(d.w) })
	}
	if d.trans {
		k, n = n, k
	}
	shape := x.Shape()
	if len(shape) == 0 || shape[len(shape)-1] != k {
		return misfit("Dense", "shapes do not fit: "+shapeText(shape)+" and "+shapeText(w.Shape()))
	}
	var buf [MaxRank]int
	to := append(append(buf[:0], shape[:len(shape)-1]...), n)
	if err := Reset(ctx, out[0], tensor.Float32, to...); err != nil {
		return err
	}
	e := d.epilogue
	e.Done = ctx.Done()
	if len(in) > 2 && in[2] != nil {
		if in[2].Len() != n {
			return misfit("Dense", "a bias of another length")
		}
		e.ColBias = in[2].F32()
	}
	y := out[0].F32()
	if len(y) == 0 {
		return nil
	}
	if packed == nil { // weights that are new in each run, or used for the first time
		kernel.ProductF32(d.threads, len(y)/n, k, n, x.F32(), k, false, w.F32(), w.Shape()[1], d.trans, y, n, &e)
		return nil
	}
	kernel.GemmF32(d.threads, len(y)/n, x.F32(), k, false, packed, y, n, &e)
	return nil
}

var inf32 = float32(math.Inf(1))

// geluRow is x·(1 + erf(x/√2))/2.
func geluRow(y []float32) { kernel.Gelu(y, y) }
