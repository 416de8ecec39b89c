// Command boost trains boosted trees on the files that data.py made and prints what it cost, as JSON: the seconds of training (binning counted, reading not),
// loss and error on the test rows, and the peak memory of the process in MB.
//
// Usage: boost FOLDER THREADS ROUNDS DEPTH     peer.py does the same with XGBoost and LightGBM
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/boost"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/metric"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/npy"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "boost:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("usage: boost FOLDER THREADS ROUNDS DEPTH")
	}
	var numbers [3]int
	for i := range numbers {
		n, err := strconv.Atoi(args[i+1])
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	runtime.GOMAXPROCS(numbers[0])
	d, err := read(args[0], numbers[0])
	if err != nil {
		return err
	}
	if path := os.Getenv("CPUPROFILE"); path != "" {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	b := graph.NewBuilder("boost")
	in := b.Input("x", tensor.Rows(tensor.Float32, d.Cols))
	start, before := time.Now(), spent()
	y, err := boost.Boost{NEstimators: numbers[1], MaxDepth: numbers[2], LearningRate: .1}.Fit(context.Background(), d, b, in, nil)
	if err != nil {
		return err
	}
	seconds, cpu := time.Since(start).Seconds(), spent()-before
	pprof.StopCPUProfile()
	out := map[string]float64{"train_s": seconds, "cpu_s": cpu, "peak_rss_mb": peak()}
	b.Output("y", y, tensor.Rows(tensor.Float32, d.Classes))
	if err := judge(b.Model(), args[0], d, out); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// read loads the rows to train on.
func read(folder string, threads int) (fit.Data, error) {
	x, err := load(folder, "x")
	if err != nil {
		return fit.Data{}, err
	}
	y, err := load(folder, "y")
	if err != nil {
		return fit.Data{}, err
	}
	d := fit.Data{Task: fit.Classification, Rows: x.Shape()[0], Cols: x.Shape()[1], X: x.F32(), Class: classes(y), Threads: threads}
	d.Classes = int(slices.Max(d.Class)) + 1
	return d, nil
}

func load(folder, part string) (*tensor.Tensor, error) {
	file, err := os.ReadFile(filepath.Join(folder, part+".npy"))
	if err != nil {
		return nil, err
	}
	return npy.Decode(file)
}

func classes(y *tensor.Tensor) []int32 {
	out := make([]int32, y.Len())
	for i, v := range y.F32() {
		out[i] = int32(v)
	}
	return out
}

// judge adds loss and error on the test rows.
func judge(m *graph.Model, folder string, d fit.Data, out map[string]float64) error {
	program, err := model.FromGraph(m)
	if err != nil {
		return err
	}
	x, err := load(folder, "xt")
	if err != nil {
		return err
	}
	truth, err := load(folder, "yt")
	if err != nil {
		return err
	}
	y, err := program.Run(context.Background(), map[string]*tensor.Tensor{"x": x})
	if err != nil {
		return err
	}
	scores := metric.Classification(d.Classes, classes(truth), y["y"].F32())
	out["loss"], out["error"] = scores[metric.LogLoss], 1-scores[metric.Accuracy]
	return nil
}

// spent is the processor time of this process so far, in seconds: on a busy machine it says more than the clock.
func spent() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// peak is the most memory that the process held, in MB.
func peak() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			return n * 1024 / 1e6
		}
	}
	return 0
}
