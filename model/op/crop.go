//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// CenterCropPad: dimensions (those of axes) brought to the lengths of shape, by taking from both ends or adding zeros to both; the odd element
// goes to the end. https://onnx.ai/onnx/operators/onnx__CenterCropPad.html
func init() {
	register(&Spec{Name: "CenterCropPad", Since: 18, Attrs: []string{"axes"}, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferCrop, Compile: compileCrop, Grad: gradCrop, Cases: []Case{
		{Opset: 18, In: in(f64s([]int{4, 1}, 1, 2, 3, 4), i64v(1, 4)), Out: in(f64s([]int{1, 4}, 0, 2, 0, 0))},
		{Name: "axes", Opset: 18, Attrs: []graph.Attr{graph.IntsAttr("axes", -1)}, In: in(strs([]int{1, 1}, "a"), i32v(2)), Out: in(strs([]int{1, 2}, "a", ""))},
		{Name: "misfit", Opset: 18, In: in(f64v(1, 2), i64v(1, 1)), Err: "shape"},
	}})
}

// cropShape appends the resulting shape to dst.
func cropShape(dst, shape []int, axes []int64, some bool, want *tensor.Tensor) ([]int, error) {
	const op = "CenterCropPad"
	if want.Len() > MaxRank || want.Len() != len(axes) && some || want.Len() != len(shape) && !some {
		return nil, misfit(op, "a shape that has not one length for each axis")
	}
	if _, err := marks(op, axes, len(shape)); err != nil {
		return nil, err
	}
	dst = append(dst, shape...)
	var buf [MaxRank]int64
	for i, v := range intsOf(buf[:0], want) {
		if v < 0 || v > 1<<40 {
			return nil, misfit(op, "a dimension of "+itoa(v))
		}
		axis := i
		if some {
			axis, _ = axisOf(op, axes[i], len(shape)) // marks has checked it
		}
		dst[axis] = int(v)
	}
	return dst, nil
}

func inferCrop(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "axes", graph.AttrInts); err != nil {
		return nil, err
	}
	if err := oneOf(n, site.Types[1], indexTypes...); err != nil {
		return nil, err
	}
	t, c := site.Types[0], site.constant(1)
	if t.Unranked || c == nil {
		return []tensor.Type{blurred(t)}, nil
	}
	sizes := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		sizes[i] = d.Size
	}
	shape, err := cropShape(nil, sizes, n.Ints("axes"), n.Attr("axes") != nil, c)
	if err != nil {
		return nil, err
	}
	out := tensor.TypeOf(t.DType, shape...)
	for i, d := range t.Dims {
		if out.Dims[i].Size == tensor.Free {
			out.Dims[i] = d
		}
	}
	return []tensor.Type{out}, nil
}

func compileCrop(n *graph.Node, site *Site) (Kernel, error) {
	axes, some := n.Ints("axes"), n.Attr("axes") != nil
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		var buf [MaxRank]int
		to, err := cropShape(buf[:0], in[0].Shape(), axes, some, in[1])
		if err != nil {
			return err
		}
		return cropTo(ctx, out[0], in[0], to)
	}, nil
}

// cropTo makes y of the shape to from x, both about one centre.
func cropTo(ctx context.Context, y, x *tensor.Tensor, to []int) error {
	shape := x.Shape()
	if len(to) != len(shape) {
		return misfit("CenterCropPad", "a shape of another rank than the input")
	}
	if err := Reset(ctx, y, x.DType(), to...); err != nil {
		return err
	}
	fillFrom(y, 0, y.Len(), nil)
	var sb, db, cb [MaxRank]int
	from, at := strides(sb[:0], shape), strides(db[:0], to)
	s, d, common := 0, 0, cb[:len(to)]
	for i := range to {
		common[i] = min(to[i], shape[i])
		s += (shape[i] - common[i]) / 2 * from[i]
		d += (to[i] - common[i]) / 2 * at[i]
	}
	var g grid
	for i := len(to) - 1; i >= 0; i-- {
		if common[i] != 1 {
			g.push(common[i], [3]int{at[i], from[i]})
		}
	}
	g.finish()
	moveGrid(y, d, x, s, &g)
	return nil
}

