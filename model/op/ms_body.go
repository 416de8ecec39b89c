//go:build !lean

package op

import (
	"context"
	"strconv"
	"sync/atomic"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Operators of com.microsoft, which onnxruntime's quantiser and optimiser write, are composed of those of ai.onnx.
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md

// msOpset is the version of the operators in a body.
const msOpset = 24

// msBody makes the steps of a node from its inputs to its outputs.
type msBody func(n *graph.Node, p *msParts) []graph.Value

// msParts collects steps. What fails leaves err, and everything after it does nothing.
type msParts struct {
	n         *graph.Node
	site      *Site
	types     map[graph.Value]tensor.Type
	constants map[graph.Value]*tensor.Tensor
	places    map[graph.Value]int // of values in a run's list: inputs first, then constants, then results
	steps     []msStep
	held      []*tensor.Tensor // constants by place, nil elsewhere
	err       error
	later     bool // err says only that shapes are not known yet
}

type msStep struct {
	spec   *Spec
	node   *graph.Node
	site   *Site
	kernel Kernel
	in     []int // places, -1 for absent
	out    []int
}

// in is input i, "" where absent.
func (p *msParts) in(i int) graph.Value {
	if p.n.In(i) == "" || p.site.typ(i).DType == tensor.Undefined {
		return ""
	}
	return graph.Value("in" + strconv.Itoa(i))
}

func (p *msParts) place(v graph.Value, t tensor.Type, c *tensor.Tensor) int {
	at := len(p.held)
	p.places[v], p.types[v] = at, t
	p.held = append(p.held, c)
	if c != nil {
		p.constants[v] = c
	}
	return at
}

// constant is a value that never changes.
func (p *msParts) constant(t *tensor.Tensor) graph.Value {
	v := graph.Value("value" + strconv.Itoa(len(p.held)))
	p.place(v, t.Type(), t)
	return v
}

func (p *msParts) scalar(v float32) graph.Value { return p.constant(f32s(nil, v)) }

func (p *msParts) ints(v ...int64) graph.Value { return p.constant(i64v(v...)) }

// op adds a step with one result.
func (p *msParts) op(name string, attrs []graph.Attr, in ...graph.Value) graph.Value {
	return p.ops(name, 1, attrs, in...)[0]
}

func (p *msParts) ops(name string, results int, attrs []graph.Attr, in ...graph.Value) []graph.Value {
	out := make([]graph.Value, results)
	if p.err != nil {
		return out
	}
	n := &graph.Node{Op: name, Attrs: attrs, Inputs: in}
	site := &Site{Opset: msOpset, Threads: p.site.Threads, Own: len(in)}
	s := msStep{spec: Lookup("", name, msOpset), node: n, site: site}
	for _, v := range in {
		at := -1
		if v != "" {
			at = p.places[v]
		}
		s.in = append(s.in, at)
		site.Types, site.Constant = append(site.Types, p.types[v]), append(site.Constant, p.constants[v])
	}
	first := len(p.held)
	for i := range out {
		out[i] = graph.Value("value" + strconv.Itoa(first+i))
	}
	n.Outputs = out
	var types []tensor.Type
	if p.err = s.spec.Check(n); p.err == nil {
		types, p.err = s.spec.Types(n, site)
	}
	if p.err != nil {
		return make([]graph.Value, results)
	}
	for i := range out {
		s.out = append(s.out, p.place(out[i], types[i], nil))
	}
	p.steps = append(p.steps, s)
	return out
}

// shape gives the dimensions of a value; where they are not known the body is made again when they are.
func (p *msParts) shape(v graph.Value) []int {
	if p.err == nil {
		if s, ok := fixed(p.types[v]); ok {
			return s
		}
		p.err, p.later = misfit(p.n.Op, "a shape that is not known"), true
	}
	return make([]int, MaxRank)
}

// rank is shape for bodies to which the sizes do not matter.
func (p *msParts) rank(v graph.Value) int {
	if p.err == nil && p.types[v].Unranked {
		p.err, p.later = misfit(p.n.Op, "a shape that is not known"), true
	}
	return len(p.types[v].Dims)
}

func (p *msParts) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// wantRank refuses a value of another rank.
func (p *msParts) wantRank(v graph.Value, rank int) {
	if r := p.rank(v); p.err == nil && r != rank {
		p.fail(misfit(p.n.Op, "an input of "+strconv.Itoa(r)+" dimensions where "+strconv.Itoa(rank)+" are wanted"))
	}
}

func buildMS(n *graph.Node, site *Site, body msBody) (*msParts, []graph.Value) {
	p := &msParts{n: n, site: site, types: map[graph.Value]tensor.Type{}, constants: map[graph.Value]*tensor.Tensor{}, places: map[graph.Value]int{}}
	for i := range n.Inputs {
		t := site.typ(i)
		p.place(graph.Value("in"+strconv.Itoa(i)), t, nil)
		if c := site.constant(i); c != nil {
			p.constants[graph.Value("in"+strconv.Itoa(i))] = c
		}
	}
	out := body(n, p)
	if p.err == nil && len(out) < len(n.Outputs) {
		p.err = bad(n, "an output that is not built")
	}
	return p, out
}

// msSpec registers an operator; dtypes are the element types of its outputs, by which input has them, or as -1 - type.
func msSpec(domain, name string, since int64, attrs []string, in, out Arity, half bool, body msBody, dtypes ...int) *Spec {
	s := &Spec{Domain: domain, Name: name, Since: since, Attrs: attrs, In: in, Out: out, Half: half}
	s.Infer = func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		p, out := buildMS(n, site, body)
		if p.err != nil && !p.later {
			return nil, p.err
		}
		types := make([]tensor.Type, len(n.Outputs))
		for i := range types {
			switch {
			case p.err == nil && out[i] != "":
				types[i] = p.types[out[i]]
			case p.err == nil && n.Outputs[i] != "":
				return nil, bad(n, "output "+strconv.Itoa(i)+" is not built")
			default:
				from := 0
				if i < len(dtypes) {
					from = dtypes[i]
				}
				if from < 0 {
					types[i] = unranked(tensor.DType(-1 - from))
				} else {
					types[i] = unranked(site.typ(from).DType)
				}
			}
		}
		return types, nil
	}
	s.Compile = func(n *graph.Node, site *Site) (Kernel, error) {
		p, out := buildMS(n, site, body)
		if p.err == nil {
			return p.compile(out)
		}
		if !p.later {
			return nil, p.err
		}
		return deferMS(n, site, body), nil
	}
	register(s)
	msBodies[s] = body
	return s
}

