//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// RoiAlign: each region of interest (x1, y1, x2, y2) of a picture of x (n, c, h, w), cut into cells: the mean, or the greatest, of points in
// a cell, each weighted linearly from four neighbours. K. He et al., "Mask R-CNN" (2017), 3. https://onnx.ai/onnx/operators/onnx__RoiAlign.html
// MaxRoiPool: the greatest element of each cell, whose borders are rounded outwards. https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html
func init() {
	x := f64s([]int{1, 1, 2, 2}, 1, 2, 3, 4)
	attrs := []string{"mode", "output_height", "output_width", "sampling_ratio", "spatial_scale"}
	newer := append([]string{"coordinate_transformation_mode"}, attrs...)
	whole := f64s([]int{1, 4}, 0, 0, 2, 2)
	size := []graph.Attr{graph.IntAttr("output_height", 2), graph.IntAttr("output_width", 2)}
	wide, two := f64s([]int{2, 2, 3, 4}, make([]float64, 48)...), f64s([]int{2, 4}, .3, .2, 2.9, 1.7, -.6, .4, 5.3, 2.6)
	for i := range 48 {
		tensor.Data[float64](wide)[i] = float64(7*i%11) / 2
	}
	register(&Spec{Name: "RoiAlign", Since: 16, Attrs: newer, In: Arity{3, 3}, Out: Arity{1, 1}, Half: true, Infer: inferRoi, Compile: compileRoiAlign, Grad: gradRoiAlign(1), Cases: []Case{
		{Name: "regions", Opset: 16, Attrs: size, In: in(wide, two, i64v(1, 0)), Tol: 1e-5, Out: in(f64s([]int{2, 2, 2, 2}, 3.1143751, 3.3279686, 3.5081251, 1.6076565, 3.9124999, 1.7971878, 2.0375001, 2.7065625, 1.8765278, 2.3584027, 2.1515281, 1.1888891, 2.7151387, 1.688889, 2.6288195, 1.2084026))},
		{Name: "greatest", Opset: 16, Attrs: append(size[:2:2], graph.StringAttr("mode", "max")), In: in(wide, two, i64v(1, 0)), Tol: 1e-5, Out: in(f64s([]int{2, 2, 2, 2}, 3.5843751, 2.6593742, 3.2484376, 1.185937, 4.046875, 1.5956244, 1.8046875, 3.0524991, 2.1749997, 4.125, 2.1750004, 2.1478128, 2.8875003, 2.7156253, 3.2999992, 2.8874993))},
		{Name: "old corners", Opset: 16, Attrs: append(size[:2:2], graph.StringAttr("coordinate_transformation_mode", "output_half_pixel"), graph.IntAttr("sampling_ratio", 2)), In: in(wide, two, i64v(1, 0)), Tol: 1e-5, Out: in(f64s([]int{2, 2, 2, 2}, 3.2242186, 1.9717188, 2.0332813, 1.9753129, 2.0973439, 2.7784376, 1.7503127, 3.0621874, 2.5626564, 1.3125, 1.996953, 0.1406251, 2.5353515, 0.6218749, 2.2644138, 1.58125))},
		{Opset: 16, Attrs: []graph.Attr{graph.IntAttr("sampling_ratio", 1)}, In: in(x, whole, i64v(0)), Out: in(f64s([]int{1, 1, 1, 1}, 2.5))},
		{Name: "absurd", Opset: 16, In: in(x, f64s([]int{1, 4}, 0, 0, 1e9, 2), i64v(0)), Err: "far larger"},
		{Name: "points", Opset: 16, Attrs: []graph.Attr{graph.IntAttr("sampling_ratio", 1<<20)}, In: in(x, whole, i64v(0)), Err: "points"},
		{Name: "outside", Opset: 16, In: in(x, whole, i64v(1)), Err: "picture 1"},
	}})
	register(&Spec{Name: "RoiAlign", Since: 10, Attrs: attrs, In: Arity{3, 3}, Out: Arity{1, 1}, Half: true, Infer: inferRoi, Compile: compileRoiAlign, Grad: gradRoiAlign(0), Cases: []Case{
		{Opset: 10, Attrs: []graph.Attr{graph.IntAttr("sampling_ratio", 1), graph.FloatAttr("spatial_scale", .5)}, In: in(x, whole, i64v(0)), Out: in(f64s([]int{1, 1, 1, 1}, 2.5)), NoGrad: true},
		{Name: "flat", Opset: 10, Attrs: []graph.Attr{graph.IntAttr("sampling_ratio", 1), graph.FloatAttr("spatial_scale", .5)}, In: in(x, f64s([]int{1, 4}, .2, .4, 3, 2.1), i64v(0)), Out: in(f64s([]int{1, 1, 1, 1}, 3.2))},
	}})
	register(&Spec{Name: "MaxRoiPool", Since: 1, Attrs: []string{"pooled_shape", "spatial_scale"}, In: Arity{2, 2}, Out: Arity{1, 1}, Half: true, Infer: inferRoi, Compile: compileMaxRoi, Grad: gradMaxRoi, Cases: []Case{
		{Opset: 11, Attrs: []graph.Attr{graph.IntsAttr("pooled_shape", 1, 2)}, In: in(x, f64s([]int{1, 5}, 0, 0, 0, 1, 1)), Out: in(f64s([]int{1, 1, 1, 2}, 3, 4))},
	}})
}

