package source

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// reader is the Source over one or more files of one schema.
//
// A column is a Number column when all its values are numbers, which only reading all of them can tell. So Chunks
// makes a pass that checks the columns that look like numbers, and a second one that yields rows. ReadAll, which need
// not show anything before the end, reads once as if the looks were right, and reads once more the columns, if any,
// where they were not.
type reader struct {
	name   string
	o      Options
	files  []*file
	beside opener // of files that values name, nil where there is no place

	mu      sync.Mutex
	opened  bool
	schema  table.Schema
	settled []bool
	strict  []bool
	notices []string
}

// file is one file of a reader.
type file struct {
	in     *input
	format Format
	dec    decoder
	head   *heading
	column []int // position in the schema of each column of the file, -1 for one that is not wanted
}

func newReader(name string, inputs []*input, o Options) (*reader, error) {
	r := &reader{name: name, o: o}
	for _, in := range inputs {
		r.files = append(r.files, &file{in: in})
	}
	return r, nil
}

// Schema implements Source.
func (r *reader) Schema(ctx context.Context) (table.Schema, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	if err := r.settle(ctx); err != nil {
		return nil, err
	}
	return slices.Clone(r.schema), nil
}

// Notices says what was assumed or left aside in reading: a delimiter, an encoding, names made up, files ignored.
func (r *reader) Notices() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notices)
}

// Files opens what values name.
func (r *reader) Files() func(ctx context.Context, ref string) ([]byte, error) { return r.beside }

// Close lets go of temporary copies. A Source that is not closed lets go of them when the process ends.
func (r *reader) Close() error {
	for _, f := range r.files {
		f.in.close()
	}
	return nil
}

// open reads the headings of all files, and unites them.
func (r *reader) open(ctx context.Context) error {
	if r.opened {
		return nil
	}
	missing, err := newMissing(r.o.Missing)
	if err != nil {
		return err
	}
	for _, f := range r.files {
		head, err := f.in.head(ctx, 512, &r.o)
		if err != nil {
			return err
		}
		if f.format, err = sniff(f.in.name, head, r.o.Format); err != nil {
			return err
		}
		switch f.format {
		case JSON:
			f.dec = &jsonFile{in: f.in, o: &r.o}
		case Parquet:
			f.dec = newParquet(f.in, &r.o)
		default:
			f.dec = &csvFile{in: f.in, o: &r.o, missing: missing}
		}
		if f.head, err = f.dec.heading(ctx); err != nil {
			return err
		}
	}
	if err := r.unite(); err != nil {
		return err
	}
	r.opened = true
	return nil
}

// unite makes one schema of the files' headings: the order is that of the first file, columns that only later JSON
// files have come after it.
func (r *reader) unite() error {
	at := map[string]int{}
	var names []string
	for _, f := range r.files {
		for _, n := range f.head.names {
			if _, known := at[n]; !known {
				at[n] = len(names)
				names = append(names, n)
			}
		}
	}
	if err := r.sameColumns(names); err != nil {
		return err
	}
	if r.o.Columns != nil {
		seen := map[string]int{}
		for i, n := range r.o.Columns {
			if _, known := at[n]; !known {
				return fault.New(fault.Invalid, "no column of this name in "+r.name).At(n).Try("the columns are " + someOf(names))
			}
			if _, twice := seen[n]; twice {
				return fault.New(fault.Invalid, "the column is asked for twice").At(n)
			}
			seen[n] = i
		}
		at, names = seen, r.o.Columns
	}
	r.schema, r.settled, r.strict = make(table.Schema, len(names)), make([]bool, len(names)), make([]bool, len(names))
	for i, n := range names {
		r.schema[i], r.settled[i] = table.Field{Name: n}, true
	}
	for _, f := range r.files {
		f.column = make([]int, len(f.head.names))
		for i, n := range f.head.names {
			c, wanted := at[n]
			if !wanted {
				f.column[i] = -1
				continue
			}
			f.column[i] = c
			if f.head.kinds[i] == table.Text {
				r.schema[c].Kind = table.Text
			}
			r.settled[c] = r.settled[c] && f.head.settled[i]
		}
		for _, n := range f.head.notices {
			if len(r.files) > 1 {
				n = f.in.name + ": " + n
			}
			r.notices = append(r.notices, n)
		}
	}
	for i := range r.schema {
		if kind, said := r.o.Kinds[r.schema[i].Name]; said {
			r.schema[i].Kind, r.settled[i], r.strict[i] = kind, true, kind == table.Number
		} else if r.schema[i].Kind == table.Text {
			r.settled[i] = true
		}
	}
	return nil
}

