package neural

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/pixels"
)

// shot is one picture of the data.
type shot struct {
	value string                 // of the table
	kept  atomic.Pointer[[]byte] // (size, size, channels), where there was room
}

// shot returns the picture of a text; the caller holds the lock.
func (m *Images) shot(value string) *shot {
	s := m.shots[value]
	if s == nil {
		s = &shot{value: value}
		m.shots[value] = s
	}
	return s
}

// imageRows reads pictures.
type imageRows struct {
	m     *Images
	shots []*shot // of each row, nil where there is none
}

// Read implements Rows: x becomes uint8 (len(rows), size, size, channels).
func (r *imageRows) Read(ctx context.Context, rows []int32, draw uint64, x *tensor.Tensor) error {
	m := r.m
	x.Reset(tensor.Uint8, len(rows), m.o.Size, m.width(), m.o.Channels)
	all, each := x.Bytes(), m.bytes()
	for i, row := range rows {
		s := r.shots[row]
		if s == nil {
			return fault.New(fault.BadData, "row "+strconv.Itoa(int(row)+1)+" has no picture").At(m.column).Try("leave the row out")
		}
		pix, err := m.pixels(ctx, s)
		if err != nil {
			return located(err, m.column, s.value, int(row))
		}
		to := all[i*each : (i+1)*each]
		if draw == 0 || !m.varied() {
			copy(to, pix)
		} else {
			m.o.Augment.apply(to, pix, m.o.Size, m.o.Channels, draw, uint64(row))
		}
	}
	return nil
}

// varied reports whether pictures are augmented.
func (m *Images) varied() bool { return m.width() == m.o.Size && *m.o.Augment != Augment{} }

// pixels are those of a prepared picture (size, size, channels), kept or made anew. They are not to be written to.
func (m *Images) pixels(ctx context.Context, s *shot) ([]byte, error) {
	if p := s.kept.Load(); p != nil {
		return *p, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap(err, fault.Canceled, "reading pictures was given up")
	}
	file, err := m.file(ctx, s.value)
	if err != nil {
		return nil, err
	}
	p, err := pixels.Decode(ctx, file, m.o.Channels, 0)
	if err != nil {
		return nil, err
	}
	pix, err := m.prepare(ctx, p)
	if err != nil {
		return nil, err
	}
	if n := int64(len(pix)); m.room.Add(-n) < 0 {
		m.room.Add(n)
	} else if !s.kept.CompareAndSwap(nil, &pix) {
		m.room.Add(n) // another goroutine was faster
	}
	return pix, nil
}

// prepare runs the artifact's nodes on a picture.
func (m *Images) prepare(ctx context.Context, p pixels.Picture) ([]byte, error) {
	if p.Height == m.o.Size && p.Width == m.width() { // which they would leave as it is
		return p.Pix, nil
	}
	x, y := tensor.FromSlice(tensor.Uint8, p.Pix, 1, p.Height, p.Width, p.Channels), new(tensor.Tensor)
	if err := m.program.RunInto(ctx, []*tensor.Tensor{x}, []*tensor.Tensor{y}); err != nil {
		return nil, err
	}
	return slices.Clone(y.Bytes()), nil
}

// file is the picture's file: what the table holds, or what it names.
func (m *Images) file(ctx context.Context, value string) ([]byte, error) {
	if file, ok := pixels.Inline(value); ok {
		return file, nil
	}
	if !pixels.Reference(value) {
		return nil, fault.New(fault.BadData, "neither a picture nor the path of one: "+strconv.Quote(value[:min(len(value), 40)])).
			Try("a column of pictures holds files of pictures, in base64 too, or paths such as cat/1.jpg")
	}
	if m.o.Files == nil {
		return nil, fault.New(fault.Denied, "the data names files, and none may be opened here").Try("name the folder or bucket that the pictures lie in as the data, or put the pictures themselves into the table")
	}
	m.opened.Store(true)
	return m.o.Files(ctx, value)
}

// located says which picture an error is about: its path, or its row.
func located(err error, column, value string, row int) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Code == fault.Canceled {
		return err
	}
	at := column + ", row " + strconv.Itoa(row+1)
	if pixels.Reference(value) {
		at = value
	}
	return f.At(at)
}
