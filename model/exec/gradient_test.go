package exec

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestGradients checks every Grad by central differences at the inputs of the operator's own float64 cases, in every version that has one; at its
// float32 cases where it takes nothing wider.
func TestGradients(t *testing.T) {
	for _, s := range op.All() {
		if s.Grad == nil {
			continue
		}
		checked, wide := false, tensor.Float64
		if single[s.Name] != "" {
			wide = tensor.Float32
		}
		for i := range s.Cases {
			c := &s.Cases[i]
			if c.Err != "" {
				continue
			}
			checked = checked || flat(s, c) // which is all that can be said where the results are not floats
			if c.NoGrad || s.Random || !holds(c.In, wide) || !holds(c.Out, wide) {
				continue
			}
			checked = true
			t.Run(s.Name+"/"+c.Name, func(t *testing.T) { checkGradientOf(t, s, c, wide) })
		}
		if !checked && s.Domain != op.Private && elsewhere[s.Name] == "" {
			t.Errorf("%s of opset %d has a gradient but no case of %v that checks it", s.Name, s.Since, wide)
		}
	}
}

// single are the operators whose results, or whose inputs with a gradient, are float32 in any case.
var single = map[string]string{
	"DequantizeLinear":  "a scale of float32",
	"FeatureVectorizer": "a result of float32",
	"LinearClassifier":  "a result of float32",
	"LinearRegressor":   "a result of float32",
	"LinearAttention":   "a state of float32",
	"Normalizer":        "a result of float32",
	"Scaler":            "a result of float32",
}

// elsewhere are the operators whose gradients a test of its own checks.
var elsewhere = map[string]string{
	"ConcatFromSequence": "TestGradientOfSequences",
	"Optional":           "TestGradientOfSequences",
	"OptionalGetElement": "TestGradientOfSequences",
	"SequenceAt":         "TestGradientOfSequences",
	"SequenceConstruct":  "TestGradientOfSequences",
	"SequenceErase":      "TestGradientOfSequences",
	"SequenceInsert":     "TestGradientOfSequences",
	"SplitToSequence":    "TestGradientOfSequences",
}

func holds(list []*tensor.Tensor, d tensor.DType) bool {
	return slices.ContainsFunc(list, func(t *tensor.Tensor) bool { return t != nil && t.DType() == d })
}

// flat tells that the gradient of every input is absent.
func flat(s *op.Spec, c *op.Case) bool {
	n := s.Node(c)
	n.Opsets = map[string]int64{s.Domain: s.Version(c)}
	dx, err := s.Grad(graph.NewBuilder("flat"), n, n.Outputs)
	return err == nil && !slices.ContainsFunc(dx, func(v graph.Value) bool { return v != "" })
}

// element k of a tensor of floats.
func element(t *tensor.Tensor, k int) float64 {
	if t.DType() == tensor.Float32 {
		return float64(t.F32()[k])
	}
	return tensor.Data[float64](t)[k]
}

func setElement(t *tensor.Tensor, k int, v float64) {
	if t.DType() == tensor.Float32 {
		t.F32()[k] = float32(v)
	} else {
		tensor.Data[float64](t)[k] = v
	}
}

// checkGradient is checkGradientOf for the inputs of float64.
func checkGradient(t *testing.T, s *op.Spec, c *op.Case) { checkGradientOf(t, s, c, tensor.Float64) }

