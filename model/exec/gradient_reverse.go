package exec

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// reversal makes the Scan that goes back over the steps of a Loop or Scan n. Its states are the gradients of n's states and, summed over the
// steps, those of what the body takes from outside; it scans what n kept of each step, what n itself scanned, and the gradients of what n stacked;
// it stacks the gradients of what n scanned.
type reversal struct {
	d        *differentiation
	n        *graph.Node
	body     *graph.Graph
	states   []graph.Port  // formals of the carried values
	next     []graph.Port  // the body's outputs for them
	first    []graph.Value // the node's inputs for them
	elements []graph.Port  // the body's outputs that are stacked
	slices   []graph.Port  // formals of what is scanned
	scanned  []graph.Value // the node's inputs for them
	known    map[graph.Value]*tensor.Tensor
	numbers  graph.Value // formal of a Loop's iteration number

	formals                 []graph.Port  // of its body: states, then scanned
	scans                   []graph.Value // what it scans
	axes, back              []int64       // of these
	results                 []graph.Value // outputs of its body
	to                      []graph.Value // the values whose gradients they are
	resultAxes, resultBacks []int64       // of those that are stacked
}

func (r *reversal) run(dy []graph.Value) error {
	d, n := r.d, r.n
	outside := d.captured(n)
	var from []graph.Value // what the body depends on in each step that is no state
	from = append(from, outside...)
	for i, v := range r.scanned {
		if d.needs[v] && numeric(r.slices[i]) {
			from = append(from, r.slices[i].Name)
		}
	}
	given := make([]bool, len(r.states))
	for i, v := range r.first {
		given[i] = d.needs[v]
	}
	carries := carriedOn(r.body, r.states, r.next, given, from)
	wrt := from
	for i, yes := range carries {
		if yes {
			wrt = append(wrt[:len(wrt):len(wrt)], r.states[i].Name)
		}
	}
	k := d.within(r.body, wrt, r.known)
	pad(n, len(r.states)+len(r.elements))
	var starts, sums []graph.Value
	for i, yes := range carries {
		if !yes {
			continue
		}
		formal := k.b.Fresh("d_" + string(r.states[i].Name))
		r.formals, starts = append(r.formals, graph.Port{Name: formal}), append(starts, r.final(i, dy))
		k.arrive(r.next[i].Name, formal)
	}
	for _, v := range outside {
		sum := k.b.Fresh("sum_" + string(v))
		r.formals, starts, sums = append(r.formals, graph.Port{Name: sum}), append(starts, d.zeros(v)), append(sums, sum)
	}
	var gradients []graph.Port
	for i, e := range r.elements {
		if at := len(r.states) + i; at < len(dy) && dy[at] != "" && k.needs[e.Name] {
			formal := k.b.Fresh("d_" + string(e.Name))
			k.arrive(e.Name, formal)
			gradients = append(gradients, graph.Port{Name: formal})
			axis, backwards := r.way("scan_output_axes", "scan_output_directions", i)
			r.scans, r.axes, r.back = append(r.scans, dy[at]), append(r.axes, axis), append(r.back, 1-backwards)
		}
	}
	if err := k.back(r.body); err != nil {
		return err
	}
	r.outputs(k, carries, outside, sums)
	if err := k.finish(r.results...); err != nil {
		return err
	}
	r.formals = append(r.formals, gradients...)
	r.keep(k)
	k.graph.Inputs = r.formals
	r.emit(k, starts)
	return nil
}

// final is the gradient of the last state i.
func (r *reversal) final(i int, dy []graph.Value) graph.Value {
	if i < len(dy) && dy[i] != "" {
		return dy[i]
	}
	if r.n.Outputs[i] == "" {
		r.n.Outputs[i] = r.d.b.Fresh(string(r.states[i].Name))
	}
	return r.d.zeros(r.n.Outputs[i])
}

// way is the axis and direction of what n scans or stacks.
func (r *reversal) way(axes, directions string, i int) (axis, backwards int64) {
	if list := r.n.Ints(axes); i < len(list) {
		axis = list[i]
	}
	if list := r.n.Ints(directions); i < len(list) && list[i] != 0 {
		backwards = 1
	}
	return axis, backwards
}

