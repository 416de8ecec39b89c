//go:build !lean

package op

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Recurrent nets in training. A node whose gradient is wanted becomes its twin of the private domain, which gives what was computed on the way as
// further outputs:
//
//	LSTM  gates (directions, s, b, 4·h): i, o, f and g after their activations; cells (directions, s, b, h): c
//	GRU   gates (directions, s, b, 3·h): z, r and n; linear_before_reset: also (directions, s, b, h): h·Rnᵀ + Rb, before r
//	RNN   nothing: Y tells all
//
// RNNGrad, GRUGrad, LSTMGrad: from X, W, R, B, sequence_lens, initial_h, initial_c, P, Y, both of these and the gradients of Y, Y_h and Y_c to
// those of X, W, R, B, initial_h, initial_c and P.
func init() {
	attrs := []string{
		"activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size", "layout",
		"output_sequence", "input_forget", "linear_before_reset",
	}
	for _, name := range []string{"RNN", "GRU", "LSTM"} {
		own := recurrentOutputs(name)
		if name != "RNN" {
			register(&Spec{
				Domain: Private, Name: name, Since: 1, Half: true, Attrs: attrs, In: Arity{3, 8}, Out: Arity{0, own + 2},
				Infer: inferRecurrentTwin, Compile: compileRecurrent, Grad: gradRecurrent, Cases: recurrentTwinCases(name),
			})
		}
		register(&Spec{
			Domain: Private, Name: name + "Grad", Since: 1, Half: true, Attrs: attrs, In: Arity{3, 14}, Out: Arity{0, 7},
			Infer: inferRecurrentGrad, Compile: compileRecurrentGrad,
		})
	}
}

// recurrentOutputs is the number of outputs of an operator, without what its twin keeps.
func recurrentOutputs(op string) int {
	if op == "LSTM" {
		return 3
	}
	return 2
}

// recurrentTwinCases are those of the operator: the twin gives the same.
func recurrentTwinCases(op string) []Case {
	if op == "GRU" {
		return gruCases()
	}
	return lstmCases()
}

func inferRecurrentTwin(n *graph.Node, site *Site) ([]tensor.Type, error) {
	public, own := *n, recurrentOutputs(n.Op)
	public.Outputs = n.Outputs[:min(own, len(n.Outputs))]
	types, err := inferRecurrent(&public, site)
	if err != nil || len(n.Outputs) <= own {
		return types, err
	}
	directions, err := recurrentDirections(n)
	if err != nil {
		return nil, err
	}
	kept := tensor.TypeOf(site.Types[0].DType, len(directions), tensor.Free, tensor.Free, tensor.Free)
	if x := site.Types[0]; !x.Unranked && len(x.Dims) == 3 {
		s, b := x.Dims[0], x.Dims[1]
		if n.Int("layout", 0) == 1 {
			s, b = b, s
		}
		kept.Dims[1], kept.Dims[2] = s, b
	}
	for i := own; i < len(n.Outputs); i++ {
		t := tensor.Type{DType: kept.DType, Dims: slices.Clone(kept.Dims)}
		if r := site.Types[2]; !r.Unranked && len(r.Dims) == 3 {
			t.Dims[3] = r.Dims[1+i-own]
		}
		types = append(types, t)
	}
	return types, nil
}

// gradRecurrent makes n keep what the way back needs, which is one node. Absent are the gradients of what n has not.
func gradRecurrent(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	if err := recurrentBackward(n); err != nil {
		return nil, err
	}
	own := recurrentOutputs(n.Op)
	keep := func(i int, hint string) graph.Value {
		for len(n.Outputs) <= i {
			n.Outputs = append(n.Outputs, "")
		}
		if n.Outputs[i] == "" {
			n.Outputs[i] = b.Fresh(hint)
		}
		return n.Outputs[i]
	}
	in := make([]graph.Value, 14)
	copy(in[:8], n.Inputs)
	in[8] = keep(0, n.Op+"_Y")
	if n.Op != "RNN" {
		n.Domain = Private
		in[9] = keep(own, n.Op+"_gates")
	}
	if n.Op == "LSTM" || n.Op == "GRU" && n.Int("linear_before_reset", 0) != 0 {
		in[10] = keep(own+1, n.Op+"_kept")
	}
	copy(in[11:], dy[:min(own, len(dy))])
	made := b.Node(Private, n.Op+"Grad", in, 7, n.Attrs...)
	dx := make([]graph.Value, 8)
	for i, to := range []int{0, 1, 2, 3, 5, 6, 7} {
		if n.In(to) == "" {
			made[i] = ""
		}
		dx[to] = made[i]
	}
	return dx[:len(n.Inputs)], nil
}

// recurrentBackward refuses activations whose slope their result does not tell.
func recurrentBackward(n *graph.Node) error {
	directions, err := recurrentDirections(n)
	if err != nil {
		return err
	}
	acts, err := recurrentActivations(n, len(directions), sigmoidRow64, tanhRow64)
	if err != nil {
		return err
	}
	for _, list := range acts {
		for _, a := range list {
			if a.back == nil {
				return refuseAttr(n, "activation_alpha", "less than 0, of which there is no gradient")
			}
		}
	}
	return nil
}

func inferRecurrentGrad(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := oneOf(n, site.Types[0], floats...); err != nil {
		return nil, err
	}
	var types []tensor.Type
	for _, i := range []int{0, 1, 2, 3, 5, 6, 7} {
		types = append(types, site.typ(i))
	}
	return types[:len(n.Outputs)], nil
}

func compileRecurrentGrad(n *graph.Node, site *Site) (Kernel, error) {
	forward := *n
	forward.Op = n.Op[:len(n.Op)-len("Grad")]
	plain := *site
	plain.Constant = nil // it lays out weights in its own way
	if site.Types[0].DType == tensor.Float32 {
		r, err := newRecurrent(tensor.Data[float32], &forward, &plain, sigmoidRow, tanhRow)
		if err != nil {
			return nil, err
		}
		return newRecurrentGrad(r).run, nil
	}
	r, err := newRecurrent(tensor.Data[float64], &forward, &plain, sigmoidRow64, tanhRow64)
	if err != nil {
		return nil, err
	}
	return newRecurrentGrad(r).run, nil
}
