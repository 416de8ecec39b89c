package train_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// twoLayers is a net from 2 numbers to outs, with eight units between.
func twoLayers(outs int) *train.Net {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return v
	}
	b := graph.NewBuilder("net")
	x := b.Input("x", tensor.Rows(tensor.Float32, 2))
	w1, b1 := b.Floats("w1", draw(16), 2, 8), b.Floats("b1", draw(8))
	w2, b2 := b.Floats("w2", draw(8*outs), 8, outs), b.Floats("b2", make([]float32, outs))
	h := b.Op("Tanh", b.Op("Add", b.Op("MatMul", x, w1), b1))
	y := b.Op("Add", b.Op("MatMul", h, w2), b2)
	b.Output("y", y, tensor.Rows(tensor.Float32, outs))
	return &train.Net{Graph: b.Graph(), Params: []graph.Value{w1, b1, w2, b2}}
}

// waves is y = sin(3a) + b·b on a grid.
func waves(rows int) *train.Memory {
	random := rand.New(rand.NewPCG(3, 4))
	x, y := make([]float32, 2*rows), make([]float32, rows)
	for i := range rows {
		a, b := random.Float64()*2-1, random.Float64()*2-1
		x[2*i], x[2*i+1], y[i] = float32(a), float32(b), float32(math.Sin(3*a)+b*b)
	}
	return &train.Memory{In: []*tensor.Tensor{tensor.Floats(x, rows, 2)}, Target: tensor.Floats(y, rows, 1)}
}

// sectors are points and the third of the plane that they lie in.
func sectors(rows int) *train.Memory {
	m := waves(rows)
	m.Target = tensor.New(tensor.Int64, rows)
	for i := range rows {
		switch a, b := m.In[0].F32()[2*i], m.In[0].F32()[2*i+1]; {
		case a > 0 && b > 0:
			m.Target.I64()[i] = 1
		case b < 0:
			m.Target.I64()[i] = 2
		}
	}
	return m
}

func weights(n *train.Net) (all []float32) {
	for _, w := range n.Weights() {
		all = append(all, w.F32()...)
	}
	return all
}

