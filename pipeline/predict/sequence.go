package predict

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// sequence collects the numbers of one sequence and checks that they are what a model takes.
type sequence struct {
	fd    *field
	row   int
	width int // of a step
	x     []float32
}

// number takes the next number.
func (s *sequence) number(x float64) error {
	if v := float32(x); v-v != 0 {
		return invalid(s.row, s.fd.name, "the number "+check.FormatNumber(x)+" is not in the range of float32").Try("scale the numbers as those that were learned from")
	}
	if len(s.x) >= mostSteps*s.width {
		return invalid(s.row, s.fd.name, "a sequence of more than "+strconv.Itoa(mostSteps)+" steps").Try("send a part of it")
	}
	s.x = append(s.x, float32(x))
	return nil
}

func (s *sequence) hole() error {
	return invalid(s.row, s.fd.name, "a number is missing in the sequence").Try("fill it in, or leave the step out")
}

// step checks the numbers of a step that began at an element.
func (s *sequence) step(from int) error {
	if n := len(s.x) - from; n != s.width {
		return invalid(s.row, s.fd.name, "a step of "+strconv.Itoa(n)+" numbers, the model takes "+strconv.Itoa(s.width))
	}
	return nil
}

// nested says which of [1, 2] and [[1, 2], [3, 4]] is wanted.
func (s *sequence) nested() error {
	if s.width == 1 {
		return invalid(s.row, s.fd.name, "must be a list of numbers").Try("such as [0.5, 1, 2.25]")
	}
	return invalid(s.row, s.fd.name, "must be a list of steps of "+strconv.Itoa(s.width)+" numbers").Try("such as [[…], […]]")
}

// put ends a sequence and puts it into its row.
func (m *Model) put(f *frame, s *sequence) error {
	if len(s.x) == 0 {
		return invalid(s.row, s.fd.name, "a sequence of no steps").Try("send at least one")
	}
	if want := m.ports[s.fd.port].sizes[0]; want > 0 && len(s.x) > want*s.width {
		return invalid(s.row, s.fd.name, "a sequence of more steps than the model takes").Try("it takes " + strconv.Itoa(want))
	}
	f.ports[s.fd.port].seqs[s.row] = s.x
	return f.weigh(s.row, s.fd.name, 0, len(s.x))
}

func (m *Model) sequence(fd *field, row int) *sequence {
	return &sequence{fd: fd, row: row, width: m.ports[fd.port].inner}
}

// setSequence takes a sequence as encoding/json gives it, or as Go has it.
func (m *Model) setSequence(f *frame, fd *field, row int, v any) error {
	s := m.sequence(fd, row)
	if err := s.list(v, s.width > 1); err != nil {
		return err
	}
	return m.put(f, s)
}

// list takes the numbers of a list, or of the lists in it.
func (s *sequence) list(v any, nested bool) error {
	switch list := v.(type) {
	case []any:
		for _, e := range list {
			if inner, ok := e.([]any); ok && (nested || s.width == 1 && len(inner) == 1) { // a step of one number may be a list too
				from := len(s.x)
				if err := s.list(inner, false); err != nil {
					return err
				}
				if err := s.step(from); err != nil {
					return err
				}
				continue
			}
			if err := s.element(e, nested); err != nil {
				return err
			}
		}
		return nil
	case []float64:
		for _, x := range list {
			if err := s.element(x, nested); err != nil {
				return err
			}
		}
		return nil
	case []float32:
		for _, x := range list {
			if err := s.element(x, nested); err != nil {
				return err
			}
		}
		return nil
	}
	return s.nested()
}

func (s *sequence) element(v any, nested bool) error {
	if v == nil {
		return s.hole()
	}
	x, ok := toFloat(v)
	if n, isNumber := v.(json.Number); isNumber {
		x, ok = check.ParseNumber(n.String())
		ok = ok || math.IsInf(x, 0)
	}
	if !ok || nested {
		return s.nested()
	}
	return s.number(x)
}

// sequence reads [1, 2] or [[1, 2], [3, 4]] into its row.
func (d *decoder) sequence(fd *field, row int) error {
	s := d.m.sequence(fd, row)
	if err := d.steps(s); err != nil {
		return err
	}
	return d.m.put(d.f, s)
}

func (d *decoder) steps(s *sequence) error {
	d.i++
	if d.next() == ']' {
		d.i++
		return nil
	}
	for {
		var err error
		if d.next() != '[' {
			err = d.element(s, s.width > 1)
		} else {
			err = d.step(s)
		}
		if err != nil {
			return err
		}
		switch d.next() {
		case ',':
			d.i++
		case ']':
			d.i++
			return nil
		default:
			return d.broken("expected , or ]")
		}
	}
}

// step reads one step of several numbers.
func (d *decoder) step(s *sequence) error {
	from := len(s.x)
	d.i++
	if d.next() == ']' {
		return s.step(from)
	}
	for {
		if err := d.element(s, false); err != nil {
			return err
		}
		if len(s.x)-from > s.width {
			return s.step(from)
		}
		switch d.next() {
		case ',':
			d.i++
		case ']':
			d.i++
			return s.step(from)
		default:
			return d.broken("expected , or ]")
		}
	}
}

func (d *decoder) element(s *sequence, nested bool) error {
	switch c := d.next(); {
	case c == '-' || c >= '0' && c <= '9':
		x, err := d.number()
		if err != nil {
			return err
		}
		if nested {
			return s.nested()
		}
		return s.number(x)
	case d.word("null"):
		return s.hole()
	case c == 0:
		return d.broken("a list does not end")
	}
	return s.nested()
}

// sequences puts rows of a column, from first on, into a frame: texts such as [1, 2.5], or numbers, which are sequences of one step.
func (m *Model) sequences(f *frame, fd *field, c *table.Column, first int) error {
	for i := range f.rows {
		row := first + i
		if c == nil || c.Missing(row) {
			return bad(fd, row, "has no sequence").Try("the model needs one in each row")
		}
		s := m.sequence(fd, i)
		var err error
		width := 1
		if c.Kind == table.Number {
			s.x = []float32{float32(c.Numbers[row])}
		} else if x, ok := check.ParseNumber(c.Text(row)); ok {
			s.x = []float32{float32(x)}
		} else if s.x, width, err = check.ParseSequence(c.Text(row), nil); err != nil {
			return bad(fd, row, err.Error())
		}
		switch steps := len(s.x) / width; {
		case steps == 0:
			return bad(fd, row, "has a sequence of no steps").Try("the model needs one step at least")
		case width != s.width:
			return bad(fd, row, "has steps of "+strconv.Itoa(width)+" numbers, the model takes "+strconv.Itoa(s.width))
		case steps > mostSteps || m.ports[fd.port].sizes[0] > 0 && steps > m.ports[fd.port].sizes[0]:
			return bad(fd, row, "has a sequence of "+strconv.Itoa(steps)+" steps, which are too many")
		}
		for _, v := range s.x {
			if v-v != 0 {
				return bad(fd, row, "has a number in its sequence that is missing or infinite").Try("fill it in, or leave the step out")
			}
		}
		f.ports[fd.port].seqs[i] = s.x
	}
	return nil
}
