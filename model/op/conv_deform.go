//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// DeformConv: a Conv whose taps are moved by offset (n, offset_group·taps·rank, o1…), read between elements by linear interpolation, zero outside
// of x, and weighed by mask (n, offset_group·taps, o1…). Dai et al., "Deformable Convolutional Networks", 2017; the mask is that of Zhu et al.,
// "Deformable ConvNets v2", 2018. https://onnx.ai/onnx/operators/onnx__DeformConv.html
func init() {
	x := f64s([]int{1, 1, 1, 3}, 1, 2, 4)
	w := f64s([]int{1, 1, 1, 1}, 10)
	register(&Spec{
		Name: "DeformConv", Since: 19, Attrs: []string{"dilations", "group", "kernel_shape", "offset_group", "pads", "strides"}, In: Arity{3, 5}, Out: Arity{1, 1}, Half: true,
		Infer: inferDeformConv, Compile: compileDeformConv, Grad: gradDeformConv, Cases: []Case{
			{NoGrad: true, In: in(x, w, f64s([]int{1, 2, 1, 3}, 0, 0, 0, 0, .5, .25)), Out: in(f64s([]int{1, 1, 1, 3}, 10, 30, 30))},
			{
				Name: "between", In: in(f64s([]int{1, 1, 2, 3}, 1, 2, 4, 8, 16, 32), w, f64s([]int{1, 2, 2, 3}, .5, .5, .25, -.5, .25, -2.5, .5, -.25, -1.5, .25, .5, .5), f64v(1)),
				Out: in(f64s([]int{1, 1, 2, 3}, 68.5, 79.75, 42.25, 57.25, 181, 1)),
			},
			{
				Name: "groups and mask", Attrs: []graph.Attr{graph.IntAttr("group", 2), graph.IntAttr("offset_group", 2), graph.IntsAttr("pads", 0, 1)},
				In: in(f64s([]int{2, 2, 2}, 1, 2, 4, 8, -1, 3, 5, 2), f64s([]int{2, 1, 2}, 2, 3, 5, 7), f64s([]int{2, 4, 2}, .25, .5, -.75, .125, .375, -.25, .625, -.5, .5, .25, .75, -.625, .25, -.125, -.375, .25), f64v(10, 20),
					f64s([]int{2, 4, 2}, 1, 2, 3, 4, 5, 6, 7, 8, 2, 1, .5, 3, 4, 2, 1, 5)),
				Out: in(f64s([]int{2, 2, 2}, 23.75, 14, 304.5, 454, 15.125, 31.375, 126.875, 43.75)),
			},
			{NoGrad: true, Name: "mask", In: in(x, w, f64s([]int{1, 2, 1, 3}, 0, 0, -.5, 1, -3, 0), f64v(1), f64s([]int{1, 1, 1, 3}, 2, 1, 1)), Out: in(f64s([]int{1, 1, 1, 3}, 41, 1, 21))},
			{Name: "misfit", In: in(x, w, f64s([]int{1, 1, 1, 3}, 0, 0, 0)), Err: "offset"},
		},
	})
}

func inferDeformConv(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "offset_group", graph.AttrInt); err != nil {
		return nil, err
	}
	if g := n.Int("offset_group", 1); g < 1 || g > windowMax {
		return nil, bad(n, "offset_group "+itoa(g))
	}
	return inferConv(n, site)
}

func compileDeformConv(n *graph.Node, site *Site) (Kernel, error) {
	win, group, err := convWindow(n)
	if err != nil {
		return nil, err
	}
	offsets := int(n.Int("offset_group", 1))
	return byFloat(n, site, deformConvKernel(tensor.Data[float32], win, group, offsets, site), deformConvKernel(tensor.Data[float64], win, group, offsets, site))
}

