package linear

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/kernel"
)

// folds are how many parts calibration trains without, one after another.
const folds = 5

// calibrate returns a and b such that σ(a·score + b) is the probability of a class, from scores of rows that the machines
// which gave them were not trained on. Each class deals its rows to the folds in turn.
func (l SVM) calibrate(ctx context.Context, d fit.Data, s fit.Standard, class int32) (a, b float64, err error) {
	const enough = 32768 // rows
	if stride := d.Rows / enough; stride > 1 {
		d = every(d, stride)
	}
	fold, dealt := make([]int, d.Rows), make([]int, d.Classes)
	for i, k := range d.Class {
		fold[i] = dealt[k] % folds
		dealt[k]++
	}
	scores := make([]float64, d.Rows)
	for f := range folds {
		var rows []int
		for i := range fold {
			if fold[i] != f {
				rows = append(rows, i)
			}
		}
		in := pick(d, rows)
		if !(weights(in) > 0) {
			continue // the scores stay 0
		}
		coef, bias, err := l.machine(ctx, in, s, class, &solver{tol: l.Tol, steps: l.MaxIter})
		if err != nil {
			return 0, 0, err
		}
		for i := range scores {
			if fold[i] == f {
				scores[i] = bias
				kernel.WideDots(scores[i:i+1], d.Row(i), s.Mean, coef)
			}
		}
	}
	a, b = platt(d, class, scores)
	return a, b, nil
}

// platt fits a and b by Newton's method (Lin, Lin and Weng 2007) to targets that lie a little inside 0 and 1, as if each
// side had seen one row more. Scores are taken relative to the largest.
func platt(d fit.Data, class int32, scores []float64) (a, b float64) {
	unit := max(largest(scores), 1e-300)
	var sides [2]float64 // weights of the others, and of the class
	for i, k := range d.Class {
		sides[side(k, class)] += d.W(i)
	}
	target := [2]float64{1 / (sides[0] + 2), (sides[1] + 1) / (sides[1] + 2)}
	b = math.Log((sides[1] + 1) / (sides[0] + 1))
	evaluate := func(a, b float64) (value, ga, gb, haa, hab, hbb float64) {
		for i, k := range d.Class {
			f, t, w := scores[i]/unit, target[side(k, class)], d.W(i)
			z := a*f + b
			e := math.Exp(-math.Abs(z))
			p := 1 / (1 + e)
			if z < 0 {
				p = e / (1 + e)
			}
			value += w * (max(0, z) + math.Log1p(e) - t*z)
			r, h := w*(p-t), w*p*(1-p)
			ga, gb = ga+r*f, gb+r
			haa, hab, hbb = haa+h*f*f, hab+h*f, hbb+h
		}
		return value, ga, gb, haa, hab, hbb
	}
	total := sides[0] + sides[1]
	value, ga, gb, haa, hab, hbb := evaluate(a, b)
	for range 100 {
		if max(math.Abs(ga), math.Abs(gb)) <= 1e-9*total {
			break
		}
		haa, hbb = haa+1e-12*total, hbb+1e-12*total
		det := haa*hbb - hab*hab
		da, db := (hab*gb-hbb*ga)/det, (hab*ga-haa*gb)/det
		found := false
		for step := 1.0; step > 1e-10 && !found; step /= 2 {
			v, a1, b1, h1, h2, h3 := evaluate(a+step*da, b+step*db)
			if v <= value+1e-4*step*(ga*da+gb*db) {
				a, b, found = a+step*da, b+step*db, true
				value, ga, gb, haa, hab, hbb = v, a1, b1, h1, h2, h3
			}
		}
		if !found {
			break
		}
	}
	return a / unit, b
}

func side(k, class int32) int {
	if k == class {
		return 1
	}
	return 0
}
