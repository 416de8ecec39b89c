package model_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// FuzzLoad loads and runs damaged models: whatever is in them, an error or a result comes back, within a memory limit and
// in time, and never a defect of the engine (fault.Internal stands for a panic that the engine caught).
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"logistic", "forest"} {
		file := load(f, name).file
		f.Add(file)
		for i := 0; i < len(file); i += max(1, len(file)/16) {
			flipped := bytes.Clone(file)
			flipped[i] ^= 1 << (i % 8)
			f.Add(flipped)
		}
	}
	for _, m := range []*graph.Model{small(), foreign()} {
		file, err := onnx.Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		const limit = 64 << 20
		p, err := model.Load(file, model.Threads(1), model.MemoryLimit(limit), model.Limits(onnx.Limits{MaxTensorElements: 1 << 20, MaxNodes: 1000}))
		if err != nil {
			if fault.Is(err, fault.Internal) {
				t.Fatalf("Load: %v", err)
			}
			return
		}
		in := map[string]*tensor.Tensor{}
		for _, port := range p.Inputs() {
			x := filler(port.Type.Tensor)
			if x == nil {
				return
			}
			in[string(port.Name)] = x
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		start := time.Now()
		if _, err := p.Run(ctx, in); fault.Is(err, fault.Internal) {
			t.Fatalf("Run: %v", err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Fatalf("a run took %v, long after its deadline", took)
		}
	})
}

// small is a model of a few operators on x (rows, 3).
func small() *graph.Model {
	b := graph.NewBuilder("small")
	x := b.Input("x", tensor.Rows(tensor.Float32, 3))
	h := b.Op("Relu", b.Op("Add", b.Op("MatMul", x, b.Floats("w", []float32{1, 2, 3, 4, 5, 6}, 3, 2)), b.Floats("bias", []float32{-1, 1})))
	y := b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 1)}, h, b.OpWith("Transpose", []graph.Attr{graph.IntsAttr("perm", 0, 1)}, x))
	b.Output("y", b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", -1)}, y), tensor.Rows(tensor.Float32, 5))
	return b.Model()
}

// filler makes a tensor of a type, two long in each free dimension; nil when it would be large.
func filler(t tensor.Type) *tensor.Tensor {
	if !t.DType.Known() || t.Unranked {
		return nil
	}
	shape := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		if shape[i] = d.Size; d.Size == tensor.Free {
			shape[i] = 2
		}
	}
	if n, err := tensor.Elements(shape); err != nil || n > 1<<16 {
		return nil
	}
	return tensor.New(t.DType, shape...)
}
