//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Resize: x at other lengths of its dimensions, each element of the result taken from the place in x that it stands for: the nearest element, or a
// mean of neighbours weighted by a linear or cubic function of their distance. https://onnx.ai/onnx/operators/onnx__Resize.html
// Before opset 11, and in Upsample, places are those of coordinate_transformation_mode=asymmetric, and nearest rounds down, or up where a dimension shrinks,
// as in onnxruntime, which settled what the standard left open. Places are computed in float64: a place in the
// middle between two elements is to be seen as that.
func init() {
	text, number := graph.StringAttr, graph.IntAttr
	square := f64s([]int{1, 1, 2, 2}, 1, 2, 3, 4)
	row := f64v(1, 2, 3, 4)
	none := f32s([]int{0})
	linear := text("mode", "linear")
	modes := []string{"coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside", "extrapolation_value", "mode", "nearest_mode"}
	register(&Spec{
		Name: "Resize", Since: 18, Attrs: append([]string{"antialias", "axes", "keep_aspect_ratio_policy"}, modes...), In: Arity{1, 4}, Out: Arity{1, 1}, Half: true,
		Infer: inferResize, Compile: compileResize, Grad: gradResize, Cases: []Case{
			{Name: "shrinks and grows", Opset: 18, Attrs: []graph.Attr{linear, number("antialias", 1)}, In: in(f64s([]int{1, 2, 4, 2}, 1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1), nil, nil, i64v(1, 2, 2, 3)), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 3}, 2.25, 2.75, 3.25, 5.75, 6.25, 6.75, 6.75, 6.25, 5.75, 3.25, 2.75, 2.25))},
			{Name: "cubic", Opset: 18, Attrs: []graph.Attr{text("mode", "cubic"), number("exclude_outside", 1)}, In: in(f64s([]int{1, 1, 2, 3}, 1, 2, 3, 4, 5, 6), nil, nil, i64v(1, 1, 4, 2)), Tol: 1e-5, Out: in(f64s([]int{1, 1, 4, 2}, .7640538, 2.4177642, 1.861501, 3.5152113, 3.4847887, 5.1384988, 4.5822358, 6.2359457))},
			{Name: "axes", Opset: 18, Attrs: []graph.Attr{graph.IntsAttr("axes", -1)}, In: in(square, nil, f32v(2)), Out: in(f64s([]int{1, 1, 2, 4}, 1, 1, 2, 2, 3, 3, 4, 4))},
			{Name: "not larger", Opset: 18, Attrs: []graph.Attr{graph.IntsAttr("axes", 0, 1), text("keep_aspect_ratio_policy", "not_larger")}, In: in(f64s([]int{1, 2}, 1, 2), nil, nil, i64v(3, 4)), Out: in(f64s([]int{2, 4}, 1, 1, 2, 2, 1, 1, 2, 2))},
			{Name: "antialias", Opset: 19, Attrs: []graph.Attr{linear, number("antialias", 1)}, In: in(row, nil, nil, i64v(2)), Out: in(f64v(1.625, 3.375)), Tol: 1e-6},
			{Name: "float16", Opset: 19, Attrs: []graph.Attr{linear}, In: in(f32v(1, 2), nil, f32v(2)), Out: in(f32v(1, 1.25, 1.75, 2))},
		},
	})
	register(&Spec{Name: "Resize", Since: 13, Attrs: modes, In: Arity{1, 4}, Out: Arity{1, 1}, Half: true, Infer: inferResize, Compile: compileResize, Grad: gradResize, Cases: []Case{
		{In: in(row, nil, nil, i64v(2)), Out: in(f64v(1, 3))},
		{Name: "linear", Attrs: []graph.Attr{linear}, In: in(row, nil, f32v(2)), Out: in(f64v(1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4))},
		{Name: "cubic", Attrs: []graph.Attr{text("mode", "cubic"), text("coordinate_transformation_mode", "asymmetric")}, In: in(f64v(0, 1, 0, 0, 0), nil, f32v(2)), Out: in(f64v(0, .59375, 1, .59375, 0, -.09375, 0, 0, 0, 0))},
		{
			Name: "crop", Attrs: []graph.Attr{linear, text("coordinate_transformation_mode", "tf_crop_and_resize"), graph.FloatAttr("extrapolation_value", 9)},
			In: in(row, f32v(-1, 1), nil, i64v(4)), Out: in(f64v(9, 9, 2, 4)),
		},
		{Name: "ints", Attrs: []graph.Attr{linear}, In: in(tensor.FromSlice(tensor.Uint8, []uint8{10, 20}), nil, f32v(2)), Out: in(tensor.FromSlice(tensor.Uint8, []uint8{10, 12, 17, 20}))},
		{Name: "ceil", Attrs: []graph.Attr{text("nearest_mode", "ceil"), text("coordinate_transformation_mode", "align_corners")}, In: in(strv("a", "b"), nil, nil, i64v(3)), Out: in(strv("a", "b", "b"))},
		{Name: "both", In: in(row, nil, f32v(1), i64v(4)), Err: "one of scales and sizes"},
		{Name: "absurd", In: in(row, nil, f32v(float32(math.Inf(1)))), Err: "scale"},
	}})
	register(&Spec{Name: "Resize", Since: 11, Attrs: modes, In: Arity{3, 4}, Out: Arity{1, 1}, Half: true, Infer: inferResize, Compile: compileResize, Grad: gradResize, Cases: []Case{
		{Opset: 11, In: in(row, none, none, i64v(2)), Out: in(f64v(1, 3))},
		{Name: "for neural networks", Opset: 11, Attrs: []graph.Attr{text("coordinate_transformation_mode", "tf_half_pixel_for_nn"), text("nearest_mode", "floor")}, In: in(row, none, f32v(.5)), Out: in(f64v(2, 4))},
	}})
	register(&Spec{Name: "Resize", Since: 10, Attrs: []string{"mode"}, In: Arity{2, 2}, Out: Arity{1, 1}, Half: true, Infer: inferResize, Compile: compileResize, Grad: gradResize, Cases: []Case{
		{Opset: 10, In: in(row, f32v(1.5)), Out: in(f64v(1, 1, 2, 3, 3, 4))},
		{Name: "shrinks", Opset: 10, In: in(row, f32v(.75)), Out: in(f64v(1, 3, 4))},
		{Name: "linear", Opset: 10, Attrs: []graph.Attr{linear}, In: in(f64v(1, 3), f32v(2)), Out: in(f64v(1, 2, 3, 3))},
	}})
	upsampled := f64s([]int{1, 1, 2, 4}, 1, 1, 2, 2, 3, 3, 4, 4)
	register(&Spec{Name: "Upsample", Since: 9, Attrs: []string{"mode"}, In: Arity{2, 2}, Out: Arity{1, 1}, Half: true, Infer: inferResize, Compile: compileResize, Grad: gradResize, Cases: []Case{
		{Opset: 9, In: in(square, f32v(1, 1, 1, 2)), Out: in(upsampled)},
	}})
	register(&Spec{Name: "Upsample", Since: 7, Attrs: []string{"mode", "scales"}, In: Arity{1, 1}, Out: Arity{1, 1}, Half: true, Infer: inferResize, Compile: compileResize, Grad: gradResize, Cases: []Case{
		{Opset: 7, Attrs: []graph.Attr{graph.FloatsAttr("scales", []float32{1, 1, 1, 2})}, In: in(square), Out: in(upsampled)},
	}})
	register(&Spec{Name: "Upsample", Since: 1, Attrs: []string{"height_scale", "mode", "width_scale"}, In: Arity{1, 1}, Out: Arity{1, 1}, Half: true, Infer: inferResize, Compile: compileResize, Grad: gradResize, Cases: []Case{
		{Opset: 6, Attrs: []graph.Attr{graph.FloatAttr("width_scale", 2), graph.FloatAttr("height_scale", 1), text("mode", "bilinear")}, In: in(square), Out: in(f64s([]int{1, 1, 2, 4}, 1, 1.5, 2, 2, 3, 3.5, 4, 4))},
	}})
}

