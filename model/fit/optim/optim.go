// Package optim moves parameters against their gradients: optimisers, schedules of the learning rate, penalties and bounds. Names, defaults and
// formulas are PyTorch's (torch.optim), so that a recipe from there gives the same numbers here.
package optim

import (
	"runtime"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/memory"
)

// Param is a tensor that learns.
type Param struct {
	Name            string
	Shape           []int
	Value, Gradient []float32 // as many as Shape says; Step changes Value and, where penalties or bounds are set, Gradient
	Out             int       // the axis of Shape that counts the units which MaxNorm bounds, one by one
}

// Config says how parameters move. Zero values mean the defaults.
type Config struct {
	Name        string     `json:"name,omitempty"`         // "adam" (default), "adamw", "sgd", "rmsprop", "adagrad" or "lion"
	LR          float64    `json:"lr,omitempty"`           // learning rate; 0 means 0.001 (sgd and adagrad: 0.01, rmsprop: 0.01, lion: 0.0001)
	Betas       [2]float64 `json:"betas,omitzero"`         // adam, adamw: 0.9, 0.999; lion: 0.9, 0.99
	Eps         float64    `json:"eps,omitempty"`          // 0 means 1e-8 (adagrad: 1e-10)
	WeightDecay float64    `json:"weight_decay,omitempty"` // added to the gradient times the parameter; adamw and lion: decoupled. adamw: 0 means 0.01; below 0: none
	Momentum    float64    `json:"momentum,omitempty"`     // sgd, rmsprop
	Dampening   float64    `json:"dampening,omitempty"`    // sgd
	Nesterov    bool       `json:"nesterov,omitempty"`     // sgd
	Alpha       float64    `json:"alpha,omitempty"`        // rmsprop: 0 means 0.99
	Centered    bool       `json:"centered,omitempty"`     // rmsprop
	LRDecay     float64    `json:"lr_decay,omitempty"`     // adagrad

	L1            float64 `json:"l1,omitempty"`              // Σ|w| times this is added to the loss, over parameters of two dimensions and more
	L2            float64 `json:"l2,omitempty"`              // Σw²/2 times this; with L1: elastic
	ClipGradNorm  float64 `json:"clip_grad_norm,omitempty"`  // bound of the norm of all gradients together
	ClipGradValue float64 `json:"clip_grad_value,omitempty"` // bound of each element of a gradient
	MaxNorm       float64 `json:"max_norm,omitempty"`        // bound of the norm of the weights into a unit, held after each step
}

// Optimizer is the state of a way downhill.
type Optimizer struct {
	config Config
	rule   *rule
	params []Param
	slots  [][][]float32 // of each parameter
	pieces []piece
	steps  int // taken

	threads int
	now     constants
	sums    []float64 // of each piece
	phase   func(o *Optimizer, p *piece, sum *float64)
}

// piece is a part of a parameter, small enough to stay in a cache and for threads to share.
type piece struct {
	param int
	p, g  []float32
	slots [][]float32
}

const pieceLength = 1 << 14

// rule is one optimiser.
type rule struct {
	slots    int // tensors of state that each parameter has
	defaults func(c *Config)
	prepare  func(c *Config, k *constants)
	apply    func(k *constants, p, g []float32, s [][]float32)
}

// constants of one step.
type constants struct {
	kernel.Step
	steps              float64 // with this one
	rate               float64
	nesterov, centered bool
}

// New prepares an optimiser of params on up to so many goroutines (0: all processors). Errors: fault.Invalid with Field the parameter's name.
func New(c Config, params []Param, threads int) (*Optimizer, error) {
	c, err := c.Checked()
	if err != nil {
		return nil, err
	}
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	o := &Optimizer{config: c, rule: rules[c.Name], params: params, threads: threads}
	for i, p := range params {
		if len(p.Value) != len(p.Gradient) {
			return nil, fault.New(fault.Internal, "a gradient that does not fit its parameter").At(p.Name)
		}
		slots := make([][]float32, o.rule.slots)
		if c.Name == "sgd" && c.Momentum == 0 {
			slots = nil
		}
		for k := range slots {
			slots[k] = memory.Make[float32](len(p.Value))
		}
		o.slots = append(o.slots, slots)
		for lo := 0; lo < len(p.Value); lo += pieceLength {
			o.pieces = append(o.pieces, cut(i, p, slots, lo, min(lo+pieceLength, len(p.Value))))
		}
	}
	o.sums = make([]float64, len(o.pieces))
	return o, nil
}

