//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// resizeAxis is how one dimension's elements are made: element j is Σ weight[j·taps+k]·x[from[j·taps+k]].
type resizeAxis struct {
	resizeDimension
	axis    int
	taps    int
	from    []int
	weight  []float64
	outside []bool // tf_crop_and_resize: element j lies outside of x; nil where none does
}

// resizePlan is kept from run to run: it is made anew only where a shape, scale or region has changed.
type resizePlan struct {
	rank       int
	dimensions [MaxRank]resizeDimension
	axes       []resizeAxis   // those that change, outermost first
	beyond     *tensor.Tensor // what lies outside of x: one element
	order      []*resizeAxis  // the order in which weighted means go over them
}

func resizeKernel(r *resizer, threads int, run func(ctx context.Context, p *resizePlan, x, y *tensor.Tensor, threads int) error) Kernel {
	var plans reuse.Pool[resizePlan]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x := in[0]
		d, err := r.dimensions(x.Shape(), in)
		if err != nil {
			return err
		}
		var buf [MaxRank]int
		shape := buf[:x.Rank()]
		for i := range shape {
			shape[i] = d[i].out
		}
		if err := Reset(ctx, out[0], x.DType(), shape...); err != nil || out[0].Len() == 0 {
			return err
		}
		if x.Len() == 0 {
			return misfit(r.op, "an empty input has nothing to repeat")
		}
		p := plans.Take()
		defer plans.Put(p)
		if p.rank != len(shape) || p.dimensions != d {
			if err := p.build(ctx, r, x.DType(), len(shape), d); err != nil {
				p.rank = -1
				return err
			}
		}
		if err := run(ctx, p, x, out[0], threads); err != nil {
			return err
		}
		p.extrapolate(out[0])
		return nil
	}
}

func (p *resizePlan) build(ctx context.Context, r *resizer, t tensor.DType, rank int, d [MaxRank]resizeDimension) error {
	p.rank, p.dimensions, p.axes = rank, d, nil
	p.beyond = tensor.New(t, 1)
	if err := castInto(p.beyond, f32v(r.extrapolation)); err != nil {
		return err
	}
	for i, dim := range d[:rank] {
		if dim.in == dim.out && dim.scale == 1 && dim.region == [2]float64{0, 1} && r.coordinates != "tf_half_pixel_for_nn" {
			continue
		}
		a := resizeAxis{resizeDimension: dim, axis: i, taps: 1}
		lo, taps := r.window(dim.scale)
		if r.mode != "nearest" {
			a.taps = min(taps, 2*dim.in+4) // beyond, all taps repeat the edges
		}
		if b, ok := ctx.(Budget); ok { // the tables count like any memory
			if err := b.Grow(int64(dim.out) * int64(a.taps) * 16); err != nil {
				return err
			}
		}
		if r.mode != "nearest" {
			a.taps = taps
		}
		a.from = make([]int, dim.out*a.taps)
		if r.mode != "nearest" {
			a.weight = make([]float64, dim.out*taps)
		}
		for j := range dim.out {
			at := r.place(&a, j)
			if r.coordinates == "tf_crop_and_resize" && (at < 0 || at > float64(dim.in-1)) {
				if a.outside == nil {
					a.outside = make([]bool, dim.out)
				}
				a.outside[j] = true
			}
			if r.mode == "nearest" {
				a.from[j] = min(max(r.round(at, dim.scale), 0), dim.in-1)
			} else {
				r.weigh(&a, j, at, lo)
			}
		}
		p.axes = append(p.axes, a)
	}
	p.setOrder()
	return nil
}

// place is where in the input element j of the result lies.
func (r *resizer) place(a *resizeAxis, j int) float64 {
	x, in, length := float64(j), float64(a.in), a.scale*float64(a.in)
	switch r.coordinates {
	case "asymmetric":
		return x / a.scale
	case "pytorch_half_pixel":
		if a.out == 1 {
			return 0
		}
	case "tf_half_pixel_for_nn":
		return (x + .5) / a.scale
	case "align_corners":
		if length == 1 || a.out == 1 {
			return 0
		}
		return x * (in - 1) / (length - 1)
	case "tf_crop_and_resize":
		if a.out == 1 {
			return .5 * (a.region[0] + a.region[1]) * (in - 1)
		}
		return a.region[0]*(in-1) + x*(a.region[1]-a.region[0])*(in-1)/(length-1)
	case "half_pixel_symmetric":
		return in/2*(1-float64(a.out)/length) + (x+.5)/a.scale - .5
	}
	return (x+.5)/a.scale - .5
}

