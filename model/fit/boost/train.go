package boost

import (
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
)

// ensemble is a trained model: the scores of a row are base plus the values of its leaves.
type ensemble struct {
	task  fit.Task
	base  []float64 // (outs)
	trees []tree    // of round i and output k: trees[i*outs+k]
}

// trainer is the state of one training.
type trainer struct {
	Boost
	data        fit.Data
	bins        *binned
	objective   objective
	base        []float64
	outs        int
	train       []int32 // rows to learn from
	valid       []int32 // rows held out
	score, g, h [][]float32
	growers     chan *grower // one for each tree that grows at the same time
}

func (p Boost) train(ctx context.Context, d fit.Data, report func(fit.Progress)) (*ensemble, error) {
	t := p.prepare(ctx, d)
	e := &ensemble{task: d.Task, base: t.base}
	best, bestRound := math.Inf(1), 0
	for round := range p.NEstimators {
		if err := fit.Stopped(ctx); err != nil {
			return nil, err
		}
		loss := t.derive(t.train, true)
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return nil, fault.New(fault.Invalid, "boosting diverged: its training loss is not finite").At("learning_rate").Try("lower learning_rate, or scale the target")
		}
		trees, err := t.round(round)
		if err != nil {
			return nil, err
		}
		e.trees = append(e.trees, trees...)
		valid := math.NaN()
		if len(t.valid) > 0 {
			if valid = t.derive(t.valid, false); valid < best {
				best, bestRound = valid, round
			}
		}
		if report != nil {
			report(fit.Progress{Step: round + 1, Steps: p.NEstimators, Loss: loss, Valid: valid})
		}
		if len(t.valid) > 0 && round-bestRound >= p.EarlyStoppingRounds {
			break
		}
	}
	if len(t.valid) > 0 {
		e.trees = e.trees[:(bestRound+1)*t.outs]
	}
	return e, nil
}

func (p Boost) prepare(ctx context.Context, d fit.Data) *trainer {
	t := &trainer{Boost: p, data: d, bins: bin(d, p.MaxBin)}
	if p.EarlyStoppingRounds > 0 {
		t.train, t.valid = d.Split(p.ValidationFraction)
	} else {
		for i := range d.Rows {
			t.train = append(t.train, int32(i))
		}
	}
	t.objective, t.base = start(d, t.train)
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
		t.growers <- &grower{Boost: p, ctx: ctx, bins: t.bins, workers: within, packed: packed{gh: make([]uint64, d.Rows)}}
	}
	return t
}

// derive returns the mean loss over rows, and with keep writes their derivatives.
func (t *trainer) derive(rows []int32, keep bool) float64 {
	const block = 1 << 12
	parts := (len(rows) + block - 1) / block
	losses, weights := make([]float64, parts), make([]float64, parts)
	fit.Parallel(t.data.Workers(), parts, func(p int) {
		s, g, h := make([]float64, t.outs), make([]float64, t.outs), make([]float64, t.outs)
		for _, r := range rows[p*block : min(len(rows), (p+1)*block)] {
			for k := range s {
				s[k] = float64(t.score[k][r])
			}
			w := t.data.W(int(r))
			losses[p] += w * t.objective.derive(int(r), s, g, h)
			weights[p] += w
			for k := range g {
				if keep {
					t.g[k][r] = float32(min(max(w*g[k], -math.MaxFloat32), math.MaxFloat32))
					t.h[k][r] = float32(w * h[k])
				}
			}
		}
	})
	var loss, weight float64
	for p := range losses {
		loss += losses[p]
		weight += weights[p]
	}
	return loss / max(weight, math.SmallestNonzeroFloat64)
}

// round grows one tree for each output, and adds it to the scores.
func (t *trainer) round(round int) ([]tree, error) {
	trees, failures := make([]tree, t.outs), make([]error, t.outs)
	fit.Parallel(cap(t.growers), t.outs, func(k int) {
		g := <-t.growers
		defer func() { t.growers <- g }()
		stream := round*t.outs + k
		rows, others := t.draw(round)
		g.features = t.drawFeatures(stream)
		g.pack(g.workers, t.g[k], t.h[k], rows, t.data.Seed, 2*stream+2)
		if trees[k], failures[k] = g.grow(rows); failures[k] == nil {
			g.settle(t.g[k], t.h[k], t.score[k])
			trees[k].apply(g.workers, t.bins, others, t.score[k])
		}
	})
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return trees, nil
}

// draw returns the rows that a round's trees grow from, as a copy, and the others (held-out rows included).
func (t *trainer) draw(round int) (rows, others []int32) {
	if t.Subsample == 1 {
		return slices.Clone(t.train), t.valid
	}
	others = slices.Clone(t.valid)
	share := uint64(t.Subsample * (1 << 32))
	for _, r := range t.train {
		if mix(t.data.Seed, 2*round+1, int(r))>>32 < share {
			rows = append(rows, r)
		} else {
			others = append(others, r)
		}
	}
	return rows, others
}

// drawFeatures returns the features that a tree may use, ascending.
func (t *trainer) drawFeatures(stream int) []int32 {
	all := make([]int32, t.data.Cols)
	for f := range all {
		all[f] = int32(f)
	}
	n := max(1, int(math.Round(t.ColsampleBytree*float64(len(all)))))
	if n < len(all) {
		t.data.Rand(uint64(stream)<<8|0xc0).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:n]
		slices.Sort(all)
	}
	return all
}
