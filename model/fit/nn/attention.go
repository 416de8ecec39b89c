package nn

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// MultiHeadAttention lets each step of a sequence, (rows, steps, features), look at the others (Vaswani et al. 2017, section 3.2). Padding is not looked at.
type MultiHeadAttention struct {
	NumHeads int     `json:"num_heads"`
	Causal   bool    `json:"causal,omitempty"`  // a step sees itself and those before it
	Rotary   bool    `json:"rotary,omitempty"`  // positions by rotation of queries and keys (Su et al. 2021)
	Dropout  float64 `json:"dropout,omitempty"` // of the attention's weights
	NoBias   bool    `json:"no_bias,omitempty"`
}

// Append implements Layer: self-attention.
func (l MultiHeadAttention) Append(s *Scope, x graph.Value) (graph.Value, error) {
	return l.Attend(s, x, x, s.Mask)
}

// Attend appends attention of x to memory, (rows, steps of memory, features); mask says which steps of memory are there, absent for all.
func (l MultiHeadAttention) Attend(s *Scope, x, memory, mask graph.Value) (graph.Value, error) {
	if err := positive("num_heads", l.NumHeads); err != nil {
		return "", err
	}
	d, err := s.Dims(x, 3, "MultiHeadAttention")
	if err != nil {
		return "", err
	}
	width := d[2]
	if err := known(width, "the number of features"); err != nil {
		return "", err
	}
	if width%l.NumHeads != 0 || l.Rotary && width/l.NumHeads%2 != 0 {
		return "", fault.New(fault.Invalid, "num_heads must divide the features (with rotary into even parts)").At("num_heads")
	}
	head := width / l.NumHeads
	var heads [3]graph.Value
	for i, name := range []string{"q", "k", "v"} {
		from := memory
		if i == 0 {
			from = x
		}
		p, err := linear(s, from, width, width, name+"_proj.weight", name+"_proj.bias", !l.NoBias)
		if err != nil {
			return "", err
		}
		p = s.Op("Reshape", p, s.Ints("heads", []int64{0, 0, int64(l.NumHeads), int64(head)}))
		heads[i] = s.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 2, 1, 3)}, p) // (rows, heads, steps, head)
	}
	q, k, v := heads[0], heads[1], heads[2]
	if l.Rotary {
		q, k = rotate(s, q, head), rotate(s, k, head)
	}
	scores := s.Op("MatMul", q, s.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 1, 3, 2)}, k))
	scores = s.Op("Mul", scores, s.Scalar("scale", float32(1/math.Sqrt(float64(head)))))
	if mask != "" {
		there := s.Op("Unsqueeze", mask, s.Ints("across", []int64{1, 2})) // (rows, 1, 1, steps)
		scores = s.Op("Where", there, scores, s.Scalar("hidden", -1e9))
	}
	if l.Causal {
		scores = s.Op("Where", before(s, scores), scores, s.Scalar("hidden", -1e9))
	}
	weights, err := dropout(s, s.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", -1)}, scores), l.Dropout)
	if err != nil {
		return "", err
	}
	y := s.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 2, 1, 3)}, s.Op("MatMul", weights, v))
	y = s.Op("Reshape", y, s.Ints("joined", []int64{0, 0, int64(width)}))
	return linear(s, y, width, width, "out_proj.weight", "out_proj.bias", !l.NoBias)
}

// steps counts the steps of a sequence from 0, along a dimension of x: int64 (steps).
func steps(s *Scope, x graph.Value, dimension int64) graph.Value {
	n := s.OpWith("Gather", nil, s.Op("Shape", x), s.Init("dimension", scalarInt(dimension)))
	return s.Op("Range", s.Init("zero", scalarInt(0)), n, s.Init("one", scalarInt(1)))
}

// before tells, for scores (rows, heads, queries, keys), which keys do not come after the query.
func before(s *Scope, scores graph.Value) graph.Value {
	queries := s.Op("Unsqueeze", steps(s, scores, 2), s.Ints("columns", []int64{1}))
	return s.Op("LessOrEqual", steps(s, scores, 3), queries)
}

// rotate turns pairs of features of x, (rows, heads, steps, head), by angles that grow with the step: halves as GPT-NeoX pairs them.
func rotate(s *Scope, x graph.Value, head int) graph.Value {
	speeds := make([]float32, head/2)
	for i := range speeds {
		speeds[i] = float32(math.Pow(10000, -2*float64(i)/float64(head)))
	}
	at := s.OpWith("CastLike", nil, steps(s, x, 2), x)
	angle := s.Op("Mul", s.Op("Unsqueeze", at, s.Ints("columns", []int64{1})), s.Fixed("speeds", speeds)) // (steps, head/2)
	sin, cos := s.Op("Sin", angle), s.Op("Cos", angle)
	half := s.Ints("halves", []int64{int64(head / 2), int64(head / 2)})
	parts := s.Node("", "Split", []graph.Value{x, half}, 2, graph.IntAttr("axis", 3))
	a, b := parts[0], parts[1]
	return s.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 3)},
		s.Op("Sub", s.Op("Mul", a, cos), s.Op("Mul", b, sin)), s.Op("Add", s.Op("Mul", b, cos), s.Op("Mul", a, sin)))
}

// Positions adds to each step of a sequence, (rows, steps, features), where it stands.
type Positions struct {
	Learned bool `json:"learned,omitempty"` // weights for each step; otherwise sines of different lengths (Vaswani et al. 2017, section 3.5)
	MaxLen  int  `json:"max_len,omitempty"` // steps at most; 0 means 512
}

// Append implements Layer.
func (l Positions) Append(s *Scope, x graph.Value) (graph.Value, error) {
	if l.MaxLen == 0 {
		l.MaxLen = 512
	}
	if err := positive("max_len", l.MaxLen); err != nil {
		return "", err
	}
	d, err := s.Dims(x, 3, "Positions")
	if err != nil {
		return "", err
	}
	if err := known(d[2], "the number of features"); err != nil {
		return "", err
	}
	if d[1] > l.MaxLen {
		return "", fault.New(fault.Invalid, "sequences are longer than max_len").At("max_len")
	}
	add := func(table graph.Value) graph.Value { return s.Op("Add", x, s.Op("Gather", table, steps(s, x, 1))) }
	if !l.Learned {
		return add(s.Fixed("sines", sines(l.MaxLen, d[2]), l.MaxLen, d[2])), nil
	}
	table, err := s.Param("weight", normal(.02), l.MaxLen, d[2])
	if err != nil {
		return "", err
	}
	return add(table), nil
}

// sines are sin and cos of the step, slower and slower: (steps, features).
func sines(steps, features int) []float32 {
	v := make([]float32, steps*features)
	for p := range steps {
		for i := range features {
			angle := float64(p) * math.Pow(10000, -float64(i/2*2)/float64(features))
			if i%2 == 0 {
				v[p*features+i] = float32(math.Sin(angle))
			} else {
				v[p*features+i] = float32(math.Cos(angle))
			}
		}
	}
	return v
}
