package feature

import (
	"cmp"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// listedValues is the most categories that a signature names.
const listedValues = 200

// categories is every category column at once, string (rows, 1) each, as one-hot features.
//
// A column's levels are its categories, most frequent first; then missing, where training had missing values (that a
// value is missing often says something, and no category has to stand in for it); then one for the categories that are too
// rare, where there are any. A category that was never seen is like a rare one, and all zeros where none was rare.
//
//	code = Concat(LabelEncoder(in)…)            int64 (rows, columns): the feature that is 1, or -1
//	out  = code[:, column of feature] == feature     (rows, width)
type categories struct {
	at     []int
	name   []string
	levels [][]string // categories with a feature of their own, most frequent first
	blank  []bool     // a feature for missing
	rest   []bool     // a feature for rare and unknown categories
}

func fitCategories(columns []column, o Options) block {
	k := &categories{}
	for _, c := range columns {
		counts, _ := check.Counts(c.data)
		order := ranked(c.data, counts)
		describe(c, order)
		least := max(1, int(math.Ceil(o.MinFrequency*float64(c.data.Len()))))
		var levels []string
		for _, code := range order[:min(len(order), o.MaxCategories)] {
			if counts[code] >= least {
				levels = append(levels, c.data.Dict.Values[code])
			}
		}
		k.at, k.name, k.levels = append(k.at, c.at), append(k.name, c.input.Name), append(k.levels, levels)
		k.blank = append(k.blank, c.input.Missing > 0)
		k.rest = append(k.rest, len(levels) < len(order))
	}
	return k
}

// ranked lists the codes that occur, most frequent first, equals by text.
func ranked(c *table.Column, counts []int) []int {
	var order []int
	for code, n := range counts {
		if n > 0 {
			order = append(order, code)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(c.Dict.Values[a], c.Dict.Values[b]))
	})
	return order
}

// describe puts the values and the most frequent one into the signature.
func describe(c column, order []int) {
	for _, code := range order[:min(len(order), listedValues)] {
		c.input.Values = append(c.input.Values, c.data.Dict.Values[code])
	}
	if len(c.input.Values) > 0 {
		c.input.Example = c.input.Values[0]
	}
}

func (k *categories) inputs() []int { return k.at }

// width is the number of features of column i.
func (k *categories) width(i int) int {
	n := len(k.levels[i])
	if k.blank[i] {
		n++
	}
	if k.rest[i] {
		n++
	}
	return n
}

func (k *categories) names() []string {
	var out []string
	for i, name := range k.name {
		for _, level := range k.levels[i] {
			out = append(out, name+"="+level)
		}
		if k.blank[i] {
			out = append(out, name+" missing")
		}
		if k.rest[i] {
			out = append(out, name+" other")
		}
	}
	return out
}

func (k *categories) split() []block {
	var out []block
	for i := range k.at {
		out = append(out, &categories{k.at[i : i+1], k.name[i : i+1], k.levels[i : i+1], k.blank[i : i+1], k.rest[i : i+1]})
	}
	return out
}

func (k *categories) append(b *graph.Builder, in []graph.Value) graph.Value {
	var codes []graph.Value // int64 (rows, 1) each
	var columnOf, feature []int64
	for i, x := range in {
		codes = append(codes, k.code(b, i, x, int64(len(feature))))
		for range k.width(i) {
			columnOf = append(columnOf, int64(i))
			feature = append(feature, int64(len(feature)))
		}
	}
	code := join(b, codes)
	if len(in) > 1 {
		code = pick(b, code, columnOf...)
	}
	return toFloat(b, b.Op("Equal", code, b.Ints("feature", feature)))
}

// code appends the LabelEncoder of column i, whose features start at first.
func (k *categories) code(b *graph.Builder, i int, x graph.Value, first int64) graph.Value {
	const none = -1
	keys := append(slices.Clone(k.levels[i]), "")
	values := make([]int64, len(keys))
	for j := range keys {
		values[j] = first + int64(j)
	}
	if !k.blank[i] {
		values[len(values)-1] = none // missing is not a rare category
	}
	other := int64(none)
	if k.rest[i] {
		other = first + int64(k.width(i)-1)
	}
	return b.Node(graph.ML, "LabelEncoder", []graph.Value{x}, 1, graph.StringsAttr("keys_strings", keys),
		graph.IntsAttr("values_int64s", values...), graph.IntAttr("default_int64", other))[0]
}

// lookup appends a LabelEncoder from texts to numbers, float32 of x's shape; NaN for every other text.
func lookup(b *graph.Builder, x graph.Value, keys []string, values []float32) graph.Value {
	return b.Node(graph.ML, "LabelEncoder", []graph.Value{x}, 1, graph.StringsAttr("keys_strings", keys),
		graph.FloatsAttr("values_floats", values), graph.FloatAttr("default_float", float32(math.NaN())))[0]
}
