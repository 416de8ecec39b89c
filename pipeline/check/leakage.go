package check

import (
	"math"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

const (
	leakRows        = 20    // fewer rows prove nothing
	leakCorrelation = 0.999 // of a number with a numeric target
)

// leaks names columns that determine the target alone: data that is known only once the target is.
//
// A text with few values leaks when each value stands with one class only; a number when it parts the classes by
// thresholds without an error, or (for a numeric target) correlates almost perfectly.
func leaks(t *table.Table, r *Report) []Problem {
	if t.Rows < leakRows {
		return nil
	}
	target := t.Column(r.Target)
	var class []int32
	classes := 0
	if r.Task == fit.Classification {
		var labels []string
		labels, class = Classes(target)
		classes = len(labels)
	} else if target.Kind != table.Number {
		return nil
	}
	found := make([]string, len(t.Columns))
	each(len(t.Columns), func(i int) {
		c, k := &t.Columns[i], r.Columns[i].Kind
		if c.Name == r.Target || k == Constant || k == Empty || k == ID || k == Text || k == Image || k == Sequence {
			return
		}
		switch {
		case class == nil && c.Kind == table.Number:
			if rho := correlation(c.Numbers, target.Numbers); math.Abs(rho) >= leakCorrelation {
				found[i] = "its correlation with the target is " + strconv.FormatFloat(rho, 'f', 5, 64)
			}
		case class == nil:
		case c.Kind == table.Text && determines(c, class):
			found[i] = "each of its values stands with one class only"
		case c.Kind == table.Number && parts(c.Numbers, class, classes):
			found[i] = "thresholds on it part the classes without an error"
		}
	})
	var out []Problem
	for i, message := range found {
		if message != "" {
			out = append(out, Problem{
				Leakage, Warning, t.Columns[i].Name, message,
				"if it is known only after the target is, leave it out",
			})
		}
	}
	return out
}

// determines reports whether every value of a text column stands with one class only, missing being a value too. Columns
// of nearly as many values as rows do so by chance, and are let pass.
func determines(c *table.Column, class []int32) bool {
	const unseen = -2
	of := make([]int32, len(c.Dict.Values)+1)
	for i := range of {
		of[i] = unseen
	}
	distinct, rows := 0, 0
	for i, code := range c.Codes {
		k := class[i]
		if k < 0 {
			continue
		}
		rows++
		switch of[code+1] {
		case unseen:
			of[code+1] = k
			distinct++
		case k:
		default:
			return false
		}
	}
	return distinct > 1 && distinct*5 <= rows
}

// parts reports whether the rows, ordered by x, fall into one run for each class. Rows without x or class are let pass,
// but a class whose every x is missing is not parted.
func parts(x []float64, class []int32, classes int) bool {
	s := sampleOf(len(x))
	rows := make([]int, 0, s.n)
	for i := range s.n {
		if j := s.row(i); class[j] >= 0 && !math.IsNaN(x[j]) {
			rows = append(rows, j)
		}
	}
	if len(rows) < leakRows || len(rows)*2 < s.n || len(rows) < 5*classes {
		return false
	}
	slices.SortFunc(rows, func(a, b int) int {
		if x[a] < x[b] {
			return -1
		}
		if x[a] > x[b] {
			return 1
		}
		return int(class[a] - class[b])
	})
	runs := 1
	for i := 1; i < len(rows); i++ {
		a, b := rows[i-1], rows[i]
		if class[a] == class[b] {
			continue
		}
		if x[a] == x[b] {
			return false // two classes at one point
		}
		if runs++; runs > classes {
			return false
		}
	}
	return runs == classes
}

// correlation is Pearson's, over rows where both are finite; 0 when either does not vary.
func correlation(x, y []float64) float64 {
	var n, mx, my, sxx, syy, sxy float64 // Welford's updates, for two variables
	for i := range x {
		if math.IsNaN(x[i]+y[i]) || math.IsInf(x[i]+y[i], 0) {
			continue
		}
		n++
		dx, dy := x[i]-mx, y[i]-my
		mx += dx / n
		my += dy / n
		sxx += dx * (x[i] - mx)
		syy += dy * (y[i] - my)
		sxy += dx * (y[i] - my)
	}
	if n < leakRows || sxx == 0 || syy == 0 {
		return 0
	}
	return sxy / math.Sqrt(sxx) / math.Sqrt(syy)
}
