// Package fittest holds what every learner is tested with: small real data sets, and one suite of properties that a
// new estimator joins with one line. It is used by tests only.
package fittest

import (
	"embed"
	"encoding/csv"
	"math"
	"strconv"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit"
)

//go:embed testdata/*.csv
var files embed.FS

// Classes loads a data set of testdata as classification: "penguins", "penguins_missing", "iris", "breast_cancer".
func Classes(t testing.TB, name string) fit.Data {
	d, y := load(t, name)
	d.Task = fit.Classification
	for _, v := range y {
		d.Class = append(d.Class, int32(v))
		d.Classes = max(d.Classes, int(v)+1)
	}
	return d
}

// Numbers loads a data set of testdata as regression: "diabetes".
func Numbers(t testing.TB, name string) fit.Data {
	d, y := load(t, name)
	d.Task, d.Y = fit.Regression, y
	return d
}

func load(t testing.TB, name string) (fit.Data, []float32) {
	t.Helper()
	file, err := files.Open("testdata/" + name + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // only read
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	cols := len(records[0]) - 1
	d := fit.Data{Cols: cols, Rows: len(records) - 1, Names: records[0][:cols], Seed: 1}
	var y []float32
	for _, record := range records[1:] {
		for j, text := range record {
			v := math.NaN()
			if text != "" {
				if v, err = strconv.ParseFloat(text, 32); err != nil {
					t.Fatal(err)
				}
			}
			if j == cols {
				y = append(y, float32(v))
			} else {
				d.X = append(d.X, float32(v))
			}
		}
	}
	return d, y
}

// Subset returns the rows of d, as data of their own.
func Subset(d fit.Data, rows []int32) fit.Data {
	out := d
	out.Rows, out.X, out.Y, out.Class, out.Weight, out.Group = len(rows), nil, nil, nil, nil, nil
	for _, r := range rows {
		out.X = append(out.X, d.Row(int(r))...)
		if d.Y != nil {
			out.Y = append(out.Y, d.Y[r])
		}
		if d.Class != nil {
			out.Class = append(out.Class, d.Class[r])
		}
		if d.Weight != nil {
			out.Weight = append(out.Weight, d.Weight[r])
		}
		if d.Group != nil {
			out.Group = append(out.Group, d.Group[r])
		}
	}
	return out
}
