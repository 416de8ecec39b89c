package neural

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// PictureOptions say what a model from elsewhere wants pictures to be.
type PictureOptions struct {
	Height int        `json:"height,omitempty"`
	Width  int        `json:"width,omitempty"` // 0: what the model says, or what suits the data
	Mean   []float64  `json:"mean,omitempty"`
	Std    []float64  `json:"std,omitempty"` // of each channel, or one for all, where 0 is black and 1 the most: the model sees (x - Mean)/Std; nil: those of ImageNet for colours (rows, 3, height, width), and else 0 and 1
	Files  FileOpener `json:"-"`             // how files that the table names are opened; nil: none may be
}

// The mean and deviation of ImageNet's pictures, which nets in PyTorch are trained with.
var (
	imageNetMean = []float64{.485, .456, .406}
	imageNetStd  = []float64{.229, .224, .225}
)

// imageFeed gives a column of pictures to an input (rows, channels, height, width) or (rows, height, width, channels).
type imageFeed struct {
	port         graph.Port
	images       *Images
	last         bool      // channels come last
	scale, shift []float32 // (channels): the model sees scale·x + shift of bytes x
	raw          bool      // a net of Jarvis's own takes pictures as they are
}

// image gives the one column of pictures to the one input that takes some.
func (f *fitting) image(ctx context.Context, open []graph.Port) ([]graph.Port, error) {
	var columns []string
	for _, c := range f.r.Columns {
		if c.Kind == check.Image && !f.used[c.Name] {
			columns = append(columns, c.Name)
		}
	}
	var takes, others []graph.Port
	for _, in := range open {
		if t := in.Type.Type(); !t.Unranked && len(t.Dims) == 4 && (t.DType == tensor.Float32 || t.DType == tensor.Uint8) {
			takes = append(takes, in)
		} else {
			others = append(others, in)
		}
	}
	if len(columns) != 1 || len(takes) != 1 {
		return open, nil
	}
	f.used[columns[0]] = true
	fed, err := f.imageOf(ctx, takes[0], columns[0])
	if err != nil {
		return nil, err
	}
	f.feeds = append(f.feeds, fed)
	return others, nil
}

// imageOf is the feed of a column of pictures.
func (f *fitting) imageOf(ctx context.Context, in graph.Port, column string) (feed, error) {
	t := in.Type.Type()
	if t.Unranked || len(t.Dims) != 4 || t.DType != tensor.Float32 && t.DType != tensor.Uint8 {
		return nil, fault.New(fault.Invalid, "pictures cannot be given to an input "+t.String()).At(column)
	}
	fed := &imageFeed{port: in}
	channels, height, width := t.Dims[1].Size, t.Dims[2].Size, t.Dims[3].Size
	if fed.last = coloured(width) && !coloured(channels); fed.last {
		channels, height, width = width, channels, height
	}
	if channels == tensor.Free {
		channels = 3
		f.note("%s is taken to be (rows, channels, height, width), in red, green and blue", in.Name)
	}
	if !coloured(channels) {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("the input %s has %d channels, and pictures have 1 or 3", in.Name, channels)).At(column)
	}
	o := ImageOptions{Channels: channels, Files: f.o.Pictures.Files}
	for _, d := range []struct {
		to          *int
		asked, says int
		name        string
	}{{&o.Size, f.o.Pictures.Height, height, "high"}, {&o.Width, f.o.Pictures.Width, width, "wide"}} {
		if *d.to = max(0, d.says); d.asked > 0 {
			if d.says > 0 && d.says != d.asked {
				return nil, fault.New(fault.Invalid, fmt.Sprintf("the model takes pictures %d %s, not %d", d.says, d.name, d.asked)).At("size")
			}
			*d.to = d.asked
		}
	}
	if o.Size == 0 {
		o.Size, o.Width = o.Width, 0
	}
	if o.Width == o.Size {
		o.Width = 0
	}
	var err error
	if fed.images, err = FitImages(ctx, f.t, column, o); err != nil {
		return nil, err
	}
	f.Notes = append(f.Notes, fed.images.Notices()...)
	if err := f.scales(fed, channels); err != nil {
		return nil, err
	}
	size := []int{tensor.Free, channels, fed.images.o.Size, fed.images.width()}
	if fed.last {
		size = []int{tensor.Free, size[2], size[3], channels}
	}
	fed.port.Type = graph.TensorOf(tensor.TypeOf(t.DType, size...))
	f.note("%s is given the pictures of %s, %d high and %d wide%s", in.Name, column, fed.images.o.Size, fed.images.width(), f.normalised(fed))
	return fed, nil
}

func coloured(channels int) bool { return channels == 1 || channels == 3 }

// scales finds what bytes are multiplied with, and what is added.
func (f *fitting) scales(fed *imageFeed, channels int) error {
	if fed.port.Type.Type().DType == tensor.Uint8 {
		return nil
	}
	mean, std := f.o.Pictures.Mean, f.o.Pictures.Std
	if mean == nil && std == nil && channels == 3 && !fed.last {
		mean, std = imageNetMean, imageNetStd
	}
	for c := range channels {
		m, err := ofChannel(mean, c, channels, 0, "mean")
		if err != nil {
			return err
		}
		s, err := ofChannel(std, c, channels, 1, "std")
		if err != nil {
			return err
		}
		if !(s > 0) {
			return fault.New(fault.Invalid, "deviations must be above 0").At("std")
		}
		fed.scale, fed.shift = append(fed.scale, float32(1/(255*s))), append(fed.shift, float32(-m/s))
	}
	return nil
}

