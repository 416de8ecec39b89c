package boost

import (
	"cmp"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// ndcg is LambdaMART (Burges 2010, "From RankNet to LambdaRank to LambdaMART: An Overview"): pairs of rows of a group push each other apart by what swapping
// them would change of the group's NDCG. Gains are 2^relevance - 1. Only pairs whose better-ranked row is among the first rankedRows count.
type ndcg struct {
	identity
	groups map[*int32][][]int32 // by the first of the rows that are asked for: their groups
}

const (
	rankedRows   = 32
	mostRelevant = 31 // so that gains are finite
)

func (*ndcg) base(fit.Data, []int32) []float64 { return []float64{0} }

func (*ndcg) derive(*block) { panic("boost: ranking looks at all rows at once") }

// deriveAll implements joint. The loss is 1 less the mean NDCG.
func (o *ndcg) deriveAll(t *trainer, rows []int32, keep bool) float64 {
	groups := o.of(t.data.Group, rows)
	losses := make([]float64, len(groups))
	fit.Parallel(t.data.Workers(), len(groups), func(i int) { losses[i] = t.rank(groups[i], keep) })
	var sum float64
	for _, l := range losses {
		sum += l
	}
	return sum / float64(len(groups))
}

// of are the rows of each group, groups in the order of their first rows.
func (o *ndcg) of(group, rows []int32) [][]int32 {
	if o.groups == nil {
		o.groups = map[*int32][][]int32{}
	}
	if g := o.groups[&rows[0]]; g != nil {
		return g
	}
	at, out := map[int32]int{}, [][]int32{}
	for _, r := range rows {
		i, ok := at[group[r]]
		if !ok {
			i = len(out)
			at[group[r]] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], r)
	}
	o.groups[&rows[0]] = out
	return out
}

// rank derives the rows of one group, and returns 1 less its NDCG: 0 where no row is relevant.
func (t *trainer) rank(rows []int32, keep bool) float64 {
	y, s := t.data.Y, t.score[0]
	gain := func(r int32) float64 { return math.Exp2(math.Min(float64(y[r]), mostRelevant)) - 1 }
	ranked := slices.Clone(rows)
	slices.SortStableFunc(ranked, func(a, b int32) int { return cmp.Compare(gain(b), gain(a)) })
	var ideal float64
	for i, r := range ranked {
		ideal += gain(r) / math.Log2(float64(i)+2)
	}
	copy(ranked, rows) // equal scores rank as the rows come, not by what is relevant
	slices.SortStableFunc(ranked, func(a, b int32) int { return cmp.Compare(s[b], s[a]) })
	var reached float64
	for i, r := range ranked {
		reached += gain(r) / math.Log2(float64(i)+2)
	}
	if keep {
		t.push(ranked, gain, ideal)
	}
	if ideal == 0 {
		return 0
	}
	return 1 - reached/ideal
}

// push writes the derivatives of rows in the order of their scores.
func (t *trainer) push(ranked []int32, gain func(int32) float64, ideal float64) {
	g, h, s := make([]float64, len(ranked)), make([]float64, len(ranked)), t.score[0]
	for i := 0; i < min(len(ranked), rankedRows) && ideal > 0; i++ {
		for j := i + 1; j < len(ranked); j++ {
			up, down := i, j
			difference := gain(ranked[i]) - gain(ranked[j])
			if difference == 0 {
				continue
			}
			if difference < 0 {
				up, down = j, i
			}
			swap := math.Abs(difference) * (1/math.Log2(float64(i)+2) - 1/math.Log2(float64(j)+2)) / ideal
			p := 1 / (1 + math.Exp(float64(s[ranked[up]])-float64(s[ranked[down]])))
			g[up] -= swap * p
			g[down] += swap * p
			h[up] += swap * p * (1 - p)
			h[down] += swap * p * (1 - p)
		}
	}
	for i, r := range ranked {
		w := t.data.W(int(r))
		t.g[0][r], t.h[0][r] = float32(w*g[i]), float32(w*max(h[i], leastHessian))
	}
}
