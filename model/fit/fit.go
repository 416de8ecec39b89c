// Package fit is the seam that every learner hangs on: an Estimator takes numbers and appends what it learned to an
// ONNX graph. The learners live in folders of their own (fit/linear, fit/boost, fit/nn, fit/svm …); this package imports none.
package fit

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
)

// Task is what is learned.
type Task string

// The tasks: targets are classes 0, 1, …, or numbers.
const (
	Classification Task = "classification"
	Regression     Task = "regression"
)

// Data is a training set: features and targets of the same rows.
type Data struct {
	Task    Task
	Rows    int
	Cols    int
	X       []float32 // features (rows, cols), row-major; NaN only where the estimator says that it takes it
	Y       []float32 // regression: targets (rows)
	Class   []int32   // classification: class indices (rows), 0 … Classes-1
	Classes int       // classification: number of classes, at least 2
	Weight  []float32 // weights (rows), or nil for equal ones
	Group   []int32   // which rows belong together (rows), or nil: they are never divided between training and validation, and are ranked among each other
	Names   []string  // feature names (cols), or nil
	Seed    uint64    // every random choice follows from it: same data, seed and thread count, same model
	Threads int       // goroutines to use at most; 0 means GOMAXPROCS
}

// Progress is one report from a running fit.
type Progress struct {
	Step, Steps int     // steps done, and in all (0: not known)
	Loss        float64 // training loss at this step
	Valid       float64 // validation loss, NaN when there is none
}

// Estimator learns. Hyper-parameters are plain exported fields of the implementation, and zero values mean the
// documented defaults. Fit leaves the receiver as it was.
//
// x is the value in b that holds the features, float32 (rows, cols). Fit appends the learned nodes and returns
// for classification the probabilities, float32 (rows, classes); for regression the prediction, float32 (rows, 1).
// report may be nil. When ctx ends, Fit returns ctx's error, unless the implementation says that it keeps the best.
type Estimator interface {
	Fit(ctx context.Context, d Data, b *graph.Builder, x graph.Value, report func(Progress)) (graph.Value, error)
}
