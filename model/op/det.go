//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Det: the determinants of the square matrices x (…, m, m), by elimination with the greatest pivot of each column.
// https://onnx.ai/onnx/operators/onnx__Det.html
func init() {
	register(&Spec{
		Name: "Det", Since: 11, Half: true, In: Arity{1, 1}, Out: Arity{1, 1},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			t := site.Types[0]
			if err := oneOf(n, t, floats...); err != nil || t.Unranked {
				return []tensor.Type{t}, err
			}
			last := len(t.Dims) - 2
			if last < 0 {
				return nil, bad(n, "an input that is no matrix")
			}
			if _, ok := sameLength(t.Dims[last], t.Dims[last+1]); !ok {
				return nil, bad(n, "a matrix that is not square: "+t.String())
			}
			return []tensor.Type{{DType: t.DType, Dims: t.Dims[:last:last]}}, nil
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			if site.Types[0].DType == tensor.Float32 {
				return detKernel(tensor.Data[float32]), nil
			}
			return detKernel(tensor.Data[float64]), nil
		},
		Grad: gradDet,
		Cases: []Case{
			{In: in(f64s([]int{2, 2}, 1, 2, 3, 4)), Out: in(f64s(nil, -2))},
			{Name: "batch", In: in(f64s([]int{3, 3, 3}, 0, 2, 1, 1, 0, 3, 2, 1, 1, 1, 2, 3, 2, 4, 6, 1, 1, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4)), Out: in(f64v(11, 0, 24))},
			{Name: "empty", In: in(f64s([]int{1, 0, 0})), Out: in(f64v(1))},
			{Name: "not square", In: in(f64s([]int{1, 2}, 1, 2)), Err: "square"},
		},
	})
}

// sameLength tells whether two dimensions may be of one length.
func sameLength(x, y tensor.Dim) (tensor.Dim, bool) {
	if x.Size == tensor.Free {
		return y, true
	}
	return x, y.Size == tensor.Free || x.Size == y.Size
}

func detKernel[T float](data lane[T]) Kernel {
	var pool scratch[float64]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		last := len(shape) - 2
		if last < 0 || shape[last] != shape[last+1] {
			return misfit("Det", "a matrix that is not square: "+shapeText(shape))
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape[:last]...); err != nil {
			return err
		}
		m := shape[last]
		held := pool.take(m * m)
		defer pool.put(held)
		dst, src := data(out[0]), data(in[0])
		for k := range dst {
			if err := ctx.Err(); err != nil {
				return err
			}
			convert(*held, src[k*m*m:(k+1)*m*m])
			det, err := determinant(ctx, *held, m)
			if err != nil {
				return err
			}
			dst[k] = T(det)
		}
		return nil
	}
}

// determinant eliminates a (m, m) in place.
func determinant(ctx context.Context, a []float64, m int) (float64, error) {
	det := 1.
	for c := range m {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		p := c
		for r := c + 1; r < m; r++ {
			if math.Abs(a[r*m+c]) > math.Abs(a[p*m+c]) {
				p = r
			}
		}
		pivot := a[p*m+c]
		if pivot == 0 {
			return 0, nil
		}
		top, below := a[c*m:(c+1)*m], a[p*m:(p+1)*m]
		if p != c {
			det = -det
			for i := range top {
				top[i], below[i] = below[i], top[i]
			}
		}
		det *= pivot
		for r := c + 1; r < m; r++ {
			row := a[r*m : (r+1)*m]
			q := row[c] / pivot
			if q == 0 {
				continue
			}
			for i := c; i < m; i++ {
				row[i] -= q * top[i]
			}
		}
	}
	return det, nil
}
