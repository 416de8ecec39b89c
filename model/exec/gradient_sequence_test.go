package exec

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestGradientOfSequences checks by differences what goes through sequences and optional values, whose elements are read more than once or never.
func TestGradientOfSequences(t *testing.T) {
	number := func(b *graph.Builder, v int64) graph.Value {
		at := tensor.New(tensor.Int64)
		at.I64()[0] = v
		return b.Init("number", at)
	}
	attrs := func(axis, other int64, name string) []graph.Attr {
		return []graph.Attr{graph.IntAttr("axis", axis), graph.IntAttr(name, other)}
	}
	for name, build := range map[string]func(b *graph.Builder, x graph.Value) graph.Value{ // of x (2, 3)
		"split and join": func(b *graph.Builder, x graph.Value) graph.Value {
			return b.OpWith("ConcatFromSequence", attrs(0, 0, "new_axis"), b.OpWith("SplitToSequence", attrs(1, 0, "keepdims"), x))
		},
		"uneven": func(b *graph.Builder, x graph.Value) graph.Value {
			return b.OpWith("ConcatFromSequence", attrs(-1, 0, "new_axis"), b.OpWith("SplitToSequence", attrs(1, 1, "keepdims"), x, number(b, 2)))
		},
		"stacked": func(b *graph.Builder, x graph.Value) graph.Value {
			return b.OpWith("ConcatFromSequence", attrs(1, 1, "new_axis"), b.OpWith("SplitToSequence", attrs(0, 0, "keepdims"), x))
		},
		"read twice": func(b *graph.Builder, x graph.Value) graph.Value {
			seq := b.OpWith("SplitToSequence", attrs(1, 0, "keepdims"), x)
			return b.Op("Mul", b.Op("SequenceAt", seq, number(b, 0)), b.Op("Add", b.Op("SequenceAt", seq, number(b, -1)), b.Op("SequenceAt", seq, number(b, 0))))
		},
		"inserted and erased": func(b *graph.Builder, x graph.Value) graph.Value {
			seq := b.Op("SequenceConstruct", x, b.Op("Neg", x), b.Op("Mul", x, x))
			seq = b.Op("SequenceInsert", seq, b.Op("Sin", x), number(b, -2))
			seq = b.Op("SequenceErase", b.Op("SequenceInsert", seq, b.Op("Cos", x)), number(b, 0))
			return b.OpWith("ConcatFromSequence", attrs(0, 0, "new_axis"), b.Op("SequenceErase", seq))
		},
		"optional": func(b *graph.Builder, x graph.Value) graph.Value {
			return b.Op("OptionalGetElement", b.Op("Optional", b.Op("Mul", x, x)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := graph.NewBuilder("g")
			x := b.Input("x", tensor.TypeOf(tensor.Float64, 2, 3))
			loss := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, b.Op("Exp", build(b, x)))
			grads, err := Gradient(b, loss, []graph.Value{x})
			if err != nil {
				t.Fatal(err)
			}
			b.Output("loss", loss, tensor.TypeOf(tensor.Float64))
			b.Output("dx", grads[0], tensor.TypeOf(tensor.Float64, 2, 3))
			p, err := Compile(b.Model(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			at := []float64{.1, -.4, .7, .2, .5, -.3}
			run := func(k int, h float64) (float64, []float64) {
				v := slices.Clone(at)
				v[k] += h
				out, err := p.Run(context.Background(), []*tensor.Tensor{tensor.FromSlice(tensor.Float64, v, 2, 3)})
				if err != nil {
					t.Fatal(err)
				}
				return tensor.Data[float64](out[0])[0], tensor.Data[float64](out[1])
			}
			_, dx := run(0, 0)
			for k := range at {
				up, _ := run(k, 1e-6)
				down, _ := run(k, -1e-6)
				if want := (up - down) / 2e-6; !(math.Abs(dx[k]-want) < 1e-5) {
					t.Errorf("d/dx[%d]: got %v, differences give %v", k, dx[k], want)
				}
			}
		})
	}
}