// roiSize is height and width of the result.
func roiSize(n *graph.Node) (h, w int, err error) {
	size := []int64{n.Int("output_height", 1), n.Int("output_width", 1)}
	if n.Op == "MaxRoiPool" {
		size = n.Ints("pooled_shape")
	}
	if len(size) != 2 || min(size[0], size[1]) < 1 || max(size[0], size[1]) > 1<<20 {
		return 0, 0, bad(n, "an output size that is not two positive numbers")
	}
	return int(size[0]), int(size[1]), nil
}

func inferRoi(n *graph.Node, site *Site) ([]tensor.Type, error) {
	x, rois := site.Types[0], site.Types[1]
	if err := oneOf(n, x, floats...); err != nil {
		return nil, err
	}
	if rois.DType != x.DType {
		return nil, bad(n, "regions of another type than the input")
	}
	if err := wants(n, site, 2, tensor.Int64); err != nil {
		return nil, err
	}
	if m := n.Str("mode", "avg"); m != "avg" && m != "max" {
		return nil, refuseAttr(n, "mode", m)
	}
	if m := n.Str("coordinate_transformation_mode", "half_pixel"); m != "half_pixel" && m != "output_half_pixel" {
		return nil, refuseAttr(n, "coordinate_transformation_mode", m)
	}
	h, w, err := roiSize(n)
	if err != nil {
		return nil, err
	}
	dims := []tensor.Dim{free, free, {Size: h}, {Size: w}}
	if !rois.Unranked && len(rois.Dims) == 2 {
		dims[0] = rois.Dims[0]
	}
	if !x.Unranked && len(x.Dims) == 4 {
		dims[1] = x.Dims[1]
	}
	return []tensor.Type{{DType: x.DType, Dims: dims}}, nil
}

// roiShapes checks the shapes that both operators share.
func roiShapes(op string, x, rois *tensor.Tensor, width int) error {
	if x.Rank() != 4 || rois.Rank() != 2 || rois.Shape()[1] != width {
		return misfit(op, "an input and regions of the shapes "+shapeText(x.Shape())+" and "+shapeText(rois.Shape()))
	}
	return nil
}

// roiPicture checks the number of a picture.
func roiPicture(op string, b, n int64) error {
	if b < 0 || b >= n {
		return misfit(op, "picture "+itoa(b)+" of "+itoa(n))
	}
	return nil
}

func compileRoiAlign(n *graph.Node, site *Site) (Kernel, error) {
	r, err := roiAlignOf(n, site, site.Opset >= 16)
	if err != nil {
		return nil, err
	}
	if site.Types[0].DType == tensor.Float32 {
		return roiAlignKernel[float32](r), nil
	}
	return roiAlignKernel[float64](r), nil
}

// roiAlignOf reads the attributes; newer is opset 16 and later.
func roiAlignOf(n *graph.Node, site *Site, newer bool) (r roiAlign, err error) {
	r = roiAlign{scale: float64(n.Float("spatial_scale", 1)), greatest: n.Str("mode", "avg") == "max", ratio: int(max(n.Int("sampling_ratio", 0), 0)), threads: site.Threads}
	if r.h, r.w, err = roiSize(n); err != nil {
		return r, err
	}
	if r.ratio > roiPoints {
		return r, fault.New(fault.TooLarge, "RoiAlign: more than "+itoa(roiPoints)+" points in a cell")
	}
	r.half = newer && n.Str("coordinate_transformation_mode", "half_pixel") == "half_pixel"
	return r, nil
}

type roiAlign struct {
	scale          float64
	h, w           int
	ratio, threads int
	greatest, half bool
}

