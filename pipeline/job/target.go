package job

import (
	"fmt"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// target is the column to learn, as numbers. Rows without a value have Present false.
type target struct {
	task    fit.Task
	classes []string  // sorted; classification only
	class   []int32   // (rows), -1 where missing
	y       []float32 // (rows), NaN where missing
}

// readTarget turns the target column into classes or numbers.
// Errors: fault.BadData for a constant or empty target, one class, too many classes, or text where numbers are needed.
func readTarget(col *table.Column, task fit.Task) (*target, error) {
	if task == fit.Regression {
		return readNumbers(col)
	}
	return readClasses(col)
}

func readNumbers(col *table.Column) (*target, error) {
	if col.Kind != table.Number {
		return nil, badTarget(col.Name, "the target holds text, so it cannot be learned as a number").
			Try("train with --task classification, or clean the column: " + example(col))
	}
	t := &target{task: fit.Regression, y: make([]float32, col.Len())}
	least, most := math.Inf(1), math.Inf(-1)
	for i, v := range col.Numbers {
		if math.Abs(v) > math.MaxFloat32 {
			return nil, badTarget(col.Name, fmt.Sprintf("the target is %v in row %d, which no 32-bit number holds", v, i+1))
		}
		t.y[i] = float32(v)
		if !math.IsNaN(v) {
			least, most = min(least, v), max(most, v)
		}
	}
	if least > most {
		return nil, badTarget(col.Name, "the target has no values at all")
	}
	if least == most {
		return nil, badTarget(col.Name, fmt.Sprintf("the target is %v in every row, so there is nothing to learn", least)).Try("add rows that differ in it, or name another --target")
	}
	return t, nil
}

// maxClasses bounds the outputs of a classifier. A target with more distinct values is rather a number or an identifier.
const maxClasses = 1000

func readClasses(col *table.Column) (*target, error) {
	labels, class := check.Classes(col)
	switch n := len(labels); {
	case n == 0:
		return nil, badTarget(col.Name, "the target has no values at all")
	case n == 1:
		return nil, badTarget(col.Name, fmt.Sprintf("the target is %q in every row, so there is nothing to learn", labels[0])).
			Try("add rows of other classes, or name another --target")
	case n > maxClasses:
		return nil, badTarget(col.Name, fmt.Sprintf("the target has %d classes, more than %d", n, maxClasses)).
			Try("a number is learned with --task regression; an identifier cannot be learned")
	}
	return &target{task: fit.Classification, classes: labels, class: class}, nil
}

// rows lists the rows that have a target.
func (t *target) rows() []int {
	var rows []int
	for i := range max(len(t.class), len(t.y)) {
		if t.class != nil && t.class[i] >= 0 || t.y != nil && t.y[i] == t.y[i] {
			rows = append(rows, i)
		}
	}
	return rows
}

// take picks rows, in that order.
func (t *target) take(rows []int) *target {
	out := &target{task: t.task, classes: t.classes}
	for _, r := range rows {
		if t.class != nil {
			out.class = append(out.class, t.class[r])
		} else {
			out.y = append(out.y, t.y[r])
		}
	}
	return out
}

func badTarget(column, message string) *fault.Error {
	return fault.New(fault.BadData, message).At(column)
}

func example(col *table.Column) string {
	for i := range col.Len() {
		if !col.Missing(i) {
			return fmt.Sprintf("row %d holds %q", i+1, col.Text(i))
		}
	}
	return "it is empty"
}
