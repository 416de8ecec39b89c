//go:build !lean

package exec

import (
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/graph"
)

// recompute trades time for memory (Chen, Xu, Zhang and Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016, section 4): of what nodes make up
// to the one that makes s.turn, and nodes behind it read, only what crosses the borders of segments is kept. The nodes of a segment run again where the
// first of the nodes behind wants something of it.
//
// It works on nodes that are fused and have their kernels: what runs again is the same kernel on the same tensors, so every number stays what it is.
// Nodes that draw other numbers in each run are not run again. (Those that draw by a key, as training does, are.)
func (s *scope) recompute() {
	r := newRewind(s)
	if r == nil {
		return
	}
	least := r.peak(r.plain)
	all := int64(0)
	for _, n := range r.weight {
		all += n
	}
	for parts := 2.0; parts <= mostSegments; parts *= 1.25 {
		r.divide(int64(float64(all) / parts))
		nodes := r.rewritten()
		if peak := r.peak(nodes); float64(peak) < .98*float64(least) { // less gain is not worth the time
			least, s.compiled = peak, nodes
		}
	}
}

const mostSegments = 64 // of a net of 4,096 equal layers, these need least

// rewind is what is known for running nodes again.
type rewind struct {
	s       *scope
	plain   []compiled           // the nodes as they were
	turn    int                  // nodes up to this one are the way forward
	maker   map[graph.Value]int  // place of the node that makes a value
	fixed   map[graph.Value]bool // outputs, and what is drawn: it cannot be had again
	last    map[graph.Value]int  // place of the last node of the way forward that reads a value, at least its maker's
	weight  []int64              // of each node of the way forward: bytes that it makes and that nodes behind read
	across  []int64              // bytes that cross the border behind each of these nodes
	segment []int                // of each of these nodes
	again   map[graph.Value]graph.Value
	nodes   []compiled // the new list
}

// newRewind looks at the nodes of s; it gives nil where there is nothing to turn back from.
func newRewind(s *scope) *rewind {
	r := &rewind{s: s, plain: s.compiled, turn: -1, maker: map[graph.Value]int{}, fixed: map[graph.Value]bool{}, last: map[graph.Value]int{}}
	for _, out := range s.graph.Outputs {
		r.fixed[out.Name] = true
	}
	for i, c := range r.plain {
		drawn := random(c.spec, c.node)
		for _, v := range c.node.Outputs {
			if v == s.turn {
				r.turn = i
			}
			r.maker[v], r.last[v], r.fixed[v] = i, i, drawn || r.fixed[v]
		}
	}
	if r.turn < 0 {
		return nil
	}
	read := map[graph.Value]bool{} // by nodes behind
	for i, c := range r.plain {
		for _, v := range c.node.Inputs {
			if i > r.turn {
				read[v] = true
			} else if _, made := r.maker[v]; made {
				r.last[v] = i
			}
		}
	}
	r.weight, r.across, r.segment = make([]int64, r.turn+1), make([]int64, r.turn+1), make([]int, r.turn+1)
	for i, c := range r.plain[:r.turn+1] {
		for _, v := range c.node.Outputs {
			if v == "" {
				continue
			}
			size := s.bytes(v)
			if read[v] && !c.spec.View {
				r.weight[i] += size
			}
			r.across[i] += size
			r.across[r.last[v]] -= size
		}
	}
	for i := range r.turn {
		r.across[i+1] += r.across[i]
	}
	return r
}

// bytes is about the size of a value.
func (s *scope) bytes(v graph.Value) int64 {
	t := s.types[v]
	if v == "" || t.DType.Container() {
		return 0
	}
	return int64(max(1, t.DType.Size())) * int64(elements(t))
}

// divide makes segments of which each weighs at most about budget, with borders that little crosses: of the nodes with which a segment is at least
// half full, it ends with the best.
func (r *rewind) divide(budget int64) {
	number, start := 0, 0
	for start <= r.turn {
		end, full := -1, int64(0)
		for i := start; i <= r.turn; i++ {
			if full += r.weight[i]; full > budget && end >= 0 {
				break
			}
			if i == r.turn || full >= budget/2 && (end < 0 || r.across[i] <= r.across[end]) {
				end = i
			}
		}
		for ; start <= end; start++ {
			r.segment[start] = number
		}
		number++
	}
}

// kept reports whether v is still there when the way forward has been gone: it is made elsewhere, crosses a border or stands in the last segment, whose
// turn comes at once.
func (r *rewind) kept(v graph.Value) bool {
	i, made := r.maker[v]
	return !made || i > r.turn || r.segment[i] == r.segment[r.turn] || r.segment[r.last[v]] != r.segment[i] || r.fixed[v]
}

// rewritten lists the nodes with those that run again in front of the nodes that want them.
func (r *rewind) rewritten() []compiled {
	r.again, r.nodes = map[graph.Value]graph.Value{}, slices.Clone(r.plain[:r.turn+1])
	for _, c := range r.plain[r.turn+1:] {
		n := *c.node
		n.Inputs = r.had(n.Inputs)
		c.node = &n
		r.nodes = append(r.nodes, c)
	}
	return r.nodes
}

// had are the values under the names by which they are there behind the turn. What is not runs again.
func (r *rewind) had(values []graph.Value) []graph.Value {
	values = slices.Clone(values)
	for k, v := range values {
		if v == "" || r.kept(v) {
			continue
		}
		if _, done := r.again[v]; !done {
			r.run(r.plain[r.maker[v]])
		}
		values[k] = r.again[v]
	}
	return values
}

// run puts a copy of a node behind the new list, and before that copies of those that it needs.
func (r *rewind) run(c compiled) {
	n := *c.node
	n.Inputs, n.Outputs = r.had(n.Inputs), slices.Clone(n.Outputs)
	for k, v := range n.Outputs {
		if v != "" {
			n.Outputs[k] = "again#" + graph.Value(strconv.Itoa(r.maker[v])) + "/" + v
			r.again[v], r.s.types[n.Outputs[k]] = n.Outputs[k], r.s.types[v]
		}
	}
	c.node = &n
	r.nodes = append(r.nodes, c)
}

// peak is about how many bytes the values of a list of nodes take at most, inputs and outputs of the graph not counted.
func (r *rewind) peak(nodes []compiled) (most int64) {
	s := r.s
	pl := &planner{p: &Program{outputs: s.graph.Outputs}, s: s, nodes: nodes, owner: map[graph.Value]graph.Value{}, lastUse: map[graph.Value]int{}}
	pl.lifetimes()
	freed := make([]int64, len(nodes)+1)
	held := int64(0)
	for i, c := range nodes {
		for k, v := range c.node.Outputs {
			last := pl.lastUse[v]
			if v == "" || c.spec.View && k == 0 || last == len(nodes) || last == i && len(c.node.Outputs) > 1 {
				continue
			}
			size := s.bytes(v)
			held += size
			freed[last] += size
		}
		most = max(most, held)
		held -= freed[i]
	}
	return most
}
