package boost

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/trees"
)

// Train is Fit for those who want the trees themselves: to explain predictions, or to weigh features. Covers are sums of second derivatives.
func (p Boost) Train(ctx context.Context, d fit.Data, report func(fit.Progress)) (*trees.Ensemble, error) {
	p, err := p.defaults()
	if err != nil {
		return nil, err
	}
	if err := d.Check(true); err != nil {
		return nil, err
	}
	e, err := p.train(ctx, d, report)
	if err != nil {
		return nil, err
	}
	return e.finished(d)
}

// finished are the trees without what only their growth needed.
func (e *ensemble) finished(d fit.Data) (*trees.Ensemble, error) {
	out := &trees.Ensemble{Task: e.task, Features: d.Cols, Outputs: len(e.base), Base: e.base, Link: e.objective.link(), Names: d.Names}
	for i, t := range e.trees {
		nodes, err := trees.Arrange(t.raw(), 0)
		if err != nil {
			return nil, err
		}
		out.Trees = append(out.Trees, trees.Tree{Output: i % len(e.base), Nodes: nodes})
	}
	return out, nil
}

// raw are the nodes as trees.Arrange wants them, those that were pruned among them.
func (t tree) raw() []trees.Node {
	nodes := make([]trees.Node, len(t))
	for i := range t {
		n := &t[i]
		if n.left == 0 {
			nodes[i] = trees.Node{Left: -1, Right: -1, Value: float64(n.value), Cover: n.cover}
			continue
		}
		nodes[i] = trees.Node{Feature: n.feature, Left: int32(n.left), Right: int32(n.right), Cut: n.cut, MissingLeft: n.missingLeft, Gain: n.gain, Cover: n.cover}
	}
	return nodes
}