var msBodies = map[*Spec]msBody{}

// Spell gives the nodes of ai.onnx, of opset msOpset, that a node of a composed operator stands for, and what they hold constant. name makes a new
// name of a value. ok is false where the operator is none of these, or where its steps depend on shapes that site does not tell.
func (s *Spec) Spell(n *graph.Node, site *Site, name func() graph.Value) (nodes []*graph.Node, constants map[graph.Value]*tensor.Tensor, ok bool) {
	body := msBodies[s]
	if body == nil {
		return nil, nil, false
	}
	p, out := buildMS(n, site, body)
	if p.err != nil {
		return nil, nil, false
	}
	names := map[graph.Value]graph.Value{"": ""}
	for i, v := range n.Inputs {
		names[graph.Value("in"+strconv.Itoa(i))] = v
	}
	var last []*graph.Node
	for i, v := range n.Outputs {
		if v == "" {
			continue
		}
		if _, taken := names[out[i]]; taken || p.constants[out[i]] != nil { // an input, a constant, or a second name
			last = append(last, &graph.Node{Op: "Identity", Inputs: []graph.Value{out[i]}, Outputs: []graph.Value{v}})
			continue
		}
		names[out[i]] = v
	}
	constants = map[graph.Value]*tensor.Tensor{}
	named := func(list []graph.Value) (to []graph.Value) {
		for _, v := range list {
			if _, known := names[v]; !known {
				names[v] = name()
				if c := p.constants[v]; c != nil {
					constants[names[v]] = c
				}
			}
			to = append(to, names[v])
		}
		return to
	}
	opsets := map[string]int64{"": msOpset}
	for _, step := range p.steps {
		nodes = append(nodes, &graph.Node{Name: n.Name, Op: step.node.Op, Attrs: step.node.Attrs, Opsets: opsets, Inputs: named(step.node.Inputs), Outputs: named(step.node.Outputs)})
	}
	for _, l := range last {
		nodes = append(nodes, &graph.Node{Op: l.Op, Opsets: opsets, Inputs: named(l.Inputs), Outputs: l.Outputs})
	}
	return nodes, constants, true
}

