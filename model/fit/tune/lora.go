package tune

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// LoRA has the matrices of a model stay as they are while a product of two narrow ones learns beside each (Hu et al., "LoRA: Low-Rank Adaptation of
// Large Language Models", 2021, section 4.1): y = x·W + (Alpha/Rank)·x·A·B. When training has ended they are one matrix again.
type LoRA struct {
	Rank    int      `json:"rank,omitempty"`    // columns of A and rows of B; 0: no LoRA
	Alpha   float64  `json:"alpha,omitempty"`   // 0 means 2·Rank
	Dropout float64  `json:"dropout,omitempty"` // share of x that is left out on its way to A, while training
	Match   []string `json:"match,omitempty"`   // patterns of names of matrices, or of nodes that use them; nil: all of MatMul and Gemm that are not frozen
}

// adapter is one such pair.
type adapter struct {
	node  *graph.Node   // the product with W
	out   graph.Value   // what the node gave before
	added []*graph.Node // by which it gives more now
	a, b  graph.Value   // (in, rank), (rank, out)
	scale float64
}

// adapt puts pairs beside matrices; from then on these learn, with a new last layer, and nothing else does.
func (t *tuning) adapt() error {
	l := t.LoRA
	if l.Rank == 0 {
		return nil
	}
	if l.Rank < 0 || l.Rank > 1<<12 {
		return fault.New(fault.Invalid, "the rank must be between 1 and 4096").At("lora").Try("4 to 16 are usual")
	}
	if l.Alpha < 0 || !(l.Dropout >= 0 && l.Dropout < 1) {
		return fault.New(fault.Invalid, "alpha must not be below 0, and dropout be at least 0 and below 1").At("lora")
	}
	if l.Alpha == 0 {
		l.Alpha = 2 * float64(l.Rank)
	}
	g := t.Net.Graph
	random := rand.New(rand.NewPCG(t.Seed, 0x104a))
	var params []graph.Value
	var nodes []*graph.Node
	for _, n := range g.Nodes {
		nodes = append(nodes, n)
		if !t.wanted(n) {
			continue
		}
		w := g.Initializers[n.In(1)]
		from, to := w.Shape()[0], w.Shape()[1]
		if n.Int("transB", 0) != 0 {
			from, to = to, from
		}
		a := adapter{node: n, out: n.Outputs[0], scale: l.Alpha / float64(l.Rank)}
		a.a = t.b.Floats(string(n.In(1))+".lora_a", drawn(random, from, l.Rank), from, l.Rank)
		a.b = t.b.Floats(string(n.In(1))+".lora_b", make([]float32, l.Rank*to), l.Rank, to)
		t.beside(&a, l)
		params = append(params, a.a, a.b)
		nodes = append(nodes, a.added...)
		t.lora = append(t.lora, a)
	}
	if len(params) == 0 {
		return fault.New(fault.Invalid, "no product with a matrix of weights is there for LoRA").At("lora").Try("leave it out, or let it match other names; the weights are " + list(t.names))
	}
	g.Nodes = nodes
	if t.head != nil {
		params = append(params, t.Net.Params[len(t.Net.Params)-2:]...)
	}
	t.Net.Params = params
	t.note(strconv.Itoa(len(t.lora)) + " matrices learn by LoRA of rank " + strconv.Itoa(l.Rank) + "; all other weights stay as they are")
	return nil
}

// wanted reports whether a node is a product with a matrix that LoRA is for.
func (t *tuning) wanted(n *graph.Node) bool {
	v := n.In(1)
	w := t.Net.Graph.Initializers[v]
	if n.Op != "MatMul" && n.Op != "Gemm" || n.Domain != "" || n.Int("transA", 0) != 0 || w == nil || w.DType() != tensor.Float32 || w.Rank() != 2 || w.Len() == 0 {
		return false
	}
	if t.head != nil && w == t.head.weight {
		return false
	}
	if len(t.LoRA.Match) == 0 {
		return slices.Contains(t.Net.Params, v)
	}
	return slices.ContainsFunc(t.LoRA.Match, func(p string) bool {
		return match(p, string(v)) || n.Name != "" && match(p, n.Name) || slices.ContainsFunc(t.origin[v], func(from graph.Value) bool { return match(p, string(from)) })
	})
}

// drawn are normal numbers of the deviation 1/√in: A of the first step neither silences nor drowns x. B is zeros, so that the first step starts where
// the model stands.
func drawn(r *rand.Rand, in, rank int) []float32 {
	v := make([]float32, in*rank)
	for i := range v {
		v[i] = float32(r.NormFloat64() / math.Sqrt(float64(in)))
	}
	return v
}

// beside makes the nodes of one pair.
func (t *tuning) beside(a *adapter, l LoRA) {
	node := func(op string, in ...graph.Value) graph.Value {
		n := &graph.Node{Op: op, Inputs: in, Outputs: []graph.Value{t.b.Fresh("lora")}}
		a.added = append(a.added, n)
		return n.Outputs[0]
	}
	x := a.node.In(0)
	if l.Dropout > 0 {
		x = node("Dropout", x, t.b.Scalar("lora_dropout", float32(l.Dropout)))
	}
	delta := node("Mul", node("MatMul", node("MatMul", x, a.a), a.b), t.b.Scalar("lora_scale", float32(a.scale)))
	plain := t.b.Fresh(string(a.out))
	a.node.Outputs = []graph.Value{plain}
	node("Add", plain, delta)
	a.added[len(a.added)-1].Outputs[0] = a.out
}

// Merge makes one matrix of each that LoRA stood beside. The net predicts as before, and learns no more.
func (m *Model) Merge() {
	g := m.Net.Graph
	gone := map[*graph.Node]bool{}
	b := graph.Extend(g)
	for _, a := range m.lora {
		for _, n := range a.added {
			gone[n] = true
		}
		w := g.Initializers[a.node.In(1)].Clone() // another node may use the one that was
		add(w, g.Initializers[a.a].F32(), g.Initializers[a.b].F32(), a.scale, a.node.Int("transB", 0) != 0)
		a.node.Inputs[1] = b.Init(string(a.node.In(1)), w)
		a.node.Outputs[0] = a.out
	}
	if m.lora == nil {
		return
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *graph.Node) bool { return gone[n] })
	exec.Prune(g)
	m.lora, m.Net.Params = nil, nil
}

// add puts scale·A·B onto W, or onto its transpose.
func add(w *tensor.Tensor, a, b []float32, scale float64, transposed bool) {
	in, out := w.Shape()[0], w.Shape()[1]
	if transposed {
		in, out = out, in
	}
	rank := len(b) / out
	dst, row := w.F32(), make([]float64, out)
	for i := range in {
		clear(row)
		for k := range rank {
			x := float64(a[i*rank+k]) * scale
			for j, v := range b[k*out:][:out] {
				row[j] += x * float64(v)
			}
		}
		for j, v := range row {
			at := i*out + j
			if transposed {
				at = j*in + i
			}
			dst[at] = float32(float64(dst[at]) + v)
		}
	}
}
