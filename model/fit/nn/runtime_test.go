package nn_test

import (
	"context"
	"encoding/json"
	"flag"
	"math"
	"os"
	"testing"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// answered is testdata/layers/NAME.json: an input of the net beside it, and what onnxruntime answers.
type answered struct {
	X      []number  `json:"x"`
	XShape []int     `json:"x_shape"`
	Y      []float32 `json:"y"`
	Shape  []int     `json:"shape"`
}

// number is null in JSON where it is NaN.
type number float32

func (v number) MarshalJSON() ([]byte, error) {
	if v != v {
		return []byte("null"), nil
	}
	return json.Marshal(float32(v))
}

func (v *number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*v = number(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float32)(v))
}

// TestLayersRuntime: a trained net of every layer is a file on which onnxruntime agrees to 1e-5. With -update the nets are trained and written instead, for
// test/goldens/make_fit_onnx.py to add the answers.
func TestLayersRuntime(t *testing.T) {
	update := flag.Lookup("update").Value.String() == "true"
	for name := range nets {
		t.Run(name, func(t *testing.T) {
			path := "testdata/layers/" + name
			if update {
				writeNet(t, name, path)
				return
			}
			file, err := os.ReadFile(path + ".onnx")
			if err != nil {
				t.Fatal(err)
			}
			m, err := onnx.Decode(file, onnx.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			now, _, _ := net(t, name, 8)
			if got, want := operators(now.Graph), operators(m.Graph); got != want {
				t.Errorf("operators are %s, in the golden file %s: run with -update and test/goldens/make_fit_onnx.py", got, want)
			}
			compareNet(t, m, path)
		})
	}
}

func operators(g *graph.Graph) (all string) {
	for _, n := range g.Nodes {
		all += n.Op + " "
	}
	return all
}

func compareNet(t *testing.T, m *graph.Model, path string) {
	var g answered
	text, err := os.ReadFile(path + ".json")
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(tensor.Float32, g.XShape...)
	for i := range x.F32() {
		x.F32()[i] = float32(g.X[i])
	}
	if m.Graph.Inputs[0].Type.Tensor.DType == tensor.Int64 {
		x = tensor.New(tensor.Int64, g.XShape...)
		for i, v := range g.X {
			x.I64()[i] = int64(v)
		}
	}
	p, err := exec.Compile(m, exec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(context.Background(), []*tensor.Tensor{x})
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Y) == 0 || out[0].Len() != len(g.Y) {
		t.Fatalf("output has shape %v, onnxruntime's %v", out[0].Shape(), g.Shape)
	}
	for i, want := range g.Y {
		if got := out[0].F32()[i]; !(math.Abs(float64(got-want)) <= 1e-5*max(1, math.Abs(float64(want)))) {
			t.Errorf("output %d is %v, onnxruntime's %v", i, got, want)
		}
	}
}

// writeNet trains a net for two epochs, so that running statistics have moved, and writes it with eight rows.
func writeNet(t *testing.T, name, path string) {
	n, _, data := net(t, name, 32)
	if _, err := train.Run(context.Background(), n, data, nil, train.Config{Epochs: 2, BatchSize: 8}, train.Hooks{}); err != nil {
		t.Fatal(err)
	}
	file, err := onnx.Encode(graph.Extend(n.Graph).Model())
	if err != nil {
		t.Fatal(err)
	}
	x := data.In[0]
	g := answered{XShape: append([]int{8}, x.Shape()[1:]...)}
	for i := range x.Len() / 32 * 8 {
		if x.DType() == tensor.Int64 {
			g.X = append(g.X, number(x.I64()[i]))
		} else {
			g.X = append(g.X, number(x.F32()[i]))
		}
	}
	text, err := json.Marshal(g)
	if err == nil {
		err = os.MkdirAll("testdata/layers", 0o755)
	}
	if err == nil {
		err = os.WriteFile(path+".onnx", file, 0o644)
	}
	if err == nil {
		err = os.WriteFile(path+".json", text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
