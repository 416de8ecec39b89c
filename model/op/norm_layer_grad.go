//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// LayerNormGrad(dy, x, scale, bias, dmean, dinverse; axis, epsilon, rms): the gradients of x, scale and bias for y = z·scale + bias with
// z = (x - mean)·inverse over the dimensions from axis on (rms=1: without the mean), where dmean and dinverse are gradients of these statistics:
// dx = inverse·(g - Σg/N - z·Σ(g·z)/N) with g = dy·scale (Ba, Kiros and Hinton, "Layer Normalization", 2016).
func init() {
	x := f64s([]int{2, 2}, 1, 3, 2, 6)
	register(&Spec{
		Domain: Private, Name: "LayerNormGrad", Since: 1, Half: true, Attrs: []string{"axis", "epsilon", "rms"}, In: Arity{3, 6}, Out: Arity{1, 3},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			t := site.Types
			bias := t[2]
			if n.In(3) != "" {
				bias = t[3]
			}
			return []tensor.Type{t[1], t[2], bias}[:len(n.Outputs)], oneOf(n, t[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, layerNormGrad(n, site, tensor.Data[float32]), layerNormGrad(n, site, tensor.Data[float64]))
		},
		Cases: []Case{{Attrs: []graph.Attr{graph.FloatAttr("epsilon", 0)}, In: in(x, x, f64v(1, 1), f64v(0, 0)), Out: in(f64s([]int{2, 2}, 0, 0, 0, 0), f64v(-3, 9), f64v(3, 9))}},
	})
}

// gradLayerNorm is that of LayerNormalization, or with rms of its kin without mean, whose second output is the inverse.
func gradLayerNorm(rms int64) Gradient {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		attrs := []graph.Attr{graph.IntAttr("axis", n.Int("axis", -1)), graph.FloatAttr("epsilon", n.Float("epsilon", 1e-5)), graph.IntAttr("rms", rms)}
		stats := [2]graph.Value{}
		if copy(stats[rms:], dy[1:]); dy[0] == "" {
			dy[0] = b.Op("Mul", n.Inputs[0], scalarLike(b, 0, n.Inputs[0]))
		}
		return layerBack(b, attrs, dy[0], n.Inputs[0], n.Inputs[1], n.In(2), stats)[:len(n.Inputs)], nil
	}
}

// layerBack appends LayerNormGrad.
func layerBack(b *graph.Builder, attrs []graph.Attr, dy, x, scale, bias graph.Value, stats [2]graph.Value) []graph.Value {
	in := []graph.Value{dy, x, scale, bias, stats[0], stats[1]}
	for in[len(in)-1] == "" {
		in = in[:len(in)-1]
	}
	return b.Node(Private, "LayerNormGrad", in, 3, attrs...)
}

// layerBlocks is into how many blocks of rows the sums of scale and bias are cut, whatever the number of goroutines: a block has sums of its own.
const layerBlocks = 16

// layerGrad is one call: dx, dy and x (rows, columns).
type layerGrad[T float] struct {
	ctx             context.Context
	dx, dy, x       []T
	scale           []T // (columns)
	sums            []T // (layerBlocks, 2, columns)
	columns, rows   int
	dmean, dinverse []float32 // (rows), nil where no gradient comes
	epsilon         float64
	rms             bool
}

func layerNormGrad[T float](node *graph.Node, site *Site, data lane[T]) Kernel {
	wanted, epsilon, rms, threads := node.Int("axis", -1), normEpsilon(node), node.Int("rms", 0) != 0, site.Threads
	var runs kept[layerGrad[T]]
	var pool scratch[T]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[1].Shape()
		axis, err := axisOf(node.Op, wanted, len(shape))
		if err != nil {
			return err
		}
		scale, bias := in[2], in[2]
		if len(in) > 3 && in[3] != nil {
			bias = in[3]
		}
		if in[0].Len() != in[1].Len() || !layerFits(scale.Shape(), shape) || !layerFits(bias.Shape(), shape) {
			return misfit(node.Op, "shapes do not fit")
		}
		columns := normSize(shape[axis:])
		plain := layerPlain(scale, shape, axis) && layerPlain(bias, shape, axis)
		l := runs.take()
		defer runs.put(l)
		*l = layerGrad[T]{ctx: ctx, dy: data(in[0]), x: data(in[1]), scale: data(scale), columns: columns, epsilon: epsilon, rms: rms}
		for i, d := range []*[]float32{&l.dmean, &l.dinverse} {
			if i+4 < len(in) && in[i+4] != nil {
				*d = in[i+4].F32()
			}
		}
		for i, like := range []*tensor.Tensor{in[1], scale, bias} {
			if i < len(out) && out[i] != nil {
				if err := Reset(ctx, out[i], in[0].DType(), like.Shape()...); err != nil {
					return err
				}
				clear(out[i].Bytes())
			}
		}
		if len(l.x) == 0 {
			return nil
		}
		l.rows = len(l.x) / columns
		more := 2 * len(l.x)
		if plain {
			more = 0
		}
		held := pool.take((2*layerBlocks+1)*columns + len(l.x) + more)
		defer pool.put(held)
		rest := *held
		l.sums, rest = rest[:2*layerBlocks*columns], rest[2*layerBlocks*columns:]
		if !plain {
			fill(rest[:columns], 1)
			l.scale, rest = rest[:columns], rest[columns:]
			dz, product := rest[:len(l.x)], rest[len(l.x):2*len(l.x)]
			broadcastPair(dz, shape, l.dy, shape, data(scale), scale.Shape(), mul)
			layerProducts(product, l)
			if t := outputOf(out, 1); t != nil {
				sumInto(data(t), t.Shape(), product, shape)
			}
			if t := outputOf(out, 2); t != nil {
				sumInto(data(t), t.Shape(), l.dy, shape)
			}
			l.dy = dz
			rest = rest[2*len(l.x):]
		}
		if l.dx = rest[:len(l.x)]; out[0] != nil {
			l.dx = data(out[0])
		}
		l.run(threads)
		if plain {
			for i := 1; i < len(out); i++ {
				if out[i] != nil {
					l.total(data(out[i]), i-1)
				}
			}
		}
		return ctx.Err()
	}
}