// resizer is what a Resize or Upsample node says.
type resizer struct {
	op            string
	mode          string // nearest, linear, cubic
	coordinates   string
	nearest       string // round_prefer_floor, …; simple: down, or up where a dimension shrinks
	policy        string
	a             float64 // the coefficient of the cubic function
	exclude       bool
	antialias     bool
	extrapolation float32
	axes          []int64
	someAxes      bool
	scales        []float32 // from attributes
	roi, by, to   int       // the inputs of the region, scales and sizes; 0 where there is none
}

// resizeDimension says how one dimension changes.
type resizeDimension struct {
	in, out int
	scale   float64 // out/in before rounding
	region  [2]float64
}

func resizerOf(n *graph.Node, site *Site) (*resizer, error) {
	r := &resizer{
		op: n.Op, mode: n.Str("mode", "nearest"), coordinates: n.Str("coordinate_transformation_mode", "half_pixel"), nearest: n.Str("nearest_mode", "round_prefer_floor"),
		policy: n.Str("keep_aspect_ratio_policy", "stretch"), a: float64(n.Float("cubic_coeff_a", -.75)), exclude: n.Int("exclude_outside", 0) != 0,
		antialias: n.Int("antialias", 0) != 0, extrapolation: n.Float("extrapolation_value", 0), axes: n.Ints("axes"), someAxes: n.Attr("axes") != nil,
	}
	if err := kinds(n, graph.AttrInt, "exclude_outside", "antialias"); err != nil {
		return nil, err
	}
	if err := kinds(n, graph.AttrString, "mode", "nearest_mode", "coordinate_transformation_mode", "keep_aspect_ratio_policy"); err != nil {
		return nil, err
	}
	switch {
	case n.Op == "Upsample" && site.Opset < 7:
		r.scales = []float32{1, 1, n.Float("height_scale", 1), n.Float("width_scale", 1)}
		if r.mode == "bilinear" {
			r.mode = "linear"
		}
	case n.Op == "Upsample" && site.Opset < 9:
		r.scales = n.Floats("scales")
	case n.Op == "Upsample" || site.Opset < 11:
		r.by = 1
	default:
		r.roi, r.by, r.to = 1, 2, 3
	}
	if r.to == 0 {
		r.coordinates, r.nearest = "asymmetric", "simple"
	}
	return r, r.check(n)
}

