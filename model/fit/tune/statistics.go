package tune

import (
	"slices"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// statistics decides which running statistics of BatchNormalization move: none where batches are small, and none that nothing which learns stands in
// front of, for there the data have the mean that they had.
func (t *tuning) statistics() error {
	moved := t.moved()
	all, still := 0, map[graph.Value]bool{}
	for _, n := range t.Net.Graph.Nodes {
		if n.Domain != "" || n.Op != "BatchNormalization" {
			continue
		}
		all++
		if !slices.ContainsFunc(n.Inputs[:min(3, len(n.Inputs))], func(v graph.Value) bool { return moved[v] }) {
			still[n.Outputs[0]] = true
		}
	}
	size := t.BatchSize
	if size == 0 {
		size = 32
	}
	switch {
	case all == 0:
	case size < LeastBatch:
		t.Net.Frozen = true
		t.note("running statistics stay as they are: batches of " + strconv.Itoa(size) + " rows are smaller than " + strconv.Itoa(LeastBatch))
	case len(still) == all:
		t.Net.Frozen = true
		t.note("running statistics stay as they are: nothing in front of them learns")
	case len(still) > 0:
		t.Net.Still = still
		t.note("running statistics move where something in front of them learns: " + strconv.Itoa(all-len(still)) + " of " + strconv.Itoa(all))
	default:
		t.note("running statistics move with the batches")
	}
	g := t.Net.Graph
	for _, n := range g.Nodes {
		if n.Op == "BatchNormalization" && n.Domain == "" && !t.Net.Frozen && !still[n.Outputs[0]] {
			for _, v := range []graph.Value{n.In(3), n.In(4)} {
				if w := g.Initializers[v]; w != nil {
					g.Initializers[v] = w.Clone() // training writes into it
				}
			}
		}
	}
	return nil
}

// moved are the values that depend on a weight that learns.
func (t *tuning) moved() map[graph.Value]bool {
	moved := map[graph.Value]bool{}
	for _, v := range t.Net.Params {
		moved[v] = true
	}
	for _, n := range t.Net.Graph.Nodes {
		hit := false
		n.Walk(func(n *graph.Node) {
			hit = hit || slices.ContainsFunc(n.Inputs, func(v graph.Value) bool { return moved[v] })
		})
		for _, v := range n.Outputs {
			moved[v] = moved[v] || hit
		}
	}
	delete(moved, "")
	return moved
}

// quantised refuses to train through integers.
func (t *tuning) quantised() error {
	if len(t.Net.Params) == 0 {
		return nil
	}
	moved := t.moved()
	for _, n := range t.Net.Graph.Nodes {
		if integers(n.Op) && slices.ContainsFunc(n.Inputs, func(v graph.Value) bool { return moved[v] }) {
			return fault.New(fault.Unsupported, "the model is quantised ("+n.Op+"), and integers do not learn").At(nodeName(n)).
				Try("fine-tune the model that it was made from, in float32, and quantise what comes of it; or train a new last layer alone, with head and freeze '*'")
		}
	}
	return nil
}

// integers reports whether an operator computes with quantised numbers.
func integers(op string) bool {
	return strings.Contains(op, "Quantize") && op != "DequantizeLinear" || strings.HasPrefix(op, "QLinear") || strings.Contains(op, "Integer") || strings.Contains(op, "NBits") ||
		op == "QAttention" || op == "QGemm"
}
