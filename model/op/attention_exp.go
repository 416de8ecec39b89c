//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

// Exponentials of rows, in place.

// expRow replaces each x by e^(x - top), for x <= top, and returns the sum.
func expRow(row []float32, top float32) float64 { return kernel.ExpSum(row, row, top) }

// expRow64 is expRow for float64.
func expRow64(row []float64, top float64) (sum float64) {
	for i, v := range row {
		e := math.Exp(v - top)
		row[i] = e
		sum += e
	}
	return sum
}

// sigmoidRow replaces each x by 1/(1 + e^-x).
func sigmoidRow(row []float32) { kernel.Sigmoid(row, row) }

// tanhRow replaces each x by tanh x.
func tanhRow(row []float32) { kernel.Tanh(row, row) }

// sigmoidRow64 and tanhRow64 are the same for float64.
func sigmoidRow64(row []float64) {
	for i, v := range row {
		row[i] = Logistic(v)
	}
}

func tanhRow64(row []float64) {
	for i, v := range row {
		row[i] = math.Tanh(v)
	}
}
