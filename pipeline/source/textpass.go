package source

import (
	"context"
	"errors"
	"io"
)

// textPass is one reading of a text file in blocks of whole records: what CSV and JSON lines share.
type textPass struct {
	in     *input
	o      *Options
	enc    encoding
	mark   int    // bytes of the byte order mark
	skip   int    // bytes after it that were read already
	lines  int    // newlines in these
	shows  script // what their characters show
	quotes bool
	crOnly bool
	max    int
}

// run parses the blocks with `parse`, which gets UTF-8 text b[:n] with pad bytes of room after it.
func (t *textPass) run(ctx context.Context, parse func(worker int, b []byte, n int, whole bool) *batch, visit func(*batch) error) error {
	r, c, err := openText(ctx, t.in, t.o, t.enc, t.mark)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // only read
	if n, err := io.CopyN(io.Discard, r, int64(t.skip)); errors.Is(err, io.EOF) {
		if n < int64(t.skip)-1 { // the last line may lack the newline that skip counts
			return changed(t.in.name)
		}
	} else if err != nil {
		return err
	}
	spare := make([][]byte, t.o.Workers)
	decode := func(w int, b []byte, whole bool) *batch {
		text, shows, bad := prepare(b, t.enc, spare[w])
		if bad != nil {
			return &batch{bad: bad}
		}
		n := len(text)
		padded := append(text, make([]byte, pad)...)
		if &text[0] != &b[0] {
			spare[w] = padded
		}
		out := parse(w, padded, n, whole)
		out.shows, out.bytes = shows, len(b)
		return out
	}
	s := &splitter{r: r, quotes: t.quotes, crOnly: t.crOnly, max: t.max}
	return inParallel(ctx, s, t.o.Workers, decode, t.inOrder(visit))
}

// inOrder wraps a visit with what takes the order of the blocks: line numbers, and whether the encodings agree.
func (t *textPass) inOrder(visit func(*batch) error) func(*batch) error {
	lines, shown := t.lines, t.shows
	return func(b *batch) error {
		if b.shows != plainASCII {
			if shown != plainASCII && shown != b.shows {
				return mixedScripts(0, t.enc).at(t.in.name, lines+1)
			}
			shown = b.shows
		}
		if b.bad != nil {
			return b.bad.at(t.in.name, lines+1)
		}
		lines += b.lines
		return visit(b)
	}
}
