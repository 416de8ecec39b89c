//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// STFT: the Fourier transforms of frames of a signal (batch, length, 1 or 2), each frame_length long, frame_step apart and multiplied by
// window; y (batch, frames, frequencies, 2). frame_length defaults to the length of the window, or of the signal.
// https://onnx.ai/onnx/operators/onnx__STFT.html
func init() {
	x := f64s([]int{1, 5, 1}, 1, 2, 3, 5, 8)
	step, four := i64s(nil, 1), i64s(nil, 4)
	both := []graph.Attr{graph.IntAttr("onesided", 0)}
	register(&Spec{
		Name: "STFT", Since: 17, Half: true, Attrs: []string{"onesided"}, In: Arity{2, 4}, Out: Arity{1, 1}, Infer: inferSTFT, Compile: compileSTFT, Grad: gradSTFT,
		Cases: []Case{
			{In: in(x, step, nil, four), Out: in(f64s([]int{1, 2, 3, 2}, 11, 0, -2, 3, -3, 0, 18, 0, -3, 5, -4, 0))},
			{Name: "both sides", Attrs: both, In: in(x, i64s(nil, 2), nil, four), Out: in(f64s([]int{1, 1, 4, 2}, 11, 0, -2, 3, -3, 0, -2, -3))},
			{Name: "window", In: in(x, i32s(nil, 1), f64v(1, 0, 1, 0)), Out: in(f64s([]int{1, 2, 3, 2}, 4, 0, -2, 0, 4, 0, 7, 0, -3, 0, 7, 0))},
			{Name: "short", In: in(x, step, nil, i64s(nil, 6)), Err: "frame"},
			{Name: "standing", In: in(x, i64s(nil, 0), nil, four), Err: "step"},
			{Name: "other window", In: in(x, step, f64v(1, 1), four), Err: "window"},
		},
	})
}

// i32s is an int32 tensor of a shape; a nil shape makes a scalar.
func i32s(shape []int, v ...int32) *tensor.Tensor { return shaped(tensor.Int32, shape, v) }

func inferSTFT(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "onesided", graph.AttrInt); err != nil {
		return nil, err
	}
	x := site.Types[0]
	if err := oneOf(n, x, floats...); err != nil {
		return nil, err
	}
	if n.In(2) != "" && site.typ(2).DType != x.DType {
		return nil, bad(n, "a window of another type than the signal")
	}
	for _, i := range []int{1, 3} {
		if n.In(i) == "" {
			continue
		}
		if err := oneOf(n, site.typ(i), indexTypes...); err != nil {
			return nil, err
		}
	}
	out := tensor.TypeOf(x.DType, tensor.Free, tensor.Free, tensor.Free, 2)
	if !x.Unranked {
		if len(x.Dims) != 3 {
			return nil, bad(n, "a signal that has not the shape (batch, length, 1 or 2)")
		}
		out.Dims[0] = x.Dims[0]
	}
	return []tensor.Type{out}, nil
}

func compileSTFT(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return stftKernel(n, site, tensor.Data[float32]), nil
	}
	return stftKernel(n, site, tensor.Data[float64]), nil
}

// frames reads step and length of the frames of a signal of length elements, and how many there are.
func frames(in []*tensor.Tensor, length int) (step, frame, count int, err error) {
	stride, err := scalarIndex("STFT", "a frame_step", in[1])
	if err != nil {
		return 0, 0, 0, err
	}
	if stride < 1 {
		return 0, 0, 0, misfit("STFT", "a frame_step below 1")
	}
	frame = length
	if len(in) > 2 && in[2] != nil {
		frame = in[2].Len()
	}
	if len(in) > 3 && in[3] != nil {
		v, err := scalarIndex("STFT", "a frame_length", in[3])
		if err != nil {
			return 0, 0, 0, err
		}
		if v < 1 || v > int64(length) {
			return 0, 0, 0, misfit("STFT", "a frame_length of "+itoa(v)+" for a signal of "+itoa(int64(length)))
		}
		frame = int(v)
		if in[2] != nil && in[2].Len() != frame {
			return 0, 0, 0, misfit("STFT", "a window that is not frame_length long")
		}
	}
	if frame < 1 || frame > length {
		return 0, 0, 0, misfit("STFT", "a frame of "+itoa(int64(frame))+" for a signal of "+itoa(int64(length)))
	}
	step = int(min(stride, int64(length)))
	return step, frame, 1 + (length-frame)/step, nil
}

func stftKernel[T float](n *graph.Node, site *Site, data lane[T]) Kernel {
	onesided, threads := n.Int("onesided", 1) != 0, site.Threads
	var known plans[float64]
	var pool scratch[cx[float64]]
	var runs kept[stftRun[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		if len(shape) != 3 || shape[2] != 1 && shape[2] != 2 {
			return misfit("STFT", "a signal that has not the shape (batch, length, 1 or 2): "+shapeText(shape))
		}
		length, from := shape[1], shape[2]
		step, frame, count, err := frames(in, length)
		if err != nil {
			return err
		}
		bins := frame
		if onesided {
			bins = frame/2 + 1
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape[0], count, bins, 2); err != nil {
			return err
		}
		plan, err := known.get(ctx, frame, -1)
		if err != nil {
			return err
		}
		var window []T
		if len(in) > 2 && in[2] != nil {
			window = data(in[2])
		}
		r := runs.take()
		*r = stftRun[T]{&pool, plan, data(out[0]), data(in[0]), window, length, from, step, count, bins}
		err = sweep(ctx, threads, shape[0]*count, max(dearGrain/frame, 1), r)
		runs.put(r)
		return err
	}
}

// stftRun is one call.
type stftRun[T float] struct {
	pool             *scratch[cx[float64]]
	plan             *fft[float64] // of a frame
	dst, src, window []T
	length, from     int // of a signal: elements, and parts of each
	step, count      int // from one frame to the next; frames of a signal
	bins             int
}

// Do transforms some of the frames.
func (r *stftRun[T]) Do(lo, hi int) {
	n := r.plan.n
	held := r.pool.take(2*n + r.plan.room())
	defer r.pool.put(held)
	a, b, work := (*held)[:n], (*held)[n:2*n], (*held)[2*n:]
	for k := lo; k < hi; k++ {
		readLine(a, r.src[(k/r.count*r.length+k%r.count*r.step)*r.from:], n, r.from, r.from)
		for i, w := range r.window {
			a[i] = cx[float64]{a[i].re * float64(w), a[i].im * float64(w)}
		}
		writeLine(r.dst[k*r.bins*2:], r.plan.transform(a, b, work)[:r.bins], 2, 2)
	}
}
