//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

const (
	convColumns = 128 << 10 // elements of the unfolded input that one tile holds where k is small
	convNarrow  = 192       // pixels that a tile has at least, so that the weights are not read too often
)

// convFast is run for float32: the unfolded input is written straight into the panels that the kernel reads, and the bias and the activation
// are the kernel's epilogue.
type convFast struct {
	*conv[float32]
	e kernel.Epilogue // without biases
}

// fast makes a float32 convolution use convSlide and convFast. w are its weights where they are constant, else nil.
func (c *conv[T]) fast(w *tensor.Tensor) {
	f32, ok := any(c).(*conv[float32])
	if !ok {
		return
	}
	f := &convFast{conv: f32}
	var end kernel.End
	switch act := f32.act; act.kind {
	case actNone:
	case actRelu:
		f.e.Act, f.e.Hi = kernel.Clip, float32(math.Inf(1))
		end.Act, end.B = kernel.EndClip, f.e.Hi
	case actClip:
		f.e.Act, f.e.Lo, f.e.Hi = kernel.Clip, float32(act.a), float32(act.b)
		end = kernel.End{Act: kernel.EndClip, A: f.e.Lo, B: f.e.Hi}
	case actLeaky:
		f.e.Act, f.e.Lo = kernel.Leaky, float32(act.a)
		end.Act, end.A = kernel.EndLeaky, f.e.Lo
	default:
		f.e.Func = func(part []float32) { activate(act, part) }
	}
	after := f.e.Func
	switch act := f32.act; act.kind {
	case actHardSigmoid:
		end, after = kernel.End{Act: kernel.EndHardSigmoid, A: float32(act.a), B: float32(act.b)}, nil
	case actHardSwish:
		end, after = kernel.End{Act: kernel.EndHardSwish, A: 1. / 6, B: .5}, nil
	}
	f32.slide = newSlide(f32, end, after, w)
	f32.quick = f.run
}

func (f *convFast) run(ctx context.Context, v *view, s convSize, a convArgs[float32]) error {
	pixels, k, mg := volume(v.out), s.cg*volume(v.kernel), s.m/f.group
	images := s.batch * f.group
	if a.residual != nil {
		copy(a.y, a.residual)
	}
	if v.plain() {
		threads := f.threads
		inner := 1
		if images < threads || mg*k*pixels > 1<<20 {
			threads, inner = 1, threads
		}
		parallel(threads, images, max(1, (1<<17)/max(1, mg*k*pixels)), func(lo, hi int) {
			for i := lo; i < hi && ctx.Err() == nil; i++ {
				e := f.epilogue(i, mg, &a)
				kernel.ProductF32(inner, mg, k, pixels, a.w[i%f.group*mg*k:], k, false, a.x[i*k*pixels:], pixels, false, a.y[i*mg*pixels:], pixels, &e)
			}
		})
		return ctx.Err()
	}
	width := min(pixels, max(convNarrow, convColumns/max(k, 1)&^15))
	if images*((pixels+width-1)/width) < f.threads && pixels >= convNarrow {
		width = ((pixels+f.threads-1)/f.threads + 15) &^ 15
	}
	tiles := (pixels + width - 1) / width
	inner := 1
	if images*tiles == 1 {
		inner = f.threads
	}
	parallel(f.threads, images*tiles, max(1, (1<<17)/max(1, width*k*mg)), func(lo, hi int) {
		memory, line := f.columns.take(kernel.PackedLenF32(k, width)), f.lines.take(width+16)
		defer f.columns.put(memory)
		defer f.lines.put(line)
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			image, first := i/tiles, i%tiles*width // image and group
			n := min(width, pixels-first)
			b := kernel.NewPackedF32(k, n, *memory)
			v.unfoldPanels(&b, a.x[image*s.cg*volume(v.in):], first, n, *line)
			e := f.epilogue(image, mg, &a)
			kernel.GemmF32(inner, mg, a.w[image%f.group*mg*k:], k, false, &b, a.y[image*mg*pixels+first:], pixels, &e)
		}
	})
	return ctx.Err()
}

// epilogue is that of one image and group.
func (f *convFast) epilogue(image, mg int, a *convArgs[float32]) kernel.Epilogue {
	e := f.e
	e.Add = a.residual != nil
	if a.bias != nil {
		e.RowBias = a.bias[image%f.group*mg:][:mg]
	}
	return e
}

// unfoldPanels writes what the pixels [first, first+n) see of x to the panels of b (k, n); line is memory for n and 16 more elements.
func (v *view) unfoldPanels(b *kernel.PackedF32, x []float32, first, n int, line []float32) {
	clear(line[n : n+16])
	rows := b.K
	var block []float32 // the panels of the rows from p on, one after another
	var p, height int
	v.unfold(first, n, rows, func(row, at, from, count, step int) {
		dst := line[at:][:count]
		switch {
		case from < 0:
			clear(dst)
		case step == 1:
			copy(dst, x[from:])
		default:
			src := x[from:][:(count-1)*step+1]
			for i := range dst {
				dst[i] = src[i*step]
			}
		}
		if at+count < n {
			return
		}
		if row%b.KBlock == 0 { // a block's panels lie side by side, so the first reaches over all of them
			p, height = row, min(b.KBlock, rows-row)
			block, _ = b.Panel(p, 0)
			block = block[:height*((n+7)&^7)]
		}
		j, to := 0, (row-p)*16
		for ; j+8 < n; j += 16 {
			*(*[16]float32)(block[to:]) = *(*[16]float32)(line[j:])
			to += height * 16
		}
		if j < n { // a last panel of eight columns
			*(*[8]float32)(block[height*j+(row-p)*8:]) = *(*[8]float32)(line[j:])
		}
	})
}