func TestLearns(t *testing.T) {
	n := twoLayers(1)
	out, err := train.Run(context.Background(), n, waves(512), waves(100), train.Config{Loss: train.MSE, Optimizer: optim.Config{LR: .02}, Epochs: 60}, train.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Loss > .005 || out.Best == 0 {
		t.Errorf("%+v", out)
	}
}

// TestResumes: training that was cut off at any checkpoint and goes on ends with the same weights, bit for bit.
func TestResumes(t *testing.T) {
	ctx := context.Background()
	c := train.Config{Loss: train.MSE, Epochs: 6, BatchSize: 50, Mixup: .4, Schedule: optim.Schedule{Name: "plateau", Patience: 1}, Threads: 1, ReadAhead: 2, Seed: 5}
	whole := twoLayers(1)
	steps := 0
	var saved [][]byte
	want, err := train.Run(ctx, whole, waves(220), waves(50), c, train.Hooks{
		Due:  func() bool { steps++; return steps%7 == 0 },
		Save: func(b []byte) error { saved = append(saved, b); return nil },
	})
	if err != nil || len(saved) < 4 {
		t.Fatal(err, len(saved))
	}
	for i, state := range saved {
		n := twoLayers(1)
		got, err := train.Run(ctx, n, waves(220), waves(50), c, train.Hooks{Restore: state})
		if err != nil {
			t.Fatal(err)
		}
		if got != want || !slices.Equal(weights(n), weights(whole)) {
			t.Errorf("from checkpoint %d: %+v, not %+v", i, got, want)
		}
	}
}

// TestForeignCheckpoint: a checkpoint of another net, and one that was cut off, are refused.
func TestForeignCheckpoint(t *testing.T) {
	ctx := context.Background()
	c := train.Config{Loss: train.MSE, Epochs: 1}
	var state []byte
	if _, err := train.Run(ctx, twoLayers(1), waves(64), nil, c, train.Hooks{Due: func() bool { return true }, Save: func(b []byte) error { state = b; return nil }}); err != nil {
		t.Fatal(err)
	}
	three := waves(64)
	three.Target = tensor.Floats(make([]float32, 3*64), 64, 3)
	for name, run := range map[string]func() error{
		"another net": func() error {
			_, err := train.Run(ctx, twoLayers(3), three, nil, c, train.Hooks{Restore: state})
			return err
		},
		"broken": func() error {
			_, err := train.Run(ctx, twoLayers(1), waves(64), nil, c, train.Hooks{Restore: state[:len(state)-3]})
			return err
		},
		"nothing": func() error {
			_, err := train.Run(ctx, twoLayers(1), waves(64), nil, c, train.Hooks{Restore: []byte{1}})
			return err
		},
	} {
		var f *fault.Error
		if err := run(); !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != "checkpoint" || f.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDiverges: an absurd learning rate is taken back three times, said, and then refused; the weights stay finite.
func TestDiverges(t *testing.T) {
	n := twoLayers(1)
	var notes []string
	_, err := train.Run(context.Background(), n, waves(128), waves(50), train.Config{Loss: train.MSE, Optimizer: optim.Config{Name: "sgd", LR: 1e30}, Epochs: 5}, train.Hooks{
		Report: func(p train.Progress) {
			if p.Note != "" {
				notes = append(notes, p.Note)
			}
		},
	})
	var f *fault.Error
	if !errors.As(err, &f) || f.Field != "lr" || f.Hint == "" || len(notes) != 3 || !strings.Contains(notes[0], "diverged") {
		t.Errorf("%v %q", err, notes)
	}
	for _, w := range weights(n) {
		if w-w != 0 {
			t.Fatal("weights are not finite")
		}
	}
}

// TestStop keeps the best weights; the end of ctx is an error.
func TestStop(t *testing.T) {
	stop := make(chan struct{})
	out, err := train.Run(context.Background(), twoLayers(1), waves(128), waves(50), train.Config{Loss: train.MSE}, train.Hooks{
		Stop: stop,
		Report: func(p train.Progress) {
			if p.Epoch == 3 && p.Valid == p.Valid {
				close(stop)
			}
		},
	})
	if err != nil || !out.Stopped || out.Epochs != 3 || out.Best == 0 {
		t.Errorf("%+v %v", out, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := train.Run(ctx, twoLayers(1), waves(128), nil, train.Config{Loss: train.MSE}, train.Hooks{}); !fault.Is(err, fault.Canceled) {
		t.Error(err)
	}
}

// TestEarly: training ends when the rows held out gain no more, with the weights of the best epoch.
func TestEarly(t *testing.T) {
	data, valid := waves(40), waves(500)
	random := rand.New(rand.NewPCG(9, 9))
	for i := range data.Target.F32() {
		data.Target.F32()[i] += float32(random.NormFloat64()) // noise to learn by heart
	}
	n := twoLayers(1)
	best := math.Inf(1)
	out, err := train.Run(context.Background(), n, data, valid, train.Config{Loss: train.MSE, Optimizer: optim.Config{LR: .05}, Epochs: 500, Patience: 5, BatchSize: 8}, train.Hooks{
		Report: func(p train.Progress) {
			if p.Valid == p.Valid {
				best = min(best, p.Valid)
			}
		},
	})
	if err != nil || out.Epochs > 200 || out.Loss != best {
		t.Errorf("%+v, best %v, %v", out, best, err)
	}
}

// TestMonitor: the epoch is kept that is the best by what is asked for, where the two disagree.
func TestMonitor(t *testing.T) {
	data, valid := classes(60), classes(400)
	kept := map[string]int{}
	for _, by := range []string{"loss", "accuracy"} {
		var losses, accuracies []float64
		out, err := train.Run(context.Background(), twoLayers(2), data, valid, train.Config{Monitor: by, Optimizer: optim.Config{LR: .03}, Epochs: 30, Patience: -1, Threads: 1}, train.Hooks{
			Report: func(p train.Progress) {
				if p.Valid == p.Valid {
					losses, accuracies = append(losses, p.Valid), append(accuracies, -p.Accuracy)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		best := 1 + slices.Index(losses, slices.Min(losses))
		if by == "accuracy" {
			best = 1 + slices.Index(accuracies, slices.Min(accuracies))
		}
		if kept[by] = out.Best; out.Best != best {
			t.Errorf("%s: epoch %d is kept, epoch %d is the best", by, out.Best, best)
		}
	}
	if kept["loss"] == kept["accuracy"] {
		t.Errorf("both keep epoch %d: this shows nothing", kept["loss"])
	}
}

// TestSteady: a step allocates nothing once one went before.
func TestSteady(t *testing.T) {
	ctx := context.Background()
	s, err := train.NewStep(twoLayers(1), train.Objective{Loss: train.MSE}, 2)
	if err != nil {
		t.Fatal(err)
	}
	b, data, rows := train.NewBatch(1), waves(64), make([]int32, 64)
	if n := testing.AllocsPerRun(20, func() {
		if err := data.Read(ctx, rows, 0, b); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Run(ctx, b, 1, 1); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestLosses: every loss, smoothing and mixup learn; what does not go together is refused.
func TestLosses(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]train.Config{
		"mae": {Loss: train.MAE}, "huber": {Loss: train.Huber}, "bce": {Loss: train.BCE}, "mse": {Loss: train.MSE, Mixup: .2},
		"cross entropy": {}, "smoothed": {LabelSmoothing: .1}, "mixed": {LabelSmoothing: .1, Mixup: .2},
	} {
		n, data := twoLayers(1), waves(128)
		switch c.Loss {
		case "":
			n, data = twoLayers(3), sectors(128)
		case train.BCE:
			for i, v := range data.Target.F32() {
				data.Target.F32()[i] = float32(math.Round(1 / (1 + math.Exp(-8*float64(v)))))
			}
		}
		c.Epochs, c.Optimizer.LR = 40, .02
		first := math.NaN()
		out, err := train.Run(ctx, n, data, data, c, train.Hooks{Report: func(p train.Progress) {
			if p.Epoch == 1 && p.Valid == p.Valid {
				first = p.Valid
			}
		}})
		if err != nil || !(out.Loss < .8*first) {
			t.Errorf("%s: from %v to %v, %v", name, first, out.Loss, err)
		}
	}
	for field, c := range map[string]train.Config{"loss": {Loss: "hinge"}, "label_smoothing": {Loss: train.MSE, LabelSmoothing: .1}, "mixup": {Mixup: -1}, "epochs": {Epochs: -1}, "monitor": {Monitor: "f1"}} {
		_, err := train.Run(ctx, twoLayers(3), sectors(16), nil, c, train.Hooks{})
		if f := (*fault.Error)(nil); !errors.As(err, &f) || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// classes are rows of two classes that overlap, nine in ten of the first.
func classes(rows int) *train.Memory {
	random := rand.New(rand.NewPCG(7, 8))
	x, y := make([]float32, 2*rows), make([]int64, rows)
	for i := range rows {
		if random.IntN(10) == 0 {
			y[i] = 1
		}
		x[2*i], x[2*i+1] = float32(random.NormFloat64()+1.2*float64(y[i])), float32(random.NormFloat64())
	}
	return &train.Memory{In: []*tensor.Tensor{tensor.Floats(x, rows, 2)}, Target: tensor.Ints(y)}
}

// uncounted hides how many rows each class has.
type uncounted struct{ train.Dataset }

// TestBalanced: with balanced classes the rare one is learned as well as the other, watched by a loss of the same kind; and weights say the same.
func TestBalanced(t *testing.T) {
	data, valid := classes(1000), classes(400)
	learn := func(c train.Config) (n *train.Net, accuracy float64, out train.Outcome) {
		t.Helper()
		n = twoLayers(2)
		c.Epochs, c.Optimizer.LR, c.Threads = 8, .02, 1
		out, err := train.Run(context.Background(), n, data, valid, c, train.Hooks{Report: func(p train.Progress) {
			if p.Accuracy == p.Accuracy {
				accuracy = p.Accuracy
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		return n, accuracy, out
	}
	_, plain, _ := learn(train.Config{})
	even, balanced, watched := learn(train.Config{Balanced: true})
	if plain < .87 || balanced > plain-.05 || balanced < .6 { // fewer of the first are right, more of the second
		t.Errorf("%v of the rows are right, balanced %v", plain, balanced)
	}
	if watched.Loss < .4 || watched.Loss > .75 {
		t.Errorf("the loss of balanced classes is %v", watched.Loss)
	}
	count := data.Classes()
	said, _, _ := learn(train.Config{ClassWeight: []float64{500 / float64(count[0]), 500 / float64(count[1])}})
	if !slices.Equal(weights(said), weights(even)) {
		t.Error("balanced classes and their weights give other nets")
	}
}

// TestClassWeightsRefused: weights that mean nothing are refused, by the field that has them.
func TestClassWeightsRefused(t *testing.T) {
	for field, c := range map[string][]train.Config{
		"class_weight": {{ClassWeight: []float64{1, 0}}, {ClassWeight: []float64{1, math.NaN()}}, {ClassWeight: []float64{1, 2, 3}}, {ClassWeight: []float64{1, 1}, Loss: train.BCE}},
		"balanced":     {{Balanced: true, ClassWeight: []float64{1, 1}}, {Balanced: true, Loss: train.MSE}, {Balanced: true}},
	} {
		for _, c := range c {
			_, err := train.Run(context.Background(), twoLayers(2), uncounted{classes(20)}, nil, c, train.Hooks{})
			var f *fault.Error
			if !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != field {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
}
