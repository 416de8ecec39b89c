package neural

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/pixels"
	"github.com/jarvis-ml/jarvis/pipeline/source"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// picture is a PNG of smooth noise.
func picture(w, h int, grey bool, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{uint8(r.IntN(156) + x%100), uint8(r.IntN(156) + y%100), uint8(r.IntN(256)), 255}
			if grey {
				c.G, c.B = c.R, c.R
			}
			m.SetNRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// photos writes files into a folder, and opens it.
func photos(t testing.TB, files map[string][]byte) (*table.Table, FileOpener) {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	src, err := source.Open(context.Background(), dir, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := source.ReadAll(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	return all, source.Files(src)
}

// artifact is a model of an input's nodes alone.
func artifact(t testing.TB, in Input) *model.Program {
	t.Helper()
	b := graph.NewBuilder("test")
	x, err := in.Append(b)
	if err != nil {
		t.Fatal(err)
	}
	b.Output("out", x, in.Type())
	p, err := model.FromGraph(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mixed() map[string][]byte {
	files := map[string][]byte{}
	for i, s := range [][2]int{{20, 30}, {64, 48}, {17, 16}, {100, 9}, {24, 24}, {1, 1}, {31, 90}} {
		files[strconv.Itoa(i%2)+"/"+strconv.Itoa(i)+".png"] = picture(s[0], s[1], false, uint64(i))
	}
	return files
}

// What training reads is what the artifact's nodes make of the same pictures, whether they are kept or decoded again.
func TestImagesTrainAndServeAlike(t *testing.T) {
	ctx := context.Background()
	data, open := photos(t, mixed())
	for _, keep := range []int64{0, 1} {
		m, err := FitImages(ctx, data, "image", ImageOptions{Files: open, Keep: keep})
		if err != nil {
			t.Fatal(err)
		}
		if m.Size() != 20 || m.Channels() != 3 || len(m.Usable()) != 7 || len(m.Notices()) != 0 {
			t.Fatalf("size %d, channels %d, usable %v, notices %v", m.Size(), m.Channels(), m.Usable(), m.Notices())
		}
		if c := m.Columns()[0]; c.Name != "image" || c.Kind != card.Image || c.Type != "uint8" || !slices.Equal(c.Shape, []int{-1, -1, 3}) {
			t.Errorf("%+v", c)
		}
		rows, err := m.Rows(ctx, data)
		if err != nil {
			t.Fatal(err)
		}
		p, x := artifact(t, m), new(tensor.Tensor)
		if err := rows.Read(ctx, []int32{6, 5, 4, 3, 2, 1, 0}, 0, x); err != nil {
			t.Fatal(err)
		}
		for i := range 7 {
			file, err := open(ctx, data.Column("image").Text(6-i))
			if err != nil {
				t.Fatal(err)
			}
			pic, err := pixels.Decode(ctx, file, 3, 0)
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.Run(ctx, map[string]*tensor.Tensor{"image": tensor.FromSlice(tensor.Uint8, pic.Pix, 1, pic.Height, pic.Width, 3)})
			if err != nil {
				t.Fatal(err)
			}
			if got := x.Bytes()[i*1200 : (i+1)*1200]; !slices.Equal(out["out"].Shape(), []int{1, 20, 20, 3}) || !bytes.Equal(got, out["out"].Bytes()) {
				t.Errorf("row %d of %d×%d: training and serving differ", 6-i, pic.Width, pic.Height)
			}
		}
	}
}

// TestImagesAgreeWithPillow holds the preparation to Pillow's; test/goldens/make_neural_images.py remakes the file.
func TestImagesAgreeWithPillow(t *testing.T) {
	text, err := os.ReadFile("testdata/pillow.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Width, Height, Size int
		Pixels              []byte // (size, size, 3)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		pix := make([]byte, c.Width*c.Height*3)
		for i := range pix {
			pix[i] = byte(i * i % 251)
		}
		m := &Images{column: "x", o: ImageOptions{Size: c.Size, Channels: 3}}
		out, err := artifact(t, m).Run(context.Background(), map[string]*tensor.Tensor{"x": tensor.FromSlice(tensor.Uint8, pix, 1, c.Height, c.Width, 3)})
		if err != nil {
			t.Fatal(err)
		}
		other := 0
		for i, v := range out["out"].Bytes() {
			d := int(v) - int(c.Pixels[i])
			if d < -1 || d > 1 {
				t.Fatalf("%d×%d: byte %d is %d, Pillow has %d", c.Width, c.Height, i, v, c.Pixels[i])
			}
			if d != 0 {
				other++
			}
		}
		if other*10 > 4*len(c.Pixels) { // Pillow rounds twice
			t.Errorf("%d×%d: %d of %d bytes differ", c.Width, c.Height, other, len(c.Pixels))
		}
	}
}

// Broken pictures among good ones are left out and named; many are an error that says what to do.
func TestImagesBroken(t *testing.T) {
	ctx := context.Background()
	files := map[string][]byte{}
	for i := range 40 {
		files["a/"+strconv.Itoa(10+i)+".png"] = picture(28, 28, true, uint64(i))
	}
	var jpg bytes.Buffer
	if err := jpeg.Encode(&jpg, image.NewGray(image.Rect(0, 0, 64, 64)), nil); err != nil {
		t.Fatal(err)
	}
	files["b/cut.jpg"] = jpg.Bytes()[:jpg.Len()/2]
	files["b/empty.png"] = nil
	data, open := photos(t, files)
	m, err := FitImages(ctx, data, "image", ImageOptions{Files: open})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Usable()) != 40 || m.Size() != 28 || m.Channels() != 1 || m.Augment().Flip != 0 {
		t.Errorf("size %d, channels %d, usable %v, augment %+v", m.Size(), m.Channels(), m.Usable(), m.Augment())
	}
	said := strings.Join(m.Notices(), "\n")
	if !strings.Contains(said, "2 of 42 pictures are left out") || !strings.Contains(said, "b/cut.jpg") || !strings.Contains(said, "b/empty.png") {
		t.Errorf("notices: %s", said)
	}
	rows, err := m.Rows(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Read(ctx, []int32{0, 41}, 0, new(tensor.Tensor)); !fault.Is(err, fault.BadData) || !strings.Contains(err.Error(), "b/empty.png") {
		t.Errorf("a broken picture is read: %v", err)
	}

	digests := map[string]bool{m.Digest(): true}
	for _, light := range []uint64{0, 99} { // the first as it was
		files["a/10.png"] = picture(28, 28, true, light)
		data, open = photos(t, files)
		other, err := FitImages(ctx, data, "image", ImageOptions{Files: open})
		if err != nil {
			t.Fatal(err)
		}
		if known := digests[other.Digest()]; known != (light == 0) {
			t.Errorf("picture %d is the same: %v", light, known)
		}
	}

	files["b/a.png"] = []byte("no picture")
	data, open = photos(t, files)
	if _, err := FitImages(ctx, data, "image", ImageOptions{Files: open}); !fault.Is(err, fault.BadData) || !strings.Contains(err.Error(), "3 of 43") || fault.HintOf(err) == "" {
		t.Errorf("too many broken: %v", err)
	}
}

func TestImagesRefused(t *testing.T) {
	ctx := context.Background()
	data, open := photos(t, map[string][]byte{"a/1.png": picture(30, 30, false, 1), "a/2.png": picture(30, 30, false, 2)})
	numbers := table.New(table.Numbers("image", []float64{1, 2}))
	huge := table.New(table.Texts("image", []string{"P6 100000 100000 255\n"}))
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		t      *table.Table
		column string
		o      ImageOptions
		code   fault.Code
		says   string
	}{
		"no column":    {ctx, data, "photo", ImageOptions{Files: open}, fault.Invalid, "no such column"},
		"numbers":      {ctx, numbers, "image", ImageOptions{Files: open}, fault.Invalid, "column of numbers"},
		"labels":       {ctx, data, "label", ImageOptions{Files: open}, fault.BadData, "neither a picture nor the path"},
		"no opener":    {ctx, data, "image", ImageOptions{}, fault.Denied, "none may be opened"},
		"size":         {ctx, data, "image", ImageOptions{Files: open, Size: 3}, fault.Invalid, "size"},
		"channels":     {ctx, data, "image", ImageOptions{Files: open, Channels: 4}, fault.Invalid, "channels"},
		"augmentation": {ctx, data, "image", ImageOptions{Files: open, Augment: &Augment{Flip: 2}}, fault.Invalid, "augment.flip"},
		"nothing":      {ctx, table.New(table.Texts("image", []string{"", ""})), "image", ImageOptions{}, fault.BadData, "no row has a picture"},
		"no files":     {ctx, table.New(table.Texts("image", []string{"x.png"})), "image", ImageOptions{Files: open}, fault.NotFound, "x.png"},
		"huge":         {ctx, huge, "image", ImageOptions{}, fault.TooLarge, "pixels"},
		"given up":     {canceled, data, "image", ImageOptions{Files: open}, fault.Canceled, "given up"},
	} {
		_, err := FitImages(c.ctx, c.t, c.column, c.o)
		if fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %s: %v", name, fault.CodeOf(err), err)
		}
	}
}

// Bytes, base64 and data: URLs in a table are the pictures; a row without one is left out.
func TestImagesInTables(t *testing.T) {
	ctx := context.Background()
	file := picture(20, 20, false, 1)
	text := base64.StdEncoding.EncodeToString(file)
	data := table.New(table.Texts("photo", []string{string(file), "", text, "data:image/png;base64," + text}))
	m, err := FitImages(ctx, data, "photo", ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.Usable(), []int{0, 2, 3}) || !strings.Contains(strings.Join(m.Notices(), ""), "1 rows without a picture") {
		t.Errorf("usable %v, notices %v", m.Usable(), m.Notices())
	}
	rows, err := m.Rows(ctx, data.Take(m.Usable()))
	if err != nil {
		t.Fatal(err)
	}
	x := new(tensor.Tensor)
	if err := rows.Read(ctx, []int32{0, 1, 2}, 0, x); err != nil {
		t.Fatal(err)
	}
	if b := x.Bytes(); !bytes.Equal(b[:1200], b[1200:2400]) || !bytes.Equal(b[:1200], b[2400:]) {
		t.Error("three ways of holding one picture differ")
	}
	if all, err := m.Rows(ctx, data); err != nil {
		t.Error(err)
	} else if err := all.Read(ctx, []int32{1}, 0, x); !fault.Is(err, fault.BadData) || !strings.Contains(err.Error(), "row 2 has no picture") {
		t.Errorf("a row without a picture: %v", err)
	}
}

// Augmentation is decided by draw and row, whoever reads; each change does what it says.
func TestAugment(t *testing.T) {
	ctx := context.Background()
	data, open := photos(t, mixed())
	m, err := FitImages(ctx, data, "image", ImageOptions{Files: open, Size: 16, Augment: &Augment{Flip: .5, Crop: 2, Zoom: .5, Rotate: 20, Brightness: .2, Contrast: .2, Saturation: .2}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := m.Rows(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	read := func(draw uint64, which ...int32) []byte {
		x := new(tensor.Tensor)
		if err := rows.Read(ctx, which, draw, x); err != nil {
			t.Error(err)
		}
		return slices.Clone(x.Bytes())
	}
	want, other := read(7, 1, 2), read(8, 1, 2)
	if bytes.Equal(want, other) || bytes.Equal(want, read(0, 1, 2)) {
		t.Error("a draw changes nothing")
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if !bytes.Equal(read(7, 1, 2), want) || !bytes.Equal(read(7, 2), want[768:]) {
				t.Error("the same draw differs")
			}
		})
	}
	all.Wait()

	const n = 5
	src := make([]byte, n*n*3)
	for i := range src {
		src[i] = byte(3 * i)
	}
	at := func(p []byte, x, y, c int) byte { return p[(y*n+x)*3+c] }
	for name, c := range map[string]struct {
		a    Augment
		from func(x, y int) (int, int)
	}{
		"nothing":       {Augment{}, func(x, y int) (int, int) { return x, y }},
		"mirrors":       {Augment{Flip: 1}, func(x, y int) (int, int) { return n - 1 - x, y }},
		"stands on top": {Augment{FlipVertical: 1}, func(x, y int) (int, int) { return x, n - 1 - y }},
	} {
		dst := make([]byte, len(src))
		c.a.apply(dst, src, n, 3, 5, 6)
		for i := range n * n {
			x, y := c.from(i%n, i/n)
			if at(dst, i%n, i/n, 1) != at(src, x, y, 1) {
				t.Errorf("%s: pixel %d", name, i)
				break
			}
		}
	}
	shifts := map[[2]int]bool{} // of pictures whose pixels tell where they are from
	for draw := range uint64(200) {
		dst := make([]byte, len(src))
		(&Augment{Crop: 1}).apply(dst, src, n, 3, draw, 1)
		v := int(at(dst, 2, 2, 0)) / 9
		shifts[[2]int{v%n - 2, v/n - 2}] = true
	}
	if len(shifts) != 9 {
		t.Errorf("shifts by up to 1 are %v", shifts)
	}
	grey := slices.Repeat([]byte{100}, n*n*3)
	for draw := range uint64(20) {
		dst := make([]byte, len(grey))
		(&Augment{Zoom: .3, Rotate: 90, Flip: .5, Crop: 2, Saturation: 1, Contrast: 1}).apply(dst, grey, n, 3, draw, 1)
		if !bytes.Equal(dst, grey) { // an even picture has nothing that could change
			t.Fatalf("draw %d: %v", draw, dst[:6])
		}
		if (&Augment{Brightness: .5}).apply(dst, grey, n, 3, draw, 1); dst[0] < 50 || dst[0] > 150 {
			t.Fatalf("draw %d: brightness %d", draw, dst[0])
		}
	}
}

// Layers that are written by opset 17 go behind pictures, whose preparation needs opset 18.
func TestImagesBeforeLayers(t *testing.T) {
	m := &Images{column: "x", o: ImageOptions{Size: 8, Channels: 1}}
	net, _, err := nn.Build(m.Type(), []nn.Layer{
		nn.Pixels{}, nn.Reshape{Shape: []int{8, 8}}, nn.TransformerEncoder{Transformer: nn.Transformer{NumHeads: 2, DimFeedforward: 8}}, nn.RMSNorm{}, nn.SequencePool{}, nn.Dense{OutFeatures: 2},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := graph.NewBuilder("test")
	x, err := m.Append(b)
	if err != nil {
		t.Fatal(err)
	}
	y := b.Append(net.Graph, x)[0]
	b.Output("out", y, tensor.Rows(tensor.Float32, 2))
	file, err := onnx.Encode(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	p, err := model.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(context.Background(), map[string]*tensor.Tensor{"x": tensor.New(tensor.Uint8, 3, 10, 9, 1)})
	if err != nil || !slices.Equal(out["out"].Shape(), []int{3, 2}) {
		t.Errorf("%v: %v", out, err)
	}
}

func BenchmarkRead(b *testing.B) {
	ctx := context.Background()
	files := map[string][]byte{}
	for i := range 256 {
		files["a/"+strconv.Itoa(i)+".png"] = picture(28, 28, true, uint64(i))
	}
	data, open := photos(b, files)
	m, err := FitImages(ctx, data, "image", ImageOptions{Files: open})
	if err != nil {
		b.Fatal(err)
	}
	rows, err := m.Rows(ctx, data)
	if err != nil {
		b.Fatal(err)
	}
	which, x := make([]int32, 64), new(tensor.Tensor)
	for i := range which {
		which[i] = int32(4 * i)
	}
	b.ReportAllocs()
	draw := uint64(0)
	for b.Loop() {
		draw++
		if err := rows.Read(ctx, which, draw, x); err != nil {
			b.Fatal(err)
		}
	}
}
