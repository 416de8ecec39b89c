package fittest

import (
	"math/rand/v2"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// strange returns data that is legal and unpleasant, by name.
func strange(task fit.Task) map[string]fit.Data {
	out := map[string]fit.Data{
		"one row":               made(task, 1, 2),
		"three rows":            made(task, 3, 4),
		"one feature":           made(task, 40, 1),
		"more features":         made(task, 10, 60),
		"plain":                 made(task, 60, 3),
		"constant features":     made(task, 40, 3),
		"copies of a feature":   made(task, 40, 4),
		"huge values":           made(task, 40, 3),
		"tiny values":           made(task, 40, 3),
		"one huge value":        made(task, 40, 3),
		"large offset":          made(task, 40, 3),
		"constant target":       made(task, 40, 3),
		"rare class":            made(task, 40, 3),
		"weights":               made(task, 40, 3),
		"weight on one row":     made(task, 40, 3),
		"huge weights":          made(task, 40, 3),
		"no relation to target": made(task, 40, 3),
	}
	scale(out["huge values"], 1e30)
	scale(out["tiny values"], 1e-30)
	out["one huge value"].X[7] = 3e38
	for name, d := range out {
		for i := range d.X {
			switch name {
			case "constant features":
				d.X[i] = float32(i % d.Cols)
			case "copies of a feature":
				d.X[i] = d.X[i/d.Cols*d.Cols]
			case "large offset":
				d.X[i] += 1e6
			}
		}
		switch name {
		case "huge values":
			scaleTarget(d, 1e30)
		case "tiny values":
			scaleTarget(d, 1e-30)
		case "constant target":
			for i := range d.Rows {
				set(d, i, 1, 7)
			}
		case "rare class": // class 2 of 3 never occurs, class 1 once
			d.Classes = 3
			for i := range d.Rows {
				set(d, i, int32(max(0, 1-i)), float32(max(0, 1-i)))
			}
		case "weights", "weight on one row", "huge weights":
			d.Weight = make([]float32, d.Rows)
			for i := range d.Weight {
				switch name {
				case "weights":
					d.Weight[i] = float32(i % 3)
				case "huge weights":
					d.Weight[i] = 1e30
				}
			}
			d.Weight[5] = max(d.Weight[5], 1)
		case "no relation to target":
			random := rand.New(rand.NewPCG(4, 4))
			for i := range d.Rows {
				v := random.Float32()
				set(d, i, int32(2*v), v)
			}
		}
		out[name] = d
	}
	return out
}

func scale(d fit.Data, by float32) {
	for i := range d.X {
		d.X[i] *= by
	}
}

func scaleTarget(d fit.Data, by float32) {
	for i := range d.Y {
		d.Y[i] *= by
	}
}

func set(d fit.Data, i int, class int32, y float32) {
	if d.Class != nil {
		d.Class[i] = class
	} else {
		d.Y[i] = y
	}
}

// made draws features, and a target that follows from the first.
func made(task fit.Task, rows, cols int) fit.Data {
	random := rand.New(rand.NewPCG(1, uint64(rows*1000+cols)))
	d := fit.Data{Task: task, Rows: rows, Cols: cols, Seed: 5}
	for range rows * cols {
		d.X = append(d.X, float32(random.NormFloat64()))
	}
	for i := range rows {
		v := d.X[i*cols]
		if task == fit.Regression {
			d.Y = append(d.Y, 3*v+1)
			continue
		}
		d.Classes = 2
		var k int32
		if v > 0 {
			k = 1
		}
		d.Class = append(d.Class, k)
	}
	return d
}