// round chooses the nearest element.
func (r *resizer) round(at, scale float64) int {
	x := at
	switch r.nearest {
	case "floor":
		x = math.Floor(x)
	case "ceil":
		x = math.Ceil(x)
	case "round_prefer_ceil":
		x = math.Floor(x + .5)
	case "simple":
		if x = math.Trunc(x); scale < 1 {
			x = math.Ceil(at)
		}
	default:
		x = math.Ceil(x - .5)
	}
	return int(min(max(x, -1), 1<<41))
}

// window gives the first tap, from the element at or before the place on, and their number.
func (r *resizer) window(scale float64) (lo, taps int) {
	reach := 1.0
	if r.mode == "cubic" {
		reach = 2
	}
	if r.antialias { // the function is stretched over all elements that one of the result stands for
		reach /= min(scale, 1)
	}
	reach = min(math.Ceil(reach), 1<<30)
	return 1 - int(reach), 2 * int(reach)
}

// weigh fills the taps of element j. Beyond the edges its outermost element goes on, unless exclude_outside is set.
func (r *resizer) weigh(a *resizeAxis, j int, at float64, lo int) {
	first := math.Floor(at)
	from, weight := a.from[j*a.taps:][:a.taps], a.weight[j*a.taps:][:a.taps]
	stretch := 1.0
	if r.antialias {
		stretch = min(float64(a.scale), 1)
	}
	sum := 0.0
	for k := range from {
		i := first + float64(lo+k)
		weight[k] = r.function(math.Abs(i-at) * stretch)
		if r.exclude && (i < 0 || i > float64(a.in-1)) {
			weight[k] = 0
		}
		sum += weight[k]
		from[k] = int(min(max(i, 0), float64(a.in-1)))
	}
	if (r.exclude || r.antialias) && sum != 0 {
		for k := range weight {
			weight[k] /= sum
		}
	}
}

// function is the weight of an element at a distance: a triangle, or the cubic convolution of R. Keys, "Cubic convolution interpolation for digital image
// processing" (1981), equation 15, with the coefficient a.
func (r *resizer) function(x float64) float64 {
	switch {
	case r.mode == "linear":
		return max(0, 1-x)
	case x <= 1:
		return ((r.a+2)*x-(r.a+3))*x*x + 1
	case x < 2:
		return ((r.a*x-5*r.a)*x+8*r.a)*x - 4*r.a
	}
	return 0
}

// extrapolate writes the elements that lie outside of x.
func (p *resizePlan) extrapolate(y *tensor.Tensor) {
	for _, a := range p.axes {
		if a.outside == nil {
			continue
		}
		outer, inner := around(y.Shape(), a.axis)
		for o := range outer {
			for j, out := range a.outside {
				if out {
					fillFrom(y, (o*a.out+j)*inner, inner, p.beyond)
				}
			}
		}
	}
}

// nearestPlane moves elements, row by row of the innermost dimension that changes.
func nearestPlane(ctx context.Context, p *resizePlan, x, y *tensor.Tensor, threads int) error {
	if len(p.axes) == 0 {
		moveBlock(y, 0, x, 0, x.Len())
		return nil
	}
	last := &p.axes[len(p.axes)-1]
	outer, inner := around(y.Shape(), last.axis)
	width := last.out * inner
	nearestRuns.run(ctx, threads, outer, 1+(1<<14)/width, nearestRun{ctx, p, x, y, last, width, inner}, (*nearestRun).rows)
	return ctx.Err()
}

type nearestRun struct {
	ctx          context.Context
	p            *resizePlan
	x, y         *tensor.Tensor
	last         *resizeAxis
	width, inner int
}

var nearestRuns crew[nearestRun]

func (r *nearestRun) rows(lo, hi int) {
	x, y, last, width, inner := r.x, r.y, r.last, r.width, r.inner
	before := -1
	for row := lo; row < hi; row++ {
		if row%256 == 0 && r.ctx.Err() != nil {
			return
		}
		from := r.p.rowOf(row)
		switch {
		case from == before:
			moveBlock(y, row*width, y, (row-1)*width, width)
		case inner == 1:
			moveAt(y, row*width, x, from*last.in, last.from)
		default:
			for j, at := range last.from {
				moveBlock(y, row*width+j*inner, x, (from*last.in+at)*inner, inner)
			}
		}
		before = from
	}
}

// rowOf is the row of the input that a row of the result is made from.
func (p *resizePlan) rowOf(row int) int {
	from, step, k := 0, 1, len(p.axes)-2
	for d := p.axes[len(p.axes)-1].axis - 1; d >= 0 && row > 0; d-- {
		n := p.dimensions[d]
		at := row % n.out
		row /= n.out
		if k >= 0 && p.axes[k].axis == d {
			at = p.axes[k].from[at]
			k--
		}
		from += at * step
		step *= n.in
	}
	return from
}

// blender makes weighted means, axis after axis.
type blender[T float] struct {
	buffers scratch[T]
	runs    kept[blendRun[T]]
}

