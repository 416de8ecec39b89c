//go:build !lean

package op

import (
	"bytes"
	"context"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestLater: what is laid out at the second run gives the same bits as what was not at the first.
func TestLater(t *testing.T) {
	ramp := func(shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.F32() {
			x.F32()[i] = float32(i*i%1009)/512 - 1
		}
		return x
	}
	for _, c := range []struct {
		name  string
		op    string
		x, w  *tensor.Tensor
		attrs []graph.Attr
	}{
		{name: "one row", op: "Dense", x: ramp(1, 300), w: ramp(300, 260)},
		{name: "rows", op: "Dense", x: ramp(2, 20, 300), w: ramp(300, 260)},
		{name: "many rows, transposed", op: "Dense", x: ramp(130, 300), w: ramp(260, 300), attrs: []graph.Attr{graph.IntAttr("transB", 1)}},
		{name: "one row, transposed", op: "Dense", x: ramp(1, 300), w: ramp(260, 300), attrs: []graph.Attr{graph.IntAttr("transB", 1)}},
		{name: "pixels", op: "FusedConv", x: ramp(1, 300, 7, 7), w: ramp(260, 300, 1, 1)},
		{name: "many pixels", op: "FusedConv", x: ramp(1, 64, 20, 20), w: ramp(48, 64, 1, 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &graph.Node{Domain: Private, Op: c.op, Attrs: c.attrs, Inputs: []graph.Value{"x", "w"}, Outputs: []graph.Value{"y"}}
			kernel, err := Lookup(Private, c.op, 1).Compile(n, &Site{Opset: 1, Threads: 1, Types: []tensor.Type{c.x.Type(), c.w.Type()}, Constant: []*tensor.Tensor{nil, c.w}})
			if err != nil {
				t.Fatal(err)
			}
			var first []byte
			for i := range 3 {
				out := []*tensor.Tensor{new(tensor.Tensor)}
				if err := kernel(context.Background(), []*tensor.Tensor{c.x, c.w}, out); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					first = out[0].Bytes()
				} else if !bytes.Equal(out[0].Bytes(), first) {
					t.Errorf("run %d differs from the first", i)
				}
			}
		})
	}
}
