package pixels

import (
	"bytes"
	"context"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// drawn is a PNG of 3×2 pixels whose colour says where they are, and its pixels.
func drawn(t *testing.T) (file []byte, pix []byte) {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	for y := range 2 {
		for x := range 3 {
			c := color.NRGBA{R: uint8(80 * x), G: uint8(100 * y), B: 7, A: 255}
			m.SetNRGBA(x, y, c)
			pix = append(pix, c.R, c.G, c.B)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), pix
}

func TestInline(t *testing.T) {
	file, _ := drawn(t)
	text := base64.StdEncoding.EncodeToString(file)
	broken := base64.StdEncoding.EncodeToString(append([]byte("\xff\xd8\xff\xe0"), bytes.Repeat([]byte("x"), 50)...))
	for value, want := range map[string]bool{
		string(file): true, text: true, base64.RawURLEncoding.EncodeToString(file): true, "data:image/png;base64," + text: true,
		text[:40] + "\r\n" + text[40:]: true, "P3 2 1 255\n1 2 3 200 100 0\n": true, broken: true,
		"cat/1.png": false, "BMW": false, "P1 is the best": false, "a long text of which the first words are no base64 at all, whatever follows": false,
		"": false, strings.Repeat("abcd", 100): false, "data:image/png,abc": false, "data:image/svg+xml;utf8,<svg/>": false, "data:": false,
	} {
		got, ok := Inline(value)
		if ok != want || Holds(value) != want {
			t.Errorf("%.40q: %v, %v", value, ok, Holds(value))
		}
		if strings.Contains(value, text) && !bytes.Equal(got, file) {
			t.Errorf("%.40q: other bytes", value)
		}
	}
	if _, ok := Inline("data:image/png;base64,!!!!"); ok {
		t.Error("what is no base64 is taken")
	}
}

func TestReference(t *testing.T) {
	for value, want := range map[string]bool{
		"cat/1.jpg": true, "a b.JPEG": true, "x.webp": true, "https://host/x.png": true, "x.gif": false, "x.csv": false, "jpg": false, ".jpg": true, "a\n.jpg": false,
	} {
		if Reference(value) != want {
			t.Errorf("%q: want %v", value, want)
		}
	}
}

func TestDecode(t *testing.T) {
	ctx := context.Background()
	file, pix := drawn(t)
	p, err := Decode(ctx, file, 3, 0)
	if err != nil || p.Height != 2 || p.Width != 3 || !bytes.Equal(p.Pix, pix) || p.Grey() {
		t.Errorf("%+v: %v", p, err)
	}
	// 160·0.299 + 100·0.587 + 7·0.114 = 107.3
	if g, err := Decode(ctx, file, 1, 0); err != nil || len(g.Pix) != 6 || g.Pix[5] != 107 {
		t.Errorf("%+v: %v", g, err)
	}
	jpeg, err := os.ReadFile("../../model/picture/testdata/420.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file string
		most int
		code fault.Code
	}{
		"too large": {string(file), 5, fault.TooLarge},
		"hostile":   {"P6 1000000 1000000 255\n", 0, fault.TooLarge},
		"cut off":   {string(file[:len(file)/2]), 0, fault.BadData},
		"cut JPEG":  {string(jpeg[:60]), 0, fault.BadData},
		"no file":   {"hello", 0, fault.BadData},
		"empty":     {"", 0, fault.BadData},
		"GIF":       {"GIF89a......", 0, fault.Unsupported},
	} {
		if _, err := Decode(ctx, []byte(c.file), 3, c.most); !fault.Is(err, c.code) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
