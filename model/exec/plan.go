package exec

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// planner gives every value a place.
type planner struct {
	p       *Program
	s       *scope
	nodes   []compiled
	at      map[graph.Value]place
	owner   map[graph.Value]graph.Value // the value whose memory a view shows
	named   map[graph.Value]bool        // views that differ by their name only
	lastUse map[graph.Value]int         // index of the last node that reads a value or a view of it
	free    [3][]place                  // slots without a value: of numbers, of strings, of containers
	slots   map[place]int               // of slots: their numbers
	size    map[place]int               // of slots: the most that a value in them may need, in elements by what is known of the shapes
}

// plan turns the compiled nodes into steps over places.
func (p *Program) plan(s *scope) error {
	var nodes []*graph.Node
	byNode := map[*graph.Node]compiled{}
	for _, c := range s.compiled {
		nodes = append(nodes, c.node)
		byNode[c.node] = c
	}
	pl := &planner{p: p, s: s, at: map[graph.Value]place{}, owner: map[graph.Value]graph.Value{}, lastUse: map[graph.Value]int{}, slots: map[place]int{}, size: map[place]int{}}
	for _, n := range live(s.graph, nodes) {
		pl.nodes = append(pl.nodes, byNode[n])
	}
	p.values = make([]*tensor.Tensor, 1+len(p.inputs)+len(p.outputs))
	for i, in := range p.inputs {
		pl.at[in.Name] = place(1 + i)
	}
	pl.lifetimes()
	outputs := pl.outputs()
	for i := range pl.nodes {
		if err := pl.step(i, outputs); err != nil {
			return err
		}
	}
	for i, out := range p.outputs {
		to := place(1 + len(p.inputs) + i)
		from, err := pl.read(pl.same(out.Name))
		if err != nil {
			return err
		}
		if from != to {
			p.copies = append(p.copies, copyOut{from, to})
		}
	}
	return nil
}

// lifetimes finds for each value that owns memory the last node that needs it.
func (pl *planner) lifetimes() {
	pl.named = map[graph.Value]bool{}
	for i, c := range pl.nodes {
		for _, v := range c.node.Inputs {
			pl.lastUse[pl.root(v)] = i
		}
		if c.spec.View {
			pl.owner[c.node.Outputs[0]] = c.node.Inputs[0]
			pl.named[c.node.Outputs[0]] = c.node.Op == "Identity" && c.node.Domain == ""
		}
		for _, v := range c.node.Outputs { // a result that nobody reads is dead at once
			pl.lastUse[v] = i
		}
	}
	for _, out := range pl.p.outputs {
		pl.lastUse[pl.root(out.Name)] = len(pl.nodes)
		pl.lastUse[out.Name] = len(pl.nodes)
	}
}

// root follows views to the value that owns the memory.
func (pl *planner) root(v graph.Value) graph.Value {
	for {
		o, ok := pl.owner[v]
		if !ok {
			return v
		}
		v = o
	}
}

// outputs are the values that kernels write straight into the caller's tensors.
func (pl *planner) outputs() map[graph.Value]place {
	direct := map[graph.Value]place{}
	for i, out := range pl.p.outputs {
		v := pl.same(out.Name)
		if _, view := pl.owner[v]; !view && direct[v] == absent {
			direct[v] = place(1 + len(pl.p.inputs) + i)
		}
	}
	return direct
}

// same is the value that v is another name of.
func (pl *planner) same(v graph.Value) graph.Value {
	for pl.named[v] {
		v = pl.owner[v]
	}
	return v
}

// read gives the place of a value that exists, adding a constant where it is first used.
func (pl *planner) read(v graph.Value) (place, error) {
	if v == "" {
		return absent, nil
	}
	if at, ok := pl.at[v]; ok {
		return at, nil
	}
	c := pl.s.constants[v]
	if c == nil {
		return absent, fault.New(fault.Internal, "the value has no place").At(string(v))
	}
	pl.at[v] = pl.place(c)
	return pl.at[v], nil
}