func (r *resizer) check(n *graph.Node) error {
	switch r.mode {
	case "nearest", "linear":
	case "cubic":
		if r.to == 0 {
			return refuseAttr(n, "mode", r.mode)
		}
	default:
		return refuseAttr(n, "mode", r.mode)
	}
	switch r.coordinates {
	case "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn":
	default:
		return refuseAttr(n, "coordinate_transformation_mode", r.coordinates)
	}
	switch r.nearest {
	case "round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "simple":
	default:
		return refuseAttr(n, "nearest_mode", r.nearest)
	}
	switch r.policy {
	case "stretch", "not_larger", "not_smaller":
	default:
		return refuseAttr(n, "keep_aspect_ratio_policy", r.policy)
	}
	if r.antialias && r.mode == "nearest" {
		return refuseAttr(n, "antialias", "1 for mode=nearest")
	}
	return nil
}

func inferResize(n *graph.Node, site *Site) ([]tensor.Type, error) {
	r, err := resizerOf(n, site)
	if err != nil {
		return nil, err
	}
	if r.by > 0 {
		if err := wants(n, site, r.by, tensor.Float32); err != nil {
			return nil, err
		}
	}
	if r.to > 0 {
		if err := wants(n, site, r.roi, floats...); err != nil {
			return nil, err
		}
		if err := wants(n, site, r.to, tensor.Int64); err != nil {
			return nil, err
		}
	}
	t := site.Types[0]
	if t.Unranked || len(t.Dims) > MaxRank {
		return []tensor.Type{unranked(t.DType)}, nil
	}
	par := make([]*tensor.Tensor, 4)
	for i := 1; i < len(n.Inputs); i++ {
		if par[i] = site.constant(i); n.Inputs[i] != "" && par[i] == nil && i != r.roi {
			return []tensor.Type{blurred(t)}, nil
		}
	}
	out := tensor.Type{DType: t.DType, Dims: append([]tensor.Dim{}, t.Dims...)}
	sizes, ok := fixed(t)
	if !ok { // what depends on a dimension that is not known is not known
		sizes = make([]int, len(t.Dims))
		for i, d := range t.Dims {
			sizes[i] = max(d.Size, 1)
		}
	}
	d, err := r.dimensions(sizes, par)
	if err != nil {
		return nil, err
	}
	for i := range out.Dims {
		switch known := t.Dims[i].Size != tensor.Free; {
		case known && (ok || r.policy == "stretch"):
			out.Dims[i].Size = d[i].out
		case known || d[i].scale != 1 || d[i].out != sizes[i] || r.sizes(par) != nil:
			out.Dims[i] = free
		}
	}
	return []tensor.Type{out}, nil
}

