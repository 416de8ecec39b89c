package metric

import (
	"math"
	"slices"
)

// epsilon is what log_loss keeps probabilities away from 0 and 1 by: the float32 machine epsilon, as in scikit-learn.
const epsilon = 0x1p-23

// Classification compares class indices truth (rows), 0 … classes-1, with probabilities proba (rows, classes),
// row-major. The predicted class is the most probable one, the first of them at ties. It returns accuracy,
// balanced_accuracy, f1_macro, log_loss and, where two classes at least occur, roc_auc. Without rows it is empty.
// It panics when the lengths do not fit: that is a defect of the caller.
func Classification(classes int, truth []int32, proba []float32) map[string]float64 {
	if len(proba) != len(truth)*classes {
		panic("metric: probabilities do not fit rows and classes")
	}
	if len(truth) == 0 {
		return map[string]float64{}
	}
	c := count(classes, truth, proba)
	out := map[string]float64{
		Accuracy:         c.accuracy(),
		BalancedAccuracy: c.recall(),
		F1Macro:          c.f1(),
		LogLoss:          logLoss(classes, truth, proba),
	}
	if auc, ok := rocAUC(classes, truth, proba); ok {
		out[ROCAUC] = auc
	}
	return out
}

// counts are the rows by class: in truth, in prediction, and in both (classes each).
type counts struct{ truth, pred, both []float64 }

func count(classes int, truth []int32, proba []float32) counts {
	c := counts{make([]float64, classes), make([]float64, classes), make([]float64, classes)}
	for i, t := range truth {
		p := argmax(proba[i*classes : (i+1)*classes])
		c.truth[t]++
		c.pred[p]++
		if int(t) == p {
			c.both[t]++
		}
	}
	return c
}

func argmax(p []float32) int {
	best := 0
	for k, v := range p {
		if v > p[best] {
			best = k
		}
	}
	return best
}

func (c counts) accuracy() float64 { return sum(c.both) / sum(c.truth) }

func (c counts) recall() float64 {
	var total, n float64
	for k, t := range c.truth {
		if t > 0 {
			total += c.both[k] / t
			n++
		}
	}
	return total / n
}

func (c counts) f1() float64 {
	var total, n float64
	for k := range c.truth {
		if d := c.truth[k] + c.pred[k]; d > 0 {
			total += 2 * c.both[k] / d
			n++
		}
	}
	return total / n
}

func sum(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v
	}
	return s
}

func logLoss(classes int, truth []int32, proba []float32) float64 {
	var total float64
	for i, t := range truth {
		p := float64(proba[i*classes+int(t)])
		if math.IsNaN(p) {
			return p
		}
		total -= math.Log(min(max(p, epsilon), 1-epsilon))
	}
	return total / float64(len(truth))
}

// rocAUC is the area under the ROC curve. With more than two classes it is the mean over the classes that some rows,
// but not all, belong to.
func rocAUC(classes int, truth []int32, proba []float32) (float64, bool) {
	first := 0
	if classes == 2 {
		first = 1
	}
	scores := make([]scored, len(truth))
	var total, n float64
	for k := first; k < classes; k++ {
		for i, t := range truth {
			scores[i] = scored{proba[i*classes+k], int(t) == k}
		}
		if auc, ok := area(scores); ok {
			total += auc
			n++
		}
	}
	return total / n, n > 0
}

type scored struct {
	score    float32
	positive bool
}

// area is the Mann-Whitney statistic: the share of pairs of a positive and a negative row that the scores order
// rightly, where a tie counts half. It sorts s.
func area(s []scored) (float64, bool) {
	slices.SortFunc(s, func(a, b scored) int {
		switch {
		case a.score < b.score:
			return -1
		case a.score > b.score:
			return 1
		}
		return 0
	})
	var negatives, positives, won float64
	for i := 0; i < len(s); {
		var p, n float64
		j := i
		for ; j < len(s) && (j == i || s[j].score == s[i].score); j++ {
			if s[j].positive {
				p++
			} else {
				n++
			}
		}
		won += p * (negatives + n/2)
		positives, negatives, i = positives+p, negatives+n, j
	}
	return won / (positives * negatives), positives > 0 && negatives > 0
}

// BaselineClassification are the metrics of always answering with the class shares of train, and so with its most
// frequent class: what any model must beat.
func BaselineClassification(classes int, train, truth []int32) map[string]float64 {
	share := make([]float32, classes)
	for _, k := range train {
		share[k]++
	}
	for k := range share {
		share[k] /= float32(max(1, len(train)))
	}
	proba := make([]float32, 0, len(truth)*classes)
	for range truth {
		proba = append(proba, share...)
	}
	return Classification(classes, truth, proba)
}