// layerPlain tells whether t holds an element for each column.
func layerPlain(t *tensor.Tensor, shape []int, axis int) bool {
	return t.Len() == normSize(shape[axis:]) && normSize(t.Shape()[max(0, t.Rank()-len(shape)+axis):]) == t.Len()
}

// layerProducts writes dy·z.
func layerProducts[T float](dst []T, l *layerGrad[T]) {
	for r := range l.rows {
		at := r * l.columns
		mean, inverse := l.stats(l.x[at:][:l.columns])
		for i, v := range l.x[at:][:l.columns] {
			dst[at+i] = l.dy[at+i] * T((float64(v)-mean)*inverse)
		}
	}
}

func (l *layerGrad[T]) stats(x []T) (mean, inverse float64) {
	if l.rms {
		return 0, 1 / math.Sqrt(normSquares(x, 0)/float64(len(x))+l.epsilon)
	}
	return normMoments(x, l.epsilon)
}

func (l *layerGrad[T]) run(threads int) {
	clear(l.sums)
	if threads < 2 || len(l.x) < 2*normGrain {
		l.Do(0, layerBlocks)
		return
	}
	spread(l.ctx, threads, layerBlocks, 1, l)
}

// Do does some blocks of rows.
func (l *layerGrad[T]) Do(lo, hi int) {
	count := float64(l.columns)
	for block := lo; block < hi; block++ {
		dscale, dbias := l.sums[2*block*l.columns:][:l.columns], l.sums[(2*block+1)*l.columns:][:l.columns]
		for r := block * l.rows / layerBlocks; r < (block+1)*l.rows/layerBlocks; r++ {
			if r&63 == 0 && l.ctx.Err() != nil {
				return
			}
			at := r * l.columns
			x, dy := l.x[at:][:l.columns], l.dy[at:][:l.columns]
			mean, inverse := l.stats(x)
			sum, with := backMoments(dy, x, l.scale, T(mean))
			a, b := -inverse*inverse*with/count, 0.
			if !l.rms {
				b = -inverse * sum / count
			}
			if l.dmean != nil {
				b += float64(l.dmean[r]) / count
			}
			if l.dinverse != nil {
				a -= float64(l.dinverse[r]) * inverse * inverse / count
			}
			layerRow(l.dx[at:][:l.columns], dscale, dbias, dy, x, l.scale, T(mean), T(inverse), T(a), T(b))
		}
	}
}

// layerRow is kernel.LayerBack.
func layerRow[T float](dx, dscale, dbias, dy, x, scale []T, mean, inverse, a, b T) {
	if v, ok := any(x).([]float32); ok {
		kernel.LayerBack(any(dx).([]float32), any(dscale).([]float32), any(dbias).([]float32), any(dy).([]float32), v, any(scale).([]float32),
			float32(mean), float32(inverse), float32(a), float32(b))
		return
	}
	for i, v := range x {
		z, d := (v-mean)*inverse, dy[i]
		dscale[i] += d * z
		dbias[i] += d
		dx[i] = inverse*d*scale[i] + a*z + b
	}
}

// total adds up the sums of all blocks, of scale or bias.
func (l *layerGrad[T]) total(dst []T, which int) {
	for block := range layerBlocks {
		addOnto(dst, l.sums[(2*block+which)*l.columns:][:l.columns])
	}
}
