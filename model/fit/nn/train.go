package nn

import (
	"context"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// trainer is the state of one training.
type trainer struct {
	MLP
	data           fit.Data
	standard       fit.Standard
	center, spread float64 // of the target of a regression: y = center + spread·output
	weightScale    float64 // makes the weights of the training rows 1 on average
	net            *network
	outs           int

	x            []float32 // standardised features (rows, cols)
	train, valid []int32
	step, eval   *exec.Program
	optimizer    *adam

	bx, by, bw []float32        // a batch: features, targets, weights
	inputs     []*tensor.Tensor // of the programs: the batch, then the parameters
	out        []*tensor.Tensor // of the programs: the loss, then the gradients
}

func newTrainer(p MLP, d fit.Data) (*trainer, error) {
	t := &trainer{MLP: p, data: d, standard: fit.Standardize(d), outs: 1}
	if d.Task == fit.Classification {
		t.outs = d.Classes
	}
	var err error
	if t.net, err = newNetwork(d, p, t.outs); err != nil {
		return nil, err
	}
	if t.step, err = t.net.program(d.Task, true, d.Threads); err != nil {
		return nil, err
	}
	if t.eval, err = t.net.program(d.Task, false, d.Threads); err != nil {
		return nil, err
	}
	t.train, t.valid = d.Split(p.ValidationFraction)
	t.weigh()
	t.measure()
	t.x = make([]float32, len(d.X))
	for i, v := range d.X {
		j := i % d.Cols
		t.x[i] = float32((float64(v) - t.standard.Mean[j]) * t.standard.Scale[j])
	}
	params := t.net.parameters()
	t.optimizer = newAdam(p.LearningRateInit, params)
	t.inputs, t.out = make([]*tensor.Tensor, 3), []*tensor.Tensor{new(tensor.Tensor)}
	for i, part := range params {
		l := t.net.layers[i/2]
		t.out = append(t.out, new(tensor.Tensor))
		if i%2 == 0 {
			t.inputs = append(t.inputs, tensor.Floats(part, l.in, l.out))
		} else {
			t.inputs = append(t.inputs, tensor.Floats(part))
		}
	}
	return t, nil
}

// weigh chooses the scale of weights.
func (t *trainer) weigh() {
	var sum float64
	for _, r := range t.train {
		sum += t.data.W(int(r))
	}
	t.weightScale = float64(len(t.train)) / sum
}

// measure finds mean and deviation of a regression's target.
func (t *trainer) measure() {
	if t.data.Task != fit.Regression {
		return
	}
	s := fit.Standardize(fit.Data{Rows: t.data.Rows, Cols: 1, X: t.data.Y, Weight: t.data.Weight})
	t.center = s.Mean[0]
	if s.Scale[0] != 0 { // a constant target keeps the spread 0: it is answered exactly
		t.spread = 1 / s.Scale[0]
	}
}

// load fills the batch with rows.
func (t *trainer) load(rows []int32, divisor float64) {
	cols := t.data.Cols
	t.bx, t.by, t.bw = grown(t.bx, len(rows)*cols), grown(t.by, len(rows)*t.outs), grown(t.bw, len(rows))
	clear(t.by)
	for i, r := range rows {
		copy(t.bx[i*cols:(i+1)*cols], t.x[int(r)*cols:(int(r)+1)*cols])
		t.bw[i] = float32(t.data.W(int(r)) * t.weightScale / divisor)
		switch {
		case t.data.Task == fit.Classification:
			t.by[i*t.outs+int(t.data.Class[r])] = 1
		case t.spread > 0:
			t.by[i] = float32((float64(t.data.Y[r]) - t.center) / t.spread)
		}
	}
	t.inputs[0] = tensor.Floats(t.bx, len(rows), cols)
	t.inputs[1] = tensor.Floats(t.by, len(rows), t.outs)
	t.inputs[2] = tensor.Floats(t.bw, len(rows), 1)
}

func grown(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// run trains until it pays no more, and leaves the best weights in the network.
func (t *trainer) run(ctx context.Context, report func(fit.Progress)) error {
	best, since, mark := math.Inf(1), 0, math.Inf(1)
	var kept [][]float32
	random := t.data.Rand(0x0de2)
	for epoch := 1; epoch <= t.MaxIter && since < t.NIterNoChange; epoch++ {
		random.Shuffle(len(t.train), func(i, j int) { t.train[i], t.train[j] = t.train[j], t.train[i] })
		loss, err := t.epoch(ctx)
		if err != nil {
			return err
		}
		if loss-loss != 0 {
			return diverged(epoch)
		}
		valid, judge := math.NaN(), loss
		if len(t.valid) > 0 {
			if valid, err = t.evaluate(ctx); err != nil {
				return err
			}
			judge = valid
		}
		if report != nil {
			report(fit.Progress{Step: epoch, Steps: t.MaxIter, Loss: loss, Valid: valid})
		}
		if judge < best {
			best = judge
			kept = keep(kept, t.net.parameters())
		}
		if since++; judge < mark-t.Tol {
			mark, since = judge, 0
		}
	}
	if !(best <= 10*t.trivial()+1) {
		return diverged(t.MaxIter)
	}
	for i, p := range t.net.parameters() {
		copy(p, kept[i])
	}
	return nil
}

// trivial is the mean loss of answering 0 (the mean target, or equal probabilities) to the rows that judge: what is far
// worse has not learned but diverged.
func (t *trainer) trivial() float64 {
	if t.data.Task == fit.Classification {
		return math.Log(float64(t.outs))
	}
	rows := t.valid
	if len(rows) == 0 {
		rows = t.train
	}
	var total, weight float64
	for _, r := range rows {
		if e := float64(t.data.Y[r]) - t.center; t.spread > 0 {
			total += t.data.W(int(r)) * (e / t.spread) * (e / t.spread)
		}
		weight += t.data.W(int(r))
	}
	return total / weight
}

// interrupted prefers the end of ctx as the reason why a program did not finish.
func interrupted(ctx context.Context, err error) error {
	if stopped := fit.Stopped(ctx); stopped != nil {
		return stopped
	}
	return err
}

func diverged(epoch int) error {
	return fault.New(fault.Invalid, "training diverged within "+strconv.Itoa(epoch)+" epochs").At("learning_rate_init").
		Try("lower learning_rate_init, or raise batch_size")
}

// keep copies params into kept.
func keep(kept, params [][]float32) [][]float32 {
	if kept == nil {
		kept = make([][]float32, len(params))
	}
	for i, p := range params {
		kept[i] = append(kept[i][:0], p...)
	}
	return kept
}

// epoch takes one step for each batch, and returns the mean training loss.
func (t *trainer) epoch(ctx context.Context) (float64, error) {
	var total float64
	for from := 0; from < len(t.train); from += t.BatchSize {
		rows := t.train[from:min(len(t.train), from+t.BatchSize)]
		if err := fit.Stopped(ctx); err != nil {
			return 0, err
		}
		t.load(rows, float64(len(rows)))
		if err := t.step.RunInto(ctx, t.inputs, t.out); err != nil {
			return 0, interrupted(ctx, err)
		}
		total += float64(t.out[0].F32()[0]) * float64(len(rows))
		t.optimizer.begin()
		for i, g := range t.out[1:] {
			var decay float32
			if i%2 == 0 {
				decay = float32(t.Alpha / float64(len(rows)))
			}
			t.optimizer.update(i, g.F32(), decay)
		}
	}
	return total / float64(len(t.train)), nil
}

// evaluate returns the mean loss of the rows that are held out.
func (t *trainer) evaluate(ctx context.Context) (float64, error) {
	const block = 4096
	var total, weight float64
	for from := 0; from < len(t.valid); from += block {
		rows := t.valid[from:min(len(t.valid), from+block)]
		if err := fit.Stopped(ctx); err != nil {
			return 0, err
		}
		t.load(rows, 1)
		if err := t.eval.RunInto(ctx, t.inputs, t.out[:1]); err != nil {
			return 0, interrupted(ctx, err)
		}
		total += float64(t.out[0].F32()[0])
		for _, w := range t.bw {
			weight += float64(w)
		}
	}
	return total / weight, nil
}
