package model

import (
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
)

// refusePrivate refuses a file with an operator that only the engine writes: its kernel takes for granted what the engine has made sure of.
func refusePrivate(m *graph.Model) error {
	if err := refuseNodes(m.Graph.Nodes); err != nil {
		return err
	}
	for _, f := range m.Functions {
		if err := refuseNodes(f.Nodes); err != nil {
			return err
		}
	}
	return nil
}

func refuseNodes(nodes []*graph.Node) error {
	for _, n := range nodes {
		if n.Domain == op.Private {
			return fault.New(fault.Unsupported, "the operator "+n.Domain+"."+n.Op+" is for the engine alone: no file may hold it").At(n.Name)
		}
		for _, g := range n.Subgraphs() {
			if err := refuseNodes(g.Nodes); err != nil {
				return err
			}
		}
	}
	return nil
}
