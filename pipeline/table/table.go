// Package table holds data as typed columns in memory: what sources produce, checks look at and features are made from.
//
// There are two physical kinds of column. Numbers are float64 with NaN for missing. Texts are codes into a dictionary
// with -1 for missing: categories cost four bytes a row, and work per distinct value is done once. Booleans, dates and
// free text are Text columns; what a text means is package check's judgement.
package table

import (
	"math"

	"github.com/jarvis-ml/jarvis/pipeline/paged"
)

// Kind is the physical kind of a column.
type Kind uint8

// The kinds: numbers and text.
const (
	Number Kind = iota // float64, NaN is missing
	Text               // codes into a dictionary, -1 is missing
)

// String gives "number" or "text".
func (k Kind) String() string {
	if k == Number {
		return "number"
	}
	return "text"
}

// Field names a column and its kind.
type Field struct {
	Name string
	Kind Kind
}

// Schema is the columns of a table in order. Names are unique and not empty.
type Schema []Field

// Index returns the position of a column, -1 when there is none.
func (s Schema) Index(name string) int {
	for i, f := range s {
		if f.Name == name {
			return i
		}
	}
	return -1
}

// Column is one column of a table. Of Numbers and Codes, the one that Kind says is set.
type Column struct {
	Field
	Numbers []float64 // (rows)
	Codes   []int32   // (rows), indices into Dict, -1 for missing
	Dict    *Dict
}

// Missing reports whether row i has no value.
func (c *Column) Missing(i int) bool {
	if c.Kind == Number {
		return math.IsNaN(c.Numbers[i])
	}
	return c.Codes[i] < 0
}

// Text returns the text of row i, "" for a missing one. The column must be of kind Text.
func (c *Column) Text(i int) string {
	if c.Codes[i] < 0 {
		return ""
	}
	return c.Dict.Values[c.Codes[i]]
}

// Len is the number of rows.
func (c *Column) Len() int {
	if c.Kind == Number {
		return len(c.Numbers)
	}
	return len(c.Codes)
}

// Table is columns of equal length.
type Table struct {
	Columns []Column
	Rows    int
}

// Schema lists the columns.
func (t *Table) Schema() Schema {
	s := make(Schema, len(t.Columns))
	for i := range t.Columns {
		s[i] = t.Columns[i].Field
	}
	return s
}

// Column returns the column of that name, nil when there is none.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// Ahead tells that the whole column is about to be read, in case that it lies in a file.
func (c *Column) Ahead() {
	paged.Ahead(c.Numbers)
	paged.Ahead(c.Codes)
}

// Take returns a table of the given rows, in that order. Dictionaries are shared.
func (t *Table) Take(rows []int) *Table {
	out := &Table{Rows: len(rows), Columns: make([]Column, len(t.Columns))}
	for i := range t.Columns {
		c, o := &t.Columns[i], &out.Columns[i]
		o.Field, o.Dict = c.Field, c.Dict
		c.Ahead()
		if c.Kind == Number {
			o.Numbers = paged.Make[float64](len(rows))
			for j, r := range rows {
				o.Numbers[j] = c.Numbers[r]
			}
			continue
		}
		o.Codes = paged.Make[int32](len(rows))
		for j, r := range rows {
			o.Codes[j] = c.Codes[r]
		}
	}
	return out
}
