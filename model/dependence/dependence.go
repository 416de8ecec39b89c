// Package dependence shows how the predictions of any model depend on a feature or two: partial dependence (Friedman 2001, "Greedy
// function approximation", section 8.2) and individual conditional expectation (Goldstein et al. 2015, "Peeking inside the black
// box"). The features take the values of a grid in all rows, everything else stays, and the model predicts.
//
// It is scikit-learn's sklearn.inspection.partial_dependence(method="brute"), on a model.Program.
package dependence

import (
	"context"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Feature is a column of an input.
type Feature struct {
	Input  string
	Column int            // of an input (rows, columns); 0 for one of (rows) or (rows, 1)
	Grid   *tensor.Tensor // values, of the input's element type (points); nil: chosen from the rows, see Options
}

// Options say what to compute.
type Options struct {
	Features    []Feature          // one feature, or several, of which every combination is tried
	Output      string             // a float output, (rows) or (rows, outputs); "" means the only one there is
	Points      int                // of a grid that is chosen; 0 means 100
	Percentiles [2]float64         // ends of such a grid, as shares of the rows; both 0 means 0.05 and 0.95
	Individual  bool               // keep the predictions of every row
	Weight      []float64          // of rows in the averages (rows), or nil for equal ones
	Report      func(done, of int) // called after each point; may be nil
}

// Result is predictions along the grid. With several features, points are all combinations, those of the last feature side by side.
type Result struct {
	Grids      []*tensor.Tensor // of each feature
	Outputs    int
	Points     int
	Average    []float64 // (outputs, points)
	Individual []float64 // (outputs, rows, points), or nil
}

const (
	maxPoints  = 1 << 20
	maxNumbers = 1 << 28 // of Individual
)

// Compute runs the program once for each point of the grid, on all rows of in. in is not changed. Errors: the program's; fault.Invalid
// with the option as Field; fault.TooLarge; fault.Canceled.
func Compute(ctx context.Context, p *model.Program, in map[string]*tensor.Tensor, o Options) (*Result, error) {
	r := runner{program: p, options: o, result: &Result{Points: 1}}
	if err := r.prepare(in); err != nil {
		return nil, err
	}
	for point := range r.result.Points {
		if err := ctx.Err(); err != nil {
			return nil, fault.Wrap(err, fault.Canceled, "partial dependence was canceled")
		}
		if err := r.run(ctx, point); err != nil {
			return nil, err
		}
		if o.Report != nil {
			o.Report(point+1, r.result.Points)
		}
	}
	return r.result, nil
}

// runner is a computation.
type runner struct {
	program *model.Program
	options Options
	in, out []*tensor.Tensor // in the order of the program; those of the features are copies
	columns []column         // by feature
	rows    int
	output  int // index in out
	result  *Result
}

func invalid(field, message string) error { return fault.New(fault.Invalid, message).At(field) }

// prepare copies what will change, and makes the grids.
func (r *runner) prepare(in map[string]*tensor.Tensor) error {
	if len(r.options.Features) == 0 {
		return invalid("features", "there is no feature to look at")
	}
	place := map[string]int{}
	for i, port := range r.program.Inputs() {
		t := in[string(port.Name)]
		if t == nil {
			return invalid(string(port.Name), "the input is missing")
		}
		r.in, place[string(port.Name)] = append(r.in, t), i
	}
	copied := map[string]bool{}
	for _, f := range r.options.Features {
		at, ok := place[f.Input]
		if !ok {
			return invalid("features", "the model has no input "+strconv.Quote(f.Input))
		}
		if !copied[f.Input] {
			r.in[at], copied[f.Input] = r.in[at].Clone(), true
		}
		if err := r.add(f, r.in[at]); err != nil {
			return err
		}
	}
	if w := r.options.Weight; w != nil && !r.weighs(w) {
		return invalid("weight", "there must be a weight of 0 or more for each of "+strconv.Itoa(r.rows)+" rows, and one above 0")
	}
	return r.findOutput()
}

func (r *runner) weighs(w []float64) bool {
	var sum float64
	for _, v := range w {
		if sum += v; !(v >= 0) {
			return false
		}
	}
	return len(w) == r.rows && sum > 0 && !math.IsInf(sum, 1)
}

// add takes in a feature, whose input is a copy.
func (r *runner) add(f Feature, t *tensor.Tensor) error {
	c, err := newColumn(f, t)
	if err != nil {
		return err
	}
	if len(r.columns) > 0 && c.rows != r.rows {
		return invalid("features", "inputs have different numbers of rows")
	}
	if r.rows = c.rows; r.rows == 0 {
		return invalid(f.Input, "there are no rows")
	}
	grid := f.Grid
	if grid == nil {
		if grid, err = c.grid(r.options); err != nil {
			return err
		}
	}
	if grid.DType() != t.DType() || grid.Rank() != 1 || grid.Len() == 0 {
		return invalid("grid", "the grid of "+f.Input+" is "+grid.Type().String()+", not a list of "+t.DType().String())
	}
	if r.result.Points > maxPoints/grid.Len() {
		return fault.New(fault.TooLarge, "the grid has more than "+strconv.Itoa(maxPoints)+" points").At("grid").Try("take fewer points, or fewer features")
	}
	r.result.Points *= grid.Len()
	r.result.Grids, r.columns = append(r.result.Grids, grid), append(r.columns, c)
	return nil
}

// findOutput finds the output that is looked at.
func (r *runner) findOutput() error {
	r.output = -1
	for i, port := range r.program.Outputs() {
		d := port.Type.Type().DType
		r.out = append(r.out, new(tensor.Tensor))
		if port.Type.Kind != graph.TensorKind || d != tensor.Float32 && d != tensor.Float64 || r.options.Output != "" && string(port.Name) != r.options.Output {
			continue
		}
		if r.output >= 0 {
			return invalid("output", "the model has several outputs of numbers: say which one to look at")
		}
		r.output = i
	}
	if r.output < 0 {
		return invalid("output", "the model has no such output of float32 or float64")
	}
	return nil
}

// run predicts at one point of the grid.
func (r *runner) run(ctx context.Context, point int) error {
	at := point
	for i := len(r.columns) - 1; i >= 0; i-- {
		n := r.result.Grids[i].Len()
		r.columns[i].fill(r.result.Grids[i], at%n)
		at /= n
	}
	if err := r.program.RunInto(ctx, r.in, r.out); err != nil {
		return err
	}
	y := r.out[r.output]
	if point == 0 {
		if y.Rank() < 1 || y.Shape()[0] != r.rows || y.Len() == 0 {
			return invalid("output", "the output has the shape of "+y.Type().String()+", not one row for each of "+strconv.Itoa(r.rows))
		}
		r.result.Outputs = y.Len() / r.rows
		if r.options.Individual && r.result.Outputs*r.rows > maxNumbers/r.result.Points {
			return fault.New(fault.TooLarge, "there are more than "+strconv.Itoa(maxNumbers)+" predictions to keep").At("individual").Try("take fewer rows or points")
		}
		r.result.Average = make([]float64, r.result.Outputs*r.result.Points)
		if r.options.Individual {
			r.result.Individual = make([]float64, r.result.Outputs*r.rows*r.result.Points)
		}
	}
	r.keep(y, point)
	return nil
}

// keep takes the predictions y (rows, outputs) of a point.
func (r *runner) keep(y *tensor.Tensor, point int) {
	value := func(i int) float64 { return float64(y.F32()[i]) }
	if y.DType() == tensor.Float64 {
		value = func(i int) float64 { return tensor.Data[float64](y)[i] }
	}
	for k := range r.result.Outputs {
		var sum, weights float64
		for row := range r.rows {
			v, w := value(row*r.result.Outputs+k), 1.
			if r.options.Weight != nil {
				w = r.options.Weight[row]
			}
			if weights += w; w > 0 {
				sum += w * v
			}
			if r.result.Individual != nil {
				r.result.Individual[(k*r.rows+row)*r.result.Points+point] = v
			}
		}
		r.result.Average[k*r.result.Points+point] = sum / weights
	}
}
