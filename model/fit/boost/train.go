package boost

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/reuse"
)

// ensemble is a trained model: the scores of a row are base plus the values of its leaves.
type ensemble struct {
	task      fit.Task
	objective objective
	base      []float64 // (outs)
	trees     []tree    // of round i and output k: trees[i*outs+k]
}

// trainer is the state of one training.
type trainer struct {
	Boost
	data        fit.Data
	bins        *binned
	loss        objective
	base        []float64
	outs        int
	train       []int32 // rows to learn from
	valid       []int32 // rows held out
	score, g, h [][]float32
	growers     chan *grower // one for each tree that grows at the same time
	scratch     reuse.Pool[scratch]
}

func (p Boost) train(ctx context.Context, d fit.Data, report func(fit.Progress)) (*ensemble, error) {
	t, err := p.prepare(ctx, d)
	if err != nil {
		return nil, err
	}
	return t.run(ctx, report)
}

// run trains round by round.
func (t *trainer) run(ctx context.Context, report func(fit.Progress)) (*ensemble, error) {
	e := &ensemble{task: t.data.Task, objective: t.loss, base: t.base}
	best, bestRound := math.Inf(1), 0
	for round := range t.NEstimators {
		if err := fit.Stopped(ctx); err != nil {
			return nil, err
		}
		dropped := t.drop(e.trees, round)
		loss := t.derive(t.train, report != nil)
		trees, err := t.round(round)
		if err != nil {
			return nil, err
		}
		t.normalize(dropped, trees)
		e.trees = append(e.trees, trees...)
		valid := math.NaN()
		if len(t.valid) > 0 {
			if valid = t.measure(t.valid); valid < best {
				best, bestRound = valid, round
			}
		}
		if report != nil {
			report(fit.Progress{Step: round + 1, Steps: t.NEstimators, Loss: loss, Valid: valid})
		}
		if len(t.valid) > 0 && round-bestRound >= t.EarlyStoppingRounds {
			break
		}
	}
	if len(t.valid) > 0 {
		e.trees = e.trees[:(bestRound+1)*t.outs]
	}
	return e, nil
}

func (p Boost) prepare(ctx context.Context, d fit.Data) (*trainer, error) {
	loss, err := p.objective(d)
	if err != nil {
		return nil, err
	}
	limits, err := p.limits(d)
	if err != nil {
		return nil, err
	}
	t := &trainer{Boost: p, data: d, loss: loss, bins: bin(d, p.MaxBin)}
	if p.EarlyStoppingRounds > 0 {
		t.train, t.valid = d.Split(p.ValidationFraction)
	} else {
		for i := range d.Rows {
			t.train = append(t.train, int32(i))
		}
	}
	t.base = loss.base(d, t.train)
	t.outs = len(t.base)
	for range t.outs {
		t.score = append(t.score, make([]float32, d.Rows))
		t.g = append(t.g, make([]float32, d.Rows))
		t.h = append(t.h, make([]float32, d.Rows))
	}
	// Trees of one round grow side by side where there are enough of them; else each uses all workers.
	side, within := 1, d.Workers()
	if t.outs > 1 {
		side = min(t.outs, d.Workers())
		within = max(1, d.Workers()/side)
	}
	t.growers = make(chan *grower, side)
	for range side {
		t.growers <- &grower{Boost: p, ctx: ctx, bins: t.bins, workers: within, limits: limits, packed: packed{gh: make([]uint64, d.Rows)}}
	}
	return t, nil
}

// round grows one tree for each output, and adds it to the scores.
func (t *trainer) round(round int) ([]tree, error) {
	trees, failures := make([]tree, t.outs), make([]error, t.outs)
	rows, others := t.draw(round)
	fit.Parallel(cap(t.growers), t.outs, func(k int) {
		g := <-t.growers
		defer func() { t.growers <- g }()
		g.begin(t.data, round*t.outs+k)
		if !g.pack(t.g[k], t.h[k], rows) {
			failures[k] = fault.New(fault.Invalid, "boosting diverged: its derivatives are not finite").At("learning_rate").Try("lower learning_rate, or scale the target")
			return
		}
		if trees[k], failures[k] = g.grow(); failures[k] == nil {
			t.settle(g, k)
			trees[k].apply(g.workers, t.bins, others, t.score[k], 1)
		}
	})
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return trees, nil
}

// settle sets the values of the leaves from the exact derivatives of their rows, or from their residuals, and adds them to the scores of output k.
func (t *trainer) settle(g *grower, k int) {
	renew, _ := t.loss.(renewed)
	leaves := g.nodes.leaves()
	fit.Parallel(g.workers, len(leaves), func(i int) {
		n := &g.nodes[leaves[i]]
		rows := g.rows[n.lo:n.hi]
		if renew != nil {
			n.value = float32(t.LearningRate * n.within(float64(t.renew(renew, rows))))
		} else {
			n.value = narrow(t.LearningRate * n.within(g.newton(t.g[k], t.h[k], rows)))
		}
		score := t.score[k]
		for _, r := range rows {
			score[r] += n.value
		}
	})
}

// newton is the value that makes the quadratic approximation of the loss least: -G/(H + λ).
func (t *grower) newton(g, h []float32, rows []int32) float64 {
	var G, H float64
	for _, r := range rows {
		G += float64(g[r])
		H += float64(h[r])
	}
	if H += t.RegLambda; H > 0 {
		return -shrink(G, t.RegAlpha) / H
	}
	return 0
}

// renew is the value of a leaf from the residuals of its rows.
func (t *trainer) renew(o renewed, rows []int32) float32 {
	residuals, weights := make([]float32, len(rows)), []float32(nil)
	for i, r := range rows {
		residuals[i] = float32(float64(t.data.Y[r]) - t.base[0] - float64(t.score[0][r]))
		if t.data.Weight != nil {
			weights = append(weights, t.data.Weight[r])
		}
	}
	return o.renew(residuals, weights)
}
