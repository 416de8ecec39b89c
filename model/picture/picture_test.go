package picture

import (
	"context"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// goldens are checksums of what Pillow 13 (libjpeg-turbo, libwebp) decodes, as (height, width, 3).
var goldens = map[string]uint32{
	"420.jpg":         0x605116f3,
	"422.jpg":         0x21b23b43,
	"444.jpg":         0x948e453d,
	"progressive.jpg": 0xa08e17e1,
	"restart.jpg":     0xa08607da,
	"grey.jpg":        0xb4547bbd,
	"narrow.jpg":      0x5249c011,
	"rgb.jpg":         0x97622e03,
	"lossy.webp":      0x5b29c2b2,
	"lossless.webp":   0x9f4edc89,
	"even.webp":       0x9306bd5,
	"one.webp":        0x3c10d210,
	"palette.png":     0xa1442098,
	"alpha.png":       0x7edec6cf,
	"grey.bmp":        0x239dc42f,
	"deflate.tiff":    0x60a54b6b,
	"bits.pbm":        0x2a83cafe,
	"grey.pgm":        0x18f99bad,
	"hundred.ppm":     0x586c430d,
}

func TestDecodeAgreesWithLibraries(t *testing.T) {
	for name, want := range goldens {
		file, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		w, h, err := Size(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		dst := make([]byte, 3*w*h)
		if err := Decode(context.Background(), dst, file, w, h); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := crc32.ChecksumIEEE(dst); got != want {
			t.Errorf("%s: checksum %#x, want %#x", name, got, want)
		}
	}
}

// FuzzDecode looks for panics, endless loops and dimensions that change between head and picture.
func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("testdata", "*.*"))
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		w, h, err := Size(file)
		if err != nil || Scratch(w, h) > 1<<24 {
			return
		}
		if err := Decode(context.Background(), make([]byte, 3*w*h), file, w, h); err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Unsupported) {
			t.Fatal(err)
		}
	})
}