// Col2Im: the columns (n, c·∏block, windows) of sliding blocks added up into images (n, c, image_shape…), the way back of the first step of a
// convolution. https://onnx.ai/onnx/operators/onnx__Col2Im.html
func init() {
	register(&Spec{Name: "Col2Im", Since: 18, Attrs: []string{"dilations", "pads", "strides"}, In: Arity{3, 3}, Out: Arity{1, 1}, Infer: inferCol2Im, Compile: compileCol2Im, Half: true, Grad: gradCol2Im, Cases: []Case{
		{Opset: 18, In: in(f64s([]int{1, 2, 2}, 1, 2, 3, 4), i64v(3), i64v(2)), Out: in(f64s([]int{1, 1, 3}, 1, 5, 4))},
		{Name: "pads", Opset: 18, Attrs: []graph.Attr{graph.IntsAttr("pads", 1, 0), graph.IntsAttr("strides", 2)}, In: in(f64s([]int{1, 2, 2}, 1, 2, 3, 4), i64v(3), i64v(2)), Out: in(f64s([]int{1, 1, 3}, 3, 2, 4))},
		{
			Name: "planes", Opset: 18, Attrs: []graph.Attr{graph.IntsAttr("pads", 0, 1, 1, 0), graph.IntsAttr("strides", 1, 2), graph.IntsAttr("dilations", 2, 1)},
			In: in(f64s([]int{1, 4, 4}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16), i64v(3, 3), i64v(2, 2)), Out: in(f64s([]int{1, 1, 3, 3}, 5, 2, 6, 7, 4, 8, 13, 10, 14)),
		},
		{Name: "misfit", Opset: 18, In: in(f64s([]int{1, 2, 2}, 1, 2, 3, 4), i64v(5), i64v(2)), Err: "windows"},
	}})
}

func inferCol2Im(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInts, "dilations", "pads", "strides"); err != nil {
		return nil, err
	}
	t := site.Types[0]
	if site.Types[1].DType != tensor.Int64 || site.Types[2].DType != tensor.Int64 {
		return nil, bad(n, "shapes that are not int64")
	}
	image, block := site.constant(1), site.constant(2)
	if t.Unranked || image == nil {
		return []tensor.Type{unranked(t.DType)}, nil
	}
	if len(t.Dims) != 3 {
		return nil, bad(n, "columns of another rank than 3")
	}
	sizes, err := sizesOf(n.Op, nil, image)
	if err != nil {
		return nil, err
	}
	dims := []tensor.Dim{t.Dims[0], free}
	if block != nil && t.Dims[1].Size != tensor.Free {
		product := int64(1)
		for _, v := range block.I64() {
			if v < 1 || v > 1<<30 || product > 1<<30 {
				return nil, bad(n, "an absurd block")
			}
			product *= v
		}
		dims[1].Size = t.Dims[1].Size / int(product)
	}
	return []tensor.Type{{DType: t.DType, Dims: append(dims, tensor.TypeOf(t.DType, sizes...).Dims...)}}, nil
}

func compileCol2Im(n *graph.Node, site *Site) (Kernel, error) {
	switch d := site.Types[0].DType; d {
	case tensor.Float32:
		return col2ImKernel[float32](n), nil
	case tensor.Float64:
		return col2ImKernel[float64](n), nil
	case tensor.Int8:
		return col2ImKernel[int8](n), nil
	case tensor.Int16:
		return col2ImKernel[int16](n), nil
	case tensor.Int32:
		return col2ImKernel[int32](n), nil
	case tensor.Int64:
		return col2ImKernel[int64](n), nil
	case tensor.Uint8:
		return col2ImKernel[uint8](n), nil
	case tensor.Uint16:
		return col2ImKernel[uint16](n), nil
	case tensor.Uint32:
		return col2ImKernel[uint32](n), nil
	case tensor.Uint64:
		return col2ImKernel[uint64](n), nil
	default:
		return nil, refuse(n, d)
	}
}

// col2Im is the geometry of the windows, per spatial dimension.
type col2Im struct {
	rank                                         int
	image, block, windows, stride, dilation, pad [MaxRank]int
}

