package neural

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Foreign gives the columns of a table to the inputs of a model that was trained elsewhere: in training, and as nodes of the artifact when it predicts.
// Both give the same numbers.
type Foreign struct {
	Notes []string // what was assumed, in sentences for a person

	feeds []feed
}

// feed fills one input of the model, or several, from columns.
type feed interface {
	ports() []graph.Port // of the model, their types as the data have them
	columns() []card.Input
	// append declares the columns as inputs, and appends what makes the model's inputs of them, in the order of ports.
	append(b *graph.Builder) ([]graph.Value, error)
	rows(ctx context.Context, t *table.Table) (feedRows, error)
}

// feedRows are what a feed gives for the rows of a table.
type feedRows interface {
	read(ctx context.Context, rows []int32, draw uint64, x []*tensor.Tensor) error
}

// ForeignOptions say how columns are given to a model.
type ForeignOptions struct {
	Target   string       // the column that is no input
	Card     *card.Card   // of a model that Jarvis made: its columns are known
	Graph    *graph.Graph // of that model
	Pictures PictureOptions
}

// FitForeign finds a column for each input of a model. A column with the name of an input is it. What is left is given by kinds: a column of pictures to the one input of four dimensions, a column of sequences
// to the one input (rows, steps) or (rows, steps, features), all columns of numbers to the one input (rows, columns) of as many.
//
// Errors: fault.Invalid where no column, or more than one, could be meant, with the inputs and the columns that there are; fault.BadData for a column that
// does not hold what the input takes.
func FitForeign(ctx context.Context, inputs []graph.Port, t *table.Table, r *check.Report, o ForeignOptions) (*Foreign, error) {
	f := &fitting{Foreign: &Foreign{}, t: t, r: r, o: o, used: map[string]bool{o.Target: true}}
	var open []graph.Port
	for _, in := range inputs {
		fed, err := f.named(ctx, in)
		if err != nil {
			return nil, err
		}
		if fed == nil {
			open = append(open, in)
		} else {
			f.feeds = append(f.feeds, fed)
		}
	}
	for _, step := range []func(context.Context, []graph.Port) ([]graph.Port, error){f.image, f.sequence, f.numbers} {
		var err error
		if open, err = step(ctx, open); err != nil {
			return nil, err
		}
	}
	if len(open) > 0 {
		return nil, f.open(open)
	}
	return f.Foreign, nil
}

// fitting is a Foreign while columns are looked for.
type fitting struct {
	*Foreign
	t    *table.Table
	r    *check.Report
	o    ForeignOptions
	used map[string]bool // columns
}

func (f *fitting) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

// named is the feed of an input that a column has the name of, nil where there is none.
func (f *fitting) named(ctx context.Context, in graph.Port) (feed, error) {
	name := string(in.Name)
	column := f.t.Column(name)
	if f.o.Card != nil {
		for _, c := range f.o.Card.Signature.Inputs {
			if c.Name == name {
				return f.own(ctx, in, c)
			}
		}
	}
	if column == nil || f.used[name] {
		return nil, nil
	}
	f.used[name] = true
	if c := f.r.Column(name); c != nil && c.Kind == check.Image {
		return f.imageOf(ctx, in, name)
	}
	if f.sequential(column) {
		return f.sequenceOf(in, name)
	}
	return f.values(in, []string{name})
}

// own is the feed of a column as the model's card describes it.
func (f *fitting) own(ctx context.Context, in graph.Port, c card.Input) (feed, error) {
	if f.used[c.Name] {
		return nil, fault.New(fault.Invalid, "the model takes the column that is to be learned").At("target")
	}
	f.used[c.Name] = true
	switch c.Kind {
	case card.Image:
		return f.ownImage(ctx, in, c)
	case card.Sequence:
		m, usable, err := FitSequences(f.t, c.Name, nil, Sequence{MaxLen: 1 << 24})
		if err != nil {
			return nil, err
		}
		s := &sequenceFeed{port: in, column: c, width: m.width, raw: true, some: usable}
		if len(c.Shape) != 2 || c.Shape[1] != m.width {
			return nil, fault.New(fault.BadData, "each step has "+counted(m.width)+", and the model learned from others").At(c.Name)
		}
		s.port.Type = graph.TensorOf(tensor.TypeOf(tensor.Float32, tensor.Free, tensor.Free, s.width))
		return s, nil
	}
	in.Type = graph.TensorOf(tensor.Rows(in.Type.Type().DType, 1))
	return &valueFeed{port: in, inputs: []card.Input{c}}, nil
}

