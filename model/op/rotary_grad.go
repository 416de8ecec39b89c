//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// RotaryCacheGrad(x, cos, sin, position_ids, dy): the gradients of cos and sin, which most often nobody wants: to turn dy back, they do.
func init() {
	register(&Spec{
		Domain: Private, Name: "RotaryCacheGrad", Since: 1, Attrs: []string{"interleaved", "num_heads", "rotary_embedding_dim"}, In: Arity{3, 5}, Out: Arity{1, 2},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) { return site.Types[1:3], nil },
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, rotaryCacheBack(tensor.Data[float32], n), rotaryCacheBack(tensor.Data[float64], n))
		},
	})
}

// gradRotary turns dy by the opposite angle.
func gradRotary(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	in := []graph.Value{dy[0], n.Inputs[1], b.Op("Neg", n.Inputs[2])}
	if n.In(3) != "" {
		in = append(in, n.Inputs[3])
	}
	nodes := len(b.Graph().Nodes)
	dx := b.Node("", "RotaryEmbedding", in, 1, n.Attrs...)[0]
	b.Graph().Nodes[nodes].Opsets = map[string]int64{"": 23}
	caches := b.Node(Private, "RotaryCacheGrad", []graph.Value{n.Inputs[0], n.Inputs[1], n.Inputs[2], n.In(3), dy[0]}, 2, n.Attrs...)
	return append([]graph.Value{dx}, caches...), nil
}

func rotaryCacheBack[T float](data lane[T], n *graph.Node) Kernel {
	var runs kept[rotary[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if in[4].Len() != in[0].Len() {
			return misfit(n.Op, "shapes do not fit")
		}
		r := runs.take()
		defer runs.put(r)
		if err := r.set(ctx, n, data(in[0]), in); err != nil {
			return err
		}
		r.y.data = data(in[4])
		for i, t := range out {
			if t == nil {
				continue
			}
			if err := Reset(ctx, t, in[0].DType(), in[1+i].Shape()...); err != nil {
				return err
			}
			d := data(t)
			clear(d)
			if len(r.x.data) > 0 {
				r.cache(d, i == 1)
			}
		}
		return ctx.Err()
	}
}

// cache sums, for each pair (u, v) that was turned and the gradient (du, dv) of what became of it, du·u + dv·v, or dv·u - du·v for the sine.
func (r *rotary[T]) cache(d []T, sine bool) {
	at, step := r.half, 1 // where the other of a pair stands, and the next pair
	if r.interleaved {
		at, step = 1, 2
	}
	for i := range r.x.batches * r.x.n {
		b, s := i/r.x.n, i%r.x.n
		place := b*r.perBatch + s
		if r.places != nil {
			place = int(r.places[place])
		}
		row := d[place*r.half:][:r.half]
		for h := range r.x.heads {
			x, y := r.x.at(b, h, s), r.y.at(b, h, s)
			for k := range row {
				u, v, du, dv := x[k*step], x[k*step+at], y[k*step], y[k*step+at]
				if sine {
					row[k] += dv*u - du*v
				} else {
					row[k] += du*u + dv*v
				}
			}
		}
	}
}
