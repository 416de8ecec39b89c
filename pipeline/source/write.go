package source

import (
	"bufio"
	"context"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Writer writes the rows of tables of one schema as they come, in bounded memory. Close ends the file, without closing
// what it is written to; a Writer that is not closed leaves an unfinished file.
type Writer interface {
	Write(t *table.Table) error
	Close() error
}

// WriteOptions says how to write.
type WriteOptions struct {
	// Single writes numbers with the digits that a float32 has, for values that come from float32 (predictions).
	// Parquet columns are then of type FLOAT.
	Single bool
}

// NewWriter returns a Writer of a format. CSV has the schema's names as header, quotes only where needed, \n at line
// ends and nothing for missing; JSON lines leave missing values as null; Parquet has optional DOUBLE and UTF8 columns.
func NewWriter(w io.Writer, format Format, schema table.Schema, o WriteOptions) (Writer, error) {
	if len(schema) == 0 {
		return nil, fault.New(fault.Invalid, "a table without columns cannot be written").At("schema")
	}
	switch format {
	case CSV:
		return newCSVWriter(w, schema, o)
	case JSON:
		return newJSONWriter(w, schema, o), nil
	case Parquet:
		return newParquetWriter(w, schema, o)
	}
	return nil, fault.New(fault.Invalid, "the format to write is not said").At("format").Try("csv, jsonl or parquet; a file name's extension says it too")
}

// Write writes a whole table.
func Write(ctx context.Context, w io.Writer, format Format, t *table.Table) error {
	out, err := NewWriter(w, format, t.Schema(), WriteOptions{})
	if err != nil {
		return err
	}
	const rows = 1 << 14
	for at := 0; at < t.Rows; at += rows {
		if err := ctx.Err(); err != nil {
			return fault.Wrap(err, fault.Canceled, "writing was given up")
		}
		if err := out.Write(t.Slice(at, min(t.Rows, at+rows))); err != nil {
			return err
		}
	}
	return out.Close()
}

// sameSchema refuses a table that is not of the writer's schema.
func sameSchema(s table.Schema, t *table.Table) error {
	if len(s) != len(t.Columns) {
		return fault.New(fault.Invalid, "the table to write has other columns than those before it")
	}
	for i := range s {
		if s[i] != t.Columns[i].Field {
			return fault.New(fault.Invalid, "the column to write is not the one that was announced").At(t.Columns[i].Name)
		}
	}
	return nil
}

func writeFault(err error) error {
	return fault.Wrap(err, fault.Unavailable, "the output cannot be written")
}

// appendNumber writes a number so that reading it gives the same bits, integers without a point or an exponent.
func appendNumber(b []byte, v float64) []byte { return appendFloat(b, v, 64) }

func appendFloat(b []byte, v float64, bits int) []byte {
	if a := math.Abs(v); a < 1e15 && v == math.Trunc(v) && (v != 0 || !math.Signbit(v)) {
		return strconv.AppendInt(b, int64(v), 10)
	} else if a >= 1e-5 && a < 1e21 {
		return strconv.AppendFloat(b, v, 'f', -1, bits)
	}
	return strconv.AppendFloat(b, v, 'g', -1, bits)
}

func (o WriteOptions) bits() int {
	if o.Single {
		return 32
	}
	return 64
}

// csvWriter writes CSV. Each distinct text is quoted once.
type csvWriter struct {
	w      *bufio.Writer
	schema table.Schema
	bits   int
	row    []byte
}

func newCSVWriter(w io.Writer, schema table.Schema, o WriteOptions) (Writer, error) {
	c := &csvWriter{w: bufio.NewWriterSize(w, 1<<16), schema: schema, bits: o.bits()}
	for i, f := range schema {
		if i > 0 {
			c.row = append(c.row, ',')
		}
		c.row = appendField(c.row, f.Name)
	}
	c.row = append(c.row, '\n')
	_, err := c.w.Write(c.row)
	return c, writeFault(err)
}

func (c *csvWriter) Write(t *table.Table) error {
	if err := sameSchema(c.schema, t); err != nil {
		return err
	}
	for r := range t.Rows {
		c.row = c.row[:0]
		for i := range t.Columns {
			if i > 0 {
				c.row = append(c.row, ',')
			}
			col := &t.Columns[i]
			if col.Kind == table.Text {
				c.row = appendField(c.row, col.Text(r))
			} else if v := col.Numbers[r]; !math.IsNaN(v) {
				c.row = appendFloat(c.row, v, c.bits)
			}
		}
		if len(c.row) == 0 { // a blank line would be no row
			c.row = append(c.row, `""`...)
		}
		c.row = append(c.row, '\n')
		if _, err := c.w.Write(c.row); err != nil {
			return writeFault(err)
		}
	}
	return nil
}

func (c *csvWriter) Close() error { return writeFault(c.w.Flush()) }

// appendField quotes a text where it must be.
func appendField(b []byte, s string) []byte {
	if !strings.ContainsAny(s, ",\"\r\n") {
		return append(b, s...)
	}
	b = append(b, '"')
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		b = append(append(b, s[:i]...), `""`...)
		s = s[i+1:]
	}
	return append(append(b, s...), '"')
}

// jsonWriter writes JSON lines.
type jsonWriter struct {
	w      *bufio.Writer
	schema table.Schema
	keys   [][]byte // quoted, with the comma before and the colon after
	bits   int
	row    []byte
}

func newJSONWriter(w io.Writer, schema table.Schema, o WriteOptions) Writer {
	j := &jsonWriter{w: bufio.NewWriterSize(w, 1<<16), schema: schema, bits: o.bits()}
	for i, f := range schema {
		start := byte(',')
		if i == 0 {
			start = '{'
		}
		j.keys = append(j.keys, append(appendString([]byte{start}, f.Name), ':'))
	}
	return j
}

func (j *jsonWriter) Write(t *table.Table) error {
	if err := sameSchema(j.schema, t); err != nil {
		return err
	}
	for r := range t.Rows {
		j.row = j.row[:0]
		for i := range t.Columns {
			col := &t.Columns[i]
			j.row = append(j.row, j.keys[i]...)
			switch {
			case col.Missing(r):
				j.row = append(j.row, "null"...)
			case col.Kind == table.Text:
				j.row = appendString(j.row, col.Text(r))
			case math.IsInf(col.Numbers[r], 0):
				return fault.New(fault.Invalid, "JSON has no infinite numbers").At(col.Name).Try("write CSV or Parquet, or replace the value")
			default:
				j.row = appendFloat(j.row, col.Numbers[r], j.bits)
			}
		}
		j.row = append(j.row, '}', '\n')
		if _, err := j.w.Write(j.row); err != nil {
			return writeFault(err)
		}
	}
	return nil
}

func (j *jsonWriter) Close() error { return writeFault(j.w.Flush()) }

// appendString writes a JSON string; bytes that are not UTF-8 become U+FFFD, as encoding/json has it.
func appendString(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r < 0x20:
			b = append(b, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		case r == utf8.RuneError:
			b = append(b, "\uFFFD"...)
		case r < utf8.RuneSelf:
			b = append(b, s[i])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
