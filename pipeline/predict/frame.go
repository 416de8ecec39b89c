package predict

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// frame is rows on their way into the model: for each port its elements (rows, width).
type frame struct {
	rows  int
	ports []cells
	moved bool // cells have other memory than before

	pixels, numbers int // of all pictures, and bytes of all sequences
}

// cells is the memory of one port; the slice of its type is used.
type cells struct {
	f32  []float32
	f64  []float64
	i64  []int64
	i32  []int32
	flag []bool
	str  []string

	pics  []shot         // (rows)
	seqs  [][]float32    // (rows), each (steps, width)
	whole *tensor.Tensor // pictures or sequences of a run
}

// newFrame returns a frame of so many rows, everything missing, with room for more.
func (m *Model) newFrame(rows, room int) *frame {
	f := &frame{ports: make([]cells, len(m.ports))}
	floats, texts := 0, 0
	for _, p := range m.ports {
		switch p.dtype {
		case tensor.Float32:
			floats += p.width
		case tensor.String:
			texts += p.width
		}
	}
	f32, str := make([]float32, floats*room), make([]string, texts*room) // one allocation for all ports
	for i, p := range m.ports {
		n := p.width * room
		switch p.dtype {
		case tensor.Float32:
			f.ports[i].f32, f32 = f32[:0:n], f32[n:]
		case tensor.String:
			f.ports[i].str, str = str[:0:n], str[n:]
		}
	}
	for range rows {
		f.grow(m)
	}
	return f
}

// grow adds a row in which everything is missing.
func (f *frame) grow(m *Model) {
	f.rows++
	for i := range m.ports {
		p, c := &m.ports[i], &f.ports[i]
		switch p.kind {
		case card.Image:
			c.pics = append(c.pics, shot{})
		case card.Sequence:
			c.seqs = append(c.seqs, nil)
		}
		for range p.width {
			switch p.dtype {
			case tensor.Float32:
				c.f32 = push(f, c.f32, float32(math.NaN()))
			case tensor.Float64:
				c.f64 = push(f, c.f64, math.NaN())
			case tensor.Int64:
				c.i64 = push(f, c.i64, 0)
			case tensor.Int32:
				c.i32 = push(f, c.i32, 0)
			case tensor.Bool:
				c.flag = push(f, c.flag, false)
			case tensor.String:
				c.str = push(f, c.str, "")
			}
		}
	}
}

// push appends to cells of f and notes when they move.
func push[T any](f *frame, s []T, v T) []T {
	f.moved = f.moved || len(s) == cap(s)
	return append(s, v)
}

// empty takes all rows out and keeps the memory, without the texts that it shows.
func (f *frame) empty() {
	f.rows = 0
	for i := range f.ports {
		c := &f.ports[i]
		clear(c.str)
		*c = cells{c.f32[:0], c.f64[:0], c.i64[:0], c.i32[:0], c.flag[:0], c.str[:0], nil, nil, nil}
	}
}

// number puts x into the field's cell of a row; false when the element type cannot hold it.
func (f *frame) number(m *Model, fd *field, row int, x float64) bool {
	p := m.ports[fd.port]
	c, at := &f.ports[fd.port], row*p.width+fd.at
	switch p.dtype {
	case tensor.Float32:
		c.f32[at] = float32(x)
	case tensor.Float64:
		c.f64[at] = x
	case tensor.Int64:
		if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
			return false
		}
		c.i64[at] = int64(x)
	case tensor.Int32:
		if x != math.Trunc(x) || x < math.MinInt32 || x > math.MaxInt32 {
			return false
		}
		c.i32[at] = int32(x)
	default:
		return false
	}
	return true
}

// missing leaves the cell as grow made it; false when the element type has no way to say missing.
func (f *frame) missing(m *Model, fd *field) bool {
	switch m.ports[fd.port].dtype {
	case tensor.Float32, tensor.Float64, tensor.String:
		return true
	}
	return false
}

// text puts s into the field's cell of a row.
func (f *frame) text(m *Model, fd *field, row int, s string) {
	f.ports[fd.port].str[row*m.ports[fd.port].width+fd.at] = s
}

// truth puts v into the field's cell, as a text where the model takes one.
func (f *frame) truth(m *Model, fd *field, row int, v bool) {
	if m.ports[fd.port].dtype == tensor.Bool {
		f.ports[fd.port].flag[row*m.ports[fd.port].width+fd.at] = v
		return
	}
	s := "false"
	if v {
		s = "true"
	}
	f.text(m, fd, row, s)
}

// tensor shows the cells of port i as an input of the graph.
func (f *frame) tensor(m *Model, i int) *tensor.Tensor {
	p, c := &m.ports[i], &f.ports[i]
	if c.whole != nil {
		return c.whole
	}
	shape := []int{f.rows, p.width}
	if p.flat {
		shape = shape[:1]
	}
	switch p.dtype {
	case tensor.Float32:
		return tensor.Floats(c.f32, shape...)
	case tensor.Float64:
		return tensor.FromSlice(tensor.Float64, c.f64, shape...)
	case tensor.Int64:
		return tensor.Ints(c.i64, shape...)
	case tensor.Int32:
		return tensor.FromSlice(tensor.Int32, c.i32, shape...)
	case tensor.Bool:
		return tensor.FromSlice(tensor.Bool, c.flag, shape...)
	}
	return tensor.Strings(c.str, shape...)
}

// tensors shows the frame as the inputs of the graph, by name.
func (f *frame) tensors(m *Model) map[string]*tensor.Tensor {
	in := make(map[string]*tensor.Tensor, len(m.ports))
	for i, p := range m.ports {
		in[p.name] = f.tensor(m, i)
	}
	return in
}

// list shows the frame as the inputs of the graph, in the program's order.
func (f *frame) list(m *Model) []*tensor.Tensor {
	in := make([]*tensor.Tensor, len(m.ports))
	for i, p := range m.ports {
		in[p.at] = f.tensor(m, i)
	}
	return in
}

// invalid is the error of one cell: its Field is "rows[3].island".
func invalid(row int, name, message string) *fault.Error {
	return fault.New(fault.Invalid, message).At(place(row, name))
}
