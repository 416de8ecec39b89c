package optim_test

import (
	_ "embed"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
)

//go:embed testdata/torch.json
var torch []byte

// golden is what PyTorch does, made by test/goldens/make_fit_optim.py.
type golden struct {
	Param      []float32
	Grads      [][]float32
	Optimizers []struct {
		Config optim.Config
		Param  []float32
	}
	Schedules []struct {
		Config   optim.Schedule
		PerEpoch int `json:"per_epoch"`
		Steps    int
		Losses   []float64
		Rates    []float64
	}
}

func read(t *testing.T) (g golden) {
	if err := json.Unmarshal(torch, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// walk takes a step for each gradient.
func walk(t *testing.T, c optim.Config, start []float32, grads [][]float32, threads int) []float32 {
	p := optim.Param{Name: "w", Shape: []int{3, len(start) / 3}, Value: slices.Clone(start), Gradient: make([]float32, len(start))}
	o, err := optim.New(c, []optim.Param{p}, threads)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range grads {
		copy(p.Gradient, g)
		if !o.Step(o.LR()) {
			t.Fatal("refused")
		}
	}
	return p.Value
}

func TestTorch(t *testing.T) {
	g := read(t)
	for _, want := range g.Optimizers {
		got := walk(t, want.Config, g.Param, g.Grads, 1)
		for i := range got {
			if math.Abs(float64(got[i]-want.Param[i])) > 3e-7*max(1, math.Abs(float64(want.Param[i]))) {
				t.Errorf("%+v: w[%d] is %v, PyTorch's %v", want.Config, i, got[i], want.Param[i])
			}
		}
	}
}

// TestLion holds Lion, which PyTorch lacks, to its paper's algorithm worked by hand: lr .1, weight decay .5, betas .9 and .99.
func TestLion(t *testing.T) {
	got := walk(t, optim.Config{Name: "lion", LR: .1, WeightDecay: .5}, []float32{1, -1, 0}, [][]float32{{2, -3, 0}, {-.1, -1, 1}}, 1)
	// Step 1: w = .95w - .1·sign(.1g), m = .01g = (.02, -.03, 0). Step 2: u = .9m + .1g = (.008, -.127, .1).
	want := []float32{.95*(.95-.1) - .1, .95*(-.95+.1) + .1, -.1}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-6 {
			t.Errorf("w[%d] is %v, not %v", i, got[i], want[i])
		}
	}
}

func TestSchedules(t *testing.T) {
	for _, want := range read(t).Schedules {
		s, err := want.Config.Checked()
		if err != nil {
			t.Fatal(err)
		}
		var p optim.Plateau
		for step := range want.Steps {
			if got := s.Rate(.1, step, want.Steps, want.PerEpoch, p); math.Abs(got-want.Rates[step]) > 1e-9 {
				t.Errorf("%s: step %d has the rate %v, PyTorch's is %v", s.Name, step, got, want.Rates[step])
			}
			if (step+1)%want.PerEpoch == 0 && want.Losses != nil {
				s.Epoch(&p, want.Losses[(step+1)/want.PerEpoch-1])
			}
		}
	}
}

func TestWarmUp(t *testing.T) {
	s, err := optim.Schedule{WarmupSteps: 4}.Checked()
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range []float64{.25, .5, .75, 1, 1} {
		if got := s.Rate(1, step, 10, 5, optim.Plateau{}); got != want {
			t.Errorf("step %d: %v", step, got)
		}
	}
}

// TestThreads: the same bits on any number of goroutines, with every bound and penalty.
func TestThreads(t *testing.T) {
	start, g := make([]float32, 90_000), make([]float32, 90_000)
	for i := range start {
		start[i], g[i] = float32(math.Sin(float64(i))), float32(math.Cos(float64(3*i)))
	}
	for _, name := range []string{"adam", "adamw", "sgd", "rmsprop", "adagrad", "lion"} {
		c := optim.Config{Name: name, L1: 1e-3, L2: 1e-2, ClipGradNorm: 5, ClipGradValue: .9, MaxNorm: 100}
		one := walk(t, c, start, [][]float32{g, g, g}, 1)
		if three := walk(t, c, start, [][]float32{g, g, g}, 3); !slices.Equal(one, three) {
			t.Errorf("%s: other numbers on three goroutines", name)
		}
	}
}

// TestMaxNorm: each unit's weights are scaled down to the bound, others stay.
func TestMaxNorm(t *testing.T) {
	p := optim.Param{Shape: []int{2, 2}, Out: 1, Value: []float32{3, .1, 4, .2}, Gradient: make([]float32, 4)} // units: (3, 4) and (.1, .2)
	o, err := optim.New(optim.Config{Name: "sgd", MaxNorm: 1}, []optim.Param{p}, 1)
	if err != nil {
		t.Fatal(err)
	}
	o.Step(.1)
	if want := []float32{.6, .1, .8, .2}; !slices.EqualFunc(p.Value, want, func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }) {
		t.Error(p.Value)
	}
}

// TestNotFinite: a gradient that is NaN or infinite moves nothing.
func TestNotFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		p := optim.Param{Shape: []int{2}, Value: []float32{1, 2}, Gradient: []float32{0, float32(bad)}}
		o, err := optim.New(optim.Config{}, []optim.Param{p}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if o.Step(.1) || p.Value[0] != 1 || p.Value[1] != 2 || o.Steps() != 0 {
			t.Errorf("%v moved to %v", bad, p.Value)
		}
	}
}

func TestChecked(t *testing.T) {
	for field, c := range map[string]optim.Config{
		"optimizer": {Name: "adamax"}, "lr": {LR: -1}, "betas": {Betas: [2]float64{.9, 1}}, "nesterov": {Name: "sgd", Nesterov: true},
		"clip_grad_norm": {ClipGradNorm: math.NaN()}, "max_norm": {MaxNorm: math.Inf(1)},
	} {
		_, err := c.Checked()
		if f := (*fault.Error)(nil); !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != field {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for field, s := range map[string]optim.Schedule{
		"schedule": {Name: "exponential"}, "gamma": {Gamma: 2}, "warmup_steps": {WarmupSteps: -1}, "div_factor": {DivFactor: .5}, "factor": {Factor: 1},
	} {
		_, err := s.Checked()
		if f := (*fault.Error)(nil); !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != field {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// TestSteady: a step allocates nothing.
func TestSteady(t *testing.T) {
	p := optim.Param{Shape: []int{300, 300}, Value: make([]float32, 90_000), Gradient: make([]float32, 90_000)}
	o, err := optim.New(optim.Config{L2: .1, ClipGradNorm: 1}, []optim.Param{p}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(50, func() { o.Step(.1) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdam(b *testing.B) {
	const n = 535_818 // a perceptron 784-512-256-10
	p := optim.Param{Shape: []int{n}, Value: make([]float32, n), Gradient: make([]float32, n)}
	for i := range p.Gradient {
		p.Gradient[i] = float32(i%7) - 3
	}
	o, err := optim.New(optim.Config{}, []optim.Param{p}, 1)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		o.Step(.001)
	}
}
