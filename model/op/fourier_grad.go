//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// DFTGrad(x, length, axis, dy): the gradient of a Fourier transform is the transform of dy with the opposite sign, cut to what x has, or filled with
// zeros; of a real signal, the real part. A spectrum of one side that makes a real signal stands for its mirror image, too.
//
// STFTGrad(x, step, window, length, dy): the gradients of signal and window: those of the frames, added up where frames overlap.
func init() {
	register(&Spec{
		Domain: Private, Name: "DFTGrad", Since: 1, Attrs: []string{"axis", "inverse", "onesided"}, In: Arity{1, 4}, Out: Arity{1, 1}, Infer: inferAs(0),
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, dftBack(n, tensor.Data[float32]), dftBack(n, tensor.Data[float64]))
		},
	})
	register(&Spec{
		Domain: Private, Name: "STFTGrad", Since: 1, Attrs: []string{"onesided"}, In: Arity{2, 5}, Out: Arity{1, 2},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			window := tensor.TypeOf(site.Types[0].DType, tensor.Free)
			return []tensor.Type{site.Types[0], window}, oneOf(n, site.Types[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, stftBack(tensor.Data[float32]), stftBack(tensor.Data[float64]))
		},
	})
}

func gradDFT(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	axis := n.In(2)
	if axis == "" { // before opset 20 an attribute, from there on the last but one
		at := int64(-2)
		if len(n.Opsets) > 0 && n.Opsets[""] < 20 || len(n.Opsets) == 0 && b.Opset() < 20 {
			at = n.Int("axis", 1)
		}
		axis = b.Ints("axis", []int64{at})
	}
	attrs := []graph.Attr{graph.IntAttr("inverse", n.Int("inverse", 0)), graph.IntAttr("onesided", n.Int("onesided", 0))}
	return withInputs(n, b.Node(Private, "DFTGrad", []graph.Value{n.Inputs[0], n.In(1), axis, dy[0]}, 1, attrs...)[0]), nil
}

func dftBack[T float](node *graph.Node, data lane[T]) Kernel {
	d := dft{inverse: node.Int("inverse", 0) != 0, onesided: node.Int("onesided", 0) != 0}
	var known plans[float64]
	var pool scratch[cx[float64]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		length := int64(0)
		var err error
		if in[1] != nil {
			if length, err = dftLength(in[1]); err != nil {
				return err
			}
		}
		wanted, err := scalarIndex("DFT", "an axis", in[2])
		if err != nil {
			return err
		}
		axis, err := d.place(wanted, len(shape))
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil || out[0].Len() == 0 {
			return err
		}
		size, extent, parts := d.extents(int64(shape[axis]), length)
		from := shape[len(shape)-1]
		outer, inner := around(shape[:len(shape)-1], axis)
		dx, dy, rows, most := data(out[0]), data(in[3]), shape[axis], int(max(extent, 0))
		if len(dy) != outer*most*inner*parts || from != 1 && from != 2 {
			return misfit("DFTGrad", "shapes do not fit")
		}
		clear(dx)
		if most == 0 {
			return nil
		}
		sign := 1.
		if d.inverse {
			sign = -1
		}
		plan, err := known.get(ctx, int(size), sign)
		if err != nil {
			return err
		}
		held := pool.take(2*plan.n + plan.room())
		defer pool.put(held)
		a, b, work := (*held)[:plan.n], (*held)[plan.n:2*plan.n], (*held)[2*plan.n:]
		for line := 0; line < outer*inner && ctx.Err() == nil; line++ {
			o, i := line/inner, line%inner
			readLine(a, dy[(o*most*inner+i)*parts:], most, inner*parts, parts)
			y := plan.transform(a, b, work)
			if d.inverse {
				scaleAll(y, 1/float64(plan.n))
			}
			if d.inverse && d.onesided {
				unmirror(y)
			}
			writeLine(dx[(o*rows*inner+i)*from:], y[:min(rows, plan.n)], inner*from, from)
		}
		return ctx.Err()
	}
}

// unmirror is the gradient of mirror: what it read twice counts twice, what it did not read, nothing.
func unmirror[T float](y []cx[T]) {
	n := len(y)
	y[0].im = 0
	if n%2 == 0 {
		y[n/2].im = 0
	}
	for k := 1; k < (n+1)/2; k++ {
		y[k] = cx[T]{2 * y[k].re, 2 * y[k].im}
	}
	clear(y[n/2+1:])
}

func gradSTFT(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	d := b.Node(Private, "STFTGrad", []graph.Value{n.Inputs[0], n.Inputs[1], n.In(2), n.In(3), dy[0]}, 2)
	return []graph.Value{d[0], "", d[1], ""}[:len(n.Inputs)], nil
}

func stftBack[T float](data lane[T]) Kernel {
	var known plans[float64]
	var pool scratch[cx[float64]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		if len(shape) != 3 || shape[2] != 1 && shape[2] != 2 {
			return misfit("STFTGrad", "a signal of another shape")
		}
		length, from := shape[1], shape[2]
		step, frame, count, err := frames(in[:4], length)
		if err != nil {
			return err
		}
		x, dy := data(in[0]), data(in[4])
		if shape[0]*count == 0 || len(dy)%(shape[0]*count*2) != 0 || len(dy)/(shape[0]*count*2) > frame {
			return misfit("STFTGrad", "shapes do not fit")
		}
		bins := len(dy) / (shape[0] * count * 2)
		var window, dx, dw []T
		if in[2] != nil {
			window = data(in[2])
		}
		for i, t := range out {
			if t == nil || i == 1 && window == nil {
				continue
			}
			if err := Reset(ctx, t, in[0].DType(), in[2*i].Shape()...); err != nil {
				return err
			}
			clear(t.Bytes())
			*[2]*[]T{&dx, &dw}[i] = data(t)
		}
		plan, err := known.get(ctx, frame, 1)
		if err != nil {
			return err
		}
		held := pool.take(2*plan.n + plan.room())
		defer pool.put(held)
		a, b, work := (*held)[:plan.n], (*held)[plan.n:2*plan.n], (*held)[2*plan.n:]
		for k := 0; k < shape[0]*count && ctx.Err() == nil; k++ {
			readLine(a, dy[k*bins*2:], bins, 2, 2)
			at := (k/count*length + k%count*step) * from
			for i, v := range plan.transform(a, b, work) {
				w := 1.
				if window != nil {
					w = float64(window[i])
				}
				if dx != nil {
					dx[at+i*from] += T(v.re * w)
				}
				if dw != nil {
					dw[i] += T(v.re * float64(x[at+i*from]))
				}
				if from == 2 && dx != nil {
					dx[at+i*2+1] += T(v.im * w)
				}
				if from == 2 && dw != nil {
					dw[i] += T(v.im * float64(x[at+i*2+1]))
				}
			}
		}
		return ctx.Err()
	}
}
