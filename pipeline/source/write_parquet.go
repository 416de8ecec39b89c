//go:build !js

package source

import (
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// orderedGroup is a group of columns in the order of a schema; parquet.Group sorts them by name.
type orderedGroup struct {
	parquet.Group
	fields []parquet.Field
}

func (g orderedGroup) Fields() []parquet.Field { return g.fields }

// parquetWriter writes row groups of about parquetGroup rows.
type parquetWriter struct {
	w      *parquet.GenericWriter[any]
	schema table.Schema
	single bool
	rows   []parquet.Row
	cells  []parquet.Value
	inside int // rows in the current group
}

const parquetGroup = 1 << 17

func newParquetWriter(w io.Writer, schema table.Schema, o WriteOptions) (Writer, error) {
	group := parquet.Group{}
	for _, f := range schema {
		switch {
		case f.Kind == table.Text:
			group[f.Name] = parquet.Encoded(parquet.Optional(parquet.String()), &parquet.RLEDictionary)
		case o.Single:
			group[f.Name] = parquet.Optional(parquet.Leaf(parquet.FloatType))
		default:
			group[f.Name] = parquet.Optional(parquet.Leaf(parquet.DoubleType))
		}
	}
	byName := map[string]parquet.Field{}
	for _, f := range group.Fields() {
		byName[f.Name()] = f
	}
	ordered := orderedGroup{Group: group}
	for _, f := range schema {
		ordered.fields = append(ordered.fields, byName[f.Name])
	}
	return &parquetWriter{
		schema: schema, single: o.Single,
		w: parquet.NewGenericWriter[any](w, parquet.NewSchema("table", ordered), parquet.Compression(&parquet.Snappy)),
	}, nil
}

func (p *parquetWriter) Write(t *table.Table) error {
	if err := sameSchema(p.schema, t); err != nil {
		return err
	}
	const step = 1024
	width := len(t.Columns)
	if p.cells == nil {
		p.cells, p.rows = make([]parquet.Value, step*width), make([]parquet.Row, step)
	}
	for at := 0; at < t.Rows; at += step {
		n := min(step, t.Rows-at)
		for r := range n {
			row := p.cells[r*width : (r+1)*width]
			for i := range t.Columns {
				row[i] = p.value(&t.Columns[i], at+r).Level(0, 1, i)
				if t.Columns[i].Missing(at + r) {
					row[i] = parquet.NullValue().Level(0, 0, i)
				}
			}
			p.rows[r] = row
		}
		if _, err := p.w.WriteRows(p.rows[:n]); err != nil {
			return writeFault(err)
		}
		if p.inside += n; p.inside >= parquetGroup {
			if err := p.w.Flush(); err != nil {
				return writeFault(err)
			}
			p.inside = 0
		}
	}
	return nil
}

func (p *parquetWriter) value(c *table.Column, row int) parquet.Value {
	switch {
	case c.Kind == table.Text:
		return parquet.ByteArrayValue([]byte(c.Text(row)))
	case p.single:
		return parquet.FloatValue(float32(c.Numbers[row]))
	}
	return parquet.DoubleValue(c.Numbers[row])
}

func (p *parquetWriter) Close() error { return writeFault(p.w.Close()) }