// checkGradientOf builds loss = Σ weight·op(x) and compares its gradient with differences.
func checkGradientOf(t *testing.T, s *op.Spec, c *op.Case, wide tensor.DType) {
	differentiable := func(t *tensor.Tensor) bool { return t != nil && t.DType() == wide }
	b := graph.NewBuilder("case")
	var inputs []*tensor.Tensor
	var wrt []graph.Value
	n := s.Node(c)
	for i, x := range c.In {
		switch {
		case x == nil:
		case differentiable(x):
			b.Input(string(n.Inputs[i]), x.Type())
			inputs, wrt = append(inputs, x.Clone()), append(wrt, n.Inputs[i])
		default:
			b.Graph().Initializers[n.Inputs[i]] = x
		}
	}
	ys := b.Node(n.Domain, n.Op, n.Inputs, len(c.Out), n.Attrs...)
	b.Graph().Nodes[0].Opsets = map[string]int64{s.Domain: s.Version(c)}
	var loss graph.Value
	for i, y := range ys {
		if !differentiable(c.Out[i]) {
			continue
		}
		w := tensor.New(wide, c.Out[i].Shape()...)
		for k := range w.Len() {
			setElement(w, k, 1+.7*float64(k%5)-.3*float64(k%3))
		}
		part := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, b.Op("Mul", y, b.Init("weight", w)))
		if loss == "" {
			loss = part
		} else {
			loss = b.Op("Add", loss, part)
		}
	}
	grads, err := Gradient(b, loss, wrt)
	if err != nil {
		t.Fatal(err)
	}
	b.Output("loss", loss, tensor.TypeOf(wide))
	for i, g := range grads {
		b.Output("d_"+string(wrt[i]), g, inputs[i].Type())
	}
	p, err := Compile(b.Model(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	run := func() []*tensor.Tensor {
		out, err := p.Run(context.Background(), inputs)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	exact, step, tolerance := run(), 1e-6, 1e-5
	if wide == tensor.Float32 {
		step, tolerance = 1e-2, 1e-2
	}
	for i, x := range inputs {
		if !slices.Equal(exact[i+1].Shape(), x.Shape()) {
			t.Fatalf("gradient of %s has the shape %v, not %v", wrt[i], exact[i+1].Shape(), x.Shape())
		}
		for k := range x.Len() {
			v := element(x, k)
			h := step
			if math.Abs(v) > 1 {
				h *= math.Abs(v)
			}
			setElement(x, k, v+h)
			up := element(run()[0], 0)
			setElement(x, k, v-h)
			down := element(run()[0], 0)
			setElement(x, k, v)
			want, got := (up-down)/(2*h), element(exact[i+1], k)
			if !(math.Abs(got-want) <= tolerance*math.Max(1, math.Abs(want))) {
				t.Errorf("d/d%s[%d]: got %v, differences give %v", wrt[i], k, got, want)
			}
		}
	}
}

// without are the operators of ai.onnx that have no gradient, and why.
var without = map[string]string{
	"ConvInteger":           "integers",
	"DynamicQuantizeLinear": "quantisation: steps, whose straight-through gradient is a choice",
	"ImageDecoder":          "bytes of a file",
	"MatMulInteger":         "integers",
	"QLinearConv":           "integers",
	"QLinearMatMul":         "integers",
	"QuantizeLinear":        "quantisation: steps, whose straight-through gradient is a choice",
	"RegexFullMatch":        "strings",
	"SequenceMap":           "a body for each element of a sequence is not differentiated; Loop and Scan are",
	"StringConcat":          "strings",
	"StringNormalizer":      "strings",
	"StringSplit":           "strings",
	"TfIdfVectorizer":       "counts of words",
}

// TestEveryOperatorHasGradient: all of ai.onnx, in every version, but for what stands in without.
func TestEveryOperatorHasGradient(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range op.All() {
		if s.Domain != "" || s.Grad != nil || controls[s.Name] != nil {
			continue
		}
		if seen[s.Name] = true; without[s.Name] == "" {
			t.Errorf("%s of opset %d has no gradient", s.Name, s.Since)
		}
	}
	for name := range without {
		if !seen[name] {
			t.Errorf("%s has a gradient, though it is listed as one without", name)
		}
	}
}

// TestGradientSums: a value that is used twice gets both gradients, one that is not used gets zeros, a constant path none.
func TestGradientSums(t *testing.T) {
	b := graph.NewBuilder("g")
	x := b.Input("x", tensor.TypeOf(tensor.Float32, 2))
	u := b.Input("unused", tensor.TypeOf(tensor.Float32, 3))
	loss := b.Op("ReduceSum", b.Op("Add", b.Op("Mul", x, x), b.Op("Mul", x, b.Scalar("three", 3)))) // x² + 3x
	grads, err := Gradient(b, loss, []graph.Value{x, u})
	if err != nil {
		t.Fatal(err)
	}
	b.Output("dx", grads[0], tensor.TypeOf(tensor.Float32, 2))
	b.Output("du", grads[1], tensor.TypeOf(tensor.Float32, 3))
	p, err := Compile(b.Model(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(context.Background(), []*tensor.Tensor{tensor.Floats([]float32{1, -2}), tensor.Floats([]float32{1, 2, 3})})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out[0].F32(), []float32{5, -1}) || !slices.Equal(out[1].F32(), []float32{0, 0, 0}) {
		t.Error(out[0].F32(), out[1].F32())
	}
}

// TestGradientMissing: an operator without gradient is named with its path to the loss.
func TestGradientMissing(t *testing.T) {
	b := graph.NewBuilder("g")
	x := b.Input("x", tensor.TypeOf(tensor.Float32, 2))
	loss := b.Op("ReduceSum", b.Op("Exp", b.Op("TfIdfVectorizer", x)))
	_, err := Gradient(b, loss, []graph.Value{x})
	if !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "TfIdfVectorizer") || !strings.Contains(fault.HintOf(err), "TfIdfVectorizer → Exp → ReduceSum") {
		t.Error(err, fault.HintOf(err))
	}
	if _, err := Gradient(b, "nowhere", nil); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}
