package neural

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"sync/atomic"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// FileOpener reads the file that a value of a table names, such as source.Files gives it.
type FileOpener = func(ctx context.Context, ref string) ([]byte, error)

// ImageOptions say how pictures are prepared; the zero value is what most callers want, with Files where the table names files.
type ImageOptions struct {
	Size     int      `json:"size,omitempty"`     // height and width of what the net sees, 4 … 1024; 0: chosen by the data, see FitImages
	Width    int      `json:"width,omitempty"`    // of what the net sees, where it is no square and Size is the height alone; such pictures are not augmented
	Channels int      `json:"channels,omitempty"` // 1 (grey) or 3 (red, green, blue); 0: 1 when every sampled picture is grey
	Augment  *Augment `json:"augment,omitempty"`  // nil: chosen by the data; a zero Augment does nothing

	Files    FileOpener          `json:"-"` // how files that the table names are opened; nil: none may be
	Keep     int64               `json:"-"` // bytes of memory for prepared pictures; those beyond are decoded again each time. 0: 1 GiB
	Progress func(done, all int) `json:"-"` // told of the first pass now and then, by several goroutines
}

// Images are pictures as a net's input: uint8 (rows, size, size, channels), which the layer nn.Pixels turns into numbers.
type Images struct {
	column  string
	o       ImageOptions
	program *model.Program // the artifact's nodes

	mu    sync.Mutex
	shots map[string]*shot // by the table's text
	room  atomic.Int64     // bytes that may still be kept

	opened atomic.Bool // a picture was a file that the table names
	digest [sha256.Size]byte

	usable    []int
	notices   []string
	mean, std []float64
}

var _ Input = (*Images)(nil)

// FitImages makes ready to learn from the pictures of a column: texts that are files of pictures, base64 or data: URLs of them, or name them. It decodes each
// picture once, on all cores, so that broken ones are known before training: they are left out (Usable, Notices).
//
// The size, where none is given, is the median of the shorter sides of 100 pictures: at least 16 and at most 224, above 64 rounded down to a multiple of 16.
// Augmentation, where none is given, shifts and mirrors pictures in colours and shifts and turns grey ones, which are often writing, a little.
//
// Errors: fault.Invalid for options out of range and a column of numbers, fault.BadData when more than 5 % of the pictures are broken or none is left,
// fault.Denied for names of files without Files.
func FitImages(ctx context.Context, t *table.Table, column string, o ImageOptions) (*Images, error) {
	c, err := pictureColumn(t, column)
	if err != nil {
		return nil, err
	}
	if o.Keep == 0 {
		o.Keep = 1 << 30
	}
	m := &Images{column: column, o: o, shots: map[string]*shot{}}
	m.room.Store(o.Keep)
	if err := m.o.check(); err != nil {
		return nil, err
	}
	if err := m.look(ctx, c); err != nil {
		return nil, err
	}
	b := graph.NewBuilder("pictures")
	x, err := m.Append(b)
	if err != nil {
		return nil, err
	}
	b.Output("pixels", x, m.Type())
	if m.program, err = model.FromGraph(b.Model(), model.Threads(1)); err != nil {
		return nil, err
	}
	return m, m.scan(ctx, c)
}

func pictureColumn(t *table.Table, column string) (*table.Column, error) {
	c := t.Column(column)
	if c == nil {
		return nil, fault.New(fault.Invalid, "the data has no such column").At(column)
	}
	if c.Kind != table.Text {
		return nil, fault.New(fault.Invalid, "a column of numbers, not of pictures").At(column).Try("a column of pictures holds files of pictures, in base64 too, or their paths")
	}
	return c, nil
}

func (o *ImageOptions) check() error {
	switch {
	case o.Size != 0 && (o.Size < 4 || o.Size > 1024):
		return fault.New(fault.Invalid, "must be from 4 to 1024, or 0 for a size by the data").At("size")
	case o.Width != 0 && (o.Width < 4 || o.Width > 4096 || o.Size == 0):
		return fault.New(fault.Invalid, "must be from 4 to 4096, with a size").At("width")
	case o.Channels != 0 && o.Channels != 1 && o.Channels != 3:
		return fault.New(fault.Invalid, "must be 1 (grey) or 3 (red, green, blue)").At("channels")
	case o.Augment != nil:
		return o.Augment.check()
	}
	return nil
}

// Size is the height and the width of what the net sees.
func (m *Images) Size() int { return m.o.Size }

