//go:build !js

package source

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/pixels"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// parquetFile decodes Apache Parquet. Groups are flattened to a.b. Integers, floats and decimals are numbers; strings,
// enums, UUIDs and booleans texts; dates, times and timestamps ISO 8601 texts. Lists of numbers, and lists of such
// lists, are texts that hold JSON arrays; other lists and maps are refused. Files of pictures are texts of their bytes.
type parquetFile struct {
	in     *input
	o      *Options
	leaves []leaf
	pool   batchPool
}

// leaf is a column of the file.
type leaf struct {
	name string
	list *listType // nil where a row has one value
	parquetType
}

const (
	parquetRows  = 1 << 14   // are read of each column in turn
	parquetBytes = 64 << 20  // of values are, at most, by what row groups say of themselves: rows of pictures are large
	mostTexts    = 1<<31 - 1 // bytes of texts of one column in a batch
)

func newParquet(in *input, o *Options) decoder { return &parquetFile{in: in, o: o} }

// guard turns a panic of the library into an error: it has no other word for some damaged files.
func (f *parquetFile) guard(err *error) {
	if r := recover(); r != nil {
		*err = f.damaged(fmt.Errorf("%v", r))
	}
}

func (f *parquetFile) damaged(cause error) error {
	var known *fault.Error
	if errors.As(cause, &known) {
		return cause
	}
	return fault.New(fault.BadData, "the Parquet file is damaged or cut off").At(f.in.name).Because(cause).Try("copy or write the file again")
}

// with opens the file for the time of a call.
func (f *parquetFile) with(ctx context.Context, do func(*parquet.File) error) (err error) {
	at, size, done, err := f.in.random(ctx, f.o)
	if err != nil {
		return err
	}
	defer done()
	defer f.guard(&err)
	if size > f.o.MaxBytes {
		return fault.New(fault.TooLarge, "more than "+strconv.FormatInt(f.o.MaxBytes, 10)+" bytes of data").At(f.in.name).
			Try("split the file, or raise the limit on bytes")
	}
	if err := f.footer(at, size); err != nil {
		return err
	}
	file, err := parquet.OpenFile(at, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return f.damaged(err)
	}
	if err := f.plausible(file, size); err != nil {
		return err
	}
	return do(file)
}

// footer checks the last eight bytes, the footer's length and the magic number: the library makes room for a footer of
// any length before it reads it.
func (f *parquetFile) footer(at io.ReaderAt, size int64) error {
	var end [8]byte
	if size < 12 {
		return f.damaged(errors.New("it is shorter than the smallest file"))
	}
	if _, err := at.ReadAt(end[:], size-8); err != nil {
		return f.damaged(err)
	}
	switch string(end[4:]) {
	case "PAR1":
	case "PARE":
		return fault.New(fault.Unsupported, "the Parquet file is encrypted").At(f.in.name).Try("write it without encryption")
	default:
		return f.damaged(errors.New("it does not end with PAR1"))
	}
	if n := int64(binary.LittleEndian.Uint32(end[:])); n > size-12 {
		return f.damaged(errors.New("the footer is longer than the file"))
	}
	return nil
}

// plausible refuses sizes that the file cannot have, before anything is made as large as they say.
func (f *parquetFile) plausible(file *parquet.File, size int64) error {
	var total int64
	for _, g := range file.Metadata().RowGroups {
		if g.NumRows < 0 || g.NumRows > file.NumRows() {
			return f.damaged(errors.New("a row group has more rows than the file"))
		}
		for i := range g.Columns {
			m := &g.Columns[i].MetaData
			if m.TotalCompressedSize < 0 || m.TotalCompressedSize > size || m.TotalUncompressedSize < 0 || m.NumValues < 0 {
				return f.damaged(errors.New("a column is larger than the file"))
			}
			if total += m.TotalUncompressedSize; total > f.o.MaxBytes {
				return fault.New(fault.TooLarge, "more than "+strconv.FormatInt(f.o.MaxBytes, 10)+" bytes of data").At(f.in.name).
					Try("split the file, or raise the limit on bytes")
			}
		}
	}
	return nil
}

