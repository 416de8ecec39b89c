package boost

import "github.com/jarvis-ml/jarvis/model/fit"

// split is a test of one feature: bins up to bin go left.
type split struct {
	gain        float64 // reduction of the penalised loss, times 2; 0 means no split
	feature     int32
	bin         uint8
	missingLeft bool
	left        uint64 // packed sums of the left child
}

// best returns the split of most gain, from the histogram of a node whose packed sums are total. Among equals it is
// the one of the first feature and the lowest bin.
func (t *grower) best(hist []uint64, total uint64) split {
	g, h := unpack(total)
	parent := t.score(g, h)
	parts := 1
	if len(hist) > 1<<15 {
		parts = min(t.workers, 16)
	}
	found := make([]split, parts)
	fit.Parallel(t.workers, parts, func(p int) {
		n := len(t.features)
		floor := t.noise + 1e-9*parent
		s := split{gain: floor}
		for _, f := range t.features[p*n/parts : (p+1)*n/parts] {
			t.scan(&s, int(f), hist[t.bins.offset[f]:t.bins.offset[f+1]], g, h, parent)
		}
		if s.gain > floor {
			found[p] = s
		}
	})
	top := found[0]
	for _, s := range found[1:] {
		if s.gain > top.gain {
			top = s
		}
	}
	return top
}

// scan improves s by splits of feature f, whose bins hold hist; g and h are the sums over all of them.
func (t *grower) scan(s *split, f int, hist []uint64, g, h int64, parent float64) {
	values := t.bins.values(f)
	var missing uint64
	last := values - 1 // a split behind the last bin would leave nothing on the right …
	if t.bins.missing[f] {
		if missing = hist[values]; missing != 0 {
			last = values // … but missing values
		}
	}
	gm, hm := unpack(missing)
	var sum uint64
	for b, v := range hist[:last] {
		if v == 0 {
			continue
		}
		sum += v
		gl, hl := unpack(sum)
		if gain := t.gain(gl, hl, g-gl, h-hl) - parent; gain > s.gain {
			*s = split{gain, int32(f), uint8(b), hl > h-hl && missing == 0, sum}
		}
		if missing == 0 || b == values-1 {
			continue
		}
		if gain := t.gain(gl+gm, hl+hm, g-gl-gm, h-hl-hm) - parent; gain > s.gain {
			*s = split{gain, int32(f), uint8(b), true, sum + missing}
		}
	}
}

// gain is the score of two children, or 0 where one is too light.
func (t *grower) gain(gl, hl, gr, hr int64) float64 {
	if hl < t.least || hr < t.least {
		return 0
	}
	return t.score(gl, hl) + t.score(gr, hr)
}

// score is what a node gains by its best value: G²/(H + λ), with |G| lowered by α (XGBoost, eq. 6).
func (t *grower) score(g, h int64) float64 {
	G, H := shrink(float64(g)/t.scaleG, t.RegAlpha), float64(h)/t.scaleH+t.RegLambda
	if H <= 0 {
		return 0
	}
	return G * G / H
}

// shrink moves g towards 0 by a.
func shrink(g, a float64) float64 {
	switch {
	case g > a:
		return g - a
	case g < -a:
		return g + a
	}
	return 0
}
