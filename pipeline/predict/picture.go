package predict

import (
	"context"
	"errors"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/picture"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/pixels"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Files lets Table open the files of pictures that a table names. Rows and RowsJSON never open any. It is called before the first prediction.
func (m *Model) Files(open func(ctx context.Context, ref string) ([]byte, error)) { m.files = open }

// setPicture takes a picture in base64, or in a data: URL.
func (m *Model) setPicture(f *frame, fd *field, row int, value string) error {
	if value == "" {
		return m.setMissing(f, fd, row, true)
	}
	file, ok := pixels.Inline(value)
	if !ok {
		var err error
		if file, err = pixels.Base64(value); err != nil {
			return wrongType(fd, row, "the text "+cut(value))
		}
	}
	return m.setFile(f, fd, row, file)
}

// setFile takes the file of a picture.
func (m *Model) setFile(f *frame, fd *field, row int, file []byte) error {
	s, err := m.look(fd, place(row, fd.name), file)
	if err != nil {
		return err
	}
	f.ports[fd.port].pics[row] = s
	return f.weigh(row, fd.name, s.width*s.height, 0)
}

// look reads the head of a picture's file; name says in messages which one it is.
func (m *Model) look(fd *field, name string, file []byte) (shot, error) {
	w, h, err := picture.Size(file)
	if err != nil {
		code := fault.Invalid
		if fault.Is(err, fault.Unsupported) {
			code = fault.Unsupported
		}
		return shot{}, fault.New(code, "must be a picture").At(name).Because(err).Try("JPEG, PNG, WebP, BMP, TIFF and PNM are read")
	}
	if w > pixels.Most/h {
		return shot{}, fault.New(fault.TooLarge, "a picture of "+strconv.Itoa(w)+"×"+strconv.Itoa(h)+" pixels").At(name).Try("make it smaller")
	}
	for i, n := range []int{h, w} {
		if want := m.ports[fd.port].sizes[i]; want > 0 && want != n {
			return shot{}, fault.New(fault.Invalid, "a picture of "+strconv.Itoa(w)+"×"+strconv.Itoa(h)+" pixels, which is not the size that the model takes").At(name).
				Try([]string{"its height", "its width"}[i] + " must be " + strconv.Itoa(want))
		}
	}
	return shot{name, file, h, w}, nil
}

// pixels decodes pictures of one size into a tensor (rows, height, width, channels).
func (p *port) pixels(ctx context.Context, pics []shot, rows []int) (*tensor.Tensor, error) {
	h, w, c := pics[rows[0]].height, pics[rows[0]].width, p.inner
	t := tensor.New(tensor.Uint8, len(rows), h, w, c)
	for i, r := range rows {
		got, err := pixels.Decode(ctx, pics[r].file, c, 0)
		if err != nil {
			if fault.Is(err, fault.BadData) { // which the caller can correct
				return nil, fault.New(fault.Invalid, "a broken picture").At(pics[r].name).Because(errors.Unwrap(err)).Try("save or copy it again, or leave it out")
			}
			return nil, err
		}
		copy(t.Bytes()[i*h*w*c:(i+1)*h*w*c], got.Pix)
	}
	return t, nil
}

// pictures puts rows of a column, from first on, into a frame: pictures, base64 or data: URLs of them, or names of files.
func (m *Model) pictures(ctx context.Context, f *frame, fd *field, c *table.Column, first int) error {
	for i := range f.rows {
		if c == nil || c.Missing(first+i) || c.Kind != table.Text {
			return bad(fd, first+i, "has no picture").Try("the model needs one in each row")
		}
		value := c.Text(first + i)
		file, ok := pixels.Inline(value)
		switch {
		case ok:
		case !pixels.Reference(value):
			return bad(fd, first+i, "holds "+cut(value)+", which is no picture")
		case m.files == nil:
			return bad(fd, first+i, "names the file "+cut(value)+", and none may be opened here").Try("send the pictures themselves, in base64")
		default:
			var err error
			if file, err = m.files(ctx, value); err != nil {
				return err
			}
		}
		name := value
		if ok {
			name = fd.name + ", row " + strconv.Itoa(first+i+1)
		}
		s, err := m.look(fd, name, file)
		if err != nil {
			return err
		}
		f.ports[fd.port].pics[i] = s
	}
	return nil
}

// bad is the error of one cell of a table.
func bad(fd *field, row int, what string) *fault.Error {
	return fault.New(fault.Invalid, "row "+strconv.Itoa(row+1)+" "+what).At(fd.name)
}

// isShaped reports whether a kind of input is no single value.
func isShaped(kind string) bool { return kind == card.Image || kind == card.Sequence }