func (f *parquetFile) heading(ctx context.Context) (*heading, error) {
	h := &heading{size: f.in.size}
	err := f.with(ctx, func(file *parquet.File) error {
		seen, elements := map[string]bool{}, leafElements(file)
		return f.walk(file.Root(), "", func(c *parquet.Column, name string, list *listType) error {
			if len(f.leaves) == f.o.MaxColumns {
				return fault.New(fault.TooLarge, "more than "+strconv.Itoa(f.o.MaxColumns)+" columns").At(f.in.name).Try("raise the limit on columns")
			}
			if name == "" || seen[name] {
				return fault.New(fault.BadData, "two columns are named "+strconv.Quote(name)).At(f.in.name).Try("give each column a name of its own")
			}
			seen[name] = true
			if c.Index() >= len(elements) {
				return f.damaged(errors.New("the schema does not end"))
			}
			t, why := typeOf(c, elements[c.Index()])
			if why != "" && f.wanted(name) {
				return fault.New(fault.Unsupported, "column "+strconv.Quote(name)+" is "+why+", which is not read").At(f.in.name).
					Try("leave the column out, or write it as text or numbers")
			}
			if list != nil && why == "" {
				if t.number == nil && f.wanted(name) {
					return f.noList(name, "a list of other things than numbers")
				}
				if t.number = nil; c.Type().Kind() == parquet.Float {
					t.text = shortFloat
				}
			}
			f.leaves = append(f.leaves, leaf{name, list, t})
			h.names = append(h.names, name)
			kind := table.Text
			if t.number != nil {
				kind = table.Number
			}
			h.kinds = append(h.kinds, kind)
			h.settled = append(h.settled, kind == table.Text || !t.wide)
			return nil
		})
	})
	return h, err
}

// leafElements are the schema's entries for columns, in their order.
func leafElements(file *parquet.File) (leaves []*format.SchemaElement) {
	schema := file.Metadata().Schema
	for i := range schema {
		if schema[i].Type.Valid {
			leaves = append(leaves, &schema[i])
		}
	}
	return leaves
}

func (f *parquetFile) wanted(name string) bool {
	if f.o.Columns == nil {
		return true
	}
	for _, n := range f.o.Columns {
		if n == name {
			return true
		}
	}
	return false
}

