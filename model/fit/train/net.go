// Package train makes the initializers of an ONNX graph learn: it puts a loss behind the graph and the gradients behind that (package exec), and
// steps down (package optim) through batches of a data set, watching rows that are held out. Whatever a graph comes from, layers of package
// nn or a file that another framework exported, it is trained here.
package train

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Net is a graph whose initializers learn. The graph stands as it predicts (Dropout passes through, BatchNormalization has its running statistics);
// training runs a form of its own of it. Its one output is what the loss is told: logits (rows, classes), or numbers (rows, outputs).
type Net struct {
	Graph  *graph.Graph
	Params []graph.Value        // float32 initializers that learn; those of package nn first to last layer
	Frozen bool                 // keep running statistics as they are
	Still  map[graph.Value]bool // keep those of the BatchNormalization that makes such a value
}

// Weights are the tensors that learn, in the order of Params; training writes into them.
func (n *Net) Weights() []*tensor.Tensor {
	all := make([]*tensor.Tensor, len(n.Params))
	for i, v := range n.Params {
		all[i] = n.Graph.Initializers[v]
	}
	return all
}

// check refuses what cannot be trained.
func (n *Net) check() error {
	if len(n.Params) == 0 {
		return fault.New(fault.Invalid, "the net has no weights that learn").Try("freeze fewer of them, or add a layer that learns")
	}
	if len(n.Graph.Outputs) != 1 {
		return fault.New(fault.Invalid, "a net that learns has one output, not "+strconv.Itoa(len(n.Graph.Outputs)))
	}
	for _, v := range n.Params {
		if t := n.Graph.Initializers[v]; t == nil || t.DType() != tensor.Float32 {
			return fault.New(fault.Invalid, "only float32 initializers learn").At(string(v))
		}
	}
	return nil
}

// moving are the nodes of g, the net's graph or a copy, whose running statistics move: a step replaces these initializers by what the forward pass made of them.
func (n *Net) moving(g *graph.Graph) (nodes []*graph.Node) {
	if n.Frozen {
		return nil
	}
	still := n.Still
	for _, n := range g.Nodes {
		if !still[n.Outputs[0]] && n.Domain == "" && n.Op == "BatchNormalization" && g.Initializers[n.In(3)] != nil && g.Initializers[n.In(4)] != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}
