package boost

import (
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// draw returns the rows that a round's trees grow from, and the others (held-out rows included).
func (t *trainer) draw(round int) (rows, others []int32) {
	if t.Subsample == 1 {
		return t.train, t.valid
	}
	chance := func(int32) float64 { return t.Subsample }
	if t.SamplingMethod == "gradient_based" {
		chance = t.chances()
	}
	others = slices.Clone(t.valid)
	for _, r := range t.train {
		p := chance(r)
		if float64(mix(t.data.Seed, 2*round+1, int(r))>>11)*0x1p-53 >= p {
			others = append(others, r)
			continue
		}
		rows = append(rows, r)
		if t.SamplingMethod == "gradient_based" {
			for k := range t.g {
				t.g[k][r], t.h[k][r] = float32(float64(t.g[k][r])/p), float32(float64(t.h[k][r])/p)
			}
		}
	}
	return rows, others
}

// chances are the probabilities of minimal variance sampling (Ibragimov and Gusev 2019, section 4.2): in proportion to √(g² + λh²), at most 1, Subsample in the
// mean. Rows that are drawn count by its inverse, so that sums are right on average.
func (t *trainer) chances() func(int32) float64 {
	size := func(r int32) float64 {
		var sum float64
		for k := range t.g {
			g, h := float64(t.g[k][r]), float64(t.h[k][r])
			sum += g*g + t.RegLambda*h*h
		}
		return math.Sqrt(sum)
	}
	var total float64
	for _, r := range t.train {
		total += size(r)
	}
	wanted := t.Subsample * float64(len(t.train))
	low, high := 0.0, total/wanted // at high, no more rows than wanted are drawn
	const turns = 20
	for range turns {
		middle, sum := (low+high)/2, 0.0
		for _, r := range t.train {
			sum += min(1, size(r)/middle)
		}
		if sum > wanted {
			low = middle
		} else {
			high = middle
		}
	}
	return func(r int32) float64 {
		if high == 0 {
			return t.Subsample
		}
		return max(min(1, size(r)/high), 1e-3*t.Subsample)
	}
}

// some draws a share of features, at least one, which come out ascending.
func some(d fit.Data, features []int32, share float64, stream uint64) []int32 {
	n := max(1, int(math.Round(share*float64(len(features)))))
	if n >= len(features) {
		return features
	}
	drawn := slices.Clone(features)
	d.Rand(stream).Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	drawn = drawn[:n]
	slices.Sort(drawn)
	return drawn
}

// begin draws the features that a tree may use.
func (t *grower) begin(d fit.Data, stream int) {
	all := make([]int32, d.Cols)
	for f := range all {
		all[f] = int32(f)
	}
	t.data, t.stream = d, stream
	t.features = some(d, all, t.ColsampleBytree, uint64(stream)<<8|0xc0)
}

// candidates are the features that a node may be split by: of those of the tree a share for its level, of these a share for itself, and of these what
// constraints leave.
func (t *grower) candidates(i int, n *node) []int32 {
	features := some(t.data, t.features, t.ColsampleBylevel, uint64(t.stream)<<24|uint64(n.depth)<<8|0xc1)
	features = some(t.data, features, t.ColsampleBynode, uint64(t.stream)<<24|uint64(i)<<8|0xc2)
	return t.allowed(features, n)
}
