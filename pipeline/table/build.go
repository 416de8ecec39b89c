package table

// Numbers returns a number column over values (rows); NaN is missing.
func Numbers(name string, values []float64) Column {
	return Column{Field: Field{name, Number}, Numbers: values}
}

// Texts returns a text column with a dictionary of its own; "" is missing.
func Texts(name string, values []string) Column {
	d, codes := NewDict(), make([]int32, len(values))
	for i, v := range values {
		codes[i] = d.Code(v)
	}
	return Column{Field: Field{name, Text}, Codes: codes, Dict: d}
}

// New returns a table of columns that have equal lengths.
func New(columns ...Column) *Table {
	t := &Table{Columns: columns}
	if len(columns) > 0 {
		t.Rows = columns[0].Len()
	}
	return t
}

// Empty returns a table of no rows with a schema's columns; text columns have dictionaries of their own.
func Empty(s Schema) *Table {
	t := &Table{Columns: make([]Column, len(s))}
	for i, f := range s {
		t.Columns[i].Field = f
		if f.Kind == Text {
			t.Columns[i].Dict = NewDict()
		}
	}
	return t
}

// Slice returns rows from (included) to to (excluded) without copying: values and dictionaries are shared.
func (t *Table) Slice(from, to int) *Table {
	out := &Table{Rows: to - from, Columns: make([]Column, len(t.Columns))}
	for i := range t.Columns {
		c := t.Columns[i]
		if c.Kind == Number {
			c.Numbers = c.Numbers[from:to:to]
		} else {
			c.Codes = c.Codes[from:to:to]
		}
		out.Columns[i] = c
	}
	return out
}

// Select returns the named columns, in that order, without copying; false names a column that the table lacks.
func (t *Table) Select(names ...string) (*Table, string, bool) {
	out := &Table{Rows: t.Rows, Columns: make([]Column, 0, len(names))}
	for _, n := range names {
		c := t.Column(n)
		if c == nil {
			return nil, n, false
		}
		out.Columns = append(out.Columns, *c)
	}
	return out, "", true
}

// Append adds the rows of from, which has the columns of t in the same order and of the same kinds. Texts are
// translated where the dictionaries are not the same one.
func (t *Table) Append(from *Table) {
	for i := range t.Columns {
		c, f := &t.Columns[i], &from.Columns[i]
		if c.Kind == Number {
			c.Numbers = append(c.Numbers, f.Numbers...)
			continue
		}
		if c.Dict == f.Dict {
			c.Codes = append(c.Codes, f.Codes...)
			continue
		}
		c.Codes = appendTranslated(c.Codes, c.Dict, f)
	}
	t.Rows += from.Rows
}

// appendTranslated looks up each distinct text of f once, at its first row, so that the order in d is that of the rows.
func appendTranslated(codes []int32, d *Dict, f *Column) []int32 {
	to := make([]int32, len(f.Dict.Values)) // code in d plus one
	for _, c := range f.Codes {
		if c < 0 {
			codes = append(codes, -1)
			continue
		}
		if to[c] == 0 {
			to[c] = d.Code(f.Dict.Values[c]) + 1
		}
		codes = append(codes, to[c]-1)
	}
	return codes
}
