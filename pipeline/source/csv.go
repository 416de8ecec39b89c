package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// decoder reads one file of a format.
type decoder interface {
	// heading finds out what the columns are. It is called once, before any pass.
	heading(ctx context.Context) (*heading, error)
	// pass reads the file once. Modes and strict are by the heading's columns. Errors name file and line.
	pass(ctx context.Context, modes []mode, strict []bool, visit func(*batch) error) error
}

// heading is what a file says about its columns before it is read whole.
type heading struct {
	names   []string
	kinds   []table.Kind
	settled []bool // the kind is certain; else it is Number, unless reading on shows that it is not
	size    int64  // bytes that the passes read, 0 where unknown; batch.bytes counts them
	notices []string
}

// csvFile decodes delimited text.
type csvFile struct {
	in      *input
	o       *Options
	missing *missingTexts
	pool    batchPool

	enc    encoding
	mark   int // bytes of the byte order mark
	crOnly bool
	delim  byte
	names  []string
	skip   int // bytes of the header, byte order mark and blank lines before it included, once decoded to one byte a character
	lines  int // in these
	shows  script
}

// text opens the characters of the file, from the beginning.
func openText(ctx context.Context, in *input, o *Options, enc encoding, mark int) (io.Reader, io.Closer, error) {
	c, err := in.content(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	if mark > 0 {
		if _, err := io.CopyN(io.Discard, c, int64(mark)); err != nil {
			_ = c.Close() // only read
			return nil, nil, changed(in.name)
		}
	}
	if enc.wide() {
		return &wideReader{name: in.name, r: c, big: enc == utf16be}, c, nil
	}
	return c, c, nil
}

func changed(name string) error {
	return fault.New(fault.Conflict, "the data changed while it was read").At(name).Try("read again when nobody writes to it")
}

// sample reads the head of the text: whole records where they fit into the limit, and whether that is the whole text.
func sampleText(ctx context.Context, in *input, o *Options, enc encoding, mark, size int) ([]byte, bool, error) {
	r, c, err := openText(ctx, in, o, enc, mark)
	if err != nil {
		return nil, false, err
	}
	defer c.Close() //nolint:errcheck // only read
	b := make([]byte, size+pad+1)
	n, err := io.ReadFull(r, b[:size])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return b[:n], true, nil
	}
	return b[:n], false, err
}

func (f *csvFile) heading(ctx context.Context) (*heading, error) {
	raw, err := f.in.head(ctx, 4096, f.o)
	if err != nil {
		return nil, err
	}
	f.enc, f.mark = encodingOf(raw, f.o.Encoding)
	var (
		b, head []byte
		whole   bool
		end     int
	)
	for size := blockSize; ; size *= 4 {
		if b, whole, err = sampleText(ctx, f.in, f.o, f.enc, f.mark, size); err != nil {
			return nil, err
		}
		f.crOnly = bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') >= 0
		if f.crOnly {
			b = bytes.ReplaceAll(b, []byte{'\r'}, newline)
		}
		if whole && len(b) > 0 && b[len(b)-1] != '\n' {
			b = append(b, '\n')
		}
		s := splitter{quotes: true}
		if end = s.cut(b); len(trimLines(b[:end])) == 0 {
			end = 0 // blank lines are no header
		}
		if end > 0 || whole || size > f.maxRecord() {
			break
		}
	}
	if len(trimLines(b)) == 0 {
		return nil, fault.New(fault.BadData, "the file is empty").At(f.in.name).Try("it needs a header and rows")
	}
	if end == 0 {
		if f.delim = f.o.Delimiter; f.delim == 0 {
			f.delim = ','
		}
		return nil, f.parser(nil, nil).unfinished(b).at(f.in.name, 1)
	}
	head, shows, bad := prepare(b[:end], f.enc, nil)
	if bad != nil {
		return nil, bad.at(f.in.name, 1)
	}
	f.shows = shows
	return f.header(withPad(head), len(head), b, whole)
}

// withPad returns b followed by pad zero bytes.
func withPad(b []byte) []byte { return append(b[:len(b):len(b)], make([]byte, pad)...) }

func trimLines(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }

// maxRecord bounds a record: it may hold a few of the largest fields, and many columns.
func (f *csvFile) maxRecord() int { return max(4*f.o.MaxField, 1<<20) }

func (f *csvFile) parser(modes []mode, strict []bool) *recordParser {
	return &recordParser{delim: f.delim, modes: modes, strict: strict, missing: f.missing, max: f.o.MaxField, names: f.names, pool: &f.pool}
}

