package tune

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// head is the new last layer, x·weight + bias.
type head struct {
	weight, bias *tensor.Tensor // (features, outputs), (outputs)
}

// behead puts a new layer in the place of the last one: behind what went into the last product or convolution with constant weights, if nothing but
// activations and changes of shape follow, and else behind the model's output. What has steps or places is averaged over them first.
func (t *tuning) behead() error {
	if t.Options.Outputs < 1 {
		return fault.New(fault.Invalid, "a new last layer must give 1 number or more").At("head")
	}
	y := t.Net.Graph.Outputs[0].Name
	x, last := y, t.last(y)
	if last != nil {
		x = last.In(0)
	}
	typ, err := t.typ(x)
	if err != nil {
		return err
	}
	if typ.DType != tensor.Float32 || typ.Unranked || len(typ.Dims) < 2 {
		return fault.New(fault.Invalid, "a new last layer wants numbers (rows, features), not "+typ.String()).At("head").Try("name another output to put it behind with output")
	}
	switch {
	case len(typ.Dims) > 2 && (last != nil && last.Op == "Conv" || last == nil && len(typ.Dims) > 3):
		x = t.b.OpWith("Flatten", []graph.Attr{graph.IntAttr("axis", 1)}, t.b.Op("GlobalAveragePool", x))
	case len(typ.Dims) == 3:
		x = t.meanOfSteps(x)
	case len(typ.Dims) > 3:
		return fault.New(fault.Invalid, "a new last layer wants numbers (rows, features) or (rows, steps, features), not "+typ.String()).At("head")
	}
	features := typ.Dims[len(typ.Dims)-1].Size
	if last != nil && last.Op == "Conv" || last == nil && len(typ.Dims) > 3 {
		features = typ.Dims[1].Size
	}
	if last != nil && features == tensor.Free {
		features = inputs(last, t.Net.Graph.Initializers[last.In(1)])
	}
	if features <= 0 || features > 1<<24/max(1, t.Options.Outputs) {
		return fault.New(fault.Invalid, "a new last layer cannot take "+typ.String()).At("head").Try("the number of features must be known, and not too large")
	}
	t.place(x, features)
	if last == nil {
		t.note("a new last layer of " + strconv.Itoa(features) + " → " + strconv.Itoa(t.Options.Outputs) + " stands behind the output " + string(y))
	} else {
		t.note("a new last layer of " + strconv.Itoa(features) + " → " + strconv.Itoa(t.Options.Outputs) + " stands in the place of " + nodeName(last))
	}
	return nil
}

// last is the product or convolution that gives y, up to activations and changes of shape.
func (t *tuning) last(y graph.Value) *graph.Node {
	g := t.Net.Graph
	for n := t.maker(y); n != nil; n = t.maker(y) {
		switch n.Op {
		case "Softmax", "LogSoftmax", "Sigmoid", "Identity", "Dropout", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "ReduceMean", "GlobalAveragePool", "Cast":
			y = n.In(0)
		case "Add", "Sub", "Mul", "Div": // a bias, or the unit of a target
			switch {
			case g.Initializers[n.In(1)] != nil:
				y = n.In(0)
			case g.Initializers[n.In(0)] != nil:
				y = n.In(1)
			default:
				return nil
			}
		case "MatMul", "Gemm", "Conv":
			if w := g.Initializers[n.In(1)]; w != nil && w.DType() == tensor.Float32 && (n.Op == "Conv" && n.Int("group", 1) == 1 || w.Rank() == 2) && n.Int("transA", 0) == 0 {
				return n
			}
			return nil
		default:
			return nil
		}
	}
	return nil
}

// inputs is how many features a layer takes.
func inputs(n *graph.Node, w *tensor.Tensor) int {
	if n.Op == "Conv" || n.Int("transB", 0) != 0 {
		return w.Shape()[1]
	}
	return w.Shape()[0]
}

// meanOfSteps averages x (rows, steps, features) over its steps: those that a mask among the inputs names, or all.
func (t *tuning) meanOfSteps(x graph.Value) graph.Value {
	b := t.b
	for _, in := range t.Net.Graph.Inputs {
		typ := in.Type.Type()
		if !strings.Contains(strings.ToLower(string(in.Name)), "mask") || typ.Unranked || len(typ.Dims) != 2 {
			continue
		}
		t.note("the new last layer looks at the mean of the steps that " + string(in.Name) + " marks")
		m := in.Name
		if typ.DType != tensor.Float32 {
			m = b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, m)
		}
		m = b.Op("Unsqueeze", m, b.Ints("axes", []int64{2})) // (rows, steps, 1)
		axes := b.Ints("axes", []int64{1})
		drop := []graph.Attr{graph.IntAttr("keepdims", 0)}
		count := b.Op("Max", b.OpWith("ReduceSum", drop, m, axes), b.Scalar("least", 1))
		return b.Op("Div", b.OpWith("ReduceSum", drop, b.Op("Mul", x, m), axes), count)
	}
	t.note("the new last layer looks at the mean of all steps: the model has no input named mask")
	return b.OpWith("ReduceMean", []graph.Attr{graph.IntsAttr("axes", 1), graph.IntAttr("keepdims", 0)}, x)
}

// place appends the new layer, drawn as PyTorch's Linear is: evenly within 1/√features.
func (t *tuning) place(x graph.Value, features int) {
	random := rand.New(rand.NewPCG(t.Seed, 0x4ead))
	bound := 1 / math.Sqrt(float64(features))
	draw := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32((2*random.Float64() - 1) * bound)
		}
		return v
	}
	w := t.b.Floats("head.weight", draw(features*t.Options.Outputs), features, t.Options.Outputs)
	c := t.b.Floats("head.bias", draw(t.Options.Outputs), t.Options.Outputs)
	t.say(t.b.Op("Add", t.b.Op("MatMul", x, w), c))
	t.prune()
	g := t.Net.Graph
	t.head = &head{g.Initializers[w], g.Initializers[c]}
	t.Net.Params = append(t.Net.Params, w, c)
}

// prune drops what the output does not need any more, and the weights with it.
func (t *tuning) prune() {
	g := t.Net.Graph
	exec.Prune(g)
	t.Net.Params = slices.DeleteFunc(t.Net.Params, func(v graph.Value) bool { return g.Initializers[v] == nil })
}

// HasHead reports whether there is a new last layer.
func (m *Model) HasHead() bool { return m.head != nil }

// Narrow reports whether nothing learns but what is new: a last layer, or what LoRA put beside matrices.
func (m *Model) Narrow() bool {
	return len(m.lora) > 0 || m.head != nil && len(m.Net.Params) == 2
}

// Scale has the new last layer answer in another unit: spread times as large, and center more. It reports false where there is no new last layer.
func (m *Model) Scale(center, spread float64) bool {
	if m.head == nil {
		return false
	}
	for _, w := range []*tensor.Tensor{m.head.weight, m.head.bias} {
		for i, v := range w.F32() {
			w.F32()[i] = float32(float64(v) * spread)
		}
	}
	for i, v := range m.head.bias.F32() {
		m.head.bias.F32()[i] = float32(float64(v) + center)
	}
	return true
}

func nodeName(n *graph.Node) string {
	if n.Name != "" {
		return n.Name
	}
	return n.Op + "(" + string(n.Outputs[0]) + ")"
}
