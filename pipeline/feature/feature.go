// Package feature turns columns into numbers to learn from, as nodes of the model's own graph: what was learned from the
// training data (medians, categories, means) goes into the artifact, so serving cannot drift from training.
//
// Fit decides from a table and its check.Report. Each kind of feature is a block, one file each, that appends its
// subgraph; a new kind is one file and one line in Fit. Nothing here depends on chance: same data, same plan.
package feature

import (
	"cmp"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Scale says what becomes of numbers and of the parts of dates.
type Scale string

// The scales.
const (
	Standard Scale = "standard" // mean 0, deviation 1 on the training data
	Unscaled Scale = "none"
)

// DefaultMaxCategories is how many categories of a column get a feature of their own.
const DefaultMaxCategories = 100

// Options of Fit; the zero value means the defaults.
type Options struct {
	MaxCategories int     // most categories of one column that get a feature of their own; default DefaultMaxCategories, at most 10,000
	MinFrequency  float64 // share of the rows that a category must have to get one, 0 … 1; default 0
	Scale         Scale   // default Standard
	Codes         int     // columns of more categories than this become a code each, Plan.Codes; 0: none do
}

// Plan is fitted features. It is safe for concurrent use.
type Plan struct {
	Inputs  []card.Input   // the columns that are used, in the order of the data
	Dropped []card.Dropped // the others, and why
	Names   []string       // features (width): "bill_length_mm", "bill_length_mm missing", "sex=male", "egg.month"
	Codes   []int          // of the last features, which are codes of categories: how many codes each has, 0 counted, which is for unknown ones

	blocks  []block
	runners runners
}

// block is one kind of feature over one or more columns.
type block interface {
	inputs() []int   // positions in Plan.Inputs
	names() []string // (width)
	// append adds the subgraph from in, (rows, 1) each in the order of inputs, to float32 (rows, width).
	append(b *graph.Builder, in []graph.Value) graph.Value
	// split returns blocks of one column each, which together give the same features in the same order.
	split() []block
}

// column is one column while a plan is fitted.
type column struct {
	at    int // position in Plan.Inputs
	data  *table.Column
	input *card.Input
}

// Fit plans features of every column but the target. report is of the same columns, perhaps of more rows: t may be the
// training part. Identifiers, free text, constants and empty columns are dropped.
// Errors: fault.Invalid for options out of range, fault.BadData when no column is left.
func Fit(t *table.Table, report *check.Report, target string, o Options) (*Plan, error) {
	o.MaxCategories = cmp.Or(o.MaxCategories, DefaultMaxCategories)
	o.Scale = cmp.Or(o.Scale, Standard)
	if err := o.validate(); err != nil {
		return nil, err
	}
	if t.Rows == 0 {
		return nil, fault.New(fault.BadData, "there are no rows to make features from")
	}
	p := &Plan{Dropped: []card.Dropped{}}
	kept := map[check.Kind][]column{}
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Name == target {
			continue
		}
		kind, why := judge(c, report.Column(c.Name))
		if why != "" {
			p.Dropped = append(p.Dropped, card.Dropped{Column: c.Name, Reason: why})
			continue
		}
		kept[kind] = append(kept[kind], column{at: len(p.Inputs), data: c})
		p.Inputs = append(p.Inputs, card.Input{Name: c.Name, Type: "string", Kind: string(kind), Missing: missingShare(c)})
	}
	if len(p.Inputs) == 0 {
		return nil, fault.New(fault.BadData, "no column is left to learn from").Try("every column but the target is constant, empty, free text or an identifier")
	}
	for _, columns := range kept {
		for i := range columns {
			columns[i].input = &p.Inputs[columns[i].at]
		}
	}
	p.add(fitNumbers(kept[check.Number], o))
	for _, c := range kept[check.Boolean] {
		p.add(fitBoolean(c))
	}
	few, many := parted(kept[check.Category], o.Codes)
	p.add(fitCategories(few, o))
	for _, c := range kept[check.Date] {
		p.add(fitDate(c, o))
	}
	for _, c := range many {
		k := fitCodes(c, o)
		p.add(k)
		p.Codes = append(p.Codes, k.size())
	}
	return p, nil
}

