package predict

import (
	"context"
	"math"
	"runtime"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/feature"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

const (
	chunkRows  = 4096 // of a table that are answered at a time
	chunkFiles = 32   // where they hold pictures or sequences, whose files are all in memory
)

// Table answers the rows of a table, in chunks on all cores. Columns that the model does not use are ignored; one that is
// not there is missing throughout, if it had missing values in training. Numbers and texts are converted as
// feature.Inputs says; a date or truth value that cannot be read is missing. Pictures are files, in base64 or data: URLs too,
// or names of files (see Files); sequences are texts such as [1, 2.5] or [[1, 2], [3, 4]]. No rows give an empty Result.
// Errors: fault.Invalid for a needed column that is not there (Field is the column) and for a text that is no number
// (row and value in the message), fault.Unsupported when Columns says so, fault.Canceled.
func (m *Model) Table(ctx context.Context, t *table.Table) (*Result, error) {
	if m.columns != nil {
		return nil, m.columns
	}
	columns := make([]*table.Column, len(m.fields))
	for i := range m.fields {
		c, err := feature.Find(t, m.fields[i].input)
		if err != nil {
			return nil, err
		}
		columns[i] = c
	}
	r := m.outputs.result(t.Rows)
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	size := chunkRows
	if m.shaped {
		size = chunkFiles
	}
	for from := 0; from < t.Rows && inner.Err() == nil; from += size {
		g.Go(func() error {
			rows := min(size, t.Rows-from)
			f := m.newFrame(rows, rows)
			for i, c := range columns {
				if err := m.column(inner, f, &m.fields[i], c, from); err != nil {
					return err
				}
			}
			return m.run(inner, f, r, from)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap(err, fault.Canceled, "canceled while rows were answered")
	}
	return r, nil
}

// column puts rows of a column, from first on, into a frame. c may be nil: all missing, as the frame is already.
func (m *Model) column(ctx context.Context, f *frame, fd *field, c *table.Column, first int) error {
	p := m.ports[fd.port]
	switch {
	case fd.kind == card.Image:
		return m.pictures(ctx, f, fd, c, first)
	case fd.kind == card.Sequence:
		return m.sequences(f, fd, c, first)
	case c == nil:
		return nil
	case p.dtype == tensor.String:
		for i := range f.rows {
			f.text(m, fd, i, feature.TextAt(c, first+i))
		}
		return nil
	case p.dtype == tensor.Float32 && p.width == 1:
		return feature.Floats(c, first, f.ports[fd.port].f32)
	}
	for i := range f.rows {
		if err := m.cell(f, fd, c, first, i); err != nil {
			return err
		}
	}
	return nil
}

// cell is column for the element types that only foreign models have.
func (m *Model) cell(f *frame, fd *field, c *table.Column, first, i int) error {
	at := first + i
	bad := func(what string) error {
		return fault.New(fault.Invalid, "row "+strconv.Itoa(at+1)+" "+what).At(fd.name)
	}
	if c.Missing(at) {
		if !f.missing(m, fd) {
			return bad("has no value, and the model needs one")
		}
		return nil
	}
	text := feature.TextAt(c, at)
	if fd.kind == card.Boolean {
		v, ok := check.ParseBoolean(text)
		if !ok {
			return bad("holds " + cut(text) + ", which is not true or false")
		}
		f.truth(m, fd, i, v)
		return nil
	}
	var x float64
	ok := true
	if c.Kind == table.Number {
		x = c.Numbers[at]
	} else {
		x, ok = check.ParseNumber(text)
	}
	if !ok || math.IsNaN(x) || !f.number(m, fd, i, x) {
		return bad("holds " + cut(text) + ", which is not a number that the model takes")
	}
	return nil
}

// TextColumns says which columns of data for this model are text whatever they look like: a category "007" is no number.
// It is what source.Options.Kinds wants.
func (m *Model) TextColumns() map[string]table.Kind {
	kinds := map[string]table.Kind{}
	for _, f := range m.fields {
		if f.kind != card.Number {
			kinds[f.name] = table.Text
		}
	}
	return kinds
}