// col2ImOf checks attributes and shapes against the number of windows.
func col2ImOf(n *graph.Node, in []*tensor.Tensor) (c col2Im, blocks int, err error) {
	var ib, bb [MaxRank]int
	image, err := sizesOf(n.Op, ib[:0], in[1])
	if err != nil {
		return c, 0, err
	}
	block, err := sizesOf(n.Op, bb[:0], in[2])
	if err != nil {
		return c, 0, err
	}
	c.rank = len(image)
	if len(block) != c.rank || c.rank == 0 || c.rank > MaxRank-2 || in[0].Rank() != 3 {
		return c, 0, misfit(n.Op, "shapes of different rank")
	}
	at := func(name string, i, def int) int {
		v := n.Ints(name)
		if v == nil {
			return def
		}
		if i >= len(v) || v[i] < 0 || v[i] > 1<<30 || name != "pads" && v[i] == 0 {
			err = misfit(n.Op, "attribute "+name+" does not fit the image")
			return def
		}
		return int(v[i])
	}
	blocks = 1
	windows := 1
	for i := range c.rank {
		c.image[i], c.block[i] = image[i], block[i]
		c.stride[i], c.dilation[i], c.pad[i] = at("strides", i, 1), at("dilations", i, 1), at("pads", i, 0)
		room := image[i] + c.pad[i] + at("pads", c.rank+i, 0)
		if block[i] < 1 || block[i] > 1<<20 || blocks > 1<<30 {
			return c, 0, misfit(n.Op, "an absurd block")
		}
		blocks *= block[i]
		if room -= (block[i]-1)*c.dilation[i] + 1; room < 0 || err != nil {
			return c, 0, misfit(n.Op, "the block does not fit into the image")
		}
		c.windows[i] = room/c.stride[i] + 1
		if windows > 1<<40/c.windows[i] {
			return c, 0, misfit(n.Op, "too many windows")
		}
		windows *= c.windows[i]
	}
	if s := in[0].Shape(); windows != s[2] || s[1]%blocks != 0 {
		return c, 0, misfit(n.Op, "columns of the shape "+shapeText(s)+" for "+itoa(int64(windows))+" windows of "+itoa(int64(blocks))+" elements")
	}
	return c, blocks, nil
}

func col2ImKernel[T numeric](n *graph.Node) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		c, blocks, err := col2ImOf(n, in)
		if err != nil {
			return err
		}
		s := in[0].Shape()
		var buf [MaxRank]int
		shape := append(append(buf[:0], s[0], s[1]/blocks), c.image[:c.rank]...)
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		dst, src := tensor.Data[T](out[0]), tensor.Data[T](in[0])
		clear(dst)
		if len(dst) == 0 || len(src) == 0 {
			return nil
		}
		plane := len(dst) / (s[0] * s[1] / blocks)
		for row := range s[0] * s[1] { // one element of the block of one channel
			if row%64 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			col2ImRow(&c, dst[row/blocks*plane:][:plane], src[row*s[2]:][:s[2]], row%blocks)
		}
		return nil
	}
}

// col2ImRow adds element k of the block of every window to the image.
func col2ImRow[T numeric](c *col2Im, dst, src []T, k int) {
	c.each(len(src), k, func(at, x, row int) {
		width, step := c.image[c.rank-1], c.stride[c.rank-1]
		for _, v := range src[at:][:c.windows[c.rank-1]] {
			if x >= 0 && x < width {
				dst[row+x] += v
			}
			x += step
		}
	})
}

// each calls f for each row of windows, the first of which is at, whose element k of the block lies within the image but for the last dimension: there, it
// is x, in the row that begins at row.
func (c *col2Im) each(windows, k int, f func(at, x, row int)) {
	var first, window [MaxRank]int // where the element of window 0 lies; the current window
	for d := c.rank - 1; d >= 0; d-- {
		first[d] = k%c.block[d]*c.dilation[d] - c.pad[d]
		k /= c.block[d]
	}
	last := c.rank - 1
	for at := 0; at < windows; at += c.windows[last] {
		base, inside := 0, true
		for d := range last {
			y := first[d] + window[d]*c.stride[d]
			inside = inside && y >= 0 && y < c.image[d]
			base = base*c.image[d] + y
		}
		if inside {
			f(at, first[last], base*c.image[last])
		}
		for d := last - 1; d >= 0; d-- {
			if window[d]++; window[d] < c.windows[d] {
				break
			}
			window[d] = 0
		}
	}
}
