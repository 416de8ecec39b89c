package model_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// operatorModels makes a model file of each operator's cases: the seeds that let a fuzzer reach every kernel.
func operatorModels(f *testing.F) (files [][]byte) {
	f.Helper()
	for _, s := range op.All() {
		if s.Domain == op.Private { // refused
			continue
		}
		for i := range s.Cases {
			c := &s.Cases[i]
			g := graph.New("g")
			n := s.Node(c)
			g.Nodes = []*graph.Node{n}
			for k, in := range c.In {
				if in != nil {
					g.Inputs = append(g.Inputs, graph.Port{Name: n.Inputs[k], Type: graph.ValueOf(in.Type())})
				}
			}
			for _, out := range n.Outputs {
				g.Outputs = append(g.Outputs, graph.Port{Name: out})
			}
			file, err := onnx.Encode(&graph.Model{IRVersion: 10, Opsets: map[string]int64{"": 17, "ai.onnx.ml": 3, s.Domain: s.Version(c)}, Graph: g})
			if err != nil { // an empty container, whose type cannot be told
				continue
			}
			files = append(files, file)
		}
	}
	return files
}

// fuzzLimits are what a caller who does not trust a file would set.
var fuzzLimits = []model.Option{model.MemoryLimit(16 << 20), model.Threads(1), model.Limits(onnx.Limits{MaxTensorElements: 1 << 20, MaxNodes: 1000})}

// blame fails when an error is a defect of Jarvis: a panic that was caught, or an error without a code.
func blame(t *testing.T, err error) {
	t.Helper()
	var known *fault.Error
	if err != nil && (!errors.As(err, &known) || fault.CodeOf(err) == fault.Internal) {
		t.Fatal(err)
	}
}

// Whatever a file holds, Load ends with a program or an error that has a code.
func FuzzLoad(f *testing.F) {
	for _, file := range operatorModels(f) {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		_, err := model.Load(file, fuzzLimits...)
		blame(t, err)
	})
}

// Whatever a model computes, and whatever its inputs hold, a run ends with outputs or an error that has a code, in bounded time.
func FuzzRun(f *testing.F) {
	for i, file := range operatorModels(f) {
		f.Add(file, []byte{1, 2, 3, 0, 255, byte(i)}, uint8(i))
	}
	f.Fuzz(func(t *testing.T, file, content []byte, size uint8) {
		p, err := model.Load(file, fuzzLimits...)
		if err != nil {
			blame(t, err)
			return
		}
		in := map[string]*tensor.Tensor{}
		for i, port := range p.Inputs() {
			if in[string(port.Name)] = filled(port.Type.Type(), content, int(size)%5, i, 0); in[string(port.Name)] == nil {
				return
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		_, err = p.Run(ctx, in)
		blame(t, err)
		if took := time.Since(start); took > 20*time.Second {
			t.Fatalf("a run that was to end after a second took %v", took)
		}
	})
}

// filled makes a value of a type whose free dimensions have the length size, with bytes of content from at on. nil where it would be large.
func filled(typ tensor.Type, content []byte, size, at, depth int) *tensor.Tensor {
	if typ.DType.Container() {
		if typ.Elem == nil || depth > 3 || typ.DType == tensor.Map {
			return nil
		}
		count := size
		if typ.DType == tensor.Optional {
			count = min(size, 1)
		}
		c := new(tensor.Tensor)
		for i, e := range c.ResetList(typ.DType, count) {
			v := filled(*typ.Elem, content, size, at+i, depth+1)
			if v == nil {
				return nil
			}
			*e = *v
		}
		return c
	}
	shape := make([]int, 0, len(typ.Dims))
	elements := 1
	for _, d := range typ.Dims {
		n := d.Size
		if n == tensor.Free {
			n = size
		}
		if shape = append(shape, n); n < 0 || n > 1<<16 || elements*n > 1<<16 {
			return nil
		}
		elements *= n
	}
	t := tensor.New(typ.DType, shape...)
	for i := range t.Str() {
		t.Str()[i] = strconv.Itoa(i % (size + 1))
	}
	for i := range t.Bytes() {
		if len(content) > 0 {
			t.Bytes()[i] = content[(i+at)%len(content)]
		}
		if typ.DType == tensor.Bool {
			t.Bytes()[i] &= 1
		}
	}
	return t
}
