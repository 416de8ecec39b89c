package xgboost

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// parser reads JSON as XGBoost writes it, in which NaN and Infinity are numbers. Lists of numbers, which are all but a few bytes of
// a model, become slices.
type parser struct {
	text  string
	at    int
	depth int
}

func parseJSON(text []byte) (*value, error) {
	p := &parser{text: string(text)}
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.text) {
		return nil, p.bad("something follows the document")
	}
	return v, nil
}

func (p *parser) bad(message string) error {
	return fault.New(fault.BadModel, message).At("byte " + strconv.Itoa(p.at))
}

func (p *parser) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\n' || p.text[p.at] == '\r' || p.text[p.at] == '\t') {
		p.at++
	}
}

// next skips white space and returns the byte behind it, 0 at the end.
func (p *parser) next() byte {
	if p.space(); p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// take skips a byte that must come.
func (p *parser) take(c byte) error {
	if p.next() != c {
		return p.bad("there is no " + string(rune(c)))
	}
	p.at++
	return nil
}

func (p *parser) value() (*value, error) {
	switch c := p.next(); c {
	case '{', '[':
		if p.depth++; p.depth > maxDepth {
			return nil, p.bad("nested too deeply")
		}
		defer func() { p.depth-- }()
		if c == '{' {
			return p.object()
		}
		return p.list()
	case '"':
		s, err := p.string()
		return &value{kind: text, text: s}, err
	case 'n':
		return &value{}, p.word("null")
	}
	n, err := p.number()
	return &value{kind: number, number: n}, err
}

func (p *parser) word(w string) error {
	if !strings.HasPrefix(p.text[p.at:], w) {
		return p.bad("this is not JSON")
	}
	p.at += len(w)
	return nil
}

func (p *parser) object() (*value, error) {
	v := &value{kind: object, fields: map[string]*value{}}
	p.at++
	for first := true; ; first = false {
		if p.next() == '}' {
			p.at++
			return v, nil
		}
		if !first {
			if err := p.take(','); err != nil {
				return nil, err
			}
		}
		if p.next() != '"' {
			return nil, p.bad("there is no name of a field")
		}
		name, err := p.string()
		if err != nil {
			return nil, err
		}
		if err := p.take(':'); err != nil {
			return nil, err
		}
		if v.fields[name], err = p.value(); err != nil {
			return nil, err
		}
	}
}

// list reads a list: of numbers, if the first item is one, or of anything but numbers.
func (p *parser) list() (*value, error) {
	p.at++
	v := &value{kind: numbers}
	for first := true; ; first = false {
		c := p.next()
		if c == ']' {
			p.at++
			return v, nil
		}
		if !first {
			if err := p.take(','); err != nil {
				return nil, err
			}
			c = p.next()
		}
		if c == '{' || c == '[' || c == '"' || c == 'n' {
			if len(v.numbers) > 0 {
				return nil, p.bad("a list of numbers with something else in it")
			}
			item, err := p.value()
			if err != nil {
				return nil, err
			}
			v.kind, v.items = list, append(v.items, item)
			continue
		}
		n, err := p.number()
		if err != nil || v.kind == list {
			return nil, p.bad("a list with both numbers and something else, or this is not JSON")
		}
		v.numbers = append(v.numbers, n)
	}
}

// words are what stands for a number without being one.
var words = []struct {
	text  string
	value float64
}{{"true", 1}, {"false", 0}, {"NaN", math.NaN()}, {"Infinity", math.Inf(1)}, {"-Infinity", math.Inf(-1)}}

// number reads a number; true and false are 1 and 0.
func (p *parser) number() (float64, error) {
	if c := p.next(); c > '9' || c == '-' && strings.HasPrefix(p.text[p.at:], "-I") {
		for _, w := range words {
			if p.word(w.text) == nil {
				return w.value, nil
			}
		}
	}
	end := p.at
	for end < len(p.text) && end-p.at < 64 && (p.text[end] >= '0' && p.text[end] <= '9' || p.text[end] == '-' || p.text[end] == '+' || p.text[end] == '.' || p.text[end] == 'e' || p.text[end] == 'E') {
		end++
	}
	n, err := strconv.ParseFloat(p.text[p.at:end], 64)
	if err != nil {
		return 0, p.bad("this is not JSON")
	}
	p.at = end
	return n, nil
}

func (p *parser) string() (string, error) {
	end := p.at + 1
	plain := true
	for ; end < len(p.text) && p.text[end] != '"'; end++ {
		if p.text[end] == '\\' {
			plain = false
			end++
		}
	}
	if end >= len(p.text) {
		return "", p.bad("a string without an end")
	}
	raw := p.text[p.at : end+1]
	if plain {
		p.at = end + 1
		return raw[1 : len(raw)-1], nil
	}
	var s string
	if json.Unmarshal([]byte(raw), &s) != nil {
		return "", p.bad("a string that is not JSON")
	}
	p.at = end + 1
	return s, nil
}