func (pl *planner) place(t *tensor.Tensor) place {
	pl.p.values = append(pl.p.values, t)
	return place(len(pl.p.values) - 1)
}

// step places node i and frees the slots of values that it reads last.
func (pl *planner) step(i int, outputs map[graph.Value]place) error {
	c := pl.nodes[i]
	st := step{node: nodeName(c.node), operator: c.node.Op, kernel: c.kernel}
	for _, v := range c.node.Inputs {
		at, err := pl.read(v)
		if err != nil {
			return err
		}
		st.in = append(st.in, at)
	}
	for k, v := range c.node.Outputs {
		at := outputs[v]
		if v != "" && at == absent && (pl.used(v, i) || len(c.node.Outputs) == 1) {
			at = pl.take(pl.s.types[v], c.spec.View && k == 0)
			pl.p.slots[pl.slots[at]].grow(pl.s.types[v])
		}
		if v != "" {
			pl.at[v] = at
		}
		st.out = append(st.out, at)
	}
	freed := map[graph.Value]bool{}
	for _, v := range append(append([]graph.Value{}, c.node.Inputs...), c.node.Outputs...) {
		if r := pl.root(v); v != "" && !freed[r] && pl.lastUse[r] == i {
			freed[r] = true
			pl.release(r, outputs)
		}
	}
	pl.p.args, pl.p.results = max(pl.p.args, len(st.in)), max(pl.p.results, len(st.out))
	pl.p.steps = append(pl.p.steps, st)
	return nil
}

// used reports whether anything after node i needs v or the memory that v shows.
func (pl *planner) used(v graph.Value, i int) bool { return pl.lastUse[pl.root(v)] > i }

// take gives a slot without a value: the smallest that is large enough, of these the one that was used last; else the largest, which grows. Views
// get slots of their own, which hold no memory.
func (pl *planner) take(t tensor.Type, view bool) place {
	free, need := &pl.free[class(t.DType)], elements(t)
	if view || len(*free) == 0 {
		at := pl.place(nil)
		pl.slots[at] = len(pl.p.slots)
		pl.p.slots = append(pl.p.slots, slot{at: at, view: view})
		pl.size[at] = need
		return at
	}
	best := len(*free) - 1
	for i := best - 1; i >= max(0, len(*free)-mostFree); i-- {
		has, had := pl.size[(*free)[i]], pl.size[(*free)[best]]
		if had < need && has > had || has >= need && has < had {
			best = i
		}
	}
	at := (*free)[best]
	*free = slices.Delete(*free, best, best+1)
	pl.size[at] = max(pl.size[at], need)
	return at
}

// mostFree bounds the search for a slot, so that planning takes linear time.
const mostFree = 64

// fewRows is what dimensions that are not known count as when sizes are compared: values of each row weigh more than weights, as they do in a batch.
const fewRows = 32

// elements is about how many elements a value has.
func elements(t tensor.Type) int {
	n := 1
	for _, d := range t.Dims {
		size := d.Size
		if size == tensor.Free {
			size = fewRows
		}
		if size > 1 && n < 1<<40 {
			n *= min(size, 1<<20)
		}
	}
	return n
}

// release gives back the slot of a value, if it has one.
func (pl *planner) release(v graph.Value, outputs map[graph.Value]place) {
	at := pl.at[v]
	if at == absent || outputs[v] != absent || int(at) <= len(pl.p.inputs) || pl.p.values[at] != nil {
		return
	}
	free := &pl.free[class(pl.s.types[v].DType)]
	*free = append(*free, at)
}

// class is the kind of memory that a value takes: bytes, strings or other tensors.
func class(d tensor.DType) int {
	switch {
	case d == tensor.String:
		return 1
	case d.Container():
		return 2
	}
	return 0
}
