package exec

import (
	"context"
	"math"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// wave is a float64 tensor of numbers between -1 and 1 without a pattern.
func wave(seed int, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float64, shape...)
	for i := range tensor.Data[float64](t) {
		tensor.Data[float64](t)[i] = math.Sin(float64(7*i+3*seed+1) * 1.37)
	}
	return t
}

// recurrentCase is what one check of a recurrent operator differs in.
type recurrentCase struct {
	op                   string
	steps, batch         int
	outputs              []bool // which of Y, Y_h, Y_c the loss uses
	biased, from, peeped bool   // B; initial states; P
	lengths              []int32
	attrs                []graph.Attr
}

// node makes the operator's case: inputs of 2 numbers, states of 3.
func (c recurrentCase) node(opset int64) *op.Case {
	const width, h = 2, 3
	gates := map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}[c.op]
	many, batchFirst := 1, false
	for _, a := range c.attrs {
		if a.Str == "bidirectional" {
			many = 2
		}
		batchFirst = batchFirst || a.Name == "layout"
	}
	x, y, state := []int{c.steps, c.batch, width}, []int{c.steps, many, c.batch, h}, []int{many, c.batch, h}
	if batchFirst {
		x, y, state = []int{c.batch, c.steps, width}, []int{c.batch, c.steps, many, h}, []int{c.batch, many, h}
	}
	in := []*tensor.Tensor{wave(1, x...), wave(2, many, gates*h, width), wave(3, many, gates*h, h), nil, nil, nil, nil, nil}
	if c.biased {
		in[3] = wave(4, many, 2*gates*h)
	}
	if c.lengths != nil {
		in[4] = tensor.FromSlice(tensor.Int32, c.lengths)
	}
	if c.from {
		in[5] = wave(5, state...)
	}
	if c.op != "LSTM" {
		in = in[:6]
	} else if c.from {
		in[6] = wave(6, state...)
	}
	if c.peeped {
		in[7] = wave(7, many, 3*h)
	}
	made := &op.Case{Opset: opset, Attrs: c.attrs, In: in, Out: []*tensor.Tensor{nil, nil}}
	if c.op == "LSTM" {
		made.Out = append(made.Out, nil)
	}
	for i, used := range c.outputs[:min(len(c.outputs), len(made.Out))] {
		if used && i == 0 {
			made.Out[i] = tensor.New(tensor.Float64, y...)
		} else if used {
			made.Out[i] = tensor.New(tensor.Float64, state...)
		}
	}
	return made
}

