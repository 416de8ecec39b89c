package check

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// fewClasses is the most distinct whole numbers that are taken for class labels.
const fewClasses = 20

// InferTask says what learning the column means, and why. Texts are classes. Numbers are classes when they are whole,
// at most 20 different ones, and each stands in ten rows on average (two values are always classes); otherwise they are
// quantities.
func InferTask(c *table.Column) (task fit.Task, why string) {
	if c.Kind == table.Text {
		return fit.Classification, c.Name + " holds text"
	}
	distinct := map[float64]bool{}
	for _, x := range c.Numbers {
		if math.IsNaN(x) {
			continue
		}
		if x != math.Trunc(x) {
			return fit.Regression, c.Name + " holds fractions"
		}
		if distinct[x] = true; len(distinct) > fewClasses {
			return fit.Regression, c.Name + " holds more than " + strconv.Itoa(fewClasses) + " different numbers"
		}
	}
	n := strconv.Itoa(len(distinct))
	if len(distinct) <= 2 || len(distinct)*10 <= len(c.Numbers) {
		return fit.Classification, c.Name + " holds whole numbers, only " + n + " different ones"
	}
	return fit.Regression, c.Name + " holds " + n + " different numbers in " + strconv.Itoa(len(c.Numbers)) + " rows"
}

// Classes gives the class labels of a target, and the class of each row (rows), -1 where it is missing. Texts are in
// byte order, numbers in their own; labels of numbers are written by FormatNumber.
func Classes(c *table.Column) (labels []string, class []int32) {
	if c.Kind == table.Number {
		return numberClasses(c.Numbers)
	}
	counts, _ := Counts(c)
	var order []int32
	for code, n := range counts {
		if n > 0 {
			order = append(order, int32(code))
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(c.Dict.Values[a], c.Dict.Values[b]) })
	of := make([]int32, len(counts))
	for k, code := range order {
		labels = append(labels, c.Dict.Values[code])
		of[code] = int32(k)
	}
	class = make([]int32, len(c.Codes))
	for i, code := range c.Codes {
		class[i] = -1
		if code >= 0 {
			class[i] = of[code]
		}
	}
	return labels, class
}

func numberClasses(rows []float64) (labels []string, class []int32) {
	of := map[float64]int32{}
	for _, x := range rows {
		if !math.IsNaN(x) {
			of[x+0] = 0 // +0: -0 is 0
		}
	}
	values := make([]float64, 0, len(of))
	for x := range of {
		values = append(values, x)
	}
	slices.Sort(values)
	for k, x := range values {
		of[x] = int32(k)
		labels = append(labels, FormatNumber(x+0))
	}
	class = make([]int32, len(rows))
	for i, x := range rows {
		class[i] = -1
		if !math.IsNaN(x) {
			class[i] = of[x]
		}
	}
	return labels, class
}