// cut is the piece [lo, hi) of parameter i.
func cut(i int, p Param, slots [][]float32, lo, hi int) piece {
	part := piece{param: i, p: p.Value[lo:hi], g: p.Gradient[lo:hi]}
	for _, s := range slots {
		part.slots = append(part.slots, s[lo:hi])
	}
	return part
}

// Checked returns c with its defaults filled in. Errors: fault.Invalid.
func (c Config) Checked() (Config, error) {
	if c.Name == "" {
		c.Name = "adam"
	}
	r := rules[c.Name]
	if r == nil {
		return c, fault.New(fault.Invalid, "no optimizer "+strconv.Quote(c.Name)).At("optimizer").Try("adam, adamw, sgd, rmsprop, adagrad or lion")
	}
	r.defaults(&c)
	or(&c.Eps, 1e-8)
	if c.WeightDecay < 0 {
		c.WeightDecay = 0
	}
	for _, f := range []struct {
		name  string
		v     float64
		above bool // may not be 0
		below float64
	}{
		{"lr", c.LR, true, 0},
		{"eps", c.Eps, true, 0},
		{"weight_decay", c.WeightDecay, false, 0},
		{"momentum", c.Momentum, false, 0},
		{"dampening", c.Dampening, false, 0},
		{"alpha", c.Alpha, false, 1},
		{"lr_decay", c.LRDecay, false, 0},
		{"l1", c.L1, false, 0},
		{"l2", c.L2, false, 0},
		{"clip_grad_norm", c.ClipGradNorm, false, 0},
		{"clip_grad_value", c.ClipGradValue, false, 0},
		{"max_norm", c.MaxNorm, false, 0},
		{"betas", c.Betas[0], false, 1},
		{"betas", c.Betas[1], false, 1},
	} {
		switch {
		case f.v-f.v != 0 || f.v < 0 || f.above && f.v == 0:
			return c, fault.New(fault.Invalid, f.name+" must be a finite number, not below 0").At(f.name)
		case f.below > 0 && f.v >= f.below:
			return c, fault.New(fault.Invalid, f.name+" must be below "+strconv.FormatFloat(f.below, 'g', -1, 64)).At(f.name)
		}
	}
	if c.Nesterov && (c.Momentum == 0 || c.Dampening != 0) {
		return c, fault.New(fault.Invalid, "nesterov needs a momentum and no dampening").At("nesterov")
	}
	return c, nil
}

func or(field *float64, def float64) {
	if *field == 0 {
		*field = def
	}
}

// Step moves the parameters once, at a learning rate. It reports false, and leaves them as they are, where a gradient is not finite.
func (o *Optimizer) Step(lr float64) bool {
	c := &o.config
	if c.L1 > 0 || c.L2 > 0 {
		o.each(penalize)
	}
	norm := o.norm()
	if norm-norm != 0 {
		return false
	}
	o.steps++
	o.now = constants{steps: float64(o.steps), rate: lr, nesterov: c.Nesterov, centered: c.Centered}
	o.now.Step = kernel.Step{Scale: 1, Keep: 1, Rate: float32(lr), Decay: float32(c.WeightDecay), Eps: float32(c.Eps)}
	if c.ClipGradNorm > 0 {
		o.now.Scale = float32(min(1, c.ClipGradNorm/(norm+1e-6)))
	}
	o.rule.prepare(c, &o.now)
	o.each(move)
	if c.MaxNorm > 0 {
		for i := range o.params {
			bound(&o.params[i], c.MaxNorm)
		}
	}
	return true
}

// each runs a phase over all pieces.
func (o *Optimizer) each(phase func(o *Optimizer, p *piece, sum *float64)) {
	o.phase = phase
	kernel.Share(nil, o.threads, len(o.pieces), len(o.pieces), o)
}

// Do implements kernel.Work.
func (o *Optimizer) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		o.phase(o, &o.pieces[i], &o.sums[i])
	}
}

func move(o *Optimizer, p *piece, _ *float64) { o.rule.apply(&o.now, p.p, p.g, p.slots) }

// Steps is how many steps were taken.
func (o *Optimizer) Steps() int { return o.steps }

// LR is the learning rate that was asked for.
func (o *Optimizer) LR() float64 { return o.config.LR }

// State is what the next steps depend on besides the parameters: tensors, sharing memory, in the order of the parameters. With Steps it goes into a checkpoint.
func (o *Optimizer) State() [][]float32 {
	var all [][]float32
	for _, slots := range o.slots {
		all = append(all, slots...)
	}
	return all
}

// Reset forgets all steps.
func (o *Optimizer) Reset() {
	o.steps = 0
	for _, s := range o.State() {
		clear(s)
	}
}

// Resume goes on after so many steps, State having been filled by the caller.
func (o *Optimizer) Resume(steps int) { o.steps = steps }
