// Command train takes training steps of a network and prints what they cost, as JSON: the median time of a step in microseconds, the peak memory of the
// process in MB, and from the start of the process to the end of the first step in milliseconds.
//
// Usage: train NAME THREADS SECONDS [recompute]     peer.py does the same with PyTorch
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

var began = time.Now()

// network is one line of the table.
type network struct {
	batch, classes int
	in             []int // without the rows
	layers         []nn.Layer
	optimizer      optim.Config
}

var adam, sgd = optim.Config{LR: 1e-4}, optim.Config{Name: "sgd", LR: 1e-3, Momentum: .9}

var networks = map[string]network{
	"mlp_small":   {32, 2, []int{30}, perceptron(64, 32, 2), adam},
	"mlp":         {128, 10, []int{784}, perceptron(512, 256, 10), adam},
	"lenet":       {64, 10, []int{1, 28, 28}, lenet(), adam},
	"resnet18":    {32, 10, []int{3, 32, 32}, resnet18(), sgd},
	"lstm":        {32, 10, []int{64, 64}, []nn.Layer{nn.LSTM{HiddenSize: 128}, nn.Dense{OutFeatures: 10}}, adam},
	"transformer": {16, 10, []int{128, 256}, []nn.Layer{nn.TransformerEncoder{Transformer: nn.Transformer{NumLayers: 4, NumHeads: 8, DimFeedforward: 1024, Activation: "gelu"}}, nn.SequencePool{}, nn.Dense{OutFeatures: 10}}, adam},
}

func perceptron(units ...int) (layers []nn.Layer) {
	for _, n := range units[:len(units)-1] {
		layers = append(layers, nn.Dense{OutFeatures: n, Activation: "relu"})
	}
	return append(layers, nn.Dense{OutFeatures: units[len(units)-1]})
}

// lenet is LeNet-5 (LeCun et al. 1998) with today's activations.
func lenet() []nn.Layer {
	return append([]nn.Layer{
		nn.Conv2D{OutChannels: 6, KernelSize: 5, Padding: 2, Activation: "relu"},
		nn.MaxPool{},
		nn.Conv2D{OutChannels: 16, KernelSize: 5, Activation: "relu"},
		nn.MaxPool{},
		nn.Flatten{},
	}, perceptron(120, 84, 10)...)
}

// resnet18 is that of He et al. (2016) as it is used for pictures of 32×32: a stem of 3×3 and no pooling before the first stage.
func resnet18() []nn.Layer {
	layers := []nn.Layer{nn.Conv2D{OutChannels: 64, Padding: 1, NoBias: true}, nn.BatchNorm{}, nn.Activation{Name: "relu"}}
	for stage, channels := range []int{64, 128, 256, 512} {
		for block := range 2 {
			stride := 1
			if stage > 0 && block == 0 {
				stride = 2
			}
			r := nn.Residual{Activation: "relu", Layers: []nn.Layer{
				nn.Conv2D{OutChannels: channels, Padding: 1, Stride: stride, NoBias: true},
				nn.BatchNorm{},
				nn.Activation{Name: "relu"},
				nn.Conv2D{OutChannels: channels, Padding: 1, NoBias: true},
				nn.BatchNorm{},
			}}
			if stride > 1 {
				r.Shortcut = []nn.Layer{nn.Conv2D{OutChannels: channels, KernelSize: 1, Stride: 2, NoBias: true}, nn.BatchNorm{}}
			}
			layers = append(layers, r)
		}
	}
	return append(layers, nn.GlobalPool{}, nn.Dense{OutFeatures: 10})
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 || len(args) > 4 || len(args) == 4 && args[3] != "recompute" {
		return fmt.Errorf("usage: train NAME THREADS SECONDS [recompute]")
	}
	threads, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(args[2], 64)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(threads)
	step, err := prepare(networks[args[0]], threads, len(args) == 4)
	if err != nil {
		return err
	}
	if err := step(); err != nil {
		return err
	}
	first := time.Since(began)
	var times []float64
	for start := time.Now(); time.Since(start).Seconds() < seconds || len(times) < 3; {
		last := time.Now()
		if err := step(); err != nil {
			return err
		}
		times = append(times, float64(time.Since(last).Nanoseconds())/1e3)
	}
	times = times[len(times)/10:] // the first ones warm up
	slices.Sort(times)
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{"step_us": times[len(times)/2], "least_us": times[0], "peak_rss_mb": peak(), "first_ms": float64(first.Microseconds()) / 1e3})
}

// prepare makes a function that takes one step, which may compute the way forward again for the way back.
func prepare(w network, threads int, recompute bool) (func() error, error) {
	if w.layers == nil {
		return nil, fmt.Errorf("no such network")
	}
	net, _, err := nn.Build(tensor.TypeOf(tensor.Float32, append([]int{tensor.Free}, w.in...)...), w.layers, 1)
	if err != nil {
		return nil, err
	}
	step, err := train.NewStep(net, train.Objective{Loss: train.CrossEntropy, Recompute: recompute}, threads)
	if err != nil {
		return nil, err
	}
	o, err := optim.New(w.optimizer, step.Params, threads)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(1, 2))
	b := train.NewBatch(1)
	b.In[0].Reset(tensor.Float32, append([]int{w.batch}, w.in...)...)
	for i := range b.In[0].F32() {
		b.In[0].F32()[i] = float32(random.NormFloat64())
	}
	b.Target.Reset(tensor.Int64, w.batch)
	for i := range b.Target.I64() {
		b.Target.I64()[i] = int64(random.IntN(w.classes))
	}
	n := 0
	return func() error {
		if _, err := step.Run(context.Background(), b, 1, n); err != nil {
			return err
		}
		n++
		if !o.Step(o.LR()) {
			return fmt.Errorf("a gradient is not finite")
		}
		step.Keep()
		return nil
	}, nil
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
