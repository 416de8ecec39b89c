//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// DropoutStep(x, key; ratio, node): what a trainer puts in the place of a Dropout. An element of x is 0 with the probability ratio, and
// x/(1 - ratio) otherwise; output 1 has a bit for each element that is kept, in uint8 (⌈n/8⌉), lowest bits first. key is int64 (2): the seed of the
// training and the number of the step. node tells the dropouts of one graph apart. The draw of an element is a word of Philox4x32-10 of these three
// and of its place in x, so that a step repeats bit for bit, whatever the number of goroutines and whatever was drawn before.
//
// DropoutStepGrad(dy, bits; ratio): dy/(1 - ratio) where the bits say so, 0 elsewhere.
func init() {
	attrs := []graph.Attr{graph.FloatAttr("ratio", .5), graph.IntAttr("node", 3)}
	x := f64v(1, 2, 3, 4, 5, 6, 7, 8, 9)
	bits := shaped(tensor.Uint8, []int{2}, []uint8{0b11001011, 1})
	register(&Spec{
		Domain: Private, Name: "DropoutStep", Since: 1, Half: true, Attrs: []string{"ratio", "node"}, In: Arity{2, 2}, Out: Arity{1, 2},
		Infer: inferDropoutStep, Compile: compileDropoutStep, Grad: gradDropoutStep,
		Cases: []Case{
			{Attrs: attrs, In: in(x, i64v(1, 7)), Out: in(f64v(0, 0, 6, 0, 10, 0, 0, 0, 0), shaped(tensor.Uint8, []int{2}, []uint8{20, 0}))},
			{Name: "nothing", In: in(x, i64v(1, 7)), Out: in(x, shaped(tensor.Uint8, []int{2}, []uint8{255, 1}))},
			{Name: "everything", Attrs: []graph.Attr{graph.FloatAttr("ratio", 1)}, In: in(x, i64v(1, 7)), Err: "ratio"},
			{Name: "no step", In: in(x, i64v(1)), Err: "key"},
		},
	})
	register(&Spec{
		Domain: Private, Name: "DropoutStepGrad", Since: 1, Half: true, Attrs: []string{"ratio"}, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferAs(0), Compile: compileDropoutStepGrad,
		Cases: []Case{{Attrs: attrs[:1], In: in(x, bits), Out: in(f64v(2, 4, 0, 8, 0, 0, 14, 16, 18))}},
	})
}

func inferDropoutStep(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "ratio", graph.AttrFloat); err != nil {
		return nil, err
	}
	if err := kind(n, "node", graph.AttrInt); err != nil {
		return nil, err
	}
	if site.Types[1].DType != tensor.Int64 {
		return nil, bad(n, "a key that is not int64")
	}
	return []tensor.Type{site.Types[0], tensor.TypeOf(tensor.Uint8, tensor.Free)}[:len(n.Outputs)], oneOf(n, site.Types[0], floats...)
}

// dropRatio reads the attribute, and what is kept is multiplied by.
func dropRatio(n *graph.Node) (ratio, scale float64, err error) {
	if ratio = float64(n.Float("ratio", 0)); !(ratio >= 0 && ratio < 1) {
		return 0, 0, bad(n, "a ratio outside of [0, 1)")
	}
	return ratio, 1 / (1 - ratio), nil
}

func compileDropoutStep(n *graph.Node, site *Site) (Kernel, error) {
	ratio, scale, err := dropRatio(n)
	if err != nil {
		return nil, err
	}
	threshold, node, threads := uint32(math.Round(ratio*(1<<32))), uint32(n.Int("node", 0)), site.Threads
	var runs kept[dropStep]
	var pool scratch[byte]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		key, count := in[1].I64(), in[0].Len()
		if len(key) != 2 {
			return misfit("DropoutStep", "a key that is not seed and step")
		}
		if count > math.MaxUint32/8*kernel.DropGroup {
			return misfit("DropoutStep", "more elements than can be drawn")
		}
		r := runs.take()
		defer runs.put(r)
		*r = dropStep{philox: kernel.NewPhilox(uint64(key[0]), node, uint64(key[1])), draws: true, threshold: threshold, scale: scale}
		if m := outputOf(out, 1); m != nil {
			if err := Reset(ctx, m, tensor.Uint8, (count+7)/8); err != nil {
				return err
			}
			r.bits = m.Bytes()
		} else {
			held := pool.take((count + 7) / 8)
			defer pool.put(held)
			r.bits = *held
		}
		return r.all(ctx, threads, in[0], out[0])
	}, nil
}

func gradDropoutStep(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	if dy[0] == "" {
		return []graph.Value{"", ""}, nil
	}
	return []graph.Value{b.Node(Private, "DropoutStepGrad", []graph.Value{dy[0], keepOutput(b, n, 1, "kept")}, 1, graph.FloatAttr("ratio", n.Float("ratio", 0)))[0], ""}, nil
}

// keepOutput has n give its output i, too.
func keepOutput(b *graph.Builder, n *graph.Node, i int, hint string) graph.Value {
	for len(n.Outputs) <= i {
		n.Outputs = append(n.Outputs, "")
	}
	if n.Outputs[i] == "" {
		n.Outputs[i] = b.Fresh(hint)
	}
	return n.Outputs[i]
}

func compileDropoutStepGrad(n *graph.Node, site *Site) (Kernel, error) {
	_, scale, err := dropRatio(n)
	if err != nil {
		return nil, err
	}
	threads := site.Threads
	var runs kept[dropStep]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if in[1].Len() != (in[0].Len()+7)/8 {
			return misfit("DropoutStepGrad", "shapes do not fit")
		}
		r := runs.take()
		defer runs.put(r)
		*r = dropStep{bits: in[1].Bytes(), scale: scale}
		return r.all(ctx, threads, in[0], out[0])
	}, nil
}

// dropStep is one call: forward where it draws, else the way back.
type dropStep struct {
	y, x      *tensor.Tensor // float32 or float64 (n)
	bits      []byte         // (⌈n/8⌉)
	philox    kernel.Philox
	draws     bool
	threshold uint32
	scale     float64
}

func (r *dropStep) all(ctx context.Context, threads int, x, y *tensor.Tensor) error {
	if y == nil {
		y = x // only the bits are asked for
	} else if err := Reset(ctx, y, x.DType(), x.Shape()...); err != nil {
		return err
	}
	r.x, r.y = x, y
	return sweep(ctx, threads, (x.Len()+kernel.DropGroup-1)/kernel.DropGroup, dearGrain/kernel.DropGroup, r)
}

// Do does some groups of elements.
func (r *dropStep) Do(lo, hi int) {
	from, to := lo*kernel.DropGroup, min(hi*kernel.DropGroup, r.x.Len())
	bits := r.bits[from/8 : (to+7)/8]
	if r.x != r.y && r.x.DType() == tensor.Float32 {
		dst, src := r.y.F32()[from:to], r.x.F32()[from:to]
		if r.draws {
			r.philox.Drop(dst, src, bits, lo, r.threshold, float32(r.scale))
		} else {
			kernel.Kept(dst, src, bits, float32(r.scale))
		}
		return
	}
	if r.draws {
		r.philox.Keep(bits, lo, to-from, r.threshold)
	}
	if r.x != r.y {
		dst, src := tensor.Data[float64](r.y)[from:to], tensor.Data[float64](r.x)[from:to]
		for i, v := range src {
			if dst[i] = 0; bits[i/8]>>(i&7)&1 != 0 {
				dst[i] = v * r.scale
			}
		}
	}
}