// sameColumns refuses files that lack a column. JSON objects leave out what they have no value for, so there a column
// that no object has is missing in every row.
func (r *reader) sameColumns(names []string) error {
	for _, f := range r.files {
		if f.format == JSON || len(f.head.names) == len(names) {
			continue
		}
		for _, n := range names {
			if !slices.Contains(f.head.names, n) {
				return fault.New(fault.BadData, "column "+strconv.Quote(n)+" is missing in this file, and not in others of "+r.name).At(f.in.name).
					Try("files of one folder need the same columns")
			}
		}
	}
	return nil
}

func someOf(names []string) string {
	if len(names) > 12 {
		return strings.Join(names[:12], ", ") + " and " + strconv.Itoa(len(names)-12) + " more"
	}
	return strings.Join(names, ", ")
}

// settle makes the kinds certain, by a pass over the files where it takes one.
func (r *reader) settle(ctx context.Context) error {
	for _, f := range r.files {
		modes, todo := make([]mode, len(f.column)), false
		for i, c := range f.column {
			if c >= 0 && !r.settled[c] && r.schema[c].Kind == table.Number && !f.head.settled[i] {
				modes[i], todo = check, true
			}
		}
		if !todo {
			continue
		}
		err := f.dec.pass(ctx, modes, make([]bool, len(modes)), func(b *batch) error {
			for i, c := range f.column {
				if c >= 0 && b.cols[i].wrong != nil {
					r.schema[c].Kind = table.Text
				}
			}
			f.recycle(b)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for i := range r.settled {
		r.settled[i] = true
	}
	return nil
}

// recycle gives the buffers of a batch that was used up back to its decoder.
func (f *file) recycle(b *batch) {
	if p, ok := f.dec.(interface{ recycle(*batch) }); ok {
		p.recycle(b)
	}
}

func (f *csvFile) recycle(b *batch) { f.pool.put(b) }

// plan gives the modes of a pass over a file that reads the columns that `want` says.
func (r *reader) plan(f *file, want func(column int) bool) (modes []mode, strict []bool) {
	modes, strict = make([]mode, len(f.column)), make([]bool, len(f.column))
	for i, c := range f.column {
		if c < 0 || !want(c) {
			continue
		}
		modes[i], strict[i] = number, r.strict[c]
		if r.schema[c].Kind == table.Text {
			modes[i] = text
		}
	}
	return modes, strict
}

func all(int) bool { return true }

// Chunks implements Source.
func (r *reader) Chunks(ctx context.Context) iter.Seq2[*table.Table, error] {
	return func(yield func(*table.Table, error) bool) {
		schema, err := r.Schema(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		dicts, rows := table.Empty(schema), 0
		stopped := false
		for _, f := range r.files {
			modes, strict := r.plan(f, all)
			var codes []int32
			err := f.dec.pass(ctx, modes, strict, func(b *batch) error {
				if b.rows == 0 {
					return nil
				}
				if r.o.FreshDicts {
					dicts = table.Empty(schema)
				}
				t, err := chunk(f, b, dicts, &codes)
				if err != nil {
					return err
				}
				if rows += t.Rows; !yield(t, nil) {
					stopped = true
					return errStopped
				}
				return nil
			})
			if stopped {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
		if rows == 0 {
			yield(nil, r.noRows())
		}
	}
}

var errStopped = fault.New(fault.Canceled, "the reader of the chunks stopped")

func (r *reader) noRows() error {
	return fault.New(fault.BadData, "there is a header and no rows").At(r.name).Try("add rows, or look whether the right file is read")
}

// chunk turns a batch into a table of the schema, whose dictionaries are those of `dicts`.
func chunk(f *file, b *batch, dicts *table.Table, room *[]int32) (*table.Table, error) {
	t := &table.Table{Rows: b.rows, Columns: slices.Clone(dicts.Columns)}
	for i, c := range f.column {
		if c < 0 {
			continue
		}
		v, col := &b.cols[i], &t.Columns[c]
		if v.wrong != nil {
			return nil, changed(f.in.name)
		}
		if col.Kind == table.Number {
			col.Numbers, v.numbers = v.numbers[:b.rows:b.rows], nil
			continue
		}
		*room = v.set.codesIn(col.Dict, *room)
		codes := v.codes[:b.rows:b.rows]
		for j, code := range codes {
			if code >= 0 {
				codes[j] = (*room)[code]
			}
		}
		col.Codes, v.codes = codes, nil
	}
	for i := range t.Columns { // what a JSON file does not have
		if c := &t.Columns[i]; c.Kind == table.Number && c.Numbers == nil {
			c.Numbers = missingNumbers(b.rows)
		} else if c.Kind == table.Text && c.Codes == nil {
			c.Codes = missingCodes(b.rows)
		}
	}
	f.recycle(b)
	return t, nil
}

func missingNumbers(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = nan
	}
	return v
}

func missingCodes(n int) []int32 {
	v := make([]int32, n)
	for i := range v {
		v[i] = -1
	}
	return v
}
