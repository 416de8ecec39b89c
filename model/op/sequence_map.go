//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// SequenceMap: body applied to each element of a sequence; further inputs that are sequences are walked beside it, tensors are given whole.
// https://onnx.ai/onnx/operators/onnx__SequenceMap.html
func init() {
	register(&Spec{Name: "SequenceMap", Since: 17, Attrs: []string{"body"}, In: Arity{1, Many}, Out: Arity{1, Many}, Infer: inferSequenceMap, Compile: compileSequenceMap})
}

func sequenceMapBody(n *graph.Node, site *Site) (Body, error) {
	if err := kind(n, "body", graph.AttrGraph); err != nil {
		return nil, err
	}
	var formals []tensor.Type
	for i, t := range site.Types[:site.Own] {
		elem, ok := elementType(t)
		switch {
		case ok:
			t = elem
		case i == 0 || t.DType.Container():
			return nil, refuse(n, t.DType)
		}
		formals = append(formals, t)
	}
	body, err := site.Body("body", formals)
	if err != nil {
		return nil, err
	}
	if len(body.Outputs()) != len(n.Outputs) {
		return nil, bad(n, "the body has not the outputs of the node")
	}
	return body, nil
}

func inferSequenceMap(n *graph.Node, site *Site) ([]tensor.Type, error) {
	body, err := sequenceMapBody(n, site)
	if err != nil {
		return nil, err
	}
	var types []tensor.Type
	for _, t := range body.Outputs() {
		if t.DType.Container() {
			return nil, refuse(n, t.DType)
		}
		types = append(types, sequenceOf(t))
	}
	return types, nil
}

func compileSequenceMap(n *graph.Node, site *Site) (Kernel, error) {
	body, err := sequenceMapBody(n, site)
	if err != nil {
		return nil, err
	}
	own := site.Own
	var lists scratch[*tensor.Tensor]
	var spares scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		count := len(in[0].List())
		held, memory := spares.take(len(out)), lists.take(own+len(out))
		defer spares.put(held)
		defer func() { clear(*memory); lists.put(memory) }() // keeps no input alive
		for k, t := range out {
			if t == nil { // nobody wants it, but the body makes it
				out[k] = &(*held)[k]
			}
			out[k].ResetList(tensor.Sequence, count)
		}
		formals, results := (*memory)[:own], (*memory)[own:]
		for i := range count {
			for k, t := range in[:own] {
				if formals[k] = t; t.DType() == tensor.Sequence {
					if len(t.List()) != count {
						return misfit("SequenceMap", "sequences of different lengths")
					}
					formals[k] = t.List()[i]
				}
			}
			for k := range results {
				results[k] = out[k].List()[i]
			}
			if err := body.Run(ctx, formals, in[own:], results); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
