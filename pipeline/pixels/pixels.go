// Package pixels tells what a value of a table or of a request says of a picture, the bytes of a file or a reference to one, and makes pixels of the bytes.
package pixels

import (
	"context"
	"encoding/base64"
	"path"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/picture"
)

// Most is the greatest picture that is decoded by default, in pixels: 8192×8192.
const Most = 1 << 26

// extensions are those of files that Decode reads.
var extensions = map[string]bool{
	".jpg": true, ".jpeg": true, ".png": true, ".webp": true, ".bmp": true, ".tif": true, ".tiff": true, ".pnm": true, ".pbm": true, ".pgm": true, ".ppm": true,
}

// Named reports whether a file's name is that of a picture that Decode reads, as far as a name can tell.
func Named(name string) bool { return extensions[strings.ToLower(path.Ext(name))] }

// Reference reports whether a value looks like the path or the key of a picture.
func Reference(value string) bool {
	return len(value) <= 4096 && Named(value) && !strings.HasPrefix(value, "data:") && !strings.ContainsAny(value, "\x00\n\r")
}

// magics begin the files of pictures that can be told from texts by them.
var magics = []string{"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "II*\x00", "MM\x00*", "GIF87a", "GIF89a", "\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51"}

// File reports whether bytes are the file of a picture, whole or broken, as far as its beginning can tell.
func File(b string) bool {
	for _, m := range magics {
		if strings.HasPrefix(b, m) {
			return true
		}
	}
	switch {
	case len(b) > 12 && b[:4] == "RIFF" && b[8:12] == "WEBP":
		return true
	case len(b) > 2 && (b[:2] == "BM" || b[0] == 'P' && b[1] >= '1' && b[1] <= '6'): // a text may begin so
		_, _, err := picture.Size([]byte(b[:min(len(b), 4096)]))
		return err == nil
	}
	return false
}

// Inline returns the file of a picture that a value holds: as it is, in base64, or in a data: URL of base64 (RFC 2397). ok is false for a value that
// holds none.
func Inline(value string) (file []byte, ok bool) {
	if File(value) {
		return []byte(value), true
	}
	coded, named := value, false
	if rest, ok := strings.CutPrefix(value, "data:"); ok {
		head, data, found := strings.Cut(rest, ",")
		if !found || !strings.HasSuffix(head, ";base64") || strings.Contains(data[:min(len(data), 64)], "%") {
			return nil, false
		}
		coded, named = data, true
	}
	if !named && !coding(coded) {
		return nil, false
	}
	file, err := Base64(coded)
	return file, err == nil && (named || File(string(file[:min(len(file), 4096)])))
}

// Holds reports whether Inline would find a picture, without decoding all of it.
func Holds(value string) bool {
	if rest, ok := strings.CutPrefix(value, "data:"); ok {
		head, _, found := strings.Cut(rest[:min(len(rest), 256)], ",")
		return found && strings.HasPrefix(head, "image/") && strings.HasSuffix(head, ";base64")
	}
	return File(value) || coding(value)
}

// coding reports whether a text begins as base64 of a picture does.
func coding(s string) bool {
	const head = 128 // as many characters show the head of a BMP
	s = s[:min(len(s), head+head/32)]
	if strings.ContainsRune(s, ' ') {
		return false
	}
	s = lines.Replace(s)
	b, err := Base64(s[:min(len(s), head)/4*4])
	return err == nil && File(string(b))
}

var lines = strings.NewReplacer("\r", "", "\n", "")

// Base64 decodes base64 of either alphabet, padded or not, with line breaks or without. Errors: fault.Invalid.
func Base64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		s = lines.Replace(s)
	}
	s = strings.TrimRight(s, "=")
	coding := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		coding = base64.RawURLEncoding
	}
	b, err := coding.DecodeString(s)
	if err != nil {
		return nil, fault.New(fault.Invalid, "it is not base64").Because(err)
	}
	return b, nil
}

// Picture is pixels.
type Picture struct {
	Height, Width, Channels int
	Pix                     []byte // (height, width, channels)
}

// Decode reads a file of a picture with 1 channel (grey: ITU-R 601-2, as most programs have it) or 3 (red, green, blue), transparency left out. A picture of
// more than most pixels is refused before memory is taken for it; 0 stands for Most.
// Errors: fault.BadData for what is no picture or broken, fault.Unsupported for a format that is not read, fault.TooLarge, fault.Canceled.
func Decode(ctx context.Context, file []byte, channels, most int) (Picture, error) {
	if most == 0 {
		most = Most
	}
	w, h, err := picture.Size(file)
	if err != nil {
		return Picture{}, broken(ctx, err)
	}
	if w > most/h {
		return Picture{}, fault.New(fault.TooLarge, "a picture of "+strconv.Itoa(w)+"×"+strconv.Itoa(h)+" pixels, more than "+strconv.Itoa(most)).
			Try("make the picture smaller")
	}
	pix := make([]byte, 3*w*h)
	if err := picture.Decode(ctx, pix, file, w, h); err != nil {
		return Picture{}, broken(ctx, err)
	}
	if channels == 1 {
		for i := range w * h {
			pix[i] = byte((19595*uint32(pix[3*i]) + 38470*uint32(pix[3*i+1]) + 7471*uint32(pix[3*i+2]) + 1<<15) >> 16)
		}
		pix = append(make([]byte, 0, w*h), pix[:w*h]...) // pictures are kept: not three times their size
	}
	return Picture{Height: h, Width: w, Channels: channels, Pix: pix}, nil
}

// Grey reports whether a picture of three channels has no colours.
func (p Picture) Grey() bool {
	for i := 0; i+2 < len(p.Pix); i += 3 {
		if p.Pix[i] != p.Pix[i+1] || p.Pix[i] != p.Pix[i+2] {
			return false
		}
	}
	return true
}

// broken words an error of decoding for whoever has the data.
func broken(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fault.Wrap(ctx.Err(), fault.Canceled, "decoding was given up")
	case fault.Is(err, fault.Unsupported):
		return fault.New(fault.Unsupported, "a picture of a kind that is not read").Because(err).Try("save it as PNG or JPEG")
	}
	return fault.New(fault.BadData, "no picture, or a broken one").Because(err).Try("save or copy it again, or leave it out")
}
