//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/picture"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ImageDecoder: the bytes of a file as a picture (height, width, 3), or (height, width, 1) in grey. JPEG 2000 is not built.
// https://onnx.ai/onnx/operators/onnx__ImageDecoder.html
func init() {
	file := func(s string) *tensor.Tensor { return tensor.FromSlice(tensor.Uint8, []byte(s)) }
	u8 := func(shape []int, v ...uint8) *tensor.Tensor { return shaped(tensor.Uint8, shape, v) }
	format := func(v string) []graph.Attr { return []graph.Attr{graph.StringAttr("pixel_format", v)} }
	ppm := file("P3 2 1 255\n1 2 3 200 100 0\n")
	register(&Spec{Name: "ImageDecoder", Since: 20, Attrs: []string{"pixel_format"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferPicture, Compile: compilePicture, Cases: withOpset(20, []Case{
		{In: in(ppm), Out: in(u8([]int{1, 2, 3}, 1, 2, 3, 200, 100, 0))},
		{Name: "BGR", Attrs: format("BGR"), In: in(ppm), Out: in(u8([]int{1, 2, 3}, 3, 2, 1, 0, 100, 200))},
		{Name: "grey", Attrs: format("Grayscale"), In: in(ppm), Out: in(u8([]int{1, 2, 1}, 2, 118))},
		{Name: "format", Attrs: format("CMYK"), In: in(ppm), Err: "CMYK"},
		{Name: "cut off", In: in(file("P6 2 1 255\n123")), Err: "PNM"},
		{Name: "JPEG 2000", In: in(file("\x00\x00\x00\x0cjP  \r\n\x87\n")), Err: "JPEG 2000"},
		{Name: "text", In: in(file("hello")), Err: "known format"},
	})})
}

func inferPicture(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := oneOf(n, site.Types[0], tensor.Uint8); err != nil {
		return nil, err
	}
	channels := 3
	switch f := n.Str("pixel_format", "RGB"); f {
	case "RGB", "BGR":
	case "Grayscale":
		channels = 1
	default:
		return nil, refuseAttr(n, "pixel_format", f)
	}
	return []tensor.Type{{DType: tensor.Uint8, Dims: []tensor.Dim{free, free, {Size: channels}}}}, kind(n, "pixel_format", graph.AttrString)
}

func compilePicture(n *graph.Node, _ *Site) (Kernel, error) {
	format := n.Str("pixel_format", "RGB")
	var colours scratch[byte]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		if in[0].Rank() != 1 {
			return misfit(n.Op, "the file is no vector of bytes")
		}
		file := in[0].Bytes()
		w, h, err := picture.Size(file)
		if err != nil {
			return err
		}
		if err := growPicture(ctx, picture.Scratch(w, h)); err != nil {
			return err
		}
		if format != "Grayscale" {
			if err := Reset(ctx, out[0], tensor.Uint8, h, w, 3); err != nil {
				return err
			}
			dst := out[0].Bytes()
			if err := picture.Decode(ctx, dst, file, w, h); err != nil || format == "RGB" {
				return err
			}
			for i := 0; i < len(dst); i += 3 {
				dst[i], dst[i+2] = dst[i+2], dst[i]
			}
			return nil
		}
		if err := Reset(ctx, out[0], tensor.Uint8, h, w, 1); err != nil {
			return err
		}
		held := colours.take(3 * w * h)
		defer colours.put(held)
		rgb := *held
		if err := picture.Decode(ctx, rgb, file, w, h); err != nil {
			return err
		}
		for i := range out[0].Bytes() { // ITU-R 601-2 in fixed point
			out[0].Bytes()[i] = byte((19595*uint32(rgb[3*i]) + 38470*uint32(rgb[3*i+1]) + 7471*uint32(rgb[3*i+2]) + 1<<15) >> 16)
		}
		return nil
	}, nil
}

// growPicture asks for the memory of a decoder.
func growPicture(ctx context.Context, bytes int64) error {
	if b, ok := ctx.(Budget); ok {
		return b.Grow(bytes)
	}
	if bytes > DefaultLimit {
		return fault.New(fault.TooLarge, "a picture that passes the memory limit")
	}
	return nil
}
