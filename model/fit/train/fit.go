package train

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
)

// Config says how a net is trained. Zero values mean the defaults.
type Config struct {
	Loss           Loss           `json:"loss,omitempty"`            // "" means cross_entropy
	Optimizer      optim.Config   `json:"optimizer,omitzero"`        // the default is Adam
	Schedule       optim.Schedule `json:"schedule,omitzero"`         // of the learning rate
	Epochs         int            `json:"epochs,omitempty"`          // at most; 0 means 100
	BatchSize      int            `json:"batch_size,omitempty"`      // rows of a step; 0 means 32
	Patience       int            `json:"patience,omitempty"`        // epochs without gain after which training ends; 0 means 10, below 0: never
	MinDelta       float64        `json:"min_delta,omitempty"`       // what the loss, or the share of wrong rows, must fall by to count as a gain
	Monitor        string         `json:"monitor,omitempty"`         // what the best epoch is chosen by, on the rows held out: loss ("" means it) or accuracy (cross_entropy)
	LabelSmoothing float64        `json:"label_smoothing,omitempty"` // share of the target that is spread over all classes (cross_entropy)
	ClassWeight    []float64      `json:"class_weight,omitempty"`    // what each class counts, in their order (cross_entropy): the loss is the mean by these, as PyTorch's; none: equal
	Balanced       bool           `json:"balanced,omitempty"`        // classes count so that each has the same part in the data, in place of ClassWeight; data is a Counter
	Mixup          float64        `json:"mixup,omitempty"`           // alpha of mixup (Zhang et al. 2018); 0: none
	Recompute      bool           `json:"recompute,omitempty"`       // keep less on the way forward and compute it again on the way back: the same weights, less memory, more time
	Seed           uint64         `json:"seed,omitempty"`            // every random choice follows from it
	Threads        int            `json:"-"`                         // goroutines at most; 0: all processors. Other counts give other last digits
	ReadAhead      int            `json:"-"`                         // batches that goroutines of their own prepare; 0: none, as suits data in memory
}

// Progress is one report of a running training.
type Progress struct {
	Epoch, Epochs int     // that have ended, and at most
	Step, Steps   int     // steps that were taken, and at most
	Rows          int     // rows that were learned from, each as often as it was
	Loss          float64 // mean training loss since the epoch began
	Valid         float64 // loss of the rows held out when an epoch ends; NaN between, and where none are
	Accuracy      float64 // share of the rows held out whose class has the largest logit; NaN likewise, and for other losses
	LR            float64
	Note          string // what a person should know, such as that a training that diverged was taken back
}

// Hooks are what a training tells and asks its owner. Each may be nil.
type Hooks struct {
	Report  func(Progress)           // after each step and each epoch
	Due     func() bool              // asked after each step: is a checkpoint wanted?
	Save    func(state []byte) error // keeps a checkpoint, also when ctx ends the training; an error ends it too
	Stop    <-chan struct{}          // when closed, training ends with the best weights so far
	Restore []byte                   // a checkpoint to go on from
}

// Outcome is how a training ended.
type Outcome struct {
	Epochs  int     // that ended
	Best    int     // the epoch whose weights the net now has, counted from 1; 0 where none ended
	Loss    float64 // of the best epoch, by the rows held out where there are some; its share of wrong rows where Monitor is accuracy
	Stopped bool    // by Hooks.Stop
}

