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

// best returns the split of most gain of a node, by one of the features. Among equals it is the one of the first feature and the lowest bin.
func (t *grower) best(features []int32, n *node) split {
	g, h := unpack(n.sum)
	parent := t.score(g, h)
	if t.bounding() {
		parent = t.cost(g, h, n.within(t.weight(g, h)))
	}
	parts := 1
	if len(n.hist) > 1<<15 {
		parts = min(t.workers, 16)
	}
	found := make([]split, parts)
	fit.Parallel(t.workers, parts, func(p int) {
		floor := t.noise + 1e-9*parent
		s := scan{grower: t, best: split{gain: floor}, node: n, g: g, h: h, parent: parent}
		for _, f := range features[p*len(features)/parts : (p+1)*len(features)/parts] {
			s.feature(f)
		}
		if s.best.gain > floor {
			found[p] = s.best
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

// scan looks for the best split of a node.
type scan struct {
	*grower
	best   split
	node   *node
	g, h   int64 // sums of the node
	parent float64
}

// feature improves the best split by those of feature f.
func (s *scan) feature(f int32) {
	m := s.bins
	hist, values := s.node.hist[m.offset[f]:m.offset[f+1]], m.values(int(f))
	if m.sparse != nil && hist[m.sparse.usual[f]] == s.node.sum {
		return // all that is unusual weighs nothing
	}
	var missing uint64
	last := values - 1 // a split behind the last bin would leave nothing on the right …
	if m.missing[f] {
		if missing = hist[values]; missing != 0 {
			last = values // … but missing values
		}
	}
	if s.bounding() {
		s.constrained(f, hist[:last], missing, values)
		return
	}
	if missing == 0 && s.RegAlpha == 0 {
		s.plain(f, hist[:last])
		return
	}
	gm, hm := unpack(missing)
	var sum uint64
	for b, v := range hist[:last] {
		if v == 0 {
			continue
		}
		sum += v
		gl, hl := unpack(sum)
		if gain := s.gain(gl, hl, s.g-gl, s.h-hl) - s.parent; gain > s.best.gain {
			s.best = split{gain, f, uint8(b), hl > s.h-hl && missing == 0, sum}
		}
		if missing == 0 || b == values-1 {
			continue
		}
		if gain := s.gain(gl+gm, hl+hm, s.g-gl-gm, s.h-hl-hm) - s.parent; gain > s.best.gain {
			s.best = split{gain, f, uint8(b), true, sum + missing}
		}
	}
}

// plain is feature where nothing is missing, by far the most frequent case. What decides is GL²·HR + GR²·HL > best·HL·HR, in units of the integers and with λ in
// both H: products instead of two quotients. What passes is looked at exactly.
func (s *scan) plain(f int32, hist []uint64) {
	lambda := s.RegLambda * s.scaleH
	toBeat := func() float64 { return (s.best.gain + s.parent) * s.scaleG * s.scaleG * s.unitH * (1 - 1e-12) }
	least, most, best := s.least, s.h-s.least, toBeat()
	var sum uint64
	for b, v := range hist {
		if v == 0 {
			continue
		}
		sum += v
		gl, hl := unpack(sum)
		if hl < least {
			continue
		}
		if hl > most {
			return // and so it stays
		}
		GL, HL, GR, HR := float64(gl), float64(hl)+lambda, float64(s.g-gl), float64(s.h-hl)+lambda
		if GL*GL*HR+GR*GR*HL <= best*HL*HR {
			continue
		}
		if gain := s.gain(gl, hl, s.g-gl, s.h-hl) - s.parent; gain > s.best.gain {
			s.best = split{gain, f, uint8(b), hl > s.h-hl, sum}
			best = toBeat()
		}
	}
}

// constrained is feature where values have bounds or an order.
func (s *scan) constrained(f int32, hist []uint64, missing uint64, values int) {
	var direction int8
	if s.monotone != nil {
		direction = s.monotone[f]
	}
	var sum uint64
	for b, v := range hist {
		if v == 0 {
			continue
		}
		sum += v
		_, hl := unpack(sum)
		s.weigh(split{0, f, uint8(b), hl > s.h-hl && missing == 0, sum}, direction)
		if missing != 0 && b != values-1 {
			s.weigh(split{0, f, uint8(b), true, sum + missing}, direction)
		}
	}
}

// weigh takes a split if it is allowed and better.
func (s *scan) weigh(c split, direction int8) {
	gl, hl := unpack(c.left)
	gr, hr := s.g-gl, s.h-hl
	if hl < s.least || hr < s.least {
		return
	}
	left, right := s.node.within(s.weight(gl, hl)), s.node.within(s.weight(gr, hr))
	if float64(direction)*(right-left) < 0 {
		return
	}
	if c.gain = s.cost(gl, hl, left) + s.cost(gr, hr, right) - s.parent; c.gain > s.best.gain {
		s.best = c
	}
}

// inherit gives the children of a split node their bounds.
func (t *grower) inherit(n *node) (left, right bounds) {
	g, h := unpack(n.sum)
	gl, hl := unpack(n.split.left)
	var direction int8
	if t.monotone != nil {
		direction = t.monotone[n.feature]
	}
	return n.share(direction, n.within(t.weight(gl, hl)), n.within(t.weight(g-gl, h-hl)))
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
	G, H := shrink(float64(g)*t.unitG, t.RegAlpha), float64(h)*t.unitH+t.RegLambda
	if H <= 0 {
		return 0
	}
	return G * G / H
}

// weight is a node's best value.
func (t *grower) weight(g, h int64) float64 {
	H := float64(h)*t.unitH + t.RegLambda
	if H <= 0 {
		return 0
	}
	return -shrink(float64(g)*t.unitG, t.RegAlpha) / H
}

// cost is what a node gains by the value w: -2Gw - (H + λ)w².
func (t *grower) cost(g, h int64, w float64) float64 {
	return -w * (2*shrink(float64(g)*t.unitG, t.RegAlpha) + (float64(h)*t.unitH+t.RegLambda)*w)
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
