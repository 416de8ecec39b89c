//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Col2ImGrad(columns, image_shape, block_shape, dy): the gradient of columns, which count by their shape only, for y = Col2Im(columns, …): what each block
// sees of dy.
func init() {
	register(&Spec{
		Domain: Private, Name: "Col2ImGrad", Since: 1, Attrs: []string{"dilations", "pads", "strides"}, In: Arity{4, 4}, Out: Arity{1, 1}, Half: true,
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			return site.Types[:1], oneOf(n, site.Types[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, col2ImGrad(tensor.Data[float32], n), col2ImGrad(tensor.Data[float64], n))
		},
		Cases: tested(func() []Case {
			return []Case{{In: in(f32s([]int{1, 2, 2}, 0, 0, 0, 0), i64v(3), i64v(2), f32s([]int{1, 1, 3}, 1, 2, 3)), Out: in(f32s([]int{1, 2, 2}, 1, 2, 2, 3))}}
		}),
	})
}

func gradCol2Im(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	if dy[0] == "" {
		return make([]graph.Value, len(n.Inputs)), nil
	}
	return b.Node(Private, "Col2ImGrad", append(append([]graph.Value{}, n.Inputs[:3]...), dy[0]), 1, n.Attrs...), nil
}

func col2ImGrad[T float](data lane[T], n *graph.Node) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		c, blocks, err := col2ImOf(n, in)
		if err != nil {
			return err
		}
		s, dy := in[0].Shape(), data(in[3])
		plane := 1
		for _, d := range c.image[:c.rank] {
			plane *= d
		}
		if len(dy) != s[0]*s[1]/blocks*plane {
			return misfit(n.Op, "a gradient of another shape than the images")
		}
		if err := Reset(ctx, out[0], in[0].DType(), s...); err != nil {
			return err
		}
		dx := data(out[0])
		clear(dx)
		for row := range s[0] * s[1] { // one element of the block of one channel
			if row%64 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			to, from := dx[row*s[2]:][:s[2]], dy[row/blocks*plane:][:plane]
			c.each(len(to), row%blocks, func(at, x, begin int) {
				width, step := c.image[c.rank-1], c.stride[c.rank-1]
				for i := range c.windows[c.rank-1] {
					if x >= 0 && x < width {
						to[at+i] = from[begin+x]
					}
					x += step
				}
			})
		}
		return nil
	}
}