// header reads the names and looks at the rows of the sample b[:n]; raw is the sample before decoding.
func (f *csvFile) header(b []byte, n int, raw []byte, whole bool) (*heading, error) {
	start := 0
	for b[start] == '\n' || b[start] == '\r' && b[start+1] == '\n' {
		start++
	}
	h := &heading{size: f.in.size}
	if err := f.chooseDelimiter(b[start:n], h); err != nil {
		return nil, err
	}
	names, next, line, err := f.record(b, start)
	if err != nil {
		return nil, err
	}
	if f.names, err = f.checkNames(names, h); err != nil {
		return nil, err
	}
	if f.o.NoHeader {
		next, line = start, bytes.Count(b[:start], newline)
	}
	f.lines = line
	f.skip = rawLines(raw, b[:next])
	modes, none := make([]mode, len(f.names)), make([]bool, len(f.names))
	for i := range modes {
		modes[i] = check
	}
	out := f.parser(modes, none).parse(b[next:], n-next)
	for i := range f.names {
		kind := table.Number
		if out.cols[i].wrong != nil {
			kind = table.Text
		}
		h.kinds = append(h.kinds, kind)
		h.settled = append(h.settled, kind == table.Text || whole && out.bad == nil)
	}
	h.names = f.names
	if f.in.size > 0 && f.enc.wide() {
		h.size /= 2
	}
	switch {
	case f.enc.wide():
		h.notices = append(h.notices, "read as UTF-16")
	case f.enc == windows1252, f.shows == shows1252:
		h.notices = append(h.notices, "read as Windows-1252 (Latin-1)")
	}
	return h, nil
}

// rawLines returns how many bytes of raw the decoded beginning takes: as many records' lines, whatever they decode to.
func rawLines(raw, decoded []byte) int {
	at := 0
	for range bytes.Count(decoded, newline) {
		at += bytes.IndexByte(raw[at:], '\n') + 1
	}
	return at
}

// record reads the fields of the record at pos: also the position and the number of lines after it.
func (f *csvFile) record(b []byte, pos int) (fields []string, next, line int, err error) {
	p, out := f.parser(nil, nil), &batch{}
	line = bytes.Count(b[:pos], newline)
	for {
		v, q := p.field(b, pos, &line, out)
		if q < 0 {
			return nil, 0, 0, out.bad.at(f.in.name, 1)
		}
		if len(fields) == f.o.MaxColumns {
			return nil, 0, 0, fault.New(fault.TooLarge, "more than "+strconv.Itoa(f.o.MaxColumns)+" columns").At(f.in.name + ":1").
				Try("look whether lines end as they should, or raise the limit on columns")
		}
		fields = append(fields, string(v))
		pos = q + 1
		if b[q] == f.delim {
			continue
		}
		if b[q] == '\r' {
			pos++
		}
		return fields, pos, line + 1, nil
	}
}

// checkNames makes names of a header's fields. An empty one becomes column_N, as spreadsheets and data frames with an
// unnamed index write it; two of one name are refused, as nobody could tell which is meant.
func (f *csvFile) checkNames(fields []string, h *heading) ([]string, error) {
	at := f.in.name + ":1"
	seen := make(map[string]int, len(fields))
	for i, name := range fields {
		n := strconv.Itoa(i + 1)
		if f.o.NoHeader {
			name = "column_" + n
		} else if len(trimBlanks([]byte(name))) == 0 {
			name = "column_" + n
			h.notices = append(h.notices, "column "+n+" has no name and is called "+name)
		}
		if first, twice := seen[name]; twice {
			return nil, fault.New(fault.BadData, "columns "+strconv.Itoa(first)+" and "+n+" are both named "+strconv.Quote(name)).At(at).
				Try("give each column a name of its own")
		}
		seen[name] = i + 1
		fields[i] = name
	}
	return fields, nil
}

func (f *csvFile) pass(ctx context.Context, modes []mode, strict []bool, visit func(*batch) error) error {
	parsers := make([]*recordParser, f.o.Workers)
	for i := range parsers {
		parsers[i] = f.parser(modes, strict)
	}
	t := textPass{
		in: f.in, o: f.o, enc: f.enc, mark: f.mark, skip: f.skip, lines: f.lines, shows: f.shows, quotes: true, crOnly: f.crOnly,
		max: f.maxRecord(),
	}
	return t.run(ctx, func(w int, b []byte, n int, whole bool) *batch {
		if !whole {
			return &batch{bad: parsers[w].unfinished(b[:n])}
		}
		return parsers[w].parse(b, n)
	}, visit)
}