// walk visits the leaf columns below c; those that are lists of numbers have the name of the list.
func (f *parquetFile) walk(c *parquet.Column, prefix string, visit func(*parquet.Column, string, *listType) error) error {
	for _, child := range c.Columns() {
		name := prefix + child.Name()
		if strings.Count(name, ".") > maxDepth {
			return f.damaged(errors.New("groups are nested too deep"))
		}
		list, leaf, ok, why := listOf(child)
		var err error
		switch {
		case ok && why != "":
			if f.wanted(name) {
				return f.noList(name, why)
			}
			err = f.walk(child, name+".", visit) // for its leaves to be counted, which nobody reads
		case ok:
			err = visit(leaf, name, &list)
		case child.Leaf():
			err = visit(child, name, nil)
		default:
			err = f.walk(child, name+".", visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *parquetFile) noList(name, what string) error {
	return fault.New(fault.Unsupported, "column "+strconv.Quote(name)+" is "+what+", which is not read").At(f.in.name).
		Try("lists of numbers are read, and lists of such lists; give other elements a column each, or leave the column out")
}

func (f *parquetFile) pass(ctx context.Context, modes []mode, strict []bool, visit func(*batch) error) error {
	return f.with(ctx, func(file *parquet.File) error {
		if len(file.Schema().Columns()) != len(f.leaves) {
			return changed(f.in.name)
		}
		first, groups := 1, file.RowGroups()
		for i, g := range groups {
			p := &groupReader{f: f, group: g, modes: modes, strict: strict, row: first, bytes: f.in.size / int64(len(groups)), most: parquetRows}
			for c := range file.Metadata().RowGroups[i].Columns {
				if c < len(modes) && modes[c] == text {
					each := file.Metadata().RowGroups[i].Columns[c].MetaData.TotalUncompressedSize / max(1, g.NumRows())
					p.most = min(p.most, max(1, parquetBytes/max(1, each)))
				}
			}
			err := p.read(ctx, visit)
			p.close()
			if err != nil {
				return err
			}
			first += int(g.NumRows())
		}
		return nil
	})
}

func (f *parquetFile) recycle(b *batch) { f.pool.put(b) }

// groupReader reads one row group, a batch of rows of each column in turn.
type groupReader struct {
	f      *parquetFile
	group  parquet.RowGroup
	modes  []mode
	strict []bool
	row    int   // of the file, from 1, that comes next
	bytes  int64 // of the file, about, that the group takes
	most   int64 // rows that are read at a time
	pages  []pageReader
	buf    []byte
}

// pageReader walks the values of one column.
type pageReader struct {
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	room   [256]parquet.Value

	at, have int // of a column of lists: values of room that were taken, and that there are
}

func (g *groupReader) close() {
	for i := range g.pages {
		if p := &g.pages[i]; p.pages != nil {
			parquet.Release(p.page)
			_ = p.pages.Close() // only read
		}
	}
}

func (g *groupReader) read(ctx context.Context, visit func(*batch) error) error {
	g.pages = make([]pageReader, len(g.modes))
	for i, c := range g.group.ColumnChunks() {
		if g.modes[i] != ignore {
			g.pages[i].pages = c.Pages()
		}
	}
	total := g.group.NumRows()
	for left := total; left > 0; {
		if err := ctx.Err(); err != nil {
			return canceled(err)
		}
		rows := int(min(left, g.most))
		b := g.f.pool.get(g.modes, rows)
		b.rows, b.bytes = rows, int(g.bytes*int64(rows)/total)
		for c := range g.modes {
			if g.modes[c] == ignore {
				continue
			}
			read := g.column
			if g.f.leaves[c].list != nil {
				read = g.lists
			}
			if err := read(c, rows, &b.cols[c]); err != nil {
				return err
			}
		}
		g.row += rows
		left -= int64(rows)
		if err := visit(b); err != nil {
			return err
		}
	}
	return nil
}

// column reads `rows` values of a column, one a row.
func (g *groupReader) column(c, rows int, to *vector) error {
	p, l := &g.pages[c], &g.f.leaves[c]
	for done := 0; done < rows; {
		if p.values == nil {
			page, err := p.pages.ReadPage()
			if errors.Is(err, io.EOF) {
				return g.f.damaged(errors.New("column " + strconv.Quote(l.name) + " has fewer rows than the file"))
			}
			if err != nil {
				return g.f.damaged(err)
			}
			p.page, p.values = page, page.Values()
		}
		n, err := p.values.ReadValues(p.room[:min(rows-done, len(p.room))])
		for i, v := range p.room[:n] {
			if err := g.value(c, l, v, done+i, to); err != nil {
				return err
			}
		}
		done += n
		if errors.Is(err, io.EOF) {
			parquet.Release(p.page)
			p.page, p.values = nil, nil
		} else if err != nil {
			return g.f.damaged(err)
		} else if n == 0 {
			return g.f.damaged(errors.New("column " + strconv.Quote(l.name) + " does not go on"))
		}
	}
	return nil
}

// value puts a value into row i of a batch.
func (g *groupReader) value(c int, l *leaf, v parquet.Value, i int, to *vector) error {
	m := g.modes[c]
	if v.IsNull() {
		switch m {
		case number:
			to.numbers[i] = nan
		case text:
			to.codes[i] = -1
		}
		return nil
	}
	if m == text {
		g.buf = l.text(v, g.buf[:0])
		return g.text(c, l, i, to)
	}
	if l.number == nil {
		g.buf = l.text(v, g.buf[:0])
		return g.numeric(c, l, i, to)
	}
	x, ok := l.number(v)
	if !ok {
		g.buf = l.text(v, g.buf[:0])
	}
	return g.number(c, l, i, to, x, ok)
}

// text puts the text in the buffer into row i.
func (g *groupReader) text(c int, l *leaf, i int, to *vector) error {
	if g.modes[c] != text {
		return g.numeric(c, l, i, to)
	}
	if len(g.buf) > g.f.o.MaxField {
		return g.tooLong(l, i)
	}
	if !utf8.Valid(g.buf) && (!l.raw || !pixels.File(string(g.buf[:min(len(g.buf), 4096)]))) {
		return fault.New(fault.BadData, "the text is not UTF-8").At(g.at(l, i)).Try("write the column as UTF-8, or leave it out")
	}
	if to.codes[i] = -1; len(g.buf) == 0 {
		return nil
	}
	if len(to.set.arena)+len(g.buf) > mostTexts {
		return fault.New(fault.TooLarge, "the texts of "+strconv.Itoa(parquetRows)+" rows take more than 2 GiB").At(g.at(l, i)).Try("write the file with fewer rows in a row group")
	}
	to.codes[i], _ = to.set.code(g.buf)
	return nil
}

// numeric puts the text in the buffer into row i of a column that is read as numbers.
func (g *groupReader) numeric(c int, l *leaf, i int, to *vector) error {
	x, ok := nan, true
	if len(g.buf) > 0 {
		x, ok = parseNumber(g.buf)
	}
	return g.number(c, l, i, to, x, ok)
}

// number puts a number into row i; ok is false for a value that is none, whose text is in the buffer.
func (g *groupReader) number(c int, l *leaf, i int, to *vector, x float64, ok bool) error {
	if !ok {
		x = nan
		if g.strict[c] {
			return fault.New(fault.Invalid, strconv.Quote(string(g.buf[:min(len(g.buf), 40)]))+" is not a number").At(g.at(l, i)).
				Try("correct the value, or read the column as text")
		}
		if to.wrong == nil {
			to.wrong = &badLine{}
		}
	}
	if g.modes[c] == number {
		to.numbers[i] = x
	}
	return nil
}

// at names a place in the file.
func (g *groupReader) at(l *leaf, i int) string {
	return g.f.in.name + ": row " + strconv.Itoa(g.row+i) + ", column " + l.name
}
