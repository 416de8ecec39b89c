package nn

import (
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// layer holds the weights of a dense layer: y = x · weight + bias.
type layer struct {
	in, out      int
	weight, bias []float32 // (in, out), (out)
}

// network is a stack of layers with an activation between them.
type network struct {
	layers     []layer
	activation string
}

// newNetwork draws weights as scikit-learn does (Glorot and Bengio 2010, eq. 16).
func newNetwork(d fit.Data, p MLP, outs int) (*network, error) {
	n := &network{activation: p.Activation}
	sizes := append(append([]int{d.Cols}, p.HiddenLayerSizes...), outs)
	var total int
	for i := range sizes[1:] {
		total += (sizes[i] + 1) * sizes[i+1]
	}
	if total > most {
		return nil, fault.New(fault.TooLarge, "a network of "+strconv.Itoa(total)+" weights").At("hidden_layer_sizes").Try("fewer units or features are needed")
	}
	random := d.Rand(0x1417)
	for i := range sizes[1:] {
		l := layer{in: sizes[i], out: sizes[i+1]}
		factor := 6.0
		if p.Activation == "logistic" {
			factor = 2
		}
		bound := math.Sqrt(factor / float64(l.in+l.out))
		l.weight, l.bias = make([]float32, l.in*l.out), make([]float32, l.out)
		for _, part := range [][]float32{l.weight, l.bias} {
			for k := range part {
				part[k] = float32((2*random.Float64() - 1) * bound)
			}
		}
		n.layers = append(n.layers, l)
	}
	return n, nil
}

// parameters are all weights and biases, sharing memory.
func (n *network) parameters() [][]float32 {
	var out [][]float32
	for _, l := range n.layers {
		out = append(out, l.weight, l.bias)
	}
	return out
}

// forward appends the network to b: from x (rows, in) to (rows, out). parameters are the values of its weights.
func (n *network) forward(b *graph.Builder, x graph.Value, parameters []graph.Value) graph.Value {
	for i := range n.layers {
		x = b.Op("MatMul", x, parameters[2*i])
		x = b.Op("Add", x, parameters[2*i+1])
		if i+1 < len(n.layers) {
			x = b.Op(activations[n.activation], x)
		}
	}
	return x
}

// program compiles the loss of a batch, and with gradient its derivatives by all parameters. An executor takes
// initializers as constants, so weights that change are inputs here; the emitted graph has them as initializers.
//
// Inputs: x (rows, in), y (rows, out), weight (rows, 1), then the parameters. Outputs: the loss, Σ weight·loss of the
// row (), then the gradients in the order of the parameters.
func (n *network) program(task fit.Task, gradient bool, threads int) (*exec.Program, error) {
	b := graph.NewBuilder("step")
	first, last := n.layers[0], n.layers[len(n.layers)-1]
	x := b.Input("x", tensor.Rows(tensor.Float32, first.in))
	y := b.Input("y", tensor.Rows(tensor.Float32, last.out))
	weight := b.Input("weight", tensor.Rows(tensor.Float32, 1))
	var parameters []graph.Value
	for i, l := range n.layers {
		parameters = append(parameters,
			b.Input("weight_"+strconv.Itoa(i), tensor.TypeOf(tensor.Float32, l.in, l.out)),
			b.Input("bias_"+strconv.Itoa(i), tensor.TypeOf(tensor.Float32, l.out)))
	}
	z := n.forward(b, x, parameters)
	var rows graph.Value // (rows, out)
	if task == fit.Classification {
		logs := b.OpWith("LogSoftmax", []graph.Attr{graph.IntAttr("axis", 1)}, z)
		rows = b.Op("Neg", b.Op("Mul", y, logs))
	} else {
		e := b.Op("Sub", z, y)
		rows = b.Op("Mul", e, e)
	}
	loss := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, b.Op("Mul", rows, weight))
	b.Output("loss", loss, tensor.TypeOf(tensor.Float32))
	if gradient {
		grads, err := exec.Gradient(b, loss, parameters)
		if err != nil {
			return nil, err
		}
		for i, g := range grads {
			l := n.layers[i/2]
			t := tensor.TypeOf(tensor.Float32, l.out)
			if i%2 == 0 {
				t = tensor.TypeOf(tensor.Float32, l.in, l.out)
			}
			b.Output("gradient_"+strconv.Itoa(i), g, t)
		}
	}
	return exec.Compile(b.Model(), exec.Options{Threads: threads})
}

// emit appends the trained network to b, the standardising of features and target folded in.
func (t *trainer) emit(b *graph.Builder, x graph.Value) graph.Value {
	foldable := t.standard.Foldable()
	if !foldable {
		x = t.standard.Append(b, x)
	}
	var parameters []graph.Value
	for i, l := range t.net.layers {
		w, c := widen(l.weight), widen(l.bias)
		if i == 0 && foldable {
			for j := range l.in {
				for k := range l.out {
					w[j*l.out+k] *= t.standard.Scale[j]
					c[k] -= t.standard.Mean[j] * w[j*l.out+k]
				}
			}
		}
		if i == len(t.net.layers)-1 && t.data.Task == fit.Regression {
			for k := range w {
				w[k] *= t.spread
			}
			c[0] = c[0]*t.spread + t.center
		}
		parameters = append(parameters, b.Floats("weight", fit.Narrow(w), l.in, l.out), b.Floats("bias", fit.Narrow(c)))
	}
	y := t.net.forward(b, x, parameters)
	if t.data.Task == fit.Classification {
		y = b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, y)
	}
	return y
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