func (c Config) checked() (Config, error) {
	var err error
	if c.Loss == "" {
		c.Loss = CrossEntropy
	}
	if err := c.Loss.check(); err != nil {
		return c, err
	}
	if c.Optimizer, err = c.Optimizer.Checked(); err != nil {
		return c, err
	}
	if c.Schedule, err = c.Schedule.Checked(); err != nil {
		return c, err
	}
	for _, d := range []struct {
		field *int
		def   int
		name  string
	}{{&c.Epochs, 100, "epochs"}, {&c.BatchSize, 32, "batch_size"}, {&c.Patience, 10, "patience"}} {
		if *d.field == 0 {
			*d.field = d.def
		}
		if *d.field < 0 && d.name != "patience" {
			return c, fault.New(fault.Invalid, d.name+" must be above 0").At(d.name)
		}
	}
	for _, d := range []struct {
		v, below float64
		name     string
	}{{c.LabelSmoothing, 1, "label_smoothing"}, {c.Mixup, 100, "mixup"}, {c.MinDelta, math.MaxFloat64, "min_delta"}} {
		if !(d.v >= 0 && d.v < d.below) {
			return c, fault.New(fault.Invalid, d.name+" is out of range").At(d.name)
		}
	}
	if c.LabelSmoothing > 0 && c.Loss != CrossEntropy {
		return c, fault.New(fault.Invalid, "label smoothing is for the loss cross_entropy").At("label_smoothing")
	}
	switch c.Monitor {
	case "", "loss":
	case "accuracy":
		if c.Loss != CrossEntropy {
			return c, fault.New(fault.Invalid, "only classes have an accuracy, with the loss cross_entropy").At("monitor").Try("monitor: loss")
		}
	default:
		return c, fault.New(fault.Invalid, "no monitor "+strconv.Quote(c.Monitor)).At("monitor").Try("loss or accuracy")
	}
	if c.Balanced && len(c.ClassWeight) > 0 {
		return c, fault.New(fault.Invalid, "classes are balanced, or have weights").At("balanced").Try("leave out one of balanced and class_weight")
	}
	if c.Balanced && c.Loss != CrossEntropy {
		return c, fault.New(fault.Invalid, "only classes can be balanced, with the loss cross_entropy").At("balanced")
	}
	return c, Objective{Loss: c.Loss, ClassWeight: c.ClassWeight}.checkWeights()
}

// Run trains a net on a data set, watching another (nil: the training loss is watched), and leaves the best weights in the net. The same seed, data
// and number of threads give the same weights, bit for bit, whether training was interrupted (Hooks.Save, Hooks.Restore) or not.
//
// Errors: fault.Invalid for bad data or parameters, for training that diverges again after it was taken back three times (Field "lr"), and for a
// checkpoint of another net; fault.Canceled when ctx ends.
func Run(ctx context.Context, n *Net, data, valid Dataset, c Config, h Hooks) (Outcome, error) {
	t, err := newTrainer(n, data, valid, c, h)
	if err != nil {
		return Outcome{}, err
	}
	if h.Restore != nil {
		if err := t.restore(h.Restore); err != nil {
			return Outcome{}, err
		}
	}
	out, err := t.run(ctx)
	if err != nil && ctx.Err() != nil && h.Save != nil { // whoever is sent away mid-way can come back
		if failed := h.Save(t.save()); failed != nil {
			return out, failed
		}
	}
	return out, err
}

// trainer is a training under way. What its future depends on is in state, the weights, the statistics and the optimiser.
type trainer struct {
	Config
	net         *Net
	data, valid Dataset
	hooks       Hooks

	step      *Step
	judge     *judge
	optimizer *optim.Optimizer
	perEpoch  int
	order     []int32
	reader    *reader
	weights   [][]float32 // weights and running statistics, sharing memory with the net

	state
	best [][]float32 // weights of the best epoch
	last [][]float32 // weights when the last epoch ended, to go back to
}

// state is what a checkpoint holds besides tensors.
type state struct {
	Epoch, At int // epochs that ended, and steps taken in the one that runs
	Steps     int // taken in all
	Total     float64
	Plateau   optim.Plateau
	Best      float64
	BestEpoch int
	Mark      float64 // the loss that the next gain is measured against
	Since     int     // epochs since
	Marked    bool
	Falls     int // times that training was taken back: each leaves a tenth of the learning rate
}

// retries is how often a training that diverges is taken back.
const retries = 3

