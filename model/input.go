package model

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// arrange checks the inputs and brings them into the order of the program.
func (p *Program) arrange(in map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	ports := p.Inputs()
	args := make([]*tensor.Tensor, len(ports))
	for i, port := range ports {
		t := in[string(port.Name)]
		if t == nil {
			return nil, fault.New(fault.Invalid, "the input is missing, want "+port.Type.Tensor.String()).At(string(port.Name)).Try(p.signature())
		}
		if !port.Type.Tensor.Accepts(t.DType(), t.Shape()) {
			return nil, fault.New(fault.Invalid, "got "+t.Type().String()+", want "+port.Type.Tensor.String()).At(string(port.Name)).Try(mismatch(port, t))
		}
		args[i] = t
	}
	if len(in) > len(ports) { // each of ports is in it, so more is too much
		return nil, p.unknown(in)
	}
	return args, p.agree(args)
}

// mismatch tells what to change about t.
func mismatch(port graph.Port, t *tensor.Tensor) string {
	w := port.Type.Tensor
	switch {
	case t.DType() != w.DType:
		return "give elements of " + w.DType.String()
	case len(w.Dims) != t.Rank():
		return "give a tensor of " + strconv.Itoa(len(w.Dims)) + " dimensions"
	}
	return "dimensions that are not numbers are free, the others must be as the model has them"
}

// signature lists the inputs, for hints.
func (p *Program) signature() string {
	ports := p.Inputs()
	if len(ports) == 0 {
		return "the model has no inputs"
	}
	s := "the model's inputs are "
	for i, port := range ports {
		if i == 20 {
			return s + " and " + strconv.Itoa(len(ports)-i) + " more"
		}
		if i > 0 {
			s += ", "
		}
		s += string(port.Name) + " " + port.Type.Tensor.String()
	}
	return s
}

// unknown makes the error for an input that the model does not have: the first in the order of names, so that the
// message does not change from run to run.
func (p *Program) unknown(in map[string]*tensor.Tensor) error {
	names := map[string]bool{}
	for _, port := range p.Inputs() {
		names[string(port.Name)] = true
	}
	first, found := "", false
	for name := range in {
		if !names[name] && (!found || name < first) {
			first, found = name, true
		}
	}
	message := "the model has no such input"
	if _, ok := p.model.Graph.Initializers[graph.Value(first)]; ok {
		message = "the input has its value in the model file and cannot be set"
	}
	return fault.New(fault.Invalid, message).At(first).Try(p.signature())
}

// agree checks that dimensions of one symbolic name have one length: a kernel would broadcast (1) against (rows).
func (p *Program) agree(args []*tensor.Tensor) error {
	type origin struct {
		input graph.Value
		size  int
	}
	var first map[string]origin
	for i, port := range p.Inputs() {
		shape := args[i].Shape()
		for axis, dim := range port.Type.Tensor.Dims {
			if anonymous(dim.Name) || axis >= len(shape) {
				continue
			}
			if first == nil {
				first = make(map[string]origin, 2)
			}
			o, ok := first[dim.Name]
			if !ok {
				first[dim.Name] = origin{port.Name, shape[axis]}
			} else if o.size != shape[axis] {
				return fault.New(fault.Invalid, "dimension "+strconv.Itoa(axis)+" ("+dim.Name+") is "+strconv.Itoa(shape[axis])+", in "+
					string(o.input)+" it is "+strconv.Itoa(o.size)).At(string(port.Name)).Try("give all inputs the same number of " + dim.Name)
			}
		}
	}
	return nil
}

// anonymous reports whether a dimension's name says nothing: some exporters write these for every free dimension.
func anonymous(name string) bool { return name == "" || name == "?" || name == "None" || name == "-1" }
