package model

import (
	"slices"
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
			return nil, fault.New(fault.Invalid, "the input is missing, want "+port.Type.Type().String()).At(string(port.Name)).Try(p.signature())
		}
		if want := port.Type.Type(); !want.Accepts(t.DType(), t.Shape()) {
			return nil, fault.New(fault.Invalid, "got "+t.Type().String()+", want "+want.String()).At(string(port.Name)).Try(mismatch(port, t))
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
	w := port.Type.Type()
	switch {
	case w.DType.Container() || t.DType().Container():
		return "give a value of the kind that the model declares"
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
		s += string(port.Name) + " " + port.Type.Type().String()
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

// axis is one dimension of one input.
type axis struct{ input, at int }

// alike finds the dimensions of inputs that bear one symbolic name.
func alike(ports []graph.Port) (groups [][]axis) {
	known := map[string]int{} // name → index into groups
	for i, port := range ports {
		for at, dim := range port.Type.Tensor.Dims {
			if anonymous(dim.Name) {
				continue
			}
			g, ok := known[dim.Name]
			if !ok {
				g = len(groups)
				known[dim.Name] = g
				groups = append(groups, nil)
			}
			groups[g] = append(groups[g], axis{i, at})
		}
	}
	return slices.DeleteFunc(groups, func(g []axis) bool { return len(g) < 2 })
}

// agree checks that dimensions of one symbolic name have one length: a kernel would broadcast (1) against (rows).
func (p *Program) agree(args []*tensor.Tensor) error {
	for _, group := range p.equal {
		first := -1
		var origin axis
		for _, a := range group {
			t := args[a.input]
			if t == nil || a.at >= t.Rank() {
				continue
			}
			size := t.Shape()[a.at]
			if first < 0 {
				first, origin = size, a
			} else if size != first {
				ports := p.Inputs()
				name := ports[a.input].Type.Tensor.Dims[a.at].Name
				return fault.New(fault.Invalid, "dimension "+strconv.Itoa(a.at)+" ("+name+") is "+strconv.Itoa(size)+", in "+
					string(ports[origin.input].Name)+" it is "+strconv.Itoa(first)).At(string(ports[a.input].Name)).Try("give all inputs the same number of " + name)
			}
		}
	}
	return nil
}

// anonymous reports whether a dimension's name says nothing: some exporters write these for every free dimension.
func anonymous(name string) bool { return name == "" || name == "?" || name == "None" || name == "-1" }
