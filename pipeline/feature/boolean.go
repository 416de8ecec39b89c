package feature

import (
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/pipeline/check"
)

// boolean is one column of truth values, string (rows, 1): 0 or 1 by LabelEncoder, which takes every spelling of
// check.ParseBoolean. Anything else is missing and becomes the more frequent value, with an indicator where training had
// missing ones.
type boolean struct {
	at    int
	name  string
	mode  float32
	flags []int64 // [0] for an indicator
}

func fitBoolean(c column) block {
	counts, _ := check.Counts(c.data)
	balance := 0
	for code, n := range counts {
		if v, ok := check.ParseBoolean(c.data.Dict.Values[code]); ok && v {
			balance += n
		} else if ok {
			balance -= n
		}
	}
	k := &boolean{at: c.at, name: c.input.Name}
	if balance > 0 {
		k.mode = 1
	}
	if c.input.Missing > 0 {
		k.flags = []int64{0}
	}
	describe(c, ranked(c.data, counts))
	return k
}

func (k *boolean) inputs() []int { return []int{k.at} }

func (k *boolean) names() []string { return flagged([]string{k.name}, k.flags) }

func (k *boolean) split() []block { return []block{k} }

func (k *boolean) append(b *graph.Builder, in []graph.Value) graph.Value {
	var keys []string
	var values []float32
	for v, truth := range []bool{false, true} {
		for _, s := range check.BooleanTexts(truth) {
			keys, values = append(keys, s), append(values, float32(v))
		}
	}
	x, flags := impute(b, lookup(b, in[0], keys, values), []float32{k.mode}, k.flags)
	return join(b, append([]graph.Value{x}, flags...))
}