// sizes is the tensor of sizes, nil where scales are given.
func (r *resizer) sizes(in []*tensor.Tensor) *tensor.Tensor {
	if t := presentIn(in, r.to); r.to > 0 && t != nil && t.Len() > 0 {
		return t
	}
	return nil
}

// dimensions works out the result's lengths from the input's shape and from the scales or sizes among the inputs.
func (r *resizer) dimensions(shape []int, in []*tensor.Tensor) (d [MaxRank]resizeDimension, err error) {
	rank := len(shape)
	if rank > MaxRank {
		return d, fault.New(fault.Unsupported, r.op+": too many dimensions")
	}
	for i, n := range shape {
		d[i] = resizeDimension{n, n, 1, [2]float64{0, 1}}
	}
	count := rank
	if r.someAxes {
		if count = len(r.axes); len(r.axes) > 0 {
			if _, err := marks(r.op, r.axes, rank); err != nil {
				return d, err
			}
		}
	}
	scales := r.scales
	if t := presentIn(in, r.by); r.by > 0 && t != nil {
		scales = t.F32()
	}
	sizes := r.sizes(in)
	if (sizes == nil) == (len(scales) == 0) && count > 0 {
		return d, misfit(r.op, "wants one of scales and sizes")
	}
	if sizes != nil && sizes.Len() != count || sizes == nil && len(scales) != count {
		return d, misfit(r.op, "scales or sizes that are not one for each of "+itoa(int64(count))+" dimensions")
	}
	for i := range count {
		axis := r.axis(i, rank)
		p := &d[axis]
		if sizes == nil {
			p.scale = float64(scales[i])
			if !(p.scale > 0) || float64(p.in)*p.scale > 1<<40 {
				return d, misfit(r.op, "a scale that is not positive and finite, or absurd")
			}
			p.out = int(float32(p.in) * scales[i])
			continue
		}
		v := sizes.I64()[i]
		if v < 0 || v > 1<<40 {
			return d, misfit(r.op, "a size of "+itoa(v))
		}
		p.out, p.scale = int(v), 1
		if p.in != p.out && p.in > 0 {
			p.scale = float64(p.out) / float64(p.in)
		}
	}
	if sizes != nil && r.policy != "stretch" {
		r.keepAspect(d[:rank], count)
	}
	return d, r.regions(d[:rank], count, in)
}

// axis is the dimension that entry i of scales, sizes and region is for.
func (r *resizer) axis(i, rank int) int {
	if !r.someAxes {
		return i
	}
	axis, _ := axisOf(r.op, r.axes[i], rank) // dimensions has checked it
	return axis
}

