package tune

import (
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// finish looks at how the model ends. A Softmax or Sigmoid goes, so that the net gives logits; with Head the last layer goes with it.
func (t *tuning) finish() error {
	if t.Head {
		return t.behead()
	}
	if t.Regression {
		return nil
	}
	g := t.Net.Graph
	y := g.Outputs[0].Name
	n := t.maker(y)
	for n != nil && n.Op == "Identity" {
		y, n = n.Inputs[0], t.maker(n.Inputs[0])
	}
	if n != nil && (n.Op == "Softmax" || n.Op == "LogSoftmax") {
		t.say(n.Inputs[0])
		return nil
	}
	if t.Options.Outputs != 2 && t.Options.Outputs != 0 || !t.one(y) {
		return nil
	}
	// One number for two classes: a probability, if a Sigmoid made it.
	for at := n; at != nil; at = t.maker(at.In(0)) {
		if at.Op == "Sigmoid" {
			t.Binary = true
			t.say(t.logit(y, at))
			return nil
		}
		if !slices.Contains([]string{"Squeeze", "Unsqueeze", "Reshape", "Flatten", "Identity", "Cast", "ReduceMean"}, at.Op) {
			return nil
		}
	}
	return nil
}

// say makes a value the output of the net.
func (t *tuning) say(v graph.Value) {
	t.Net.Graph.Outputs = []graph.Port{{Name: v, Type: graph.TensorOf(tensor.Type{DType: tensor.Float32, Unranked: true})}}
}

// one reports whether a value is one number a row.
func (t *tuning) one(v graph.Value) bool {
	typ, err := t.typ(v)
	return err == nil && !typ.Unranked && (len(typ.Dims) == 1 || len(typ.Dims) == 2 && typ.Dims[1].Size == 1)
}

// logit appends log(p/(1-p)) of a probability that a Sigmoid made: of what went into it, where nothing but the shape has changed since.
func (t *tuning) logit(p graph.Value, sigmoid *graph.Node) graph.Value {
	b := t.b
	if slices.Contains(sigmoid.Outputs, p) {
		return sigmoid.Inputs[0]
	}
	p = b.Op("Clip", p, b.Scalar("least", 1e-6), b.Scalar("most", 1-1e-6))
	return b.Op("Sub", b.Op("Log", p), b.Op("Log", b.Op("Sub", b.Scalar("one", 1), p)))
}

// width checks that the net gives as many numbers for a row as the data need, in the shape (rows, numbers).
func (t *tuning) width() error {
	z := t.Net.Graph.Outputs[0].Name
	typ, err := t.typ(z)
	if err != nil {
		return err
	}
	if !typ.Unranked && len(typ.Dims) == 1 {
		z = t.b.Op("Reshape", z, t.b.Ints("shape", []int64{-1, 1}))
		t.say(z)
		typ = tensor.Rows(tensor.Float32, 1)
	}
	if typ.Unranked {
		typ = t.declared
	}
	if typ.Unranked || len(typ.Dims) != 2 || typ.Dims[1].Size == tensor.Free {
		return t.misfit(typ.String() + " for a batch of rows")
	}
	t.Model.Outputs = typ.Dims[1].Size
	if t.Binary {
		t.Model.Outputs = 2
	}
	if want := t.Options.Outputs; want != 0 && want != t.Model.Outputs || !t.Regression && t.Model.Outputs < 2 {
		return t.misfit(counted(typ.Dims[1].Size, "number"))
	}
	return nil
}

// misfit is the error of a model that gives something else than the data have.
func (t *tuning) misfit(gives string) error {
	has := "classes"
	switch n := t.Options.Outputs; {
	case n > 0 && t.Regression:
		has = counted(n, "number")
	case n > 0:
		has = counted(n, "class")
	}
	return fault.New(fault.Invalid, "the model gives "+gives+", the data have "+has).At("head").Try("put a new last layer in its place with head")
}

// counted is "1 number" or "3 numbers".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if what == "class" {
		what = "classe"
	}
	return strconv.Itoa(n) + " " + what + "s"
}
