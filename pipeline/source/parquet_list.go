//go:build !js

package source

import (
	"errors"
	"io"
	"math"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// listType says how the lists of a column are read: each becomes a text, a JSON array of numbers or of arrays of numbers. Levels are those of the Dremel paper
// (Melnik et al. 2010): the repetition level says which list an element goes on, the definition level how much of the path to it is there.
type listType struct {
	exists []int // definition level from which an element of the outer list exists, and of the inner one
	value  int   // definition level from which the number itself does
}

// listOf follows a column that holds a list, or a list of lists, down to its numbers: groups of one member each. ok is false for one that holds no lists; why
// says of one that does what else it is.
func listOf(c *parquet.Column) (l listType, leaf *parquet.Column, ok bool, why string) {
	if !c.Repeated() && (len(c.Columns()) != 1 || !c.Columns()[0].Repeated()) {
		return l, nil, false, ""
	}
	level := c.MaxDefinitionLevel()
	if c.Optional() || c.Repeated() {
		level--
	}
	for {
		if c.Optional() || c.Repeated() {
			level++
		}
		if c.Repeated() {
			l.exists = append(l.exists, level)
		}
		if c.Leaf() {
			break
		}
		if children := c.Columns(); len(children) != 1 {
			return l, nil, len(l.exists) > 0, "a map or a list of groups"
		}
		c = c.Columns()[0]
	}
	if l.value = level; len(l.exists) > 2 {
		return l, c, true, "a list of lists of lists"
	}
	return l, c, len(l.exists) > 0, ""
}

// lists reads `rows` lists of a column.
func (g *groupReader) lists(c, rows int, to *vector) error {
	p, l := &g.pages[c], &g.f.leaves[c]
	for i := range rows {
		v, err := p.next()
		if errors.Is(err, io.EOF) {
			return g.f.damaged(errors.New("column " + strconv.Quote(l.name) + " has fewer rows than the file"))
		}
		t := listText{list: l.list, number: l.text, b: g.buf[:0]}
		for ; err == nil; v, err = p.next() {
			if r := v.RepetitionLevel(); r == 0 && t.begun {
				p.at-- // the next row's
				break
			} else if r > 0 && !t.begun || r > len(l.list.exists) {
				return g.f.damaged(errors.New("column " + strconv.Quote(l.name) + " goes on with a list that has not begun"))
			}
			if t.add(v); len(t.b) > g.f.o.MaxField {
				return g.tooLong(l, i)
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return g.f.damaged(err)
		}
		g.buf = t.end()
		if err := g.text(c, l, i, to); err != nil {
			return err
		}
	}
	return nil
}

// next is the next value of a column of numbers, io.EOF behind the last.
func (p *pageReader) next() (parquet.Value, error) {
	for p.at == p.have {
		if p.values == nil {
			page, err := p.pages.ReadPage()
			if err != nil {
				return parquet.Value{}, err
			}
			p.page, p.values = page, page.Values()
		}
		n, err := p.values.ReadValues(p.room[:])
		p.at, p.have = 0, n
		switch {
		case errors.Is(err, io.EOF):
			parquet.Release(p.page)
			p.page, p.values = nil, nil
		case err != nil:
			return parquet.Value{}, err
		case n == 0:
			return parquet.Value{}, errors.New("a page does not go on")
		}
	}
	p.at++
	return p.room[p.at-1], nil
}

// listText writes a list as JSON.
type listText struct {
	list   *listType
	number func(parquet.Value, []byte) []byte
	b      []byte
	begun  bool
	inner  bool // a list within is open
	null   bool // there is no list
}

func (t *listText) add(v parquet.Value) {
	d, r, exists := v.DefinitionLevel(), v.RepetitionLevel(), t.list.exists
	if r == 0 {
		t.begun = true
		if t.null = d < exists[0]-1; t.null {
			return
		}
		if t.b = append(t.b, '['); d < exists[0] {
			return
		}
	}
	if len(exists) == 1 || r == 2 {
		if r > 0 {
			t.b = append(t.b, ',')
		}
		t.element(v, d)
		return
	}
	if t.inner {
		t.b = append(t.b, ']')
	}
	if r > 0 {
		t.b = append(t.b, ',')
	}
	switch t.inner = d >= exists[1]; {
	case t.inner:
		t.b = append(t.b, '[')
		t.element(v, d)
	case d == exists[1]-1:
		t.b = append(t.b, "[]"...)
	default:
		t.b = append(t.b, "null"...)
	}
}

func (t *listText) element(v parquet.Value, d int) {
	n := len(t.b)
	if d >= t.list.value {
		t.b = t.number(v, t.b)
	}
	if len(t.b) == n { // no number, or NaN
		t.b = append(t.b, "null"...)
	}
}

// end is the text, nothing for a list that is missing.
func (t *listText) end() []byte {
	if t.null {
		return t.b[:0]
	}
	if t.inner {
		t.b = append(t.b, ']')
	}
	return append(t.b, ']')
}

// shortFloat writes a number of 32 bits in the shortest form that reads back the same.
func shortFloat(v parquet.Value, b []byte) []byte {
	if f := float64(v.Float()); !math.IsNaN(f) {
		return strconv.AppendFloat(b, f, 'g', -1, 32)
	}
	return b
}

// tooLong refuses a value.
func (g *groupReader) tooLong(l *leaf, i int) error {
	return fault.New(fault.TooLarge, "a value of more than "+strconv.Itoa(g.f.o.MaxField)+" bytes").At(g.at(l, i)).Try("raise the limit on fields")
}
