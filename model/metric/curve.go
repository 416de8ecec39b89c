package metric

import (
	"cmp"
	"math"
	"slices"
)

// scored is a row as one class sees it.
type scored struct {
	score    float32
	positive bool
	weight   float64
}

// versusRest is an area under a curve of class 1 where there are two, and the mean over the classes for which it is
// defined where there are more. A NaN among the scores gives NaN.
func (a answers) versusRest(area func([]scored) (float64, bool)) (float64, bool) {
	first := 0
	if a.classes == 2 {
		first = 1
	}
	rows := make([]scored, len(a.truth))
	var total, n float64
	for k := first; k < a.classes; k++ {
		for i, t := range a.truth {
			rows[i] = scored{a.proba[i*a.classes+k], int(t) == k, rowWeight(a.weight, i)}
		}
		slices.SortFunc(rows, func(a, b scored) int { return cmp.Compare(a.score, b.score) }) // NaN comes first
		if math.IsNaN(float64(rows[0].score)) {
			return math.NaN(), true
		}
		if v, ok := area(rows); ok {
			total += v
			n++
		}
	}
	return share(total, n)
}

// tie is the weight of the positives and negatives of s from i on that have one score, and the index after them.
func tie(s []scored, i int) (positives, negatives float64, next int) {
	for next = i; next < len(s) && s[next].score == s[i].score; next++ {
		if s[next].positive {
			positives += s[next].weight
		} else {
			negatives += s[next].weight
		}
	}
	return positives, negatives, next
}

// rocArea is the Mann-Whitney statistic: the share of pairs of a positive and a negative row that ascending scores
// order rightly, where a tie counts half.
func rocArea(s []scored) (float64, bool) {
	var negatives, positives, won float64
	for i := 0; i < len(s); {
		p, n, next := tie(s, i)
		won += p * (negatives + n/2)
		positives, negatives, i = positives+p, negatives+n, next
	}
	return share(won, positives*negatives)
}

// averagePrecision is the mean of the precision at each threshold of ascending scores, weighted by the recall that the
// threshold adds. There is no interpolation between thresholds, which would promise too much (Davis and Goadrich 2006).
func averagePrecision(s []scored) (float64, bool) {
	slices.Reverse(s)
	var reached, rows, total float64
	for i := 0; i < len(s); {
		p, n, next := tie(s, i)
		reached, rows, i = reached+p, rows+p+n, next
		if p > 0 {
			total += p * reached / rows
		}
	}
	return share(total, reached)
}