// outputs lists what a step gives: gradients of the states before it, sums so far, gradients of what it scanned.
func (r *reversal) outputs(k *bodyBack, carries []bool, outside, sums []graph.Value) {
	for i, yes := range carries {
		if yes {
			r.results, r.to = append(r.results, k.gradient(r.states[i].Name)), append(r.to, r.first[i])
		}
	}
	for i, v := range outside {
		sum := sums[i]
		if part := k.total(v); part != "" {
			sum = k.b.Op("Add", sum, part)
		}
		r.results, r.to = append(r.results, sum), append(r.to, v)
	}
	for i, v := range r.scanned {
		if r.d.needs[v] && numeric(r.slices[i]) {
			axis, backwards := r.way("scan_input_axes", "scan_input_directions", i)
			r.results, r.to = append(r.results, k.gradient(r.slices[i].Name)), append(r.to, v)
			r.resultAxes, r.resultBacks = append(r.resultAxes, axis), append(r.resultBacks, 1-backwards)
		}
	}
}

// keep has n stack the formals that the way back uses, of a Loop its numbers in any case: they tell how many iterations there were. What n itself
// scanned is there to be scanned again.
func (r *reversal) keep(k *bodyBack) {
	var kept []graph.Value
	if r.numbers != "" {
		kept = append(kept, r.numbers)
	}
	for _, p := range r.states {
		if k.uses(p.Name) {
			kept = append(kept, p.Name)
		}
	}
	r.stack(kept)
	for i, p := range r.slices {
		if k.uses(p.Name) || len(r.scans) == 0 && i == len(r.slices)-1 {
			axis, backwards := r.way("scan_input_axes", "scan_input_directions", i)
			r.formals, r.scans = append(r.formals, p), append(r.scans, r.scanned[i])
			r.axes, r.back = append(r.axes, axis), append(r.back, 1-backwards)
		}
	}
}

// stack adds formals to what n stacks, in place of its body.
func (r *reversal) stack(kept []graph.Value) {
	if len(kept) == 0 {
		return
	}
	n, old := r.n, len(r.elements)
	body := *r.body
	body.Outputs = slices.Clone(body.Outputs)
	for _, v := range kept {
		out := r.d.b.Fresh(string(v) + "_kept")
		body.Outputs, n.Outputs = append(body.Outputs, graph.Port{Name: v}), append(n.Outputs, out)
		r.formals, r.scans = append(r.formals, graph.Port{Name: v}), append(r.scans, out)
		r.axes, r.back = append(r.axes, 0), append(r.back, 1)
	}
	withAttr(n, graphAttr("body", &body))
	for _, name := range []string{"scan_output_axes", "scan_output_directions"} {
		if list := n.Ints(name); len(list) == old && old > 0 {
			withAttr(n, graph.IntsAttr(name, append(slices.Clone(list), make([]int64, len(kept))...)...))
		}
	}
}

// emit appends the Scan and hands its results on.
func (r *reversal) emit(k *bodyBack, starts []graph.Value) {
	made := r.d.b.Node("", "Scan", append(starts, r.scans...), len(r.results), graphAttr("body", k.graph),
		graph.IntAttr("num_scan_inputs", int64(len(r.scans))), graph.IntsAttr("scan_input_axes", r.axes...), graph.IntsAttr("scan_input_directions", r.back...))
	if len(r.resultAxes) > 0 {
		last := r.d.b.Graph().Nodes[len(r.d.b.Graph().Nodes)-1]
		withAttr(last, graph.IntsAttr("scan_output_axes", r.resultAxes...))
		withAttr(last, graph.IntsAttr("scan_output_directions", r.resultBacks...))
	}
	for i, v := range r.to {
		if !r.d.needs[v] {
			continue
		}
		dv := made[i]
		if i >= len(starts) { // without a step, the other dimensions are not known
			dv = r.d.b.Op("Reshape", dv, r.d.b.Op("Shape", v))
		}
		r.d.parts[v] = append(r.d.parts[v], dv)
	}
}