func roiAlignKernel[T float](r roiAlign) Kernel {
	var runs kept[roiRun[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, rois, batch := in[0], in[1], in[2]
		if err := roiAlignFits(&r, x, rois, batch, tensor.Data[T](rois)); err != nil {
			return err
		}
		s, regions := x.Shape(), rois.Shape()[0]
		if err := Reset(ctx, out[0], x.DType(), regions, s[1], r.h, r.w); err != nil || out[0].Len() == 0 {
			return err
		}
		if x.Len() == 0 {
			return misfit("RoiAlign", "an empty input")
		}
		run := runs.take()
		defer runs.put(run)
		*run = roiRun[T]{ctx, &r, tensor.Data[T](out[0]), tensor.Data[T](x), tensor.Data[T](rois), batch.I64(), s[1], s[2], s[3]}
		spread(ctx, r.threads, regions*s[1], 1, run)
		return ctx.Err()
	}
}

// roiAlignFits checks the inputs; v are the elements of rois.
func roiAlignFits[T float](r *roiAlign, x, rois, batch *tensor.Tensor, v []T) error {
	if err := roiShapes("RoiAlign", x, rois, 4); err != nil {
		return err
	}
	s, regions := x.Shape(), rois.Shape()[0]
	if batch.Len() != regions {
		return misfit("RoiAlign", "batch_indices that are not one for each region")
	}
	for _, b := range batch.I64() {
		if err := roiPicture("RoiAlign", b, int64(s[0])); err != nil {
			return err
		}
	}
	for i := range regions {
		if err := roiBounded(r, v[4*i:][:4], s[2], s[3]); err != nil {
			return err
		}
	}
	return nil
}

// roiRun is one call.
type roiRun[T float] struct {
	ctx              context.Context
	r                *roiAlign
	dst, src, region []T
	batch            []int64
	channels, h, w   int
}

func (r *roiRun[T]) Do(lo, hi int) {
	size, plane := r.r.h*r.r.w, r.h*r.w
	for k := lo; k < hi && r.ctx.Err() == nil; k++ {
		from := (int(r.batch[k/r.channels])*r.channels + k%r.channels) * plane
		roiAlignPlane(r.ctx, r.r, r.dst[k*size:][:size], r.src[from:][:plane], r.h, r.w, r.region[k/r.channels*4:][:4])
	}
}

// roiCorners is a region in elements of x: x1, y1, x2, y2, and the size of its cells.
func roiCorners[T float](r *roiAlign, region []T) (v [4]float64, cw, ch float64) {
	offset := 0.
	if r.half {
		offset = .5
	}
	for i, c := range region {
		v[i] = float64(c)*r.scale - offset
	}
	width, height := v[2]-v[0], v[3]-v[1]
	if !r.half {
		width, height = max(width, 1), max(height, 1)
	}
	return v, width / float64(r.w), height / float64(r.h)
}

// roiPoints is the greatest number of points in a direction of a cell; regions that are so much larger than the picture are refused.
const roiPoints = 1 << 10

func roiBounded[T float](r *roiAlign, region []T, h, w int) error {
	_, cw, ch := roiCorners(r, region)
	if r.ratio == 0 && !(cw <= 4*float64(w)+roiPoints && ch <= 4*float64(h)+roiPoints) { // NaN, too
		return fault.New(fault.TooLarge, "RoiAlign: a region far larger than the picture, or without bounds")
	}
	return nil
}

// roiAlignPlane fills one channel of one region.
func roiAlignPlane[T float](ctx context.Context, r *roiAlign, dst, src []T, h, w int, region []T) {
	v, cw, ch := roiCorners(r, region)
	nx, ny := r.points(cw), r.points(ch)
	for i := range dst {
		if ctx.Err() != nil {
			return
		}
		sum, top := 0., math.Inf(-1)
		for iy := range ny {
			y := v[1] + (float64(i/r.w)+(float64(iy)+.5)/float64(ny))*ch
			for ix := range nx {
				x := v[0] + (float64(i%r.w)+(float64(ix)+.5)/float64(nx))*cw
				mean, greatest := roiPoint(src, h, w, y, x)
				sum += mean
				top = max(top, greatest)
			}
		}
		if r.greatest {
			if nx*ny == 0 {
				top = 0
			}
			dst[i] = T(top)
		} else {
			dst[i] = T(sum / float64(max(nx*ny, 1)))
		}
	}
}

// points is how many points a cell of that size has in a direction.
func (r *roiAlign) points(size float64) int {
	if r.ratio > 0 {
		return r.ratio
	}
	return int(max(math.Ceil(size), 0))
}

// roiPoint is the weighted sum of the four elements around a point, and the greatest of the weighted.
func roiPoint[T float](src []T, h, w int, y, x float64) (mean, greatest float64) {
	if !(y >= -1 && y <= float64(h) && x >= -1 && x <= float64(w)) {
		return 0, 0
	}
	y, x = max(y, 0), max(x, 0)
	y0, x0 := int(y), int(x)
	y1, x1 := y0+1, x0+1
	if y0 >= h-1 {
		y0, y1 = h-1, h-1
		y = float64(y0)
	}
	if x0 >= w-1 {
		x0, x1 = w-1, w-1
		x = float64(x0)
	}
	dy, dx := y-float64(y0), x-float64(x0)
	a, b := (1-dy)*(1-dx)*float64(src[y0*w+x0]), (1-dy)*dx*float64(src[y0*w+x1])
	c, d := dy*(1-dx)*float64(src[y1*w+x0]), dy*dx*float64(src[y1*w+x1])
	return a + b + c + d, max(a, b, c, d)
}

func compileMaxRoi(n *graph.Node, site *Site) (Kernel, error) {
	h, w, _ := roiSize(n) // inferRoi has checked it
	scale := float64(n.Float("spatial_scale", 1))
	if site.Types[0].DType == tensor.Float32 {
		return maxRoiKernel[float32](h, w, scale), nil
	}
	return maxRoiKernel[float64](h, w, scale), nil
}

func maxRoiKernel[T float](h, w int, scale float64) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, rois := in[0], in[1]
		if err := roiShapes("MaxRoiPool", x, rois, 5); err != nil {
			return err
		}
		s := x.Shape()
		if err := Reset(ctx, out[0], x.DType(), rois.Shape()[0], s[1], h, w); err != nil {
			return err
		}
		dst, src := tensor.Data[T](out[0]), tensor.Data[T](x)
		for k := range rois.Shape()[0] {
			b, cells, err := maxRoiCells(tensor.Data[T](rois)[k*5:][:5], s, h, w, scale)
			if err != nil {
				return err
			}
			for c := range s[1] {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				plane := src[(b*s[1]+c)*s[2]*s[3]:][:s[2]*s[3]]
				to := dst[(k*s[1]+c)*h*w:][:h*w]
				for i := range to {
					to[i] = 0
					if at := cells.greatest(i, plane); at >= 0 {
						to[i] = plane[at]
					}
				}
			}
		}
		return nil
	}
}