func deformConvKernel[T float](data lane[T], win window, group, offsetGroups int, site *Site) Kernel {
	c := &conv[T]{window: win, group: group, threads: site.Threads}
	var runs kept[deformRun[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		v, s, err := c.shape(in[0].Shape(), in[1].Shape())
		if err != nil {
			return err
		}
		channels, taps, pixels := s.cg*group, volume(v.kernel), volume(v.out)
		if channels%offsetGroups != 0 || in[2].Len() != s.batch*offsetGroups*taps*v.rank*pixels {
			return misfit(win.op, "offset "+shapeText(in[2].Shape())+" does not fit")
		}
		var buf [MaxRank]int
		if err := Reset(ctx, out[0], in[0].DType(), v.shape(append(buf[:0], s.batch, s.m))...); err != nil {
			return err
		}
		a := convArgs[T]{x: data(in[0]), w: data(in[1]), y: data(out[0])}
		if len(in) > 3 && in[3] != nil {
			if a.bias = data(in[3]); len(a.bias) != s.m {
				return misfit(win.op, "bias "+shapeText(in[3].Shape())+" for "+itoa(int64(s.m))+" channels")
			}
		}
		var mask []T
		if len(in) > 4 && in[4] != nil {
			if mask = data(in[4]); len(mask) != s.batch*offsetGroups*taps*pixels {
				return misfit(win.op, "mask "+shapeText(in[4].Shape())+" does not fit")
			}
		}
		if len(a.y) == 0 {
			return nil
		}
		r := runs.take()
		defer runs.put(r)
		*r = deformRun[T]{c: c, ctx: ctx, v: v, s: s, a: a, offset: data(in[2]), mask: mask, offsetGroups: offsetGroups}
		r.width = min(pixels, max(16, convTile/max(s.cg*taps, 1)))
		r.tiles = (pixels + r.width - 1) / r.width
		spread(ctx, c.threads, s.batch*group*r.tiles, 1, r)
		return ctx.Err()
	}
}

// deformRun samples the columns of each image and group, tile by tile of pixels, and multiplies the weights by them.
type deformRun[T float] struct {
	c            *conv[T]
	ctx          context.Context
	v            view
	s            convSize
	a            convArgs[T]
	offset, mask []T
	offsetGroups int
	width, tiles int // pixels that are sampled at a time, and how often
}

// Do computes the tiles [lo, hi) of all images and groups.
func (r *deformRun[T]) Do(lo, hi int) {
	c, v, a, cg := r.c, &r.v, &r.a, r.s.cg
	pixels, taps, plane := volume(v.out), volume(v.kernel), volume(v.in)
	k, mg := cg*taps, r.s.m/c.group
	each := cg * c.group / r.offsetGroups // channels that share offsets
	columns, panels := c.columns.take(k*r.width), c.panels.take(kernel.PackedLen(k, r.width))
	defer c.columns.put(columns)
	defer c.panels.put(panels)
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		image, first := i/r.tiles, i%r.tiles*r.width // image and group
		group, n := image%c.group, min(r.width, pixels-first)
		for row := range k {
			channel, tap := group*cg+row/taps, row%taps
			set := (image/c.group*r.offsetGroups+channel/each)*taps + tap
			dst := (*columns)[row*n:][:n]
			sample(v, dst, a.x[(image*cg+row/taps)*plane:][:plane], tap, first, func(d, p int) float64 { return float64(r.offset[(set*v.rank+d)*pixels+p]) })
			if r.mask != nil {
				for j, weight := range r.mask[set*pixels+first:][:n] {
					dst[j] *= weight
				}
			}
		}
		b := kernel.Pack(*columns, k, n, n, false, *panels)
		y := a.y[image*mg*pixels+first:]
		for m := range mg {
			var bias T
			if a.bias != nil {
				bias = a.bias[group*mg+m]
			}
			fill(y[m*pixels:][:n], bias)
		}
		kernel.Gemm(mg, a.w[group*mg*k:], k, &b, y, pixels)
	}
}

// sample reads a plane x at the moved places of one tap for pixels from first on: the mean of the 2^rank elements around, by their nearness.
// move gives the offset of a pixel along spatial dimension d.
func sample[T kernel.Number](v *view, dst, x []T, tap, first int, move func(d, p int) float64) {
	for j := range dst {
		low, part, inside := v.moved(first+j, tap, move)
		var sum float64
		for corner := range 1 << spatial {
			if !inside {
				break
			}
			at, weight := 0, 1.0
			for d := range spatial {
				i := low[d]
				if corner>>d&1 == 1 {
					i++
					weight *= part[d]
				} else {
					weight *= 1 - part[d]
				}
				if i < 0 || i >= v.in[d] {
					weight = 0
				}
				at = at*v.in[d] + i
			}
			if weight != 0 {
				sum += weight * float64(x[at])
			}
		}
		dst[j] = T(sum)
	}
}

// moved is the place of a tap for pixel p: the element before it in each dimension, and how far behind that it lies.
func (v *view) moved(p, tap int, move func(d, p int) float64) (low [spatial]int, part [spatial]float64, inside bool) {
	t := [spatial]int{tap / (v.kernel[1] * v.kernel[2]), tap / v.kernel[2] % v.kernel[1], tap % v.kernel[2]}
	o := [spatial]int{p / (v.out[1] * v.out[2]), p / v.out[2] % v.out[1], p % v.out[2]}
	for d := spatial - v.rank; d < spatial; d++ {
		at := float64(o[d]*v.stride[d]+t[d]*v.dilation[d]-v.before[d]) + move(d-(spatial-v.rank), p)
		if !(at > -1 && at < float64(v.in[d])) {
			return low, part, false
		}
		floor := math.Floor(at)
		low[d], part[d] = int(floor), at-floor
	}
	return low, part, true
}
