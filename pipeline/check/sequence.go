package check

import (
	"errors"
	"strconv"
)

// ParseSequence reads [1, 2.5, -3e4] or [[1, 2], [3, 4]] and appends the numbers to x, step by step. width is the numbers of a step. An empty text is a sequence
// of no steps, and so is []. null and NaN become NaN. Errors say what is wrong, without the place.
func ParseSequence(text string, x []float32) (all []float32, width int, err error) {
	p := sequenceParser{text: text}
	if p.next() == 0 {
		return x, 1, nil
	}
	if !p.take('[') {
		return nil, 0, errors.New("is not a list of numbers")
	}
	width = 1
	for first, lists := true, p.next() == '['; ; first = false {
		if c := p.next(); c == ']' && first {
			break
		} else if (c == '[') != lists {
			return nil, 0, errors.New("has numbers beside lists of numbers")
		} else if lists {
			from := len(x)
			if x, err = p.step(x); err != nil {
				return nil, 0, err
			}
			if n := len(x) - from; first {
				width = n
			} else if n != width {
				return nil, 0, errors.New("has steps of " + strconv.Itoa(width) + " and of " + strconv.Itoa(n) + " numbers")
			}
			if width == 0 {
				return nil, 0, errors.New("has a step without numbers")
			}
		} else if x, err = p.number(x); err != nil {
			return nil, 0, err
		}
		if p.take(',') {
			continue
		}
		break
	}
	if !p.take(']') || p.next() != 0 {
		return nil, 0, errors.New("is not a list of numbers")
	}
	return x, width, nil
}

type sequenceParser struct {
	text string
	at   int
}

// next is the next character that is no white space, 0 at the end.
func (p *sequenceParser) next() byte {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return c
		}
	}
	return 0
}

func (p *sequenceParser) take(c byte) bool {
	if p.next() != c {
		return false
	}
	p.at++
	return true
}

// step reads a list of numbers within the list.
func (p *sequenceParser) step(x []float32) ([]float32, error) {
	p.at++ // the bracket
	if p.take(']') {
		return x, nil
	}
	for {
		var err error
		if x, err = p.number(x); err != nil {
			return nil, err
		}
		if p.take(']') {
			return x, nil
		}
		if !p.take(',') {
			return nil, errors.New("is not a list of lists of numbers")
		}
	}
}

func (p *sequenceParser) number(x []float32) ([]float32, error) {
	p.next()
	from := p.at
	for p.at < len(p.text) && p.text[p.at] != ',' && p.text[p.at] != ']' && p.text[p.at] != ' ' && p.text[p.at] != '\n' && p.text[p.at] != '\t' && p.text[p.at] != '\r' {
		p.at++
	}
	word := p.text[from:p.at]
	if word == "null" {
		word = "nan"
	}
	v, err := strconv.ParseFloat(word, 32)
	if err != nil {
		if len(word) > 40 {
			word = word[:40] + "…"
		}
		return nil, errors.New("holds " + strconv.Quote(word) + ", which is not a number in range")
	}
	return append(x, float32(v)), nil
}
