// Package tune gets models that were trained elsewhere ready to go on learning: whatever exported them, their weights are lifted out of Constant
// nodes and subgraphs, inputs that are always the same become constants, a new last layer takes the place of the old one where the classes are
// others, and instead of all weights a few may learn beside them (LoRA). Package train then trains what Open made.
package tune

import (
	"slices"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Options say how a model goes on learning.
type Options struct {
	Output     string                    // the output to learn from; "": the only one, or the only one of float32
	Regression bool                      // numbers are learned, not classes
	Outputs    int                       // classes, or numbers, that each row has; 0, without Head: as many as the model gives
	Fix        map[string]*tensor.Tensor // inputs that are always the same: numbers in the shape of the input, or that broadcast to it
	Types      map[string]tensor.Type    // of other inputs, where the data are known better than the model says; the first dimension counts the rows
	Freeze     []string                  // patterns of names of weights, or of nodes that use them, that stay as they are: * stands for any characters, ? for one
	Head       bool                      // put a new layer in the place of the last one, or behind a model that ends without one
	LoRA       LoRA
	BatchSize  int    // rows of a step: running statistics stay as they are below LeastBatch
	Seed       uint64 // of what is drawn
}

// LeastBatch is how many rows a batch must have for its mean and variance to be worth more than those that the model came with.
const LeastBatch = 16

// Model is a model that learns on.
type Model struct {
	Net *train.Net

	// Binary: the one number that the net gives for a row is the logit of the second of two classes, to be trained with train.BCE.
	Binary  bool
	Outputs int      // classes, or numbers, that each row gets
	Notes   []string // what was found and decided, in sentences for a person

	lora []adapter
	head *head
}

// Open makes a net of a model that was trained elsewhere. Its float32 weights learn, wherever they lie: initializers, Constant nodes, both in subgraphs,
// and what is made of them before it is used. A Softmax or Sigmoid at the end is left out of the net: losses want logits. m is left as it is.
//
// Errors: fault.Invalid where nothing is left to learn, for an output, input or pattern that the model does not have, and for a last layer of
// another width than the data need (Field "head"); fault.Unsupported for a quantised model; those of exec.Inline and exec.Settle.
func Open(m *graph.Model, o Options) (*Model, error) {
	g, err := exec.Inline(m)
	if err != nil {
		return nil, err
	}
	if err := choose(g, o.Output); err != nil {
		return nil, err
	}
	declared, one := g.Outputs[0].Type.Type(), single(g, o)
	if err := fix(g, o); err != nil {
		return nil, err
	}
	was := origins(g)
	if err := exec.Settle(g); err != nil {
		return nil, err
	}
	if one {
		if err := unbind(g); err != nil {
			return nil, err
		}
	}
	t := &tuning{Model: &Model{Net: &train.Net{Graph: g}}, Options: o, b: graph.Extend(g), origin: was, declared: declared}
	for _, step := range []func() error{t.lift, t.finish, t.width, t.adapt, t.quantised, t.statistics, t.something} {
		if err := step(); err != nil {
			return nil, err
		}
		t.prune()
	}
	return t.Model, nil
}

// tuning is a model while it is opened.
type tuning struct {
	*Model
	Options
	b        *graph.Builder
	origin   map[graph.Value][]graph.Value // of what Settle computes: the weights that it was made of
	names    []string                      // of all weights that could learn, for messages
	learns   map[graph.Value]bool          // weights, and what depends on one
	declared tensor.Type                   // of the output that was chosen
}

// choose leaves one output.
func choose(g *graph.Graph, name string) error {
	var names []string
	var floats []graph.Port
	for _, out := range g.Outputs {
		names = append(names, string(out.Name))
		if string(out.Name) == name {
			g.Outputs = []graph.Port{out}
			return nil
		}
		if t := out.Type.Type(); t.DType == tensor.Float32 {
			floats = append(floats, out)
		}
	}
	switch {
	case name != "":
		return fault.New(fault.Invalid, "the model has no output "+strconv.Quote(name)).At("output").Try("its outputs are " + list(names))
	case len(g.Outputs) == 1:
	case len(floats) == 1:
		g.Outputs = floats
	case len(floats) == 0:
		return fault.New(fault.Invalid, "no output of the model holds float32 numbers").At("output").Try("its outputs are " + list(names))
	default:
		return fault.New(fault.Invalid, "the model has several outputs").At("output").Try("name the one to learn from: " + list(names))
	}
	return nil
}

// list joins names, of many the first ones.
func list(names []string) string {
	const most = 12
	if len(names) > most {
		return strings.Join(names[:most], ", ") + " and " + strconv.Itoa(len(names)-most) + " more"
	}
	return strings.Join(names, ", ")
}

// note says something that a person should know.
func (t *tuning) note(s string) { t.Notes = append(t.Notes, s) }

// maker is the node that gives a value, nil for inputs and initializers.
func (t *tuning) maker(v graph.Value) *graph.Node {
	for _, n := range t.Net.Graph.Nodes {
		if slices.Contains(n.Outputs, v) {
			return n
		}
	}
	return nil
}

// typ is what is known of a value.
func (t *tuning) typ(v graph.Value) (tensor.Type, error) { return exec.NewTypes(t.b).Of(v) }

// something refuses a net in which nothing learns.
func (t *tuning) something() error {
	if len(t.Net.Params) > 0 {
		return nil
	}
	if len(t.names) == 0 {
		return fault.New(fault.Invalid, "the model has no float32 weights that learn").Try("its operators are " + list(t.operators()) + "; a new last layer learns with head")
	}
	return fault.New(fault.Invalid, "all "+strconv.Itoa(len(t.names))+" weights are frozen, so nothing is left to learn").At("freeze").
		Try("freeze fewer of them, or add a new last layer with head; the weights are " + list(t.names))
}

func (t *tuning) operators() []string {
	var ops []string
	for _, n := range t.Net.Graph.Nodes {
		if !slices.Contains(ops, n.Op) {
			ops = append(ops, n.Op)
		}
	}
	return ops
}

// match reports whether a name fits a pattern: * stands for any characters, ? for one.
func match(pattern, name string) bool {
	star, back := -1, 0
	p, i := 0, 0
	for i < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, back = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[i]):
			p, i = p+1, i+1
		case star >= 0:
			back++
			p, i = star+1, back
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
