package exec

import (
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// backLoop carries the gradient over a Loop: n keeps the number of each iteration and the states that it began with, stacked, and a Scan goes over
// these from the last to the first. Its body goes back through one iteration. States that change their shape cannot be stacked: such a loop
// fails when it runs, where the way back needs them.
func (d *differentiation) backLoop(n *graph.Node, dy []graph.Value) error {
	body, err := bodyOf(n, "body")
	if err != nil {
		return err
	}
	carried := len(body.Inputs) - 2
	scanned := len(body.Outputs) - 1 - carried
	if carried < 0 || scanned < 0 || len(n.Inputs) < 2+carried {
		return fault.New(fault.BadModel, "Loop: the body has not the inputs and outputs of the node")
	}
	yes := tensor.New(tensor.Bool)
	tensor.Data[bool](yes)[0] = true // an iteration that ran was let in
	r := &reversal{
		d: d, n: n, body: body, states: body.Inputs[2:], next: body.Outputs[1 : 1+carried], first: n.Inputs[2 : 2+carried],
		elements: body.Outputs[1+carried:], known: map[graph.Value]*tensor.Tensor{body.Inputs[1].Name: yes},
		numbers: body.Inputs[0].Name,
	}
	return r.run(dy)
}

// backScan carries the gradient over a Scan, as over a Loop: what n scans is scanned again, the other way round.
func (d *differentiation) backScan(n *graph.Node, dy []graph.Value) error {
	body, err := bodyOf(n, "body")
	if err != nil {
		return err
	}
	if d.version(n) < 9 {
		return fault.New(fault.Unsupported, "Scan before opset 9 has no gradient").Try("convert the model to opset 9 or newer")
	}
	many := int(n.Int("num_scan_inputs", 0))
	states := len(n.Inputs) - many
	if many < 1 || states < 0 || len(body.Inputs) != len(n.Inputs) || len(body.Outputs) < states {
		return fault.New(fault.BadModel, "Scan: the body has not the inputs and outputs of the node")
	}
	r := &reversal{
		d: d, n: n, body: body, states: body.Inputs[:states], next: body.Outputs[:states], first: n.Inputs[:states],
		elements: body.Outputs[states:], slices: body.Inputs[states:], scanned: n.Inputs[states:],
	}
	return r.run(dy)
}
