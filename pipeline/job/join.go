package job

import (
	"math"

	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/paged"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// join puts tables below each other, with the columns of a schema. A column that a table lacks is missing there; a
// number that should be text is written out, a text that should be a number is read.
func join(schema table.Schema, parts []*table.Table) *table.Table {
	out := &table.Table{Columns: make([]table.Column, len(schema))}
	for _, p := range parts {
		out.Rows += p.Rows
	}
	for i, f := range schema {
		c := &out.Columns[i]
		c.Field = f
		if f.Kind == table.Number {
			c.Numbers = paged.MakeRoom[float64](0, out.Rows)
			for _, p := range parts {
				c.Numbers = appendNumbers(c.Numbers, p.Column(f.Name), p.Rows)
			}
			continue
		}
		c.Dict, c.Codes = table.NewDict(), paged.MakeRoom[int32](0, out.Rows)
		for _, p := range parts {
			c.Codes = appendTexts(c.Codes, c.Dict, p.Column(f.Name), p.Rows)
		}
	}
	return out
}

func appendNumbers(to []float64, c *table.Column, rows int) []float64 {
	switch {
	case c == nil:
		for range rows {
			to = append(to, math.NaN())
		}
		return to
	case c.Kind == table.Number:
		return append(to, c.Numbers...)
	}
	read := make([]float64, len(c.Dict.Values))
	for i, s := range c.Dict.Values {
		v, ok := check.ParseNumber(s)
		if !ok {
			v = math.NaN()
		}
		read[i] = v
	}
	for _, code := range c.Codes {
		if code < 0 {
			to = append(to, math.NaN())
		} else {
			to = append(to, read[code])
		}
	}
	return to
}

func appendTexts(to []int32, dict *table.Dict, c *table.Column, rows int) []int32 {
	switch {
	case c == nil:
		for range rows {
			to = append(to, -1)
		}
	case c.Kind == table.Number:
		for _, v := range c.Numbers {
			if math.IsNaN(v) {
				to = append(to, -1)
			} else {
				to = append(to, dict.Code(check.FormatNumber(v)))
			}
		}
	default:
		codes := make([]int32, len(c.Dict.Values))
		for i, s := range c.Dict.Values {
			codes[i] = dict.Code(s)
		}
		for _, code := range c.Codes {
			if code >= 0 {
				code = codes[code]
			}
			to = append(to, code)
		}
	}
	return to
}
