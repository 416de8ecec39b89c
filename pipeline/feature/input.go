package feature

import (
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/paged"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Inputs converts the columns of a table to a model's inputs, a tensor (rows, 1) each: numbers from a text column are
// parsed, numbers of a column that the model takes as text are written by check.FormatNumber, missing values become NaN
// and "". Columns that the model does not use are ignored. A column that is not there counts as missing throughout when it
// had missing values in training.
// Errors: fault.Invalid for a column that is not there but had every value in training, and for a text that is not a
// number, with the column as Field and the row, counted from 1, in the message.
func Inputs(sig []card.Input, t *table.Table) (map[string]*tensor.Tensor, error) {
	out := make(map[string]*tensor.Tensor, len(sig))
	for _, in := range sig {
		c, err := Find(t, in)
		if err != nil {
			return nil, err
		}
		if in.Type == "float32" {
			values := make([]float32, t.Rows)
			if err := Floats(c, 0, values); err != nil {
				return nil, err
			}
			out[in.Name] = tensor.Floats(values, t.Rows, 1)
			continue
		}
		values := make([]string, t.Rows)
		for i := range values {
			values[i] = TextAt(c, i)
		}
		out[in.Name] = tensor.Strings(values, t.Rows, 1)
	}
	return out, nil
}

// Find returns the column of an input, nil when there is none and none is needed.
func Find(t *table.Table, in card.Input) (*table.Column, error) {
	c := t.Column(in.Name)
	if c != nil || in.Missing > 0 {
		return c, nil
	}
	names := ""
	for i, f := range t.Schema() {
		if i == 20 {
			names += " …"
			break
		}
		if i > 0 {
			names += ", "
		}
		names += f.Name
	}
	return nil, fault.New(fault.Invalid, "the data has no such column, and the model needs it").At(in.Name).Try("the columns of the data are " + names)
}

// TextAt is what a text input gets from row i of a column, which may be nil.
func TextAt(c *table.Column, i int) string {
	switch {
	case c == nil || c.Missing(i):
		return ""
	case c.Kind == table.Number:
		return check.FormatNumber(c.Numbers[i] + 0)
	}
	return c.Text(i)
}

// Floats fills out with the rows of a column from first on, as float32. The column may be nil: all
// missing. Errors: fault.Invalid for a text that is not a number.
func Floats(c *table.Column, first int, out []float32) error {
	switch {
	case c == nil:
		for i := range out {
			out[i] = float32(math.NaN())
		}
	case c.Kind == table.Number:
		paged.Ahead(c.Numbers[first : first+len(out)])
		for i, x := range c.Numbers[first : first+len(out)] {
			out[i] = float32(x)
		}
	default:
		return parse(c, first, out)
	}
	return nil
}

// parse is Floats for a text column. Each distinct text of the rows is parsed once.
func parse(c *table.Column, first int, out []float32) error {
	known := map[int32]float32{}
	for i, code := range c.Codes[first : first+len(out)] {
		if code < 0 {
			out[i] = float32(math.NaN())
			continue
		}
		v, ok := known[code]
		if !ok {
			x, numeric := check.ParseNumber(c.Dict.Values[code])
			if !numeric {
				return fault.New(fault.Invalid, "row "+strconv.Itoa(first+i+1)+" holds "+quote(c.Dict.Values[code])+", which is not a number").
					At(c.Name).Try("mend the value, or leave it empty if it is missing")
			}
			v = float32(x)
			known[code] = v
		}
		out[i] = v
	}
	return nil
}

func quote(s string) string {
	const limit = 60
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	return strconv.Quote(s)
}