func (p *msParts) compile(out []graph.Value) (Kernel, error) {
	for i := range p.steps {
		s := &p.steps[i]
		var err error
		if s.kernel, err = s.spec.Kernel(s.node, s.site); err != nil {
			return nil, err
		}
	}
	r := &msRun{steps: p.steps, held: p.held, inputs: len(p.n.Inputs)}
	views := map[int]bool{}
	for _, s := range p.steps {
		if s.spec.View {
			views[s.out[0]] = true
		}
	}
	for _, v := range out {
		at := -1
		if v != "" {
			at = p.places[v]
		}
		r.out, r.copied = append(r.out, at), append(r.copied, at >= 0 && (views[at] || at < r.inputs || p.held[at] != nil))
	}
	return r.run, nil
}

// msRun runs steps one after the other.
type msRun struct {
	steps  []msStep
	held   []*tensor.Tensor
	inputs int
	out    []int  // places of the outputs, -1 for none
	copied []bool // outputs that show memory of another value
	memory reuse.Pool[msMemory]
}

// msMemory is the memory of a run: results that are no outputs.
type msMemory struct {
	own, values []*tensor.Tensor
	in, out     []*tensor.Tensor
}

func (r *msRun) run(ctx context.Context, in, out []*tensor.Tensor) error {
	m := r.memory.Take()
	if m.own == nil {
		m.own, m.values = make([]*tensor.Tensor, len(r.held)), make([]*tensor.Tensor, len(r.held))
		for i := r.inputs; i < len(r.held); i++ {
			m.own[i] = new(tensor.Tensor)
		}
	}
	defer r.memory.Put(m)
	defer clear(m.values)
	copy(m.values, m.own)
	for i, c := range r.held {
		if c != nil {
			m.values[i] = c
		}
	}
	clear(m.values[:r.inputs])
	copy(m.values[:r.inputs], in)
	for i, at := range r.out {
		if at >= 0 && i < len(out) && out[i] != nil && !r.copied[i] {
			m.values[at] = out[i]
		}
	}
	for i := range r.steps {
		s := &r.steps[i]
		m.in, m.out = m.in[:0], m.out[:0]
		for _, at := range s.in {
			if at < 0 {
				m.in = append(m.in, nil)
			} else {
				m.in = append(m.in, m.values[at])
			}
		}
		for _, at := range s.out {
			m.out = append(m.out, m.values[at])
		}
		if err := s.kernel(ctx, m.in, m.out); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	for i, at := range r.out {
		if at >= 0 && i < len(out) && out[i] != nil && r.copied[i] {
			if err := Copy(ctx, out[i], m.values[at]); err != nil {
				return err
			}
		}
	}
	return nil
}

// msLate are steps that were made for inputs of exactly these types.
type msLate struct {
	types  []tensor.Type // zero where absent
	kernel Kernel
}

func (l *msLate) fits(in []*tensor.Tensor) bool {
	for i, t := range in {
		if t == nil && l.types[i].DType != tensor.Undefined || t != nil && !l.types[i].Accepts(t.DType(), t.Shape()) {
			return false
		}
	}
	return true
}

// deferMS makes the steps when the shapes of the inputs are known, anew where they change.
func deferMS(n *graph.Node, site *Site, body msBody) Kernel {
	var last atomic.Pointer[msLate]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		l := last.Load()
		if l == nil || !l.fits(in) {
			var err error
			if l, err = lateMS(n, site, body, in); err != nil {
				return err
			}
			last.Store(l)
		}
		return l.kernel(ctx, in, out)
	}
}

func lateMS(n *graph.Node, site *Site, body msBody, in []*tensor.Tensor) (*msLate, error) {
	at := *site
	at.Types = make([]tensor.Type, len(site.Types))
	for i, t := range in {
		if t != nil {
			at.Types[i] = t.Type()
		}
	}
	p, out := buildMS(n, &at, body)
	if p.err != nil {
		return nil, p.err
	}
	k, err := p.compile(out)
	return &msLate{at.Types, k}, err
}
