package metric

import (
	"cmp"
	"math"
	"slices"
)

// NDCGAt is the normalised discounted cumulative gain of rankings (Järvelin and Kekäläinen 2002): rows of one group are
// ranked by descending score, the row at rank r gains its relevance / log2(r+1), and the sum over the first k ranks is
// divided by that of the best ranking. The result is the mean over the groups. k 0 means all ranks.
//
// group (rows) says by equal numbers which rows are ranked together, in any order; nil is one group. relevance (rows)
// is 0 or more, score (rows). Rows of equal score share their ranks evenly (McSherry and Najork 2008), and a group
// without any relevant row counts 0, both as in scikit-learn. It is false without rows, for a relevance below 0, and
// for a NaN. It panics when the lengths differ: that is a defect of the caller.
func NDCGAt(k int, group []int32, relevance, score []float32) (float64, bool) {
	rows := len(relevance)
	if len(score) != rows || (group != nil && len(group) != rows) {
		panic("metric: as many scores and groups as relevances are needed")
	}
	order := make([]ranked, rows)
	for i, r := range relevance {
		if !(r >= 0) || math.IsInf(float64(r), 1) || score[i] != score[i] {
			return 0, false
		}
		order[i] = ranked{relevance: r, score: score[i]}
		if group != nil {
			order[i].group = group[i]
		}
	}
	slices.SortFunc(order, func(a, b ranked) int { return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(b.score, a.score)) })
	var total, groups float64
	for len(order) > 0 {
		n := 1
		for n < len(order) && order[n].group == order[0].group {
			n++
		}
		total += ndcg(k, order[:n])
		groups++
		order = order[n:]
	}
	return share(total, groups)
}

type ranked struct {
	group            int32
	relevance, score float32
}

// ndcg is that of one group in descending order of scores, which it sorts anew.
func ndcg(k int, rows []ranked) float64 {
	if k <= 0 || k > len(rows) {
		k = len(rows)
	}
	got := gain(k, rows)
	for i := range rows {
		rows[i].score = rows[i].relevance
	}
	slices.SortFunc(rows, func(a, b ranked) int { return cmp.Compare(b.score, a.score) })
	if best := gain(k, rows); best > 0 {
		return got / best
	}
	return 0
}

// gain is the discounted sum over the first k ranks, rows of equal score having their mean relevance.
func gain(k int, rows []ranked) (total float64) {
	for i := 0; i < k; {
		var relevance, discount float64
		j := i
		for ; j < len(rows) && rows[j].score == rows[i].score; j++ {
			relevance += float64(rows[j].relevance)
			if j < k {
				discount += 1 / math.Log2(float64(j)+2)
			}
		}
		total += relevance / float64(j-i) * discount
		i = j
	}
	return total
}