// open says which inputs no column was found for.
func (f *fitting) open(ports []graph.Port) error {
	var inputs, columns []string
	for _, p := range ports {
		inputs = append(inputs, string(p.Name)+" "+p.Type.Type().String())
	}
	for _, c := range f.r.Columns {
		if !f.used[c.Name] {
			columns = append(columns, c.Name+" ("+string(c.Kind)+")")
		}
	}
	left := "no column is left"
	if len(columns) > 0 {
		left = "the columns are " + strings.Join(columns[:min(20, len(columns))], ", ")
	}
	what := "the input "
	if len(inputs) > 1 {
		what = "the inputs "
	}
	return fault.New(fault.Invalid, "it is not plain which column is for "+what+strings.Join(inputs, ", ")).At("data").
		Try("give a column the name of the input, texts as lists of their tokens' numbers, or fix the input with --fix NAME=VALUE; " + left)
}

// Columns are the inputs of the artifact.
func (f *Foreign) Columns() []card.Input {
	var all []card.Input
	for _, fed := range f.feeds {
		all = append(all, fed.columns()...)
	}
	return all
}

// Usable leaves out the rows of the table that FitForeign saw which lack what the model looks at.
func (f *Foreign) Usable(rows []int) []int {
	for _, fed := range f.feeds {
		some, ok := fed.(interface{ usable() []int })
		if !ok {
			continue
		}
		is := map[int]bool{}
		for _, r := range some.usable() {
			is[r] = true
		}
		rows = slices.DeleteFunc(rows, func(r int) bool { return !is[r] })
	}
	return rows
}

// Types are those of the model's inputs, as far as the data tell.
func (f *Foreign) Types() map[string]tensor.Type {
	types := map[string]tensor.Type{}
	for _, fed := range f.feeds {
		for _, p := range fed.ports() {
			types[string(p.Name)] = p.Type.Type()
		}
	}
	return types
}

// Keep drops what gives nothing to any of some inputs.
func (f *Foreign) Keep(inputs []graph.Port) {
	f.feeds = slices.DeleteFunc(f.feeds, func(fed feed) bool {
		return !slices.ContainsFunc(fed.ports(), func(p graph.Port) bool { return at(inputs, p.Name) >= 0 })
	})
}

func at(ports []graph.Port, name graph.Value) int {
	return slices.IndexFunc(ports, func(p graph.Port) bool { return p.Name == name })
}

// Append declares the columns as inputs of b and appends what prepares them. It returns values for the inputs of the model, in that order.
func (f *Foreign) Append(b *graph.Builder, inputs []graph.Port) ([]graph.Value, error) {
	out := make([]graph.Value, len(inputs))
	for _, fed := range f.feeds {
		for _, c := range fed.columns() {
			if b.Taken(c.Name) {
				return nil, fault.New(fault.BadData, "the name of this column is taken by another column or an output").At(c.Name).Try("rename the column")
			}
		}
		values, err := fed.append(b)
		if err != nil {
			return nil, err
		}
		for i, p := range fed.ports() {
			if k := at(inputs, p.Name); k >= 0 {
				out[k] = values[i]
			}
		}
	}
	return out, nil
}

// Digest tells apart what stands in the files of pictures that the table names, as that of Images does.
func (f *Foreign) Digest() (digest string) {
	for _, fed := range f.feeds {
		if i, ok := fed.(*imageFeed); ok {
			digest += i.images.Digest()
		}
	}
	return digest
}

// varied reports whether a row is not read the same each time.
func (f *Foreign) varied() bool {
	return slices.ContainsFunc(f.feeds, func(fed feed) bool {
		i, ok := fed.(*imageFeed)
		return ok && i.images.varied()
	})
}

// foreignRows reads the rows of a table as the inputs of a model.
type foreignRows struct {
	rows  []feedRows
	parts [][]int // for each: which input of the model each of its tensors is, below 0: none
	ports []graph.Port
}

// prepare gets ready to read the rows of t, as so many inputs in that order.
func (f *Foreign) prepare(ctx context.Context, t *table.Table, inputs []graph.Port) (*foreignRows, error) {
	r := &foreignRows{ports: inputs}
	for _, fed := range f.feeds {
		rows, err := fed.rows(ctx, t)
		if err != nil {
			return nil, err
		}
		var part []int
		for _, p := range fed.ports() {
			part = append(part, at(inputs, p.Name))
		}
		r.rows, r.parts = append(r.rows, rows), append(r.parts, part)
	}
	return r, nil
}

func (r *foreignRows) read(ctx context.Context, rows []int32, draw uint64, in []*tensor.Tensor) error {
	for i, part := range r.parts {
		x := make([]*tensor.Tensor, len(part))
		for k, at := range part {
			if x[k] = new(tensor.Tensor); at >= 0 {
				x[k] = in[at]
			}
		}
		if err := r.rows[i].read(ctx, rows, draw, x); err != nil {
			return err
		}
	}
	return nil
}
