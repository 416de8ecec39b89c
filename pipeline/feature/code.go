package feature

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/pipeline/check"
)

// mostCodes bounds the categories of one column that are told apart by codes.
const mostCodes = 1 << 20

// codes is one category column, string (rows, 1), as one feature (rows, 1) that counts its categories: 1, 2, … by how frequent they are, 0 for what is
// missing, too rare or was never seen. It is made for nets, which learn a vector for each code.
type codes struct {
	at     int
	name   string
	levels []string
}

func fitCodes(c column, o Options) *codes {
	counts, _ := check.Counts(c.data)
	order := ranked(c.data, counts)
	describe(c, order)
	k := &codes{at: c.at, name: c.input.Name}
	// Of a category that is seen once little can be learned, and the vector of 0 has to be learned from some. The most frequent one counts in any case.
	least := min(counts[order[0]], max(2, int(math.Ceil(o.MinFrequency*float64(c.data.Len())))))
	for _, code := range order[:min(len(order), mostCodes)] {
		if counts[code] >= least {
			k.levels = append(k.levels, c.data.Dict.Values[code])
		}
	}
	return k
}

func (k *codes) inputs() []int   { return []int{k.at} }
func (k *codes) names() []string { return []string{k.name} }
func (k *codes) split() []block  { return []block{k} }

// size is the number of codes, 0 counted.
func (k *codes) size() int { return len(k.levels) + 1 }

func (k *codes) append(b *graph.Builder, in []graph.Value) graph.Value {
	values := make([]float32, len(k.levels))
	for i := range values {
		values[i] = float32(i + 1) // up to 2^20, which float32 holds
	}
	return b.Node(graph.ML, "LabelEncoder", in, 1, graph.StringsAttr("keys_strings", k.levels), graph.FloatsAttr("values_floats", values), graph.FloatAttr("default_float", 0))[0]
}
