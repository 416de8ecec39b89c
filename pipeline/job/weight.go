package job

import (
	"fmt"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// weigh takes the column of weights out of the table. Metrics count every row of the holdout alike.
func (w *work) weigh() error {
	name := w.spec.Weight
	if name == "" {
		return nil
	}
	c := w.table.Column(name)
	switch {
	case c == nil:
		return fault.New(fault.Invalid, fmt.Sprintf("there is no column %q", name)).At("weight").Try("the columns are " + columnNames(w.table))
	case name == w.spec.Target:
		return fault.New(fault.Invalid, "a column cannot be the target and the weight").At("weight")
	case c.Kind != table.Number:
		return fault.New(fault.BadData, "weights are numbers").At(name).Try(example(c))
	}
	sum := 0.
	for i, v := range c.Numbers {
		if !(v >= 0 && v <= 1e30) {
			return fault.New(fault.BadData, fmt.Sprintf("row %d has the weight %v", i+1, v)).At(name).Try("a weight is a number from 0 up; 0 leaves the row out")
		}
		sum += v
		w.weight = append(w.weight, float32(v))
	}
	if sum == 0 {
		return fault.New(fault.BadData, "all weights are 0").At(name)
	}
	var others []string
	for _, f := range w.table.Schema() {
		if f.Name != name {
			others = append(others, f.Name)
		}
	}
	w.table, _, _ = w.table.Select(others...)
	return nil
}

// weights are those of some rows, nil where all count alike.
func (w *work) weights(rows []int) []float32 {
	if w.weight == nil {
		return nil
	}
	out := make([]float32, len(rows))
	for i, r := range rows {
		out[i] = w.weight[r]
	}
	return out
}