// parted tells the columns of few categories from those of more than most.
func parted(columns []column, most int) (few, many []column) {
	for _, c := range columns {
		if counts, _ := check.Counts(c.data); most > 0 && len(ranked(c.data, counts)) > most {
			many = append(many, c)
		} else {
			few = append(few, c)
		}
	}
	return few, many
}

func (o Options) validate() error {
	switch {
	case o.MaxCategories < 1 || o.MaxCategories > 10_000:
		return fault.New(fault.Invalid, "must be from 1 to 10000").At("max_categories")
	case !(o.MinFrequency >= 0 && o.MinFrequency < 1):
		return fault.New(fault.Invalid, "must be a share from 0 to 1").At("min_frequency")
	case o.Scale != Standard && o.Scale != Unscaled:
		return fault.New(fault.Invalid, "must be standard or none").At("scale")
	}
	return nil
}

// judge says as what a column is used, or why not. A column can be constant in t without being so in the report.
func judge(c *table.Column, r *check.Column) (kind check.Kind, why string) {
	if r == nil || r.Type != c.Kind.String() {
		return "", "not in the report as it is in the data"
	}
	switch r.Kind {
	case check.Empty:
		return "", "no row has a value"
	case check.Constant:
		return "", "every row has the same value"
	case check.ID:
		return "", "an identifier: " + r.Why
	case check.Text:
		return "", "free text: " + r.Why
	case check.Image, check.Sequence:
		return "", r.Why + ", which only nets look at"
	}
	if !varies(c) {
		return "", "every training row has the same value"
	}
	return r.Kind, ""
}

// varies reports whether two rows differ, missing being a value.
func varies(c *table.Column) bool {
	if c.Kind == table.Text {
		for _, code := range c.Codes {
			if code != c.Codes[0] {
				return true
			}
		}
		return false
	}
	for _, x := range c.Numbers {
		if first := c.Numbers[0]; x != first && (x == x || first == first) {
			return true
		}
	}
	return false
}

func missingShare(c *table.Column) float64 {
	n := 0
	for i := range c.Len() {
		if c.Missing(i) {
			n++
		}
	}
	return float64(n) / float64(c.Len())
}

// add takes a block in, when it has columns.
func (p *Plan) add(b block) {
	if b == nil || len(b.inputs()) == 0 {
		return
	}
	p.blocks = append(p.blocks, b)
	p.Names = append(p.Names, b.names()...)
}

// Width is the number of features.
func (p *Plan) Width() int { return len(p.Names) }

// Append declares the inputs, one (rows, 1) per column in the order of the data, and appends the subgraphs. It returns
// the features, float32 (rows, width). Dates raise the model's opset to 20, where StringSplit is.
// Errors: fault.BadData when an input's name is taken in b.
func (p *Plan) Append(b *graph.Builder) (graph.Value, error) {
	in := make([]graph.Value, len(p.Inputs))
	for i, c := range p.Inputs {
		if b.Taken(c.Name) {
			return "", fault.New(fault.BadData, "the name of this column is taken by another column or an output").At(c.Name).Try("rename the column")
		}
		in[i] = b.Input(c.Name, inputType(c))
	}
	return appendBlocks(b, p.blocks, in), nil
}

func inputType(in card.Input) tensor.Type {
	if in.Type == "float32" {
		return tensor.Rows(tensor.Float32, 1)
	}
	return tensor.Rows(tensor.String, 1)
}

// appendBlocks appends the blocks and joins them; in holds a value for each of Plan.Inputs that the blocks use.
func appendBlocks(b *graph.Builder, blocks []block, in []graph.Value) graph.Value {
	var parts []graph.Value
	for _, k := range blocks {
		var own []graph.Value
		for _, i := range k.inputs() {
			own = append(own, in[i])
		}
		parts = append(parts, k.append(b, own))
	}
	return join(b, parts)
}

// join concatenates (rows, n) values along axis 1.
func join(b *graph.Builder, parts []graph.Value) graph.Value {
	if len(parts) == 1 {
		return parts[0]
	}
	return b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 1)}, parts...)
}

// pick gathers columns of x (rows, n) into (rows, len(columns)).
func pick(b *graph.Builder, x graph.Value, columns ...int64) graph.Value {
	return b.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 1)}, x, b.Ints("columns", columns))
}

// toFloat casts to float32.
func toFloat(b *graph.Builder, x graph.Value) graph.Value {
	return b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, x)
}
