//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// DetGrad(dy, x): dx = dy·C, the matrix of cofactors: det(x)·x⁻¹ transposed or, where x has no inverse, the determinants of what is left when a
// row and a column are struck out.
func init() {
	register(&Spec{
		Domain: Private, Name: "DetGrad", Since: 1, In: Arity{2, 2}, Out: Arity{1, 1},
		Infer: inferAs(1), Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, detBack(tensor.Data[float32]), detBack(tensor.Data[float64]))
		},
	})
}

func gradDet(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return b.Node(Private, "DetGrad", []graph.Value{dy[0], n.Inputs[0]}, 1), nil
}

func detBack[T float](data lane[T]) Kernel {
	var pool scratch[float64]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[1].Shape()
		last := len(shape) - 2
		if last < 0 || shape[last] != shape[last+1] {
			return misfit("DetGrad", "a matrix that is not square: "+shapeText(shape))
		}
		if err := Reset(ctx, out[0], in[1].DType(), shape...); err != nil {
			return err
		}
		m := shape[last]
		held := pool.take(4 * m * m)
		defer pool.put(held)
		x, dx, c := data(in[1]), data(out[0]), (*held)[3*m*m:]
		for k, d := range data(in[0]) {
			if err := cofactors(ctx, c, x[k*m*m:][:m*m], *held, m); err != nil {
				return err
			}
			for i, v := range c {
				dx[k*m*m+i] = T(v) * d
			}
		}
		return nil
	}
}

// cofactors writes those of x (m, m) to c; work has room for three such matrices.
func cofactors[T float](ctx context.Context, c []float64, x []T, work []float64, m int) error {
	a, inverse := work[:m*m], work[m*m:2*m*m]
	convert(a, x)
	det, whole, err := invert(ctx, a, inverse, m)
	if err != nil {
		return err
	}
	for i := range m {
		for j := range m {
			if whole {
				c[i*m+j] = det * inverse[j*m+i]
				continue
			}
			minor := work[2*m*m : 2*m*m]
			for r := range m {
				for s := range m {
					if r != i && s != j {
						minor = append(minor, float64(x[r*m+s]))
					}
				}
			}
			if c[i*m+j], err = determinant(ctx, minor, m-1); err != nil {
				return err
			}
			if (i+j)%2 == 1 {
				c[i*m+j] = -c[i*m+j]
			}
		}
	}
	return nil
}

// invert eliminates a (m, m) with the greatest pivot of each column (Gauss and Jordan); whole is false where there is no inverse, or nearly none.
func invert(ctx context.Context, a, inverse []float64, m int) (det float64, whole bool, err error) {
	clear(inverse)
	for i := range m {
		inverse[i*m+i] = 1
	}
	det = 1
	most := 0.
	for _, v := range a {
		most = max(most, math.Abs(v))
	}
	for c := range m {
		if err := ctx.Err(); err != nil {
			return 0, false, err
		}
		p := c
		for r := c + 1; r < m; r++ {
			if math.Abs(a[r*m+c]) > math.Abs(a[p*m+c]) {
				p = r
			}
		}
		pivot := a[p*m+c]
		if !(math.Abs(pivot) > most*1e-12) {
			return 0, false, nil
		}
		if p != c {
			det = -det
			for i := range m {
				a[c*m+i], a[p*m+i] = a[p*m+i], a[c*m+i]
				inverse[c*m+i], inverse[p*m+i] = inverse[p*m+i], inverse[c*m+i]
			}
		}
		det *= pivot
		for i := range m {
			a[c*m+i] /= pivot
			inverse[c*m+i] /= pivot
		}
		for r := range m {
			q := a[r*m+c]
			if r == c || q == 0 {
				continue
			}
			for i := range m {
				a[r*m+i] -= q * a[c*m+i]
				inverse[r*m+i] -= q * inverse[c*m+i]
			}
		}
	}
	return det, true, nil
}