// width is that of what the net sees.
func (m *Images) width() int {
	if m.o.Width > 0 {
		return m.o.Width
	}
	return m.o.Size
}

// bytes are those of a prepared picture.
func (m *Images) bytes() int { return m.o.Size * m.width() * m.o.Channels }

// Channels are 1 for grey pictures and 3 for those in red, green and blue.
func (m *Images) Channels() int { return m.o.Channels }

// Augment is what is done to pictures in training.
func (m *Images) Augment() Augment { return *m.o.Augment }

// Usable are the rows of the table that FitImages saw whose pictures can be read, in order.
func (m *Images) Usable() []int { return m.usable }

// Notices say what was left out, and why.
func (m *Images) Notices() []string { return m.notices }

// Digest tells apart what stands in the files that the table names, as the net sees it; it is empty where the pictures lie in the table itself.
func (m *Images) Digest() string {
	if !m.opened.Load() {
		return ""
	}
	return hex.EncodeToString(m.digest[:])
}

// Moments are the mean and the standard deviation of each channel over the pictures that FitImages saw, where 0 is black and 1 the most: what nn.Pixels takes.
func (m *Images) Moments() (mean, std []float64) { return m.mean, m.std }

// Columns implements Input.
func (m *Images) Columns() []card.Input {
	return []card.Input{{Name: m.column, Type: "uint8", Kind: card.Image, Shape: []int{-1, -1, m.o.Channels}}}
}

// Type implements Input.
func (m *Images) Type() tensor.Type {
	return tensor.Rows(tensor.Uint8, m.o.Size, m.width(), m.o.Channels)
}

// Append implements Input: of a picture of any size (rows, height, width, channels), the square in the middle is scaled to (rows, size, size, channels).
// Where what the net sees is no square, neither is what is cut out, but of the same form.
// That is torchvision's Resize of the shorter side and CenterCrop, the other way round: so a picture of 10,000×1 pixels is not blown up on the way.
func (m *Images) Append(b *graph.Builder) (graph.Value, error) {
	if b.Taken(m.column) {
		return "", fault.New(fault.BadData, "the name of this column is taken by another column or an output").At(m.column).Try("rename the column")
	}
	in := tensor.Rows(tensor.Uint8, tensor.Free, tensor.Free, m.o.Channels)
	in.Dims[1].Name, in.Dims[2].Name = m.column+"_height", m.column+"_width"
	x := b.Input(m.column, in)
	b.Require(18) // antialias

	sides := b.OpWith("Shape", []graph.Attr{graph.IntAttr("start", 1), graph.IntAttr("end", 3)}, x) // (2)
	part := b.Op("ReduceMin", sides, b.Ints("sides", []int64{0}))                                   // (1)
	if h, w := int64(m.o.Size), int64(m.width()); h != w {
		other := b.Op("Gather", sides, b.Ints("other", []int64{1, 0}))
		fits := b.Op("Div", b.Op("Mul", other, b.Ints("form", []int64{h, w})), b.Ints("across", []int64{w, h}))
		part = b.Op("Min", sides, b.Op("Max", fits, b.Ints("least", []int64{1}))) // (2)
	}
	from := b.Op("Div", b.Op("Sub", sides, part), b.Ints("half", []int64{2}))
	square := b.Op("Slice", x, from, b.Op("Add", from, part), b.Ints("height_width", []int64{1, 2}))

	// A triangle over all pixels that one of the result stands for, cut at the edges, as Pillow and torchvision do it.
	y := b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, square)
	y = b.OpWith("Resize", []graph.Attr{
		graph.StringAttr("mode", "linear"), graph.IntAttr("antialias", 1), graph.IntAttr("exclude_outside", 1), graph.IntsAttr("axes", 1, 2),
	}, y, "", "", b.Ints("size", []int64{int64(m.o.Size), int64(m.width())}))
	return b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Uint8))}, b.Op("Round", y)), nil
}

// Rows implements Input. A row without a picture and one whose picture is broken is an error when it is read.
func (m *Images) Rows(_ context.Context, t *table.Table) (Rows, error) {
	c, err := pictureColumn(t, m.column)
	if err != nil {
		return nil, err
	}
	r := &imageRows{m: m, shots: make([]*shot, t.Rows)}
	of := make([]*shot, len(c.Dict.Values))
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, code := range c.Codes {
		if code < 0 {
			continue
		}
		if of[code] == nil {
			of[code] = m.shot(c.Dict.Values[code])
		}
		r.shots[i] = of[code]
	}
	return r, nil
}