func newTrainer(n *Net, data, valid Dataset, c Config, h Hooks) (*trainer, error) {
	c, err := c.checked()
	if err != nil {
		return nil, err
	}
	if err := n.check(); err != nil {
		return nil, err
	}
	if data.Rows() == 0 {
		return nil, fault.New(fault.Invalid, "no rows to learn from").At("data")
	}
	t := &trainer{Config: c, net: n, data: data, hooks: h}
	if valid != nil && valid.Rows() > 0 {
		t.valid = valid
	}
	if t.ClassWeight, err = c.weights(n, data); err != nil {
		return nil, err
	}
	o := Objective{Loss: c.Loss, LabelSmoothing: c.LabelSmoothing, ClassWeight: t.ClassWeight, Mixup: c.Mixup, Recompute: c.Recompute}
	if t.step, err = NewStep(n, o, c.Threads); err != nil {
		return nil, err
	}
	if t.valid != nil {
		if t.judge, err = newJudge(n, o, max(c.BatchSize, judgeRows), c.Threads); err != nil {
			return nil, err
		}
	}
	if t.optimizer, err = optim.New(c.Optimizer, t.step.Params, c.Threads); err != nil {
		return nil, err
	}
	t.BatchSize = min(t.BatchSize, data.Rows())
	t.perEpoch = data.Rows() / t.BatchSize
	if rest := data.Rows() % t.BatchSize; rest > 1 || rest == 1 && len(t.step.states) == 0 { // one row has no variance
		t.perEpoch++
	}
	for _, p := range t.step.Params {
		t.weights = append(t.weights, p.Value)
	}
	for _, s := range t.step.states {
		t.weights = append(t.weights, s.F32())
	}
	t.order = make([]int32, data.Rows())
	t.reader = newReader(data, len(n.Graph.Inputs), t.ReadAhead)
	return t, nil
}

// run is Run once all is prepared.
func (t *trainer) run(ctx context.Context) (Outcome, error) {
	for t.Epoch < t.Epochs && (t.Patience < 0 || t.Since < t.Patience) {
		if t.At == 0 {
			t.last = keep(t.last, t.weights)
		}
		stopped, err := t.epoch(ctx)
		if err != nil {
			return Outcome{}, err
		}
		if stopped {
			return t.end(true), nil
		}
	}
	return t.end(false), nil
}

// end puts the best weights into the net.
func (t *trainer) end(stopped bool) Outcome {
	if t.best != nil {
		put(t.weights, t.best)
	}
	return Outcome{Epochs: t.Epoch, Best: t.BestEpoch, Loss: t.Best, Stopped: stopped}
}

// rows are those of a step of this epoch.
func (t *trainer) rows(step int) []int32 {
	return t.order[step*t.BatchSize : min((step+1)*t.BatchSize, len(t.order))]
}

// shuffle puts the rows into this epoch's order, which follows from the seed and the epoch alone.
func (t *trainer) shuffle() {
	for i := range t.order {
		t.order[i] = int32(i)
	}
	random := rand.New(rand.NewPCG(t.Seed, 0x0de2<<32|uint64(t.Epoch)))
	random.Shuffle(len(t.order), func(i, j int) { t.order[i], t.order[j] = t.order[j], t.order[i] })
}

// epoch takes the steps that are left of an epoch and judges what came of it.
func (t *trainer) epoch(ctx context.Context) (stopped bool, err error) {
	t.shuffle()
	t.reader.begin(ctx, t.At, t.perEpoch, t.rows, t.draw)
	defer t.reader.end()
	for t.At < t.perEpoch {
		if err := fit.Stopped(ctx); err != nil {
			return false, err
		}
		if t.asked() {
			return true, nil
		}
		batch, err := t.reader.next(ctx)
		if err != nil {
			return false, interrupted(ctx, err)
		}
		ok, err := t.learn(ctx, batch)
		if err != nil {
			return false, interrupted(ctx, err)
		}
		if !ok {
			return false, t.back()
		}
		if err := t.tell(); err != nil {
			return false, err
		}
	}
	return false, t.finish(ctx)
}

// draw names the random choices of reading a step's rows.
func (t *trainer) draw(step int) uint64 { return uint64(t.Epoch)<<32 | uint64(step) + 1 }

// asked reports whether the owner wants an end.
func (t *trainer) asked() bool {
	select {
	case <-t.hooks.Stop:
		return true
	default:
		return false
	}
}