// keepAspect scales all axes by the least (not_larger) or the greatest of their scales.
func (r *resizer) keepAspect(d []resizeDimension, count int) {
	best := 0.0
	for i := range count {
		p := d[r.axis(i, len(d))]
		s := float64(p.out) / float64(max(p.in, 1))
		if i == 0 || r.policy == "not_larger" && s < best || r.policy == "not_smaller" && s > best {
			best = s
		}
	}
	for i := range count {
		p := &d[r.axis(i, len(d))]
		p.scale, p.out = best, int(math.Min(best*float64(p.in)+.5, 1<<41))
	}
}

// regions reads the part of each axis that tf_crop_and_resize stretches: starts, then ends, in lengths of the axis.
func (r *resizer) regions(d []resizeDimension, count int, in []*tensor.Tensor) error {
	if r.coordinates != "tf_crop_and_resize" {
		return nil
	}
	t := presentIn(in, r.roi)
	if t == nil || t.Len() == 0 {
		return nil // the whole
	}
	if t.Len() != 2*count {
		return misfit(r.op, "a region that has not a start and an end for each dimension")
	}
	for i := range count {
		d[r.axis(i, len(d))].region = [2]float64{float64(float32(normReal(t, i))), float64(float32(normReal(t, count+i)))}
	}
	return nil
}

func compileResize(n *graph.Node, site *Site) (Kernel, error) {
	r, err := resizerOf(n, site)
	if err != nil {
		return nil, err
	}
	d := site.Types[0].DType
	if r.mode == "nearest" {
		if r.coordinates == "tf_crop_and_resize" && (d == tensor.String || d == tensor.Complex64 || d == tensor.Complex128) {
			return nil, refuseAttr(n, "coordinate_transformation_mode", r.coordinates+" of "+d.String())
		}
		return resizeKernel(r, site.Threads, nearestPlane), nil
	}
	switch d {
	case tensor.Float32:
		return resizeKernel(r, site.Threads, newBlender[float32]().run), nil
	case tensor.Float64:
		return resizeKernel(r, site.Threads, newBlender[float64]().run), nil
	case tensor.Int8, tensor.Uint8, tensor.Int16, tensor.Uint16, tensor.Int32, tensor.Uint32, tensor.Int64, tensor.Uint64:
		return resizeWide(resizeKernel(r, site.Threads, newBlender[float64]().run)), nil
	}
	return nil, refuse(n, d)
}

// resizeWide computes integers in float64 and truncates.
func resizeWide(kernel Kernel) Kernel {
	var borrowed scratch[tensor.Tensor]
	var tensors lists
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		p := borrowed.take(2)
		defer borrowed.put(p)
		x, y := &(*p)[0], &(*p)[1]
		if err := Reset(ctx, x, tensor.Float64, in[0].Shape()...); err != nil {
			return err
		}
		if err := castInto(x, in[0]); err != nil {
			return err
		}
		var buf [5]*tensor.Tensor
		all := tensors.take(append(append(append(buf[:0], y), x), in[1:]...)...)
		defer tensors.put(all)
		if err := kernel(ctx, (*all)[1:], (*all)[:1]); err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), y.Shape()...); err != nil {
			return err
		}
		lo, hi := integerRange(in[0].DType())
		v := tensor.Data[float64](y)
		for i, f := range v { // cubic functions overshoot
			v[i] = min(max(f, lo), hi)
		}
		return castInto(out[0], y)
	}
}

// integerRange gives the least and the greatest float64 that an integer type holds.
func integerRange(d tensor.DType) (lo, hi float64) {
	switch d {
	case tensor.Int8:
		return math.MinInt8, math.MaxInt8
	case tensor.Uint8:
		return 0, math.MaxUint8
	case tensor.Int16:
		return math.MinInt16, math.MaxInt16
	case tensor.Uint16:
		return 0, math.MaxUint16
	case tensor.Int32:
		return math.MinInt32, math.MaxInt32
	case tensor.Uint32:
		return 0, math.MaxUint32
	case tensor.Uint64:
		return 0, 1<<64 - 1<<11
	}
	return math.MinInt64, 1<<63 - 1<<10
}
