package op

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
)

// back is the gradient of y = f(x), element by element, as one node of the private domain: NameGrad(dy, v) with the attributes of the operator
// that matter, where v is y, or x. A gradient that reads y leaves x free to be forgotten: the activation can then be a part of the node before it.
func back(result func(n *graph.Node) bool, attrs ...string) gradFunc {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		v := n.Inputs[0]
		if result(n) {
			v = n.Outputs[0]
		}
		return []graph.Value{slopeOf(b, n.Op, n.Attrs, attrs, dy[0], v)}, nil
	}
}

// slopeOf appends NameGrad(dy, v) with those of the attributes that are wanted.
func slopeOf(b *graph.Builder, name string, attrs []graph.Attr, wanted []string, dy, v graph.Value) graph.Value {
	attrs = slices.DeleteFunc(slices.Clone(attrs), func(a graph.Attr) bool { return !slices.Contains(wanted, a.Name) })
	return b.Node(Private, name+"Grad", []graph.Value{dy, v}, 1, attrs...)[0]
}

// reduceTo sums a gradient back to the shape of x, which was broadcast.
func reduceTo(b *graph.Builder, dy, x graph.Value) graph.Value {
	return b.Node(Private, "ReduceTo", []graph.Value{dy, x}, 1)[0]
}

func byResult(*graph.Node) bool { return true }
func byInput(*graph.Node) bool  { return false }

// leakyResult tells whether the sign of a LeakyRelu is that of its input.
func leakyResult(n *graph.Node) bool { return n.Float("alpha", .01) > 0 }

// dx = dy where y lies between the bounds: ClipGrad(dy, y, low, high). The bounds get the rest, each where y is it.
func gradClip(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	x, y := n.Inputs[0], n.Outputs[0]
	in := append([]graph.Value{dy[0], y}, n.Inputs[1:]...)
	var attrs []graph.Attr
	for _, a := range n.Attrs {
		if a.Name == "min" || a.Name == "max" {
			attrs = append(attrs, a)
		}
	}
	dx := []graph.Value{b.Node(Private, "ClipGrad", in, 1, attrs...)[0]}
	if len(n.Inputs) < 2 {
		return dx, nil
	}
	moved := b.Op("Not", b.Op("Equal", x, y))
	for _, bound := range n.Inputs[1:] {
		if bound == "" {
			dx = append(dx, "")
			continue
		}
		at := b.Op("And", b.Op("Equal", y, bound), moved)
		dx = append(dx, b.Op("Where", at, dy[0], scalarLike(b, 0, dy[0])))
	}
	return dx, nil
}