// ofChannel is the value of a channel, of as many or of one for all.
func ofChannel(v []float64, c, channels int, none float64, name string) (float64, error) {
	switch len(v) {
	case 0:
		return none, nil
	case 1:
		return v[0], nil
	case channels:
		return v[c], nil
	}
	return 0, fault.New(fault.Invalid, fmt.Sprintf("%d values for %d channels", len(v), channels)).At(name)
}

// normalised says what numbers a model sees.
func (f *fitting) normalised(fed *imageFeed) string {
	if fed.scale == nil {
		return ", as bytes"
	}
	o := f.o.Pictures
	switch {
	case o.Mean != nil || o.Std != nil:
		return ""
	case slices.Equal(fed.scale, []float32{float32(1 / (255 * imageNetStd[0])), float32(1 / (255 * imageNetStd[1])), float32(1 / (255 * imageNetStd[2]))}):
		return ", normalised by ImageNet's mean and deviation, as is usual for this layout (others with --mean and --std)"
	}
	return ", as numbers from 0 to 1 (others with --mean and --std)"
}

// ownImage is the feed of a net that Jarvis trained on pictures. What it cuts out of a picture and scales to has a size that its graph tells; of one
// that is as large already it is all.
func (f *fitting) ownImage(ctx context.Context, in graph.Port, c card.Input) (feed, error) {
	o := ImageOptions{Files: f.o.Pictures.Files}
	for _, n := range f.o.Graph.Nodes {
		if t := f.o.Graph.Initializers[n.In(3)]; n.Op == "Resize" && t != nil && t.DType() == tensor.Int64 && t.Len() == 2 {
			if o.Size = int(t.I64()[0]); t.I64()[1] != t.I64()[0] {
				o.Width = int(t.I64()[1])
			}
			break
		}
	}
	if o.Size == 0 || len(c.Shape) != 3 {
		return nil, fault.New(fault.Unsupported, "how this model prepares pictures is not known").At(c.Name)
	}
	o.Channels = c.Shape[2]
	m, err := FitImages(ctx, f.t, c.Name, o)
	if err != nil {
		return nil, err
	}
	f.Notes = append(f.Notes, m.Notices()...)
	return &imageFeed{port: in, images: m, raw: true}, nil
}

func (i *imageFeed) ports() []graph.Port { return []graph.Port{i.port} }

func (i *imageFeed) columns() []card.Input { return i.images.Columns() }

func (i *imageFeed) usable() []int { return i.images.Usable() }

func (i *imageFeed) append(b *graph.Builder) ([]graph.Value, error) {
	if i.raw {
		in := tensor.Rows(tensor.Uint8, tensor.Free, tensor.Free, i.images.Channels())
		return []graph.Value{b.Input(i.images.column, in)}, nil
	}
	x, err := i.images.Append(b)
	if err != nil {
		return nil, err
	}
	if i.scale != nil {
		x = b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, x)
		x = b.Op("Add", b.Op("Mul", x, b.Floats("scale", i.scale)), b.Floats("shift", i.shift))
	}
	if !i.last {
		x = b.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 3, 1, 2)}, x)
	}
	return []graph.Value{x}, nil
}

func (i *imageFeed) rows(ctx context.Context, t *table.Table) (feedRows, error) {
	rows, err := i.images.Rows(ctx, t)
	return &imageFeedRows{i, rows}, err
}

// imageFeedRows are pictures.
type imageFeedRows struct {
	feed *imageFeed
	all  Rows
}

func (r *imageFeedRows) read(ctx context.Context, rows []int32, draw uint64, x []*tensor.Tensor) error {
	if r.feed.raw {
		return r.all.Read(ctx, rows, draw, x[0])
	}
	var pictures tensor.Tensor // (rows, height, width, channels)
	if err := r.all.Read(ctx, rows, draw, &pictures); err != nil {
		return err
	}
	i, s := r.feed, pictures.Shape()
	from := pictures.Bytes()
	if i.last {
		x[0].Reset(i.port.Type.Type().DType, s...)
	} else {
		x[0].Reset(i.port.Type.Type().DType, s[0], s[3], s[1], s[2])
	}
	channels, places := s[3], s[1]*s[2]
	for at, v := range from {
		c, to := at%channels, at
		if !i.last {
			row := at / (places * channels)
			to = (row*channels+c)*places + at/channels%places
		}
		if i.scale == nil {
			x[0].Bytes()[to] = v
		} else {
			x[0].F32()[to] = float32(v)*i.scale[c] + i.shift[c]
		}
	}
	return nil
}

// Size reads "48x192" as height and width, or "224" as both.
func Size(text string) (height, width int, err error) {
	bad := fault.New(fault.Invalid, "it is neither a size nor HEIGHTxWIDTH: "+text).At("size").Try("such as 224 or 48x192")
	at := slices.Index([]byte(text), 'x')
	if at < 0 {
		at = len(text)
	}
	if height, err = strconv.Atoi(text[:at]); err != nil || height < 1 {
		return 0, 0, bad
	}
	if width = height; at < len(text) {
		if width, err = strconv.Atoi(text[at+1:]); err != nil || width < 1 {
			return 0, 0, bad
		}
	}
	return height, width, nil
}