// learn takes one step. It reports false when training has diverged: a loss or a gradient is not finite.
func (t *trainer) learn(ctx context.Context, b *Batch) (bool, error) {
	loss, err := t.step.Run(ctx, b, t.Seed, t.Steps)
	if err != nil {
		return false, err
	}
	if loss-loss != 0 || !t.optimizer.Step(t.rate()) {
		return false, nil
	}
	t.step.Keep()
	t.Total += loss * float64(b.Target.Shape()[0])
	t.At++
	t.Steps++
	return true, nil
}

// rate is the learning rate of the next step.
func (t *trainer) rate() float64 {
	return t.Schedule.Rate(t.optimizer.LR()*math.Pow(.1, float64(t.Falls)), t.Steps, t.Epochs*t.perEpoch, t.perEpoch, t.Plateau)
}

// back undoes an epoch that diverged, and goes on more slowly.
func (t *trainer) back() error {
	if t.Falls++; t.Falls > retries {
		return fault.New(fault.Invalid, "training diverged, with a learning rate of "+strconv.FormatFloat(t.rate()*10, 'g', 3, 64)+" too").At("lr").
			Try("lower lr, raise batch_size, bound the gradients with clip_grad_norm, or look for absurd values in the data")
	}
	t.Steps -= t.At
	t.At, t.Total = 0, 0
	put(t.weights, t.last)
	t.optimizer.Reset()
	p := t.progress()
	p.Note = "training diverged: back to the end of epoch " + strconv.Itoa(t.Epoch) + ", with a learning rate of " + strconv.FormatFloat(p.LR, 'g', 3, 64)
	t.report(p)
	return nil
}

func (t *trainer) progress() Progress {
	nan := math.NaN()
	loss := nan
	if t.At > 0 {
		loss = t.Total / float64(min(t.At*t.BatchSize, len(t.order)))
	}
	return Progress{
		Epoch: t.Epoch, Epochs: t.Epochs, Step: t.Steps, Steps: t.Epochs * t.perEpoch, Rows: t.Epoch*len(t.order) + min(t.At*t.BatchSize, len(t.order)),
		Loss: loss, Valid: nan, Accuracy: nan, LR: t.rate(),
	}
}

func (t *trainer) report(p Progress) {
	if t.hooks.Report != nil {
		t.hooks.Report(p)
	}
}

// tell reports a step, and saves a checkpoint where one is due.
func (t *trainer) tell() error {
	if t.At < t.perEpoch && t.hooks.Report != nil {
		t.report(t.progress())
	}
	if t.hooks.Save == nil || t.hooks.Due == nil || !t.hooks.Due() {
		return nil
	}
	return t.hooks.Save(t.save())
}

// finish ends an epoch: it is judged by the rows held out, and its weights are kept if they are the best.
func (t *trainer) finish(ctx context.Context) error {
	p := t.progress()
	judged := p.Loss
	if t.valid != nil {
		var err error
		if p.Valid, p.Accuracy, err = t.judge.score(ctx, t.valid); err != nil {
			return interrupted(ctx, err)
		}
		if judged = p.Valid; t.Monitor == "accuracy" {
			judged = 1 - p.Accuracy
		}
	}
	if judged-judged != 0 {
		return t.back()
	}
	t.Epoch++
	t.At, t.Total = 0, 0
	t.Schedule.Epoch(&t.Plateau, judged)
	if t.BestEpoch == 0 || judged < t.Best {
		t.Best, t.BestEpoch = judged, t.Epoch
		t.best = keep(t.best, t.weights)
	}
	if t.Since++; !t.Marked || judged < t.Mark-t.MinDelta {
		t.Marked, t.Mark, t.Since = true, judged, 0
	}
	p.Epoch++
	t.report(p)
	return nil
}

// keep copies tensors into others, which are made where there are none.
func keep(kept, from [][]float32) [][]float32 {
	if kept == nil {
		kept = make([][]float32, len(from))
	}
	for i, p := range from {
		kept[i] = append(kept[i][:0], p...)
	}
	return kept
}

// put copies tensors back.
func put(to, from [][]float32) {
	for i, p := range to {
		copy(p, from[i])
	}
}

// interrupted prefers the end of ctx as the reason why something did not finish.
func interrupted(ctx context.Context, err error) error {
	if stopped := fit.Stopped(ctx); stopped != nil {
		return stopped
	}
	return err
}
