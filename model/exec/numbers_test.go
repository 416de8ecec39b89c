//go:build !lean

package exec

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// What is computed from dimensions that are known is constant, though another dimension of the same shape is open.
func TestShapesKnownInPart(t *testing.T) {
	b := graph.NewBuilder("g")
	x := b.Input("x", tensor.Type{DType: tensor.Float32, Dims: []tensor.Dim{{Size: tensor.Free, Name: "rows"}, {Size: 12}}})
	list := func(values ...int64) graph.Value { return b.Ints("c", values, len(values)) }
	rows := b.Op("Gather", b.Op("Shape", x), list(0))
	columns := b.Op("Div", b.Op("Gather", b.Op("Shape", x), list(-1)), b.Op("Add", b.Op("Size", b.Op("Shape", x)), list(1))) // 12/(2+1)
	y := b.Op("Reshape", x, b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 0)}, rows, list(3), columns))
	width := b.Op("Slice", b.Op("Shape", y), list(-1), list(math.MaxInt64)) // 4
	root := b.Op("Sqrt", b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, width))
	z := b.Op("Div", y, root)
	m := b.Model()
	m.Graph.Outputs = []graph.Port{{Name: z}}
	p, err := Compile(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range p.steps {
		names = append(names, s.operator)
	}
	if got := strings.Join(names, " "); got != "Shape Gather Concat Reshape Div" {
		t.Errorf("it became %s", got)
	}
	for _, rows := range []int{0, 1, 5} {
		in, want := tensor.New(tensor.Float32, rows, 12), tensor.New(tensor.Float32, rows, 3, 4)
		for i := range in.F32() {
			in.F32()[i], want.F32()[i] = float32(i), float32(i)/2
		}
		out, err := p.Run(context.Background(), []*tensor.Tensor{in})
		if err != nil {
			t.Fatal(err)
		}
		if why := op.Compare(out[0], want, 0, 0); why != "" {
			t.Error(why)
		}
	}
}
