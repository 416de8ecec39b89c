//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// HannWindow, HammingWindow, BlackmanWindow: sums of cosines over size points; periodic=1 has a period of size, else of size-1.
// https://onnx.ai/onnx/operators/onnx__HannWindow.html and so on.
// MelWeightMatrix: triangles that are evenly spaced in mel = 2595·log10(1 + Hz/700); y (dft_length/2+1, num_mel_bins).
// https://onnx.ai/onnx/operators/onnx__MelWeightMatrix.html
func init() {
	symmetric := []graph.Attr{graph.IntAttr("periodic", 0), graph.IntAttr("output_datatype", int64(tensor.Float64))}
	window := func(name string, a, b, c float64, cases ...Case) {
		register(&Spec{
			Name: name, Since: 17, Attrs: []string{"output_datatype", "periodic"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferWindow, Cases: cases,
			Compile: func(n *graph.Node, _ *Site) (Kernel, error) { return windowKernel(n, a, b, c), nil },
		})
	}
	window("HannWindow", .5, -.5, 0,
		Case{In: in(i64s(nil, 4)), Out: in(f32v(0, .5, 1, .5)), Tol: 1e-6},
		Case{Name: "symmetric", Attrs: symmetric, In: in(i32s(nil, 5)), Out: in(f64v(0, .5, 1, .5, 0))},
		Case{Name: "negative", In: in(i64s(nil, -1)), Err: "negative"})
	window("HammingWindow", 25./46, -21./46, 0, Case{Attrs: symmetric, In: in(i64s(nil, 3)), Out: in(f64v(4./46, 1, 4./46))})
	window("BlackmanWindow", .42, -.5, .08, Case{Attrs: symmetric, In: in(i64s(nil, 5)), Out: in(f64v(0, .34, 1, .34, 0))})

	register(&Spec{
		Name: "MelWeightMatrix", Since: 17, Attrs: []string{"output_datatype"}, In: Arity{5, 5}, Out: Arity{1, 1}, Infer: inferMel, Compile: compileMel,
		Cases: []Case{
			{In: in(i64s(nil, 2), i64s(nil, 8), i64s(nil, 8000), f32s(nil, 0), f32s(nil, 4000)), Out: in(f32s([]int{5, 2}, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0))},
			{Name: "slopes", In: in(i64s(nil, 2), i64s(nil, 16), i64s(nil, 8000), f32s(nil, 0), f32s(nil, 4000)), Out: in(f32s([]int{9, 2}, 1, 0, .5, .5, 0, 1, 0, .5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))},
			{Name: "no rate", In: in(i64s(nil, 2), i64s(nil, 8), i64s(nil, 0), f32s(nil, 0), f32s(nil, 4000)), Err: "sample_rate"},
		},
	})
}

// outputType is the element type that output_datatype names.
func outputType(n *graph.Node) (tensor.DType, error) {
	if err := kinds(n, graph.AttrInt, "output_datatype", "periodic"); err != nil {
		return 0, err
	}
	v := n.Int("output_datatype", int64(tensor.Float32))
	d := tensor.DType(v)
	if v < 1 || v > int64(tensor.BFloat16) || d == tensor.String || d == tensor.Bool || d == tensor.Complex64 || d == tensor.Complex128 {
		return 0, refuseAttr(n, "output_datatype", itoa(v))
	}
	return d, nil
}

func inferWindow(n *graph.Node, site *Site) ([]tensor.Type, error) {
	d, err := outputType(n)
	if err != nil {
		return nil, err
	}
	if err := oneOf(n, site.Types[0], indexTypes...); err != nil {
		return nil, err
	}
	return []tensor.Type{tensor.TypeOf(d, tensor.Free)}, nil
}

func windowKernel(n *graph.Node, a, b, c float64) Kernel {
	op, shorter := n.Op, 0
	if n.Int("periodic", 1) == 0 {
		shorter = 1
	}
	to, err := outputType(n)
	var slots scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if err != nil {
			return err
		}
		size, err := scalarIndex(op, "a size", in[0])
		if err != nil {
			return err
		}
		if size < 0 {
			return misfit(op, "a negative size")
		}
		if size > 1<<40 {
			return fault.New(fault.TooLarge, op+": a size of more than 2^40")
		}
		if err := Reset(ctx, out[0], to, int(size)); err != nil {
			return err
		}
		held := slots.take(1)
		defer slots.put(held)
		wide := &(*held)[0]
		if err := Reset(ctx, wide, tensor.Float64, int(size)); err != nil {
			return err
		}
		turn := 2 * math.Pi / float64(int(size)-shorter) // a symmetric window of one point is 0/0, as in the standard's formula
		y := tensor.Data[float64](wide)
		for i := range y {
			if i%cheapGrain == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			x := float64(i) * turn
			y[i] = a + b*math.Cos(x) + c*math.Cos(2*x)
		}
		return castInto(out[0], wide)
	}
}

