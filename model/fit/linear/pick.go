package linear

import "github.com/jarvis-ml/jarvis/model/fit"

// every is the data of each so many-th row.
func every(d fit.Data, stride int) fit.Data {
	rows := make([]int, 0, (d.Rows+stride-1)/stride)
	for i := 0; i < d.Rows; i += stride {
		rows = append(rows, i)
	}
	return pick(d, rows)
}

// pick is the data of some rows.
func pick(d fit.Data, rows []int) fit.Data {
	out := d
	out.Rows, out.X = len(rows), make([]float32, 0, len(rows)*d.Cols)
	for _, i := range rows {
		out.X = append(out.X, d.Row(i)...)
	}
	out.Class, out.Y, out.Weight = chosen(d.Class, rows), chosen(d.Y, rows), chosen(d.Weight, rows)
	return out
}

// chosen are some elements; nil stays nil.
func chosen[T any](from []T, rows []int) []T {
	if from == nil {
		return nil
	}
	out := make([]T, len(rows))
	for k, i := range rows {
		out[k] = from[i]
	}
	return out
}
