package nn

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Activation is a function of each element.
type Activation struct {
	Name string `json:"name"` // relu, relu6, leaky_relu, prelu, elu, selu, celu, gelu, gelu_tanh, silu, mish, tanh, sigmoid, hardsigmoid, hardswish, softplus, softsign, softmax, log_softmax
}

// simple are the activations that are one operator of opset 17 with the defaults that PyTorch has.
var simple = map[string]struct {
	op    string
	attrs []graph.Attr
}{
	"relu": {op: "Relu"}, "tanh": {op: "Tanh"}, "sigmoid": {op: "Sigmoid"}, "logistic": {op: "Sigmoid"}, "softplus": {op: "Softplus"}, "softsign": {op: "Softsign"},
	"selu": {op: "Selu"}, "elu": {op: "Elu"}, "celu": {op: "Celu"}, "hardswish": {op: "HardSwish"},
	"leaky_relu":  {"LeakyRelu", []graph.Attr{graph.FloatAttr("alpha", .01)}},
	"hardsigmoid": {"HardSigmoid", []graph.Attr{graph.FloatAttr("alpha", 1./6), graph.FloatAttr("beta", .5)}},
	"softmax":     {"Softmax", []graph.Attr{graph.IntAttr("axis", -1)}},
	"log_softmax": {"LogSoftmax", []graph.Attr{graph.IntAttr("axis", -1)}},
}

// composed are those of several operators.
var composed = map[string]func(s *Scope, x graph.Value) graph.Value{
	"relu6": func(s *Scope, x graph.Value) graph.Value {
		return s.Op("Clip", x, s.Scalar("zero", 0), s.Scalar("six", 6))
	},
	"silu":      func(s *Scope, x graph.Value) graph.Value { return s.Op("Mul", x, s.Op("Sigmoid", x)) },
	"mish":      func(s *Scope, x graph.Value) graph.Value { return s.Op("Mul", x, s.Op("Tanh", s.Op("Softplus", x))) },
	"gelu":      gelu,
	"gelu_tanh": geluTanh,
}

// activationNames are all names that Activation takes, sorted.
func activationNames() []string {
	names := []string{"prelu"}
	for name := range simple {
		names = append(names, name)
	}
	for name := range composed {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Append implements Layer. The empty name is none.
func (l Activation) Append(s *Scope, x graph.Value) (graph.Value, error) {
	if l.Name == "" {
		return x, nil
	}
	if a, ok := simple[l.Name]; ok {
		return s.OpWith(a.op, a.attrs, x), nil
	}
	if f := composed[l.Name]; f != nil {
		return f(s, x), nil
	}
	if l.Name == "prelu" {
		slope, err := s.Param("slope", constant(.25), 1)
		return s.Op("PRelu", x, slope), err
	}
	return "", fault.New(fault.Invalid, "no activation "+strconv.Quote(l.Name)).At("activation").Try(strings.Join(activationNames(), ", "))
}

// gelu is x/2·(1 + erf(x/√2)) (Hendrycks and Gimpel 2016); the operator Gelu is of opset 20.
func gelu(s *Scope, x graph.Value) graph.Value {
	e := s.Op("Add", s.Op("Erf", s.Op("Div", x, s.Scalar("root", math.Sqrt2))), s.Scalar("one", 1))
	return s.Op("Mul", s.Op("Mul", x, e), s.Scalar("half", .5))
}

// geluTanh is the approximation of the same paper: x/2·(1 + tanh(√(2/π)·(x + 0.044715x³))).
func geluTanh(s *Scope, x graph.Value) graph.Value {
	cube := s.Op("Mul", s.Op("Mul", x, x), x)
	inner := s.Op("Mul", s.Op("Add", x, s.Op("Mul", cube, s.Scalar("cubic", .044715))), s.Scalar("root", float32(math.Sqrt(2/math.Pi))))
	return s.Op("Mul", s.Op("Mul", x, s.Op("Add", s.Op("Tanh", inner), s.Scalar("one", 1))), s.Scalar("half", .5))
}