func inferMel(n *graph.Node, site *Site) ([]tensor.Type, error) {
	d, err := outputType(n)
	if err != nil {
		return nil, err
	}
	for i, t := range site.Types {
		ok := indexTypes
		if i > 2 {
			ok = append([]tensor.DType{tensor.Float16, tensor.BFloat16}, floats...)
		}
		if err := oneOf(n, t, ok...); err != nil {
			return nil, err
		}
	}
	return []tensor.Type{tensor.TypeOf(d, tensor.Free, tensor.Free)}, nil
}

func compileMel(n *graph.Node, _ *Site) (Kernel, error) {
	to, err := outputType(n)
	if err != nil {
		return nil, err
	}
	var slots scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		var v [5]float64
		for i, what := range [...]string{"num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz"} {
			x, err := scalarFloat("MelWeightMatrix", what, in[i])
			if err != nil {
				return err
			}
			if !(x >= 0 && x <= 1<<31) || i == 2 && x == 0 {
				return misfit("MelWeightMatrix", "a "+what+" out of range")
			}
			v[i] = x
		}
		bins, rows := int(v[0]), int(v[1])/2+1
		if err := Reset(ctx, out[0], to, rows, bins); err != nil {
			return err
		}
		held := slots.take(1)
		defer slots.put(held)
		wide := &(*held)[0]
		if err := Reset(ctx, wide, tensor.Float64, rows, bins); err != nil {
			return err
		}
		y := tensor.Data[float64](wide)
		clear(y)
		if err := melTriangles(ctx, y, rows, bins, v[1], v[2], v[3], v[4]); err != nil {
			return err
		}
		return castInto(out[0], wide)
	}, nil
}

// melTriangles fills y (rows, bins): triangle i rises from point i to i+1 and falls to i+2. Points are whole rows of the spectrum.
func melTriangles(ctx context.Context, y []float64, rows, bins int, length, rate, low, high float64) error {
	mel := func(hertz float64) float64 { return 2595 * math.Log10(1+hertz/700) }
	step := (mel(high) - mel(low)) / float64(bins+2)
	point := func(i int) int {
		hertz := 700 * (math.Pow(10, (mel(low)+float64(i)*step)/2595) - 1)
		return int(math.Floor((length + 1) * hertz / rate))
	}
	for i := range bins {
		if err := ctx.Err(); err != nil {
			return err
		}
		left, centre, right := point(i), point(i+1), point(i+2)
		if min(left, centre, right) < 0 || max(centre, right-1) >= rows {
			return misfit("MelWeightMatrix", "an edge that lies outside of the spectrum")
		}
		for j := left; j <= centre; j++ {
			if left == centre {
				y[j*bins+i] = 1
			} else {
				y[j*bins+i] = float64(j-left) / float64(centre-left)
			}
		}
		for j := centre; j < right; j++ {
			y[j*bins+i] = float64(right-j) / float64(right-centre)
		}
	}
	return nil
}

// scalarFloat reads a tensor of one number of any type.
func scalarFloat(op, what string, t *tensor.Tensor) (float64, error) {
	if t.Len() != 1 {
		return 0, misfit(op, what+" is not a scalar")
	}
	held := scalars.take(1)
	defer scalars.put(held)
	one := &(*held)[0]
	one.Reset(tensor.Float64)
	if err := castInto(one, t); err != nil {
		return 0, err
	}
	return tensor.Data[float64](one)[0], nil
}
