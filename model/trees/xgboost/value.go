package xgboost

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// value is a value of a JSON or UBJSON document: one of the fields is set, as kind says.
type value struct {
	kind    kind
	number  float64
	text    string
	fields  map[string]*value
	items   []*value
	numbers []float64 // an array of numbers, booleans as 0 and 1; an empty array is one
}

type kind uint8

const (
	null kind = iota
	number
	text
	object
	list
	numbers
)

// Bounds of a document. A number takes 8 bytes where a file has one or more, anything else some 200 where a file has two: a document
// takes up to 100 times the memory of its file, if it is made for that, and some 4 times if it is a model.
const (
	maxBytes = 1 << 30
	maxDepth = 32
)

// place is where in a document something stands, for errors: learner.trees[3].
type place struct {
	value *value
	name  string
}

func (p place) bad(message string) error { return fault.New(fault.BadModel, message).At(p.name) }

// field returns a field of an object; its value is nil when it is not there.
func (p place) field(name string) place {
	q := place{name: p.name + "." + name}
	if p.name == "" {
		q.name = name
	}
	if p.value != nil && p.value.kind == object {
		q.value = p.value.fields[name]
	}
	return q
}

// need is field for one that must be an object.
func (p place) need(name string) (place, error) {
	q := p.field(name)
	if q.value == nil || q.value.kind != object {
		return q, q.bad("there is no object")
	}
	return q, nil
}

// text returns a string, or what stands for none.
func (p place) text(none string) string {
	if p.value == nil || p.value.kind != text {
		return none
	}
	return p.value.text
}

// integer returns an integer, which may stand in a string, or what stands for none.
func (p place) integer(none int) (int, error) {
	switch {
	case p.value == nil:
		return none, nil
	case p.value.kind == text:
		if n, err := strconv.Atoi(p.value.text); err == nil {
			return n, nil
		}
	case p.value.kind == number && p.value.number == float64(int32(p.value.number)):
		return int(p.value.number), nil
	}
	return 0, p.bad("not an integer")
}

// floats returns a list of n numbers; n < 0 is for any length. A list that is not there has none.
func (p place) floats(n int) ([]float64, error) {
	var list []float64
	if p.value != nil {
		if list = p.value.numbers; p.value.kind != numbers {
			return nil, p.bad("not a list of numbers")
		}
	}
	if n >= 0 && len(list) != n {
		return nil, p.bad(strconv.Itoa(len(list)) + " numbers where there should be " + strconv.Itoa(n))
	}
	return list, nil
}

// ints is floats for integers of 32 bits.
func (p place) ints(n int) ([]int32, error) {
	list, err := p.floats(n)
	if err != nil {
		return nil, err
	}
	out := make([]int32, len(list))
	for i, v := range list {
		if out[i] = int32(v); v < -1<<31 || v >= 1<<31 || float64(out[i]) != v {
			return nil, p.bad("number " + strconv.Itoa(i) + " is not an integer of 32 bits")
		}
	}
	return out, nil
}

// list returns the items of a list, as places; none where there is no list.
func (p place) list() []place {
	if p.value == nil || p.value.kind != list {
		return nil
	}
	out := make([]place, len(p.value.items))
	for i, v := range p.value.items {
		out[i] = place{v, p.name + "[" + strconv.Itoa(i) + "]"}
	}
	return out
}

// texts returns a list of strings.
func (p place) texts() ([]string, error) {
	var out []string
	for _, q := range p.list() {
		if q.value.kind != text {
			return nil, q.bad("not a string")
		}
		out = append(out, q.value.text)
	}
	return out, nil
}
