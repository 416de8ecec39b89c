package neural

import (
	"cmp"
	"context"
	"math"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/train"
)

// Watch is what a training tells its owner, and where it leaves what must not be lost. Each may be nil.
type Watch struct {
	Say    func(string)                          // a sentence or a table for a person
	Report func(p train.Progress, speed float64) // after each step and each epoch; speed is in rows a second
	Store  Store
	Every  time.Duration   // between two checkpoints; 0 means CheckpointEvery
	Stop   <-chan struct{} // when closed, training ends with the best weights so far
}

// Store keeps the state of a training outside the process. Methods are called one at a time.
type Store interface {
	Load(ctx context.Context) (state []byte, err error) // the last checkpoint, nil where there is none
	Save(ctx context.Context, state []byte) error       // the next checkpoint in its place
	Log(ctx context.Context, m Measured) error          // metrics, as they come
}

// Measured is a line of the metrics of a training.
type Measured struct {
	Epoch    int      `json:"epoch"`
	Step     int      `json:"step"`
	Loss     *float64 `json:"loss,omitempty"`
	Valid    *float64 `json:"valid_loss,omitempty"`
	Accuracy *float64 `json:"valid_accuracy,omitempty"`
	LR       float64  `json:"lr"`
	Speed    float64  `json:"rows_per_second"`
}

// CheckpointEvery is the time between two checkpoints unless a Watch says otherwise.
const CheckpointEvery = time.Minute

const metricsEvery = 10 * time.Second

func (w Watch) say(s string) {
	if w.Say != nil {
		w.Say(s)
	}
}

// run is train.Run under watch.
func (w Watch) run(ctx context.Context, net *train.Net, learn, valid train.Dataset, c train.Config) (train.Outcome, error) {
	r := &running{Watch: w, ctx: ctx, start: time.Now(), saved: time.Now(), logged: time.Now()}
	hooks := train.Hooks{Report: r.report, Stop: w.Stop}
	if w.Store != nil {
		state, err := w.Store.Load(ctx)
		if err != nil {
			return train.Outcome{}, err
		}
		if state != nil {
			w.say("going on from the last checkpoint")
		}
		hooks.Restore, hooks.Due, hooks.Save = state, r.due, r.save
	}
	out, err := train.Run(ctx, net, learn, valid, c, hooks)
	r.last()
	return out, err
}

// running is a training under way.
type running struct {
	Watch
	ctx           context.Context
	start         time.Time
	from          int // rows that were learned from before this process
	begun         bool
	saved, logged time.Time
	pending       chan error // of a checkpoint that is on its way
	told          bool       // that checkpoints fail
	epoch         int
}

func (r *running) report(p train.Progress) {
	if !r.begun {
		r.begun, r.from, r.epoch = true, p.Rows, p.Epoch
		r.start = time.Now()
	}
	speed := 0.
	if took := time.Since(r.start).Seconds(); took > 0 {
		speed = float64(p.Rows-r.from) / took
	}
	if p.Note != "" {
		r.say(p.Note)
	}
	if r.Report != nil {
		r.Report(p, speed)
	}
	ended := p.Epoch > r.epoch
	if r.Store == nil || !ended && time.Since(r.logged) < metricsEvery {
		return
	}
	r.epoch, r.logged = p.Epoch, time.Now()
	r.failed(r.Store.Log(r.ctx, Measured{
		Epoch: p.Epoch, Step: p.Step, Loss: finite(p.Loss), Valid: finite(p.Valid), Accuracy: finite(p.Accuracy), LR: p.LR, Speed: math.Round(speed),
	}))
}

// due asks for a checkpoint every minute, when the one before has arrived.
func (r *running) due() bool {
	return time.Since(r.saved) >= cmp.Or(r.Every, CheckpointEvery) && (r.pending == nil || len(r.pending) > 0)
}

// save sends a checkpoint on its way. Training does not wait for it, nor end when it fails: the model is worth more.
func (r *running) save(state []byte) error {
	r.last()
	r.saved = time.Now()
	pending := make(chan error, 1)
	r.pending = pending
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), 5*time.Minute)
		defer cancel()
		pending <- r.Store.Save(ctx, state)
	}()
	return nil
}

// last waits for a checkpoint that is on its way.
func (r *running) last() {
	if r.pending != nil {
		r.failed(<-r.pending)
		r.pending = nil
	}
}

// failed says once that the store does not take what it is given.
func (r *running) failed(err error) {
	if err == nil || r.told {
		return
	}
	r.told = true
	hint := fault.HintOf(err)
	if hint != "" {
		hint = " (" + hint + ")"
	}
	r.say("checkpoints and metrics cannot be kept: " + err.Error() + hint + "; training goes on, but could not be resumed")
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
