// Package picture decodes files of pictures into red, green and blue bytes: JPEG, PNG, BMP, TIFF, WebP and PNM (PBM, PGM, PPM).
// Colours come out as the libraries give them that most programs use: libjpeg-turbo and libwebp, with their upsampling of chroma.
package picture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"

	"github.com/jarvis-ml/jarvis/model/fault"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// format is one kind of file.
type format struct {
	name   string
	magic  []string // ? stands for any byte
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	fill   func(dst []byte, m image.Image) // nil: fillAny
}

// formats are the kinds that are told apart; the first is decoded here.
var formats = []format{
	{name: "JPEG", magic: []string{"\xff\xd8\xff"}},
	{name: "PNG", magic: []string{"\x89PNG\r\n\x1a\n"}, config: png.DecodeConfig, decode: png.Decode},
	{name: "BMP", magic: []string{"BM"}, config: bmp.DecodeConfig, decode: bmp.Decode},
	{name: "TIFF", magic: []string{"II*\x00", "MM\x00*"}, config: tiff.DecodeConfig, decode: tiff.Decode},
	{name: "WebP", magic: []string{"RIFF????WEBP"}, config: webp.DecodeConfig, decode: webp.Decode, fill: fillWebP},
	{name: "PNM", magic: []string{"P1", "P2", "P3", "P4", "P5", "P6"}, config: configPNM, decode: decodePNM},
	{name: "JPEG 2000", magic: []string{"\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51"}},
	{name: "GIF", magic: []string{"GIF8"}},
}

func (f *format) matches(file []byte) bool {
next:
	for _, m := range f.magic {
		if len(file) < len(m) {
			continue
		}
		for i := range len(m) {
			if m[i] != '?' && m[i] != file[i] {
				continue next
			}
		}
		return true
	}
	return false
}

func formatOf(file []byte) (*format, error) {
	for i := range formats {
		if f := &formats[i]; f.matches(file) {
			if f.decode == nil && i > 0 {
				return nil, fault.New(fault.Unsupported, "pictures in the format "+f.name+" are not built")
			}
			return f, nil
		}
	}
	return nil, fault.New(fault.Invalid, "not a picture in a known format")
}

// Size reads the dimensions from the head of a file. Errors: fault.Invalid, fault.Unsupported.
func Size(file []byte) (width, height int, err error) {
	f, err := formatOf(file)
	if err != nil {
		return 0, 0, err
	}
	defer f.guard(&err)
	if f == &formats[0] {
		j, err := decodeJPEG(context.Background(), file, true)
		if err != nil {
			return 0, 0, err
		}
		return j.width, j.height, nil
	}
	c, err := f.config(bytes.NewReader(file))
	if err != nil {
		return 0, 0, f.wrap(err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > 1<<20 || c.Height > 1<<20 {
		return 0, 0, fault.New(fault.Invalid, "a picture of absurd dimensions")
	}
	return c.Width, c.Height, nil
}

// Scratch bounds the memory that Decode takes for a picture of that size, in bytes.
func Scratch(width, height int) int64 {
	const pixel = 16 // 8 for 16 bits a channel, coefficients of a progressive JPEG: 12
	return (int64(width) + 64) * (int64(height) + 64) * pixel
}

// Decode fills dst (height, width, 3) with red, green and blue, transparency left out; Size must have told the dimensions.
// Errors: fault.Invalid, fault.Unsupported.
func Decode(ctx context.Context, dst, file []byte, width, height int) (err error) {
	f, err := formatOf(file)
	if err != nil {
		return err
	}
	defer f.guard(&err)
	if f == &formats[0] {
		j, err := decodeJPEG(ctx, file, false)
		if err == nil && (j.width != width || j.height != height || len(dst) != 3*width*height) {
			err = jpegError("the picture has not the dimensions that its head names")
		}
		if err != nil {
			return err
		}
		return j.fill(dst)
	}
	m, err := f.decode(&reader{ctx: ctx, r: bytes.NewReader(file)})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return f.wrap(err)
	}
	if b := m.Bounds(); b.Dx() != width || b.Dy() != height || len(dst) != 3*width*height {
		return fault.New(fault.Invalid, f.name+": the picture has not the dimensions that its head names")
	}
	if f.fill != nil {
		f.fill(dst, m)
	} else {
		fillAny(dst, m)
	}
	return nil
}

// reader ends a decoder whose caller has gone.
type reader struct {
	ctx context.Context
	r   *bytes.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// ReadAt is what decoders of TIFF ask for, so that they need not copy the file.
func (r *reader) ReadAt(p []byte, at int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.ReadAt(p, at)
}

// guard makes an error of a panic in a decoder: files are hostile, and not all decoders are ours.
func (f *format) guard(err *error) {
	if recover() != nil {
		*err = fault.New(fault.Invalid, f.name+": the file cannot be decoded")
	}
}

func (f *format) wrap(err error) error {
	code := fault.Invalid
	var p png.UnsupportedError
	var t tiff.UnsupportedError
	if errors.Is(err, bmp.ErrUnsupported) || errors.As(err, &p) || errors.As(err, &t) {
		code = fault.Unsupported
	}
	return fault.Wrap(err, code, f.name)
}

// fillAny takes the colours as they are; premultiplied ones are divided by their alpha.
func fillAny(dst []byte, m image.Image) {
	b := m.Bounds()
	w := b.Dx()
	for y := range b.Dy() {
		row := dst[y*w*3:][:w*3]
		switch m := m.(type) {
		case *image.Gray:
			for x, v := range m.Pix[y*m.Stride:][:w] {
				row[3*x], row[3*x+1], row[3*x+2] = v, v, v
			}
		case *image.NRGBA:
			fillRow(row, m.Pix[y*m.Stride:], w)
		case *image.RGBA:
			if m.Opaque() {
				fillRow(row, m.Pix[y*m.Stride:], w)
				continue
			}
			fillSlow(row, m, b, y)
		default:
			fillSlow(row, m, b, y)
		}
	}
}

func fillRow(row, pix []byte, w int) {
	for x := range w {
		copy(row[3*x:3*x+3], pix[4*x:4*x+3])
	}
}

func fillSlow(row []byte, m image.Image, b image.Rectangle, y int) {
	for x := range b.Dx() {
		var r, g, bl uint8
		switch c := m.At(b.Min.X+x, b.Min.Y+y).(type) {
		case color.NRGBA64: // the high byte, as most programs cut it
			r, g, bl = uint8(c.R>>8), uint8(c.G>>8), uint8(c.B>>8)
		default:
			n := color.NRGBAModel.Convert(c).(color.NRGBA)
			r, g, bl = n.R, n.G, n.B
		}
		row[3*x], row[3*x+1], row[3*x+2] = r, g, bl
	}
}
