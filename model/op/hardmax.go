//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Hardmax: 1 at the first of the greatest elements along axis, 0 elsewhere; before opset 13 along all dimensions from axis on.
// https://onnx.ai/onnx/operators/onnx__Hardmax.html
func init() {
	hard := func(since int64, cases ...Case) {
		register(&Spec{
			Name: "Hardmax", Since: since, Half: true, Attrs: []string{"axis"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferSoftmax, Cases: cases,
			Compile: func(n *graph.Node, site *Site) (Kernel, error) {
				if site.Types[0].DType == tensor.Float32 {
					return hardmaxKernel(n, site, tensor.Data[float32]), nil
				}
				return hardmaxKernel(n, site, tensor.Data[float64]), nil
			},
		})
	}
	x := f64s([]int{2, 2, 2}, 1, 3, 3, 2, 0, 0, -1, 5)
	hard(13,
		Case{In: in(x), Out: in(f64s([]int{2, 2, 2}, 0, 1, 1, 0, 1, 0, 0, 1)), NoGrad: true},
		Case{Name: "middle", Attrs: []graph.Attr{graph.IntAttr("axis", 1)}, In: in(x), Out: in(f64s([]int{2, 2, 2}, 0, 1, 1, 0, 1, 0, 0, 1))})
	hard(1, Case{Name: "flattens", Opset: 11, In: in(x), Out: in(f64s([]int{2, 2, 2}, 0, 1, 0, 0, 0, 0, 0, 1)), NoGrad: true})
}

func hardmaxKernel[T float](n *graph.Node, site *Site, data lane[T]) Kernel {
	wanted, flatten := softmaxAxis(n, site), site.Opset < 13
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		length, inner := 1, 1
		if len(shape) > 0 {
			axis, err := axisOf("Hardmax", wanted, len(shape))
			if err != nil {
				return err
			}
			_, inner = around(shape, axis)
			if length = shape[axis]; flatten {
				length, inner = length*inner, 1
			}
		}
		dst, src := data(out[0]), data(in[0])
		clear(dst)
		for at := 0; at < len(src); at += length * inner {
			for i := at; i < at+inner; i++ {
				best := i
				for k := i + inner; k < at+length*inner; k += inner {
					if src[k] > src[best] {
						best = k
					}
				}
				dst[best] = 1
			}
		}
		return nil
	}
}
