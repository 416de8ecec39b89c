package source

import (
	"context"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/paged"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// ReadAll reads a whole source into one table. It takes about 8 bytes for a number, 4 for a text and the distinct
// texts, and a few megabytes for reading; Options.MaxMemory bounds it with fault.TooLarge.
func ReadAll(ctx context.Context, src Source) (*table.Table, error) {
	if r, ok := src.(*reader); ok {
		return r.readAll(ctx)
	}
	schema, err := src.Schema(ctx)
	if err != nil {
		return nil, err
	}
	out := table.Empty(schema)
	for t, err := range src.Chunks(ctx) {
		if err != nil {
			return nil, err
		}
		out.Append(t)
	}
	return out, nil
}

// readAll reads as the kinds look, and reads columns again where they were not what they looked like.
func (r *reader) readAll(ctx context.Context) (*table.Table, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	whole := newBuilder(r, make([]bool, len(r.schema)))
	if err := whole.read(ctx); err != nil {
		return nil, err
	}
	if whole.out.Rows == 0 {
		return nil, r.noRows()
	}
	again, wrong := make([]bool, len(r.schema)), false
	for i := range again {
		again[i] = !whole.wrong[i] // skip what was right
		if whole.wrong[i] {
			r.schema[i].Kind, wrong = table.Text, true
		}
		r.settled[i] = true
	}
	if !wrong {
		return whole.out, nil
	}
	part := newBuilder(r, again)
	part.spent = whole.spent
	if err := part.read(ctx); err != nil {
		return nil, err
	}
	if part.out.Rows != whole.out.Rows {
		return nil, changed(r.name)
	}
	for i := range again {
		if !again[i] {
			whole.out.Columns[i] = part.out.Columns[i]
		}
	}
	return whole.out, nil
}

// builder appends batches to a table.
type builder struct {
	r     *reader
	out   *table.Table
	wrong []bool // columns that are left out: by the caller, or as they are not numbers after all
	spent int64  // bytes of memory used by columns of an earlier reading

	total, seen int64 // bytes of the files, and bytes of them read
	room        []int32
}

func newBuilder(r *reader, skip []bool) *builder {
	b := &builder{r: r, out: table.Empty(r.schema), wrong: skip}
	for _, f := range r.files {
		if f.head.size == 0 {
			b.total = 0
			break
		}
		b.total += f.head.size
	}
	return b
}

func (b *builder) read(ctx context.Context) error {
	for _, f := range b.r.files {
		modes, strict := b.r.plan(f, func(c int) bool { return !b.wrong[c] })
		err := f.dec.pass(ctx, modes, strict, func(in *batch) error {
			defer f.recycle(in)
			return b.add(f, in)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// add appends the rows of a batch.
func (b *builder) add(f *file, in *batch) error {
	b.seen += int64(in.bytes)
	if in.rows == 0 {
		return nil
	}
	rows := b.out.Rows + in.rows
	hint := b.expected(rows)
	for i, c := range f.column {
		if c < 0 || b.wrong[c] {
			continue
		}
		v, col := &in.cols[i], &b.out.Columns[c]
		if v.wrong != nil {
			b.wrong[c] = true
			col.Numbers = nil
			continue
		}
		if col.Kind == table.Number {
			col.Numbers = append(withRoom(col.Numbers, rows, hint), v.numbers[:in.rows]...)
			continue
		}
		col.Codes = withRoom(col.Codes, rows, hint)
		b.room = v.set.codesIn(col.Dict, b.room)
		at := len(col.Codes)
		col.Codes = col.Codes[:rows]
		for j, code := range v.codes[:in.rows] {
			if code >= 0 {
				code = b.room[code]
			}
			col.Codes[at+j] = code
		}
	}
	b.out.Rows = rows
	return b.complete(f)
}

// complete fills what the file does not have, and keeps to the limit on memory.
func (b *builder) complete(f *file) error {
	used := b.spent
	for i := range b.out.Columns {
		c := &b.out.Columns[i]
		if b.wrong[i] {
			continue
		}
		if c.Kind == table.Number {
			if n := b.out.Rows - len(c.Numbers); n > 0 {
				c.Numbers = append(c.Numbers, missingNumbers(n)...)
			}
			used += 8 * int64(len(c.Numbers))
			continue
		}
		if n := b.out.Rows - len(c.Codes); n > 0 {
			c.Codes = append(c.Codes, missingCodes(n)...)
		}
		used += 4*int64(len(c.Codes)) + int64(c.Dict.Bytes())
	}
	if used > b.r.o.MaxMemory {
		return fault.New(fault.TooLarge, "the table takes more than "+strconv.FormatInt(b.r.o.MaxMemory>>20, 10)+" MiB of memory").At(b.r.name).
			Try("read fewer columns or rows, or raise the limit on memory")
	}
	return nil
}

// expected estimates the rows of the whole from those so far. What the estimate is too high by is never touched, and
// costs address space only.
func (b *builder) expected(rows int) int {
	if b.total <= b.seen || b.seen == 0 {
		return rows
	}
	n := float64(rows)*(float64(b.total)/float64(b.seen)*1.02) + 1024
	width := 0
	for i := range b.out.Columns {
		if b.out.Columns[i].Kind == table.Number {
			width += 8
		} else {
			width += 4
		}
	}
	return int(min(n, float64(b.r.o.MaxMemory)/float64(max(width, 1))))
}

// withRoom returns s with capacity for n values: for `hint` when it grows, which is the expected end.
func withRoom[T paged.Number](s []T, n, hint int) []T {
	if cap(s) >= n {
		return s
	}
	return paged.Grow(s, max(n, hint, n+n/4*min(1, len(s))))
}
