// Package check judges data before anything is learned from it: what each column is, how its values are spread, what is
// wrong with it, and whether new data fits the schema of a model. It changes nothing; package feature acts on what it says.
package check

import (
	"runtime"
	"strconv"
	"sync"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// SampleRows is how many rows are looked at for what needs sorting or hashing (quantiles, distinct numbers, duplicate
// rows). Larger tables are sampled at a fixed stride, so the same table always gives the same report. Counts of missing
// values, means, extremes and everything about texts are of all rows.
const SampleRows = 200_000

// Options says what is looked for. The zero Options profile without a target.
type Options struct {
	Target string   // column that is to be learned, "" for none
	Task   fit.Task // "" infers it from the target
}

// Report is what is known about a table.
type Report struct {
	Rows     int       `json:"rows"`
	Sampled  int       `json:"sampled,omitempty"` // rows behind quantiles, unique numbers and duplicate rows, when not all
	Target   string    `json:"target,omitempty"`
	Task     fit.Task  `json:"task,omitempty"`
	TaskWhy  string    `json:"task_reason,omitempty"`
	Columns  []Column  `json:"columns"`
	Problems []Problem `json:"problems"`
}

// Column is one column's kind and statistics. Statistics of numbers are of the finite values.
type Column struct {
	Name      string    `json:"name"`
	Kind      Kind      `json:"kind"`
	Type      string    `json:"type"` // "number" or "text": how the table holds it
	Why       string    `json:"reason,omitempty"`
	Count     int       `json:"count"` // values that are not missing
	Missing   int       `json:"missing"`
	Unique    int       `json:"unique"` // distinct values; of the sampled rows for numbers
	Infinite  int       `json:"infinite,omitempty"`
	Min       *float64  `json:"min,omitempty"`
	Max       *float64  `json:"max,omitempty"`
	Mean      *float64  `json:"mean,omitempty"`
	Std       *float64  `json:"std,omitempty"`       // of the population
	Quantiles []float64 `json:"quantiles,omitempty"` // at 5, 25, 50, 75 and 95 %
	Earliest  string    `json:"earliest,omitempty"`  // dates
	Latest    string    `json:"latest,omitempty"`
	Top       []Value   `json:"top,omitempty"` // most frequent first, at most 10; texts, and numbers of at most 20 values
	BadDates  int       `json:"bad_dates,omitempty"`

	integral   bool // every number is whole
	sequential bool // whole numbers that rise by one from row to row
	numeric    int  // rows of a text column whose text is a number
	notNumeric string
}

// Value is a value and how many rows hold it.
type Value struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// Column returns the column of that name, nil when there is none.
func (r *Report) Column(name string) *Column {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return &r.Columns[i]
		}
	}
	return nil
}

// Failed returns the problems of severity Error.
func (r *Report) Failed() []Problem {
	var out []Problem
	for _, p := range r.Problems {
		if p.Severity == Error {
			out = append(out, p)
		}
	}
	return out
}

// Profile looks at every column of t and at how they relate. It never fails: what is wrong stands in Problems.
func Profile(t *table.Table, o Options) *Report {
	r := &Report{Rows: t.Rows, Target: o.Target, Columns: make([]Column, len(t.Columns)), Problems: []Problem{}}
	if t.Rows > SampleRows {
		r.Sampled = sampleOf(t.Rows).n
	}
	each(len(t.Columns), func(i int) { r.Columns[i] = profile(&t.Columns[i]) })
	if target := t.Column(o.Target); target != nil && o.Target != "" {
		r.Task, r.TaskWhy = InferTask(target)
		if o.Task != "" {
			r.Task, r.TaskWhy = o.Task, "as asked"
		}
	}
	r.Problems = append(r.Problems, problems(t, r)...)
	return r
}

// each calls f(0) … f(n-1) on all cores.
func each(n int, f func(int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// sample picks rows at a fixed stride: row(0) … row(n-1).
type sample struct {
	n      int
	stride float64
}

func sampleOf(rows int) sample {
	if rows <= SampleRows {
		return sample{rows, 1}
	}
	return sample{SampleRows, float64(rows) / SampleRows}
}

func (s sample) row(i int) int {
	if s.stride == 1 {
		return i
	}
	return int(float64(i) * s.stride)
}

// ParseNumber reads a decimal number as a source reads one. Infinities and "nan" in words are not numbers here.
func ParseNumber(s string) (float64, bool) {
	if s == "" || len(s) > 64 {
		return 0, false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '.', c == '-', c == '+', c == 'e', c == 'E':
		default:
			return 0, false
		}
	}
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil
}

// FormatNumber writes a number in the shortest form that reads back the same: "3", "3.5", "1e+21". It is the text of a
// number wherever a text is wanted: class labels, categories.
func FormatNumber(x float64) string {
	if x > -1e15 && x < 1e15 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