type blendRun[T float] struct {
	b              *blender[T]
	ctx            context.Context
	p              *resizePlan
	dst, src       []T
	to, from, size int // elements of a plane of dst and src, and of results on the way
}

func (r *blendRun[T]) Do(lo, hi int) {
	s := r.b.buffers.take(2 * r.size)
	defer r.b.buffers.put(s)
	for plane := lo; plane < hi && r.ctx.Err() == nil; plane++ {
		r.b.plane(r.p, r.dst[plane*r.to:][:r.to], r.src[plane*r.from:][:r.from], (*s)[:r.size], (*s)[r.size:])
	}
}

func newBlender[T float]() *blender[T] { return new(blender[T]) }

func (b *blender[T]) run(ctx context.Context, p *resizePlan, x, y *tensor.Tensor, threads int) error {
	dst, src := tensor.Data[T](y), tensor.Data[T](x)
	if len(p.axes) == 0 {
		copy(dst, src)
		return nil
	}
	order := p.order
	planes, _ := around(x.Shape(), p.axes[0].axis)
	from, to := len(src)/planes, len(dst)/planes
	size := 0 // of the largest result on the way
	n := from
	for _, a := range order[:len(order)-1] {
		n = n / a.in * a.out
		size = max(size, n)
	}
	if budget, ok := ctx.(Budget); ok {
		if err := budget.Grow(int64(2*size*min(threads+1, planes)) * int64(y.DType().Size())); err != nil {
			return err
		}
	}
	r := b.runs.take()
	*r = blendRun[T]{b, ctx, p, dst, src, to, from, size}
	spread(ctx, threads, planes, 1, r)
	b.runs.put(r)
	return ctx.Err()
}

// setOrder puts the shrinking axes first, outermost in front, then the growing ones from the inside: least work in the strided passes.
func (p *resizePlan) setOrder() {
	order := p.order[:0]
	for i := range p.axes {
		if p.axes[i].out < p.axes[i].in {
			order = append(order, &p.axes[i])
		}
	}
	for i := len(p.axes) - 1; i >= 0; i-- {
		if p.axes[i].out >= p.axes[i].in {
			order = append(order, &p.axes[i])
		}
	}
	p.order = order
}

func (b *blender[T]) plane(p *resizePlan, dst, src, here, there []T) {
	done := [MaxRank]bool{}
	for step, a := range p.order {
		to := dst
		if step < len(p.order)-1 {
			to = here
			here, there = there, here
		}
		outer, inner := 1, 1
		for d := p.axes[0].axis; d < p.rank; d++ {
			n := p.dimensions[d].in
			if done[d] {
				n = p.dimensions[d].out
			}
			if d < a.axis {
				outer *= n
			} else if d > a.axis {
				inner *= n
			}
		}
		for o := range outer {
			if inner == 1 {
				blendRow(to[o*a.out:][:a.out], src[o*a.in:][:a.in], a)
			} else {
				blendRows(to[o*a.out*inner:], src[o*a.in*inner:], inner, a)
			}
		}
		done[a.axis] = true
		src = to
	}
}

// blendRow makes dst (out) from src (in).
func blendRow[T float](dst, src []T, a *resizeAxis) {
	if a.taps == 2 {
		from, weight := a.from[:2*len(dst)], a.weight[:2*len(dst)]
		for j := range dst {
			dst[j] = T(weight[2*j])*src[from[2*j]] + T(weight[2*j+1])*src[from[2*j+1]]
		}
		return
	}
	for j := range dst {
		from, weight := a.from[j*a.taps:][:a.taps], a.weight[j*a.taps:][:a.taps]
		var sum T
		for k, at := range from {
			sum += T(weight[k]) * src[at]
		}
		dst[j] = sum
	}
}

// blendRows makes rows of n elements.
func blendRows[T float](dst, src []T, n int, a *resizeAxis) {
	for j := range a.out {
		row := dst[j*n:][:n]
		from, weight := a.from[j*a.taps:][:a.taps], a.weight[j*a.taps:][:a.taps]
		if a.taps == 2 {
			switch x, y := src[from[0]*n:][:n], src[from[1]*n:][:n]; {
			case weight[1] == 0:
				copy(row, x)
			case weight[0] == 0:
				copy(row, y)
			default:
				blend2(row, x, y, T(weight[0]), T(weight[1]))
			}
			continue
		}
		clear(row)
		for k, at := range from {
			if weight[k] != 0 {
				blendAdd(row, src[at*n:][:n], T(weight[k]))
			}
		}
	}
}

// blend2 is dst = u·x + v·y.
func blend2[T float](dst, x, y []T, u, v T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = u*x[i] + v*y[i]
	}
}

// blendAdd is dst += u·x.
func blendAdd[T float](dst, x []T, u T) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += u * x[i]
	}
}
