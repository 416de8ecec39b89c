package nn

import (
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/memory"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Layer is a part of a net. Its exported fields are its hyper-parameters, named as in PyTorch; zero values mean the documented defaults.
type Layer interface {
	// Append adds the layer's nodes to the graph, from its input to its output. The first dimension of both counts the rows of a batch. Errors:
	// fault.Invalid, with Field the hyper-parameter.
	Append(s *Scope, x graph.Value) (graph.Value, error)
}

// Scope is where a layer puts its nodes and weights.
type Scope struct {
	*graph.Builder
	Mask graph.Value // bool (rows, steps): which steps of a sequence are not padding; absent when all are. Embedding sets it

	build *build
	path  string
}

// build is a net while it is made.
type build struct {
	types  *exec.Types
	random *rand.Rand
	params []graph.Value
	count  int // weights so far
	lines  []Line
}

// Build makes a net of one input, whose first dimension counts the rows, from layers in a row. Weights are drawn from the seed as PyTorch draws them.
// Errors: fault.Invalid with Field the layer and its hyper-parameter ("layers.2.out_features"), fault.TooLarge for too many weights.
func Build(input tensor.Type, layers []Layer, seed uint64) (*train.Net, *Summary, error) {
	b := graph.NewBuilder("net")
	x := b.Input("x", input)
	s := &Scope{Builder: b, build: &build{types: exec.NewTypes(b), random: rand.New(rand.NewPCG(seed, 0x1417))}, path: "layers"}
	y, err := Sequential{layers}.Append(s, x)
	if err != nil {
		return nil, nil, err
	}
	out, err := s.build.types.Of(y)
	if err != nil {
		return nil, nil, err
	}
	b.Graph().Outputs = []graph.Port{{Name: y, Type: graph.TensorOf(out)}}
	n := &train.Net{Graph: b.Graph(), Params: s.build.params}
	return n, &Summary{Input: input, Lines: s.build.lines, net: n}, nil
}

// Sequential is layers in a row.
type Sequential struct {
	Layers []Layer
}

// Append implements Layer.
func (l Sequential) Append(s *Scope, x graph.Value) (graph.Value, error) {
	for i, layer := range l.Layers {
		inner := s.In(strconv.Itoa(i))
		y, err := inner.add(layer, x)
		if err != nil {
			return "", err
		}
		s.Mask, x = inner.Mask, y
	}
	return x, nil
}

// In is the scope of a part: its weights have the name in theirs.
func (s *Scope) In(name string) *Scope {
	return &Scope{Builder: s.Builder, Mask: s.Mask, build: s.build, path: s.path + "." + name}
}

// add appends a layer and notes what it became.
func (s *Scope) add(l Layer, x graph.Value) (graph.Value, error) {
	from, nodes := s.build.count, len(s.Graph().Nodes)
	line := len(s.build.lines)
	s.build.lines = append(s.build.lines, Line{})
	y, err := l.Append(s, x)
	if err != nil {
		return "", s.located(err)
	}
	t, err := s.Type(y)
	if err != nil {
		return "", s.located(err)
	}
	s.build.lines[line] = s.line(l, t, s.build.count-from, nodes)
	return y, nil
}

// located puts the layer before an error's field.
func (s *Scope) located(err error) error {
	if f := (*fault.Error)(nil); errors.As(err, &f) && f.Code == fault.Invalid && !strings.HasPrefix(f.Field, "layers.") {
		c := *f
		if c.Field = s.path; f.Field != "" {
			c.Field += "." + f.Field
		}
		return &c
	}
	return err
}

// Type is what is known of a value's type and shape.
func (s *Scope) Type(x graph.Value) (tensor.Type, error) { return s.build.types.Of(x) }

// Dims are the sizes of a value of that rank, tensor.Free where a size is not known. Errors: fault.Invalid for another rank; what says what the layer is.
func (s *Scope) Dims(x graph.Value, rank int, what string) ([]int, error) {
	t, err := s.Type(x)
	if err != nil {
		return nil, err
	}
	if t.Unranked || len(t.Dims) != rank {
		return nil, fault.New(fault.Invalid, what+" wants an input of "+strconv.Itoa(rank)+" dimensions, the rows counted, not "+t.String())
	}
	sizes := make([]int, rank)
	for i, d := range t.Dims {
		sizes[i] = d.Size
	}
	return sizes, nil
}

// known refuses a size that is not known where weights depend on it.
func known(size int, what string) error {
	if size > 0 {
		return nil
	}
	return fault.New(fault.Invalid, what+" must be known when the net is made").Try("give inputs a fixed size, or put a layer before that pools")
}

// Param adds a weight.
func (s *Scope) Param(name string, draw func(*rand.Rand) float64, shape ...int) (graph.Value, error) {
	n := 1
	for _, d := range shape {
		if d <= 0 || n > most/d {
			return "", fault.New(fault.TooLarge, "too many weights, or none: "+s.path+"."+name).Try("fewer or smaller layers are needed")
		}
		n *= d
	}
	if s.build.count += n; s.build.count > most {
		return "", fault.New(fault.TooLarge, "a net of more than "+strconv.Itoa(most)+" weights").Try("fewer or smaller layers are needed")
	}
	v := memory.Make[float32](n)
	for i := range v {
		v[i] = float32(draw(s.build.random))
	}
	p := s.Floats(s.path+"."+name, v, shape...)
	s.build.params = append(s.build.params, p)
	return p, nil
}

// Fixed adds float32 numbers that do not learn.
func (s *Scope) Fixed(name string, v []float32, shape ...int) graph.Value {
	return s.Floats(s.path+"."+name, v, shape...)
}

// within draws evenly from [-bound, bound].
func within(bound float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return (2*r.Float64() - 1) * bound }
}

// byFan draws as PyTorch's Linear and convolutions do: evenly within 1/√fan, fan being the inputs of a unit.
func byFan(fan int) func(*rand.Rand) float64 { return within(1 / math.Sqrt(float64(fan))) }

// constant draws nothing.
func constant(v float64) func(*rand.Rand) float64 { return func(*rand.Rand) float64 { return v } }

// normal draws from a normal distribution.
func normal(deviation float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return deviation * r.NormFloat64() }
}

// positive refuses hyper-parameters below 1.
func positive(fields ...any) error {
	for i := 0; i < len(fields); i += 2 {
		if fields[i+1].(int) < 1 {
			return fault.New(fault.Invalid, fields[i].(string)+" must be above 0").At(fields[i].(string))
		}
	}
	return nil
}
