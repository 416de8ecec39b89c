// Command linear fits a linear model to a table of random numbers and prints what it took, as JSON: the seconds of the fit alone by the clock and
// on processors, the mean loss of what it found (squared error, or negative log likelihood) in float64, and the coefficients with the intercept last.
//
// Usage: linear ridge|logistic THREADS FOLDER     peer.py makes the folder, and does the same with scikit-learn
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/linear"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// cols is the number of features in the folder.
const cols = 50

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "linear:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: linear ridge|logistic THREADS FOLDER")
	}
	threads, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(threads)
	d := fit.Data{Cols: cols, Threads: threads}
	if d.X, err = read[float32](filepath.Join(args[2], "x")); err != nil {
		return err
	}
	d.Rows = len(d.X) / cols
	var e fit.Estimator
	switch args[0] {
	case "ridge":
		e, d.Task = linear.Ridge{}, fit.Regression
		d.Y, err = read[float32](filepath.Join(args[2], "y"))
	case "logistic":
		e, d.Task, d.Classes = linear.Logistic{}, fit.Classification, 2
		d.Class, err = read[int32](filepath.Join(args[2], "class"))
	default:
		return fmt.Errorf("no such model")
	}
	if err != nil {
		return err
	}
	b := graph.NewBuilder("model")
	x := b.Input("x", tensor.Rows(tensor.Float32, cols))
	start, used := time.Now(), processor()
	if _, err := e.Fit(context.Background(), d, b, x, nil); err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	used = processor() - used
	coef := coefficients(b.Model(), d.Classes)
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"seconds": seconds, "processor": used, "loss": loss(d, coef), "coef": coef})
}

// processor is what the process has used of all processors, in seconds.
func processor() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it knows this process
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// read is a file of numbers as they lie in memory.
func read[T float32 | int32](path string) ([]T, error) {
	data, err := os.ReadFile(path)
	if err != nil || len(data) < 4 {
		return nil, err
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&data[0])), len(data)/4), nil
}

// coefficients are those of the features and the intercept: of two classes, of the second.
func coefficients(m *graph.Model, classes int) []float64 {
	outs := max(1, classes)
	var out []float64
	for _, name := range []graph.Value{"weight", "bias"} {
		v := m.Graph.Initializers[name].F32()
		for i := outs - 1; i < len(v); i += outs {
			out = append(out, float64(v[i]))
		}
	}
	return out
}

func loss(d fit.Data, coef []float64) (total float64) {
	for i := range d.Rows {
		z := coef[cols]
		for j, v := range d.Row(i) {
			z += float64(v) * coef[j]
		}
		if d.Task == fit.Regression {
			total += (z - float64(d.Y[i])) * (z - float64(d.Y[i]))
			continue
		}
		if d.Class[i] == 1 {
			z = -z
		}
		total += max(0, z) + math.Log1p(math.Exp(-math.Abs(z)))
	}
	return total / float64(d.Rows)
}
