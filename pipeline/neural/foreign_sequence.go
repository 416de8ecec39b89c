package neural

import (
	"context"
	"fmt"
	"strings"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// sequenceFeed gives a column of lists to an input (rows, steps), (rows, 1, steps) or (rows, steps, features). Behind the end of a shorter list there
// are zeros; for a net of Jarvis's own (raw), NaN.
type sequenceFeed struct {
	port   graph.Port
	column card.Input
	width  int
	raw    bool
	some   []int // rows that have one
}

func (s *sequenceFeed) usable() []int { return s.some }

// sequential reports whether a column holds lists of numbers, by its first values.
func (f *fitting) sequential(c *table.Column) bool {
	if c.Kind != table.Text {
		return false
	}
	seen := 0
	for i := 0; i < c.Len() && seen < 5; i++ {
		if c.Missing(i) {
			continue
		}
		text := strings.TrimSpace(c.Text(i))
		if _, _, err := check.ParseSequence(text, nil); err != nil || !strings.HasPrefix(text, "[") {
			return false
		}
		seen++
	}
	return seen > 0
}

// sequence gives the one column of lists that is left to the one input that takes steps.
func (f *fitting) sequence(_ context.Context, open []graph.Port) ([]graph.Port, error) {
	var columns []string
	for _, c := range f.r.Columns {
		if col := f.t.Column(c.Name); !f.used[c.Name] && col != nil && f.sequential(col) {
			columns = append(columns, c.Name)
		}
	}
	var takes, others []graph.Port
	for _, in := range open {
		if t := in.Type.Type(); numeric(t.DType) && !t.Unranked && (len(t.Dims) == 2 || len(t.Dims) == 3) {
			takes = append(takes, in)
		} else {
			others = append(others, in)
		}
	}
	if len(columns) != 1 || len(takes) != 1 {
		return open, nil
	}
	f.used[columns[0]] = true
	fed, err := f.sequenceOf(takes[0], columns[0])
	if err != nil {
		return nil, err
	}
	f.note("%s is given the lists of %s", takes[0].Name, columns[0])
	f.feeds = append(f.feeds, fed)
	return others, nil
}

func numeric(d tensor.DType) bool {
	return d == tensor.Float32 || d == tensor.Float64 || d == tensor.Int64 || d == tensor.Int32
}

// sequenceOf is the feed of a column of lists.
func (f *fitting) sequenceOf(in graph.Port, column string) (feed, error) {
	t := in.Type.Type()
	if !numeric(t.DType) || t.Unranked || len(t.Dims) < 2 || len(t.Dims) > 3 {
		return nil, fault.New(fault.Invalid, "lists of numbers cannot be given to an input "+t.String()).At(column)
	}
	s, usable, err := FitSequences(f.t, column, nil, Sequence{MaxLen: 1 << 24})
	if err != nil {
		return nil, err
	}
	s.max = 0
	fed := &sequenceFeed{port: in, column: s.Columns()[0], width: s.width, some: usable}
	fed.column.Missing = 0
	steps, err := f.steps(s, usable)
	if err != nil {
		return nil, err
	}
	want := t.Dims[len(t.Dims)-1].Size
	dims := []int{tensor.Free, steps, s.width}
	switch {
	case len(t.Dims) == 3 && t.Dims[1].Size == 1 && s.width == 1 && want != 1:
		dims = []int{tensor.Free, 1, steps}
	case len(t.Dims) == 3:
		if want != tensor.Free && want != s.width {
			return nil, fault.New(fault.BadData, fmt.Sprintf("each step has %s, and the input %s is %s", counted(s.width), in.Name, t)).At(column)
		}
		want = t.Dims[1].Size
	case s.width != 1:
		return nil, fault.New(fault.BadData, fmt.Sprintf("each step has %s, and the input %s is %s", counted(s.width), in.Name, t)).At(column)
	default:
		dims = []int{tensor.Free, steps}
	}
	if want != tensor.Free && want != steps {
		has := "lists of various lengths"
		if steps != tensor.Free {
			has = fmt.Sprintf("lists of %d", steps)
		}
		return nil, fault.New(fault.BadData, fmt.Sprintf("it holds %s, and the input %s is %s", has, in.Name, t)).At(column).Try("cut or fill the lists to that length")
	}
	fed.port.Type = graph.TensorOf(tensor.TypeOf(t.DType, dims...))
	return fed, nil
}

func counted(n int) string {
	if n == 1 {
		return "1 number"
	}
	return fmt.Sprintf("%d numbers", n)
}

// steps is how long all sequences are, tensor.Free where they differ.
func (f *fitting) steps(s *Sequences, usable []int) (int, error) {
	c := f.t.Column(s.column.Name)
	length := 0
	var row []float32
	for _, i := range usable {
		var err error
		if row, _, err = s.read(c, i, row); err != nil {
			return 0, err
		}
		if n := len(row) / s.width; length != 0 && n != length {
			return tensor.Free, nil
		} else if length = n; n == 0 {
			return tensor.Free, nil
		}
	}
	return length, nil
}

func (s *sequenceFeed) ports() []graph.Port { return []graph.Port{s.port} }

func (s *sequenceFeed) columns() []card.Input { return []card.Input{s.column} }

func (s *sequenceFeed) append(b *graph.Builder) ([]graph.Value, error) {
	x := b.Input(s.column.Name, tensor.TypeOf(tensor.Float32, tensor.Free, tensor.Free, s.width))
	if s.raw {
		return []graph.Value{x}, nil
	}
	x = b.Op("Where", b.Op("IsNaN", x), b.Scalar("padding", 0), x)
	t := s.port.Type.Type()
	shape := make([]int64, len(t.Dims)) // of a length that is always the same: another is an error
	for i, d := range t.Dims {
		shape[i] = int64(d.Size)
	}
	shape[0] = 0
	x = b.Op("Reshape", x, b.Ints("shape", shape))
	if t.DType != tensor.Float32 {
		x = b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(t.DType))}, x)
	}
	return []graph.Value{x}, nil
}

// across reports whether the input is (rows, 1, steps).
func (s *sequenceFeed) across() bool {
	t := s.port.Type.Type()
	return len(t.Dims) == 3 && t.Dims[1].Size == 1 && s.width == 1 && t.Dims[2].Size != 1
}

func (s *sequenceFeed) rows(ctx context.Context, t *table.Table) (feedRows, error) {
	if t.Column(s.column.Name) == nil {
		return nil, fault.New(fault.Invalid, "the data has no such column, and the model needs it").At(s.column.Name)
	}
	in := &Sequences{column: s.column, width: s.width}
	rows, err := in.Rows(ctx, t)
	if err != nil {
		return nil, err
	}
	return &sequenceRows{s, rows}, nil
}

// sequenceRows are lists.
type sequenceRows struct {
	feed *sequenceFeed
	all  Rows
}

func (r *sequenceRows) read(ctx context.Context, rows []int32, draw uint64, x []*tensor.Tensor) error {
	t := r.feed.port.Type.Type()
	if r.feed.raw {
		return r.all.Read(ctx, rows, draw, x[0])
	}
	var padded tensor.Tensor
	if err := r.all.Read(ctx, rows, draw, &padded); err != nil {
		return err
	}
	shape := padded.Shape()
	if len(t.Dims) == 2 {
		x[0].Reset(t.DType, shape[0], shape[1])
	} else if r.feed.across() {
		x[0].Reset(t.DType, shape[0], 1, shape[1])
	} else {
		x[0].Reset(t.DType, shape...)
	}
	for i, v := range padded.F32() {
		if v != v {
			v = 0
		}
		set(x[0], i, v)
	}
	return nil
}