// TestRecurrentGradients checks every option of RNN, GRU and LSTM that changes the way back.
func TestRecurrentGradients(t *testing.T) {
	reverse, both := graph.StringAttr("direction", "reverse"), graph.StringAttr("direction", "bidirectional")
	layout, all := graph.IntAttr("layout", 1), []bool{true, true, true}
	linear, coupled := graph.IntAttr("linear_before_reset", 1), graph.IntAttr("input_forget", 1)
	acts := func(names ...string) []graph.Attr { return []graph.Attr{graph.StringsAttr("activations", names)} }
	cases := map[string]recurrentCase{
		"plain":                    {steps: 3, batch: 2, outputs: all},
		"only Y":                   {steps: 3, batch: 2, outputs: []bool{true}, biased: true, from: true},
		"only Y_h":                 {steps: 3, batch: 2, outputs: []bool{false, true}, biased: true, from: true},
		"one step":                 {steps: 1, batch: 2, outputs: all, biased: true, from: true},
		"no step":                  {steps: 0, batch: 2, outputs: []bool{false, true, true}, biased: true, from: true},
		"reverse":                  {steps: 3, batch: 2, outputs: all, biased: true, attrs: []graph.Attr{reverse}},
		"reverse from":             {steps: 3, batch: 2, outputs: all, biased: true, from: true, attrs: []graph.Attr{reverse}},
		"lengths":                  {steps: 3, batch: 3, outputs: all, biased: true, from: true, lengths: []int32{2, 0, 3}},
		"reverse, lengths":         {steps: 3, batch: 3, outputs: all, lengths: []int32{2, 0, 3}, attrs: []graph.Attr{reverse}},
		"reverse from, lengths":    {steps: 3, batch: 3, outputs: all, from: true, lengths: []int32{2, 0, 3}, attrs: []graph.Attr{reverse}},
		"both ways":                {steps: 3, batch: 2, outputs: all, biased: true, from: true, attrs: []graph.Attr{both}},
		"both ways, batch first":   {steps: 3, batch: 2, outputs: all, biased: true, from: true, lengths: []int32{2, 3}, attrs: []graph.Attr{both, layout}},
		"many sequences":           {steps: 2, batch: 13, outputs: all, biased: true, from: true},
		"clip":                     {steps: 3, batch: 2, outputs: all, biased: true, from: true, attrs: []graph.Attr{graph.FloatAttr("clip", .9)}},
		"Relu":                     {steps: 3, batch: 2, outputs: all, from: true, attrs: acts("Relu", "Relu", "Relu")},
		"LeakyRelu":                {steps: 3, batch: 2, outputs: all, from: true, attrs: acts("LeakyRelu", "LeakyRelu", "Elu")},
		"Elu":                      {steps: 3, batch: 2, outputs: all, from: true, attrs: acts("Elu", "ThresholdedRelu", "Softsign")},
		"ThresholdedRelu":          {steps: 3, batch: 2, outputs: all, from: true, attrs: append(acts("ThresholdedRelu", "Elu", "LeakyRelu"), graph.FloatsAttr("activation_alpha", []float32{.3}))},
		"HardSigmoid and Softsign": {steps: 3, batch: 2, outputs: all, from: true, attrs: acts("HardSigmoid", "Softsign", "Softplus")},
		"Softplus and Softsign":    {steps: 3, batch: 2, outputs: all, from: true, attrs: acts("Softsign", "Softplus", "HardSigmoid")},
		"Softplus":                 {steps: 3, batch: 2, outputs: all, from: true, attrs: acts("Softplus", "HardSigmoid", "Tanh")},
		"scaled": {steps: 3, batch: 2, outputs: all, from: true, attrs: append(acts("ScaledTanh", "Affine", "ScaledTanh"),
			graph.FloatsAttr("activation_alpha", []float32{.7, .8, 1.2}), graph.FloatsAttr("activation_beta", []float32{.9, .1, 1.1}))},
		"linear":                   {op: "GRU", steps: 3, batch: 2, outputs: all, biased: true, from: true, attrs: []graph.Attr{linear}},
		"linear, no start":         {op: "GRU", steps: 3, batch: 2, outputs: all, attrs: []graph.Attr{linear, reverse}},
		"linear, both ways":        {op: "GRU", steps: 3, batch: 3, outputs: all, biased: true, from: true, lengths: []int32{2, 0, 3}, attrs: []graph.Attr{linear, both}},
		"only Y_c":                 {op: "LSTM", steps: 3, batch: 2, outputs: []bool{false, false, true}, biased: true, from: true},
		"coupled":                  {op: "LSTM", steps: 3, batch: 2, outputs: all, biased: true, from: true, attrs: []graph.Attr{coupled}},
		"peepholes":                {op: "LSTM", steps: 3, batch: 2, outputs: all, biased: true, from: true, peeped: true},
		"peepholes from nothing":   {op: "LSTM", steps: 3, batch: 3, outputs: all, peeped: true, lengths: []int32{2, 0, 3}, attrs: []graph.Attr{both}},
		"coupled with peepholes":   {op: "LSTM", steps: 3, batch: 2, outputs: all, biased: true, from: true, peeped: true, attrs: []graph.Attr{coupled, graph.FloatAttr("clip", .9)}},
		"Relu of ninety sequences": {op: "LSTM", steps: 2, batch: 90, outputs: all, biased: true, attrs: []graph.Attr{layout}},
	}
	for name, c := range cases {
		for _, s := range op.All() {
			known := s.Domain == "" && (s.Name == "RNN" || s.Name == "GRU" || s.Name == "LSTM") && (c.op == "" || c.op == s.Name)
			if !known || len(c.attrs) > 0 && c.attrs[len(c.attrs)-1].Name == "layout" && s.Since < 14 || c.op == "GRU" && s.Since < 3 {
				continue
			}
			each := c
			each.op = s.Name
			if a := c.attrs; len(a) > 0 && a[0].Name == "activations" {
				each.attrs = append([]graph.Attr{graph.StringsAttr("activations", a[0].Strs[:map[string]int{"RNN": 1, "GRU": 2, "LSTM": 3}[s.Name]])}, a[1:]...)
			}
			t.Run(s.Name+"/"+name, func(t *testing.T) { checkGradient(t, s, each.node(s.Since)) })
		}
	}
}

// TestRecurrentGradientsSingle holds the loops of float32 to those of float64, at widths that fill vectors and have a rest.
func TestRecurrentGradientsSingle(t *testing.T) {
	for _, name := range []string{"RNN", "GRU", "LSTM"} {
		for _, h := range []int{4, 37} {
			gates := map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}[name]
			in := []*tensor.Tensor{wave(1, 9, 14, 5), wave(2, 1, gates*h, 5), wave(3, 1, gates*h, h), wave(4, 1, 2*gates*h)}
			var got [2][]*tensor.Tensor
			for i, d := range []tensor.DType{tensor.Float64, tensor.Float32} {
				b := graph.NewBuilder("g")
				var values []graph.Value
				var given []*tensor.Tensor
				for k, x := range in {
					c := tensor.New(d, x.Shape()...)
					for at, v := range tensor.Data[float64](x) {
						if v *= .5; d == tensor.Float64 {
							tensor.Data[float64](c)[at] = v
						} else {
							c.F32()[at] = float32(v)
						}
					}
					given, values = append(given, c), append(values, b.Input("x"+string(rune('0'+k)), c.Type()))
				}
				y := b.Node("", name, values, 1)[0]
				grads, err := Gradient(b, b.Op("Mul", y, y), values)
				if err != nil {
					t.Fatal(err)
				}
				for k, g := range grads {
					b.Output("d"+string(rune('0'+k)), b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", 11)}, g), tensor.TypeOf(tensor.Float64, in[k].Shape()...))
				}
				p, err := Compile(b.Model(), Options{Threads: 1 + i})
				if err != nil {
					t.Fatal(err)
				}
				if got[i], err = p.Run(context.Background(), given); err != nil {
					t.Fatal(err)
				}
			}
			for k := range in {
				if diff := op.Compare(got[1][k], got[0][k], 1e-4, 1e-4); diff != "" {
					t.Errorf("%s of %d, gradient of input %d: %s", name, h, k, diff)
				}
			}
		}
	}
}