// roiCells are the cells (…, w) of a region of a plane of height rows and width columns.
type roiCells[T float] struct {
	x, y, cw, ch     float64 // the corner, and the size of a cell
	w, height, width int
}

// maxRoiCells reads a region: picture, x1, y1, x2, y2.
func maxRoiCells[T float](r []T, shape []int, h, w int, scale float64) (picture int, c roiCells[T], err error) {
	b := int64(min(max(float64(r[0]), -1), 1<<40))
	if err := roiPicture("MaxRoiPool", b, int64(shape[0])); err != nil {
		return 0, c, err
	}
	var v [4]float64
	for i := range v {
		if v[i] = math.Round(float64(r[i+1]) * scale); !(math.Abs(v[i]) < 1<<40) {
			return 0, c, misfit("MaxRoiPool", "a region without bounds")
		}
	}
	c = roiCells[T]{x: v[0], y: v[1], ch: max(v[3]-v[1]+1, 1) / float64(h), cw: max(v[2]-v[0]+1, 1) / float64(w), w: w, height: shape[2], width: shape[3]}
	return int(b), c, nil
}

// greatest is the place of the greatest element of cell i, -1 where the cell is empty.
func (c *roiCells[T]) greatest(i int, plane []T) int {
	y0, y1 := roiCell(i/c.w, c.ch, c.y, c.height)
	x0, x1 := roiCell(i%c.w, c.cw, c.x, c.width)
	best := -1
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			if at := y*c.width + x; best < 0 || plane[at] > plane[best] {
				best = at
			}
		}
	}
	return best
}

// roiCell is the range of elements of cell i, within n.
func roiCell(i int, size, start float64, n int) (lo, hi int) {
	clamp := func(v float64) int { return int(min(max(v+start, 0), float64(n))) }
	return clamp(math.Floor(float64(i) * size)), clamp(math.Ceil(float64(i+1) * size))
}
