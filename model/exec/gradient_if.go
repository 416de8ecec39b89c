package exec

import "github.com/jarvis-ml/jarvis/model/graph"

// backIf carries the gradient over a branch: an If by the same condition, whose branches go back through those of n and give the gradients of
// what these take from outside.
func (d *differentiation) backIf(n *graph.Node, dy []graph.Value) error {
	wrt := d.captured(n)
	if len(wrt) == 0 {
		return nil
	}
	var attrs []graph.Attr
	for _, branch := range []string{"then_branch", "else_branch"} {
		body, err := bodyOf(n, branch)
		if err != nil {
			return err
		}
		k := d.within(body, wrt, nil)
		for i, out := range body.Outputs {
			if i < len(dy) && dy[i] != "" {
				k.b.Reserve(string(dy[i]))
				k.arrive(out.Name, dy[i])
			}
		}
		for _, v := range wrt { // of which the other branch may be the only reader
			k.b.Reserve(string(v))
		}
		if err := k.back(body); err != nil {
			return err
		}
		var grads []graph.Value
		for _, v := range wrt {
			grads = append(grads, k.gradient(v))
		}
		if err := k.finish(grads...); err != nil {
			return err
		}
		attrs = append(attrs, graphAttr(branch, k.graph))
	}
	for i, dx := range d.b.Node("", "If", n.Inputs[:1], len(wrt), attrs...) {
		d.parts[wrt[i]] = append(d.parts[wrt[i]], dx)
	}
	return nil
}
