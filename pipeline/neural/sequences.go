package neural

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/paged"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// mostSteps is how long sequences may be without being told to: what is kept of each step for the way back fills the memory.
const mostSteps = 10_000

// Sequences are a column of numbers one after another, each a list [1, 2.5, …] or, where a step has several numbers, a list of lists.
type Sequences struct {
	Mean, Scale []float64 // (width) of the training data: a step is standardised as (x - Mean)·Scale

	column card.Input
	width  int
	max    int // steps that are looked at, 0 for all
}

// FitSequences measures a column of sequences, which table and check.Sequence hold as texts. A row without a sequence, or with an empty one, cannot be learned
// from: usable lists the others. rows are those that count, in their order; nil means all.
//
// Errors: fault.BadData for steps of different widths, numbers that are not finite, no sequence at all, and sequences of more than 10,000 steps where o does not
// say how many to look at.
func FitSequences(t *table.Table, column string, rows []int, o Sequence) (s *Sequences, usable []int, err error) {
	c := t.Column(column)
	s = &Sequences{max: o.MaxLen, column: card.Input{Name: column, Type: "float32", Kind: card.Sequence}}
	count := len(rows)
	if rows == nil {
		count = t.Rows
	}
	longest, steps := 0, 0.
	var sum, squares []float64
	var row []float32
	for k := range count {
		i := k
		if rows != nil {
			i = rows[k]
		}
		var width int
		if row, width, err = s.read(c, i, row); err != nil {
			return nil, nil, err
		}
		if len(row) == 0 {
			continue
		}
		if s.width == 0 {
			s.width, sum, squares = width, make([]float64, width), make([]float64, width)
		}
		if width != s.width {
			return nil, nil, badSequence(column, i, fmt.Sprintf("has steps of %d numbers, others have %d", width, s.width)).Try("every step of every sequence needs the same numbers")
		}
		usable, longest = append(usable, i), max(longest, len(row)/width)
		for k, v := range row {
			sum[k%width] += float64(v)
			squares[k%width] += float64(v) * float64(v)
		}
		steps += float64(len(row) / width)
	}
	if len(usable) == 0 {
		return nil, nil, fault.New(fault.BadData, "no row has a sequence").At(column)
	}
	if longest > mostSteps && o.MaxLen == 0 {
		return nil, nil, fault.New(fault.BadData, fmt.Sprintf("a sequence has %d steps, and nets look at up to %d", longest, mostSteps)).At(column).
			Try("look at the first steps only, with sequence.max_len, or make the sequences shorter: means over several steps, pieces with a label each")
	}
	for k := range sum {
		mean := sum[k] / steps
		scale := 1.
		if deviation := math.Sqrt(max(0, squares[k]/steps-mean*mean)); deviation > 1e-7*math.Abs(mean) {
			scale = 1 / deviation
		}
		s.Mean, s.Scale = append(s.Mean, mean), append(s.Scale, scale)
	}
	s.column.Shape = []int{-1, s.width}
	s.column.Missing = float64(count-len(usable)) / float64(count)
	return s, usable, nil
}

// Columns implements Input.
func (s *Sequences) Columns() []card.Input { return []card.Input{s.column} }

// Append implements Input.
func (s *Sequences) Append(b *graph.Builder) (graph.Value, error) {
	x := b.Input(s.column.Name, tensor.TypeOf(tensor.Float32, tensor.Free, tensor.Free, s.width))
	if s.max > 0 {
		x = b.Op("Slice", x, b.Ints("from", []int64{0}), b.Ints("to", []int64{int64(s.max)}), b.Ints("axis", []int64{1}))
	}
	return x, nil
}

// Type implements Input.
func (s *Sequences) Type() tensor.Type {
	return tensor.TypeOf(tensor.Float32, tensor.Free, tensor.Free, s.width)
}

// Rows implements Input.
func (s *Sequences) Rows(_ context.Context, t *table.Table) (Rows, error) {
	c := t.Column(s.column.Name)
	all := &sequences{width: s.width, at: make([]int, 1, t.Rows+1)}
	var row []float32
	for i := range t.Rows {
		var err error
		if row, _, err = s.read(c, i, row); err != nil {
			return nil, err
		}
		if s.max > 0 {
			row = row[:min(len(row), s.max*s.width)]
		}
		if n := len(all.x) + len(row); n > cap(all.x) {
			all.x = paged.Grow(all.x, n+n/2)
		}
		all.x = append(all.x, row...)
		all.at = append(all.at, len(all.x))
	}
	return all, nil
}

// read parses the sequence of a row into memory that may serve again.
func (s *Sequences) read(c *table.Column, row int, into []float32) (x []float32, width int, err error) {
	if c.Kind == table.Number { // a column of sequences of one number each
		if c.Missing(row) {
			return into[:0], 1, nil
		}
		return append(into[:0], float32(c.Numbers[row])), 1, nil
	}
	x, width, err = check.ParseSequence(c.Text(row), into[:0])
	if err != nil {
		return nil, 0, badSequence(s.column.Name, row, err.Error())
	}
	for _, v := range x {
		if v-v != 0 {
			return nil, 0, badSequence(s.column.Name, row, "holds "+strconv.FormatFloat(float64(v), 'g', -1, 32)).Try("replace what is missing, or leave the row out")
		}
	}
	return x, width, nil
}

func badSequence(column string, row int, message string) *fault.Error {
	return fault.New(fault.BadData, "row "+strconv.Itoa(row+1)+" "+message).At(column)
}

// sequences are ragged rows one behind the other.
type sequences struct {
	x     []float32
	at    []int // (rows + 1) where each begins
	width int
}

// Read implements Rows: (rows, steps of the longest, width), NaN behind the end of each.
func (s *sequences) Read(_ context.Context, rows []int32, _ uint64, x *tensor.Tensor) error {
	longest := 1
	for _, r := range rows {
		longest = max(longest, (s.at[r+1]-s.at[r])/s.width)
	}
	x.Reset(tensor.Float32, len(rows), longest, s.width)
	to, size := x.F32(), longest*s.width
	nan := float32(math.NaN())
	for i, r := range rows {
		part := to[i*size : (i+1)*size]
		for k := copy(part, s.x[s.at[r]:s.at[r+1]]); k < size; k++ {
			part[k] = nan
		}
	}
	return nil
}
