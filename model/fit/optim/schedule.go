package optim

import (
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Schedule changes the learning rate as training goes. Names, defaults and formulas are those of torch.optim.lr_scheduler, where
// cosine and one-cycle are stepped after each batch, step and plateau after each epoch. Zero values mean the defaults.
type Schedule struct {
	Name string `json:"name,omitempty"` // "constant" (default), "step", "cosine", "one_cycle" or "plateau"

	WarmupSteps    int     `json:"warmup_steps,omitempty"`     // steps over which the rate rises in a line from 0, whatever the name
	StepSize       int     `json:"step_size,omitempty"`        // step: epochs between two falls; 0 means 10
	Gamma          float64 `json:"gamma,omitempty"`            // step: what each fall leaves; 0 means 0.1
	EtaMin         float64 `json:"eta_min,omitempty"`          // cosine: the rate at the end
	PctStart       float64 `json:"pct_start,omitempty"`        // one_cycle: the share of steps that rise; 0 means 0.3
	DivFactor      float64 `json:"div_factor,omitempty"`       // one_cycle: the rate begins at lr over this; 0 means 25
	FinalDivFactor float64 `json:"final_div_factor,omitempty"` // one_cycle: and ends at its beginning over this; 0 means 10000
	Factor         float64 `json:"factor,omitempty"`           // plateau: what each fall leaves; 0 means 0.1
	Patience       int     `json:"patience,omitempty"`         // plateau: epochs without gain that are borne; 0 means 10
	Threshold      float64 `json:"threshold,omitempty"`        // plateau: what counts as a gain, relative to the best loss; 0 means 0.0001
	MinLR          float64 `json:"min_lr,omitempty"`           // plateau: the least rate
}

// Plateau is what the plateau schedule remembers; it goes into checkpoints. The zero Plateau is that of a new training.
type Plateau struct {
	Seen  bool
	Best  float64
	Bad   int // epochs without gain
	Falls int
}

// Checked returns s with its defaults filled in. Errors: fault.Invalid.
func (s Schedule) Checked() (Schedule, error) {
	switch s.Name {
	case "":
		s.Name = "constant"
	case "constant", "step", "cosine", "one_cycle", "plateau":
	default:
		return s, fault.New(fault.Invalid, "no schedule "+strconv.Quote(s.Name)).At("schedule").Try("constant, step, cosine, one_cycle or plateau")
	}
	or(&s.Gamma, .1)
	or(&s.PctStart, .3)
	or(&s.DivFactor, 25)
	or(&s.FinalDivFactor, 1e4)
	or(&s.Factor, .1)
	or(&s.Threshold, 1e-4)
	if s.StepSize == 0 {
		s.StepSize = 10
	}
	if s.Patience == 0 {
		s.Patience = 10
	}
	for _, f := range []struct {
		name string
		ok   bool
	}{
		{"warmup_steps", s.WarmupSteps >= 0},
		{"step_size", s.StepSize > 0},
		{"gamma", s.Gamma > 0 && s.Gamma <= 1},
		{"eta_min", s.EtaMin >= 0 && s.EtaMin-s.EtaMin == 0},
		{"pct_start", s.PctStart > 0 && s.PctStart <= 1},
		{"div_factor", s.DivFactor >= 1},
		{"final_div_factor", s.FinalDivFactor >= 1},
		{"factor", s.Factor > 0 && s.Factor < 1},
		{"patience", s.Patience > 0},
		{"threshold", s.Threshold >= 0 && s.Threshold < 1},
		{"min_lr", s.MinLR >= 0 && s.MinLR-s.MinLR == 0},
	} {
		if !f.ok {
			return s, fault.New(fault.Invalid, f.name+" is out of range").At(f.name)
		}
	}
	return s, nil
}

// Rate is the learning rate of a step, counted from 0 of so many in all, in training of perEpoch steps an epoch, where lr is the rate that was asked
// for. s has been Checked.
func (s Schedule) Rate(lr float64, step, steps, perEpoch int, p Plateau) float64 {
	rate := lr
	switch s.Name {
	case "step":
		rate = lr * math.Pow(s.Gamma, float64(step/max(1, perEpoch)/s.StepSize))
	case "cosine":
		rate = s.EtaMin + (lr-s.EtaMin)*(1+math.Cos(math.Pi*float64(step)/float64(max(1, steps))))/2
	case "one_cycle":
		rate = s.oneCycle(lr, float64(step), float64(steps))
	case "plateau":
		rate = max(s.MinLR, lr*math.Pow(s.Factor, float64(p.Falls)))
	}
	if step < s.WarmupSteps {
		rate *= float64(step+1) / float64(s.WarmupSteps)
	}
	return rate
}

// oneCycle is the policy of Smith and Topin, "Super-Convergence" (2018), both ways along a cosine.
func (s Schedule) oneCycle(lr, step, steps float64) float64 {
	first, top := lr/s.DivFactor, s.PctStart*steps-1
	if step <= top {
		return along(first, lr, step/max(1, top))
	}
	return along(lr, first/s.FinalDivFactor, (step-top)/max(1, steps-1-top))
}

// along goes from a to b along a cosine.
func along(a, b, t float64) float64 { return b + (a-b)/2*(1+math.Cos(math.Pi*min(1, t))) }

// Epoch tells p the loss of an epoch.
func (s Schedule) Epoch(p *Plateau, loss float64) {
	if !p.Seen || loss < p.Best*(1-s.Threshold) {
		p.Seen, p.Best, p.Bad = true, loss, 0
		return
	}
	if p.Bad++; p.Bad > s.Patience {
		p.Bad = 0
		p.Falls++
	}
}
