package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

type onnxBench struct {
	Model   string            `arg:"" help:"ONNX file, or NAME, NAME@ALIAS, NAME/VERSION of a model in the bucket."`
	Threads int               `help:"Goroutines that a run may use; 0 is one for each core." default:"0"`
	Batch   int               `help:"Length of the first dimension of inputs where the model leaves it open." default:"1"`
	Dim     map[string]int    `help:"Length of an open dimension by its name in the model; others are 1." placeholder:"NAME=N" mapsep:"none"`
	Seconds float64           `help:"How long to measure." default:"3"`
	In      map[string]string `help:"Value of an input from a .pb or .npy file; others are random." placeholder:"NAME=FILE" mapsep:"none"`
	Profile bool              `help:"Print the time that each operator takes."`
}

// benched is what onnx bench prints.
type benched struct {
	LoadMS       float64        `json:"load_ms"`  // file to program
	FirstMS      float64        `json:"first_ms"` // the first run
	P50US        float64        `json:"p50_us"`
	P90US        float64        `json:"p90_us"`
	P99US        float64        `json:"p99_us"`
	RunsPerS     float64        `json:"runs_per_s"`
	AllocsPerRun float64        `json:"allocs_per_run"`
	PeakRSSMB    float64        `json:"peak_rss_mb"` // of the process; 0 where the system does not tell
	Runs         int            `json:"runs"`
	Inputs       []string       `json:"inputs"`
	Operators    []operatorTime `json:"operators,omitempty"`
}

// operatorTime is a line of the profile.
type operatorTime struct {
	Operator string  `json:"operator"`
	Nodes    int     `json:"nodes"`
	US       float64 `json:"us"`    // of one run
	Share    float64 `json:"share"` // of the run's time
}

func (c onnxBench) Run(ctx context.Context, a *app) error {
	if c.Seconds <= 0 || c.Batch < 1 {
		return fault.New(fault.Invalid, "--seconds and --batch must be positive")
	}
	start := time.Now()
	p, done, err := a.loadModel(ctx, c.Model, c.Threads)
	if err != nil {
		return err
	}
	defer done()
	b := benched{LoadMS: ms(time.Since(start))}
	in, err := c.inputs(p)
	if err != nil {
		return err
	}
	for i, port := range p.Inputs() {
		b.Inputs = append(b.Inputs, string(port.Name)+" "+in[i].Type().String())
	}
	out := make([]*tensor.Tensor, len(p.Outputs()))
	for i := range out {
		out[i] = new(tensor.Tensor)
	}
	if err := c.measure(ctx, p, in, out, &b); err != nil {
		return err
	}
	if c.Profile {
		if b.Operators, err = profile(ctx, p, in, out, c.Seconds); err != nil {
			return err
		}
	}
	if a.flags.JSON {
		return a.print(b)
	}
	a.printBench(b)
	return nil
}

// inputs are the values of --in, and random ones for the rest.
func (c onnxBench) inputs(p *model.Program) ([]*tensor.Tensor, error) {
	given, err := readInputs(p, c.In)
	if err != nil {
		return nil, err
	}
	named, err := c.dims(p.Inputs())
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	in := make([]*tensor.Tensor, len(p.Inputs()))
	for i, port := range p.Inputs() {
		if in[i] = given[string(port.Name)]; in[i] != nil {
			continue
		}
		length := func(axis int, d tensor.Dim) int {
			if n, ok := named[d.Name]; ok {
				return n
			}
			if axis == 0 {
				return c.Batch
			}
			return 1
		}
		if in[i], err = randomInput(port, length, rng); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// dims are the lengths of the open dimensions that have a name: those of --dim, and the batch wherever its name stands, which is not always first:
// a recurrent state is (layers, batch, units).
func (c onnxBench) dims(ports []graph.Port) (map[string]int, error) {
	open, lengths := map[string]bool{}, map[string]int{}
	for _, port := range ports {
		if port.Type.Kind != graph.TensorKind {
			continue
		}
		for axis, d := range port.Type.Tensor.Dims {
			if d.Size != tensor.Free || d.Name == "" {
				continue
			}
			if open[d.Name] = true; axis == 0 {
				lengths[d.Name] = c.Batch
			}
		}
	}
	for name, n := range c.Dim {
		if !open[name] {
			return nil, fault.New(fault.Invalid, "no input has an open dimension of this name").At(name).Try("it has " + cmp.Or(strings.Join(slices.Sorted(maps.Keys(open)), ", "), "none"))
		}
		if n < 0 {
			return nil, fault.New(fault.Invalid, "a dimension cannot be negative").At(name)
		}
		lengths[name] = n
	}
	return lengths, nil
}

// refused explains the error of a first run whose inputs were made up.
func (c onnxBench) refused(p *model.Program, in []*tensor.Tensor, err error) error {
	if !fault.Is(err, fault.Invalid) {
		return err
	}
	var made []string
	for i, port := range p.Inputs() {
		if _, given := c.In[string(port.Name)]; !given {
			made = append(made, string(port.Name)+" "+in[i].Type().String())
		}
	}
	if len(made) == 0 {
		return err
	}
	return fault.New(fault.Invalid, "the model does not take the inputs that were made up for it, "+strings.Join(made, ", ")).Because(err).
		Try("open dimensions are 1 unless --dim NAME=N or --batch says more; an input of its own comes by --in NAME=FILE")
}

// readings is how many times are kept, the latest ones; percentiles are of these.
const readings = 1 << 16

// warm is how many runs go before at least: what pays off at the second use is laid out then.
const warm = 3

// shortest is the shortest time that is read: reading the clock takes tens of nanoseconds. Quicker runs are timed several together.
const shortest = 5 * time.Microsecond

// measure fills in the times. A tenth of the time warms up.
func (c onnxBench) measure(ctx context.Context, p *model.Program, in, out []*tensor.Tensor, b *benched) error {
	start := time.Now()
	if err := p.RunInto(ctx, in, out); err != nil {
		return c.refused(p, in, err)
	}
	b.FirstMS = ms(time.Since(start))
	limit := time.Duration(c.Seconds * float64(time.Second))
	several := func(n int) error {
		for range n {
			if err := p.RunInto(ctx, in, out); err != nil {
				return err
			}
		}
		return nil
	}
	runs := 0
	for start = time.Now(); time.Since(start) < limit/10 || runs < warm; runs++ {
		if err := several(1); err != nil {
			return err
		}
	}
	together := max(1, int(math.Ceil(float64(shortest)*float64(runs)/float64(time.Since(start)))))
	times := make([]time.Duration, readings)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	start = time.Now()
	for last := start; last.Sub(start) < limit || n == 0; n++ {
		if err := several(together); err != nil {
			return err
		}
		now := time.Now()
		times[n%readings] = now.Sub(last)
		last = now
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	times = times[:min(n, readings)]
	slices.Sort(times)
	at := func(q float64) float64 {
		return us(times[min(int(q*float64(len(times))), len(times)-1)]) / float64(together)
	}
	b.Runs, b.P50US, b.P90US, b.P99US = n*together, at(.5), at(.9), at(.99)
	b.RunsPerS = float64(b.Runs) / took.Seconds()
	b.AllocsPerRun = float64(after.Mallocs-before.Mallocs) / float64(b.Runs)
	b.PeakRSSMB = float64(peakRSS()) / 1e6
	return nil
}

// profile adds up the time between nodes.
func profile(ctx context.Context, p *model.Program, in, out []*tensor.Tensor, seconds float64) ([]operatorTime, error) {
	spent, nodes := map[string]time.Duration{}, map[string]int{}
	runs := 0
	limit := time.Duration(seconds * float64(time.Second))
	for start := time.Now(); time.Since(start) < limit || runs == 0; runs++ {
		last := time.Now()
		err := p.RunObserved(ctx, in, out, func(_, operator string) {
			now := time.Now()
			spent[operator] += now.Sub(last)
			nodes[operator]++
			last = now
		})
		if err != nil {
			return nil, err
		}
	}
	var total time.Duration
	for _, d := range spent {
		total += d
	}
	var list []operatorTime
	for name, d := range spent {
		list = append(list, operatorTime{name, nodes[name] / runs, us(d) / float64(runs), float64(d) / float64(total)})
	}
	slices.SortFunc(list, func(a, b operatorTime) int {
		return cmp.Or(cmp.Compare(b.US, a.US), cmp.Compare(a.Operator, b.Operator))
	})
	return list, nil
}

func (a *app) printBench(b benched) {
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	for _, in := range b.Inputs {
		fmt.Fprintf(w, "input\t%s\n", in)
	}
	fmt.Fprintf(w, "load\t%.2f ms\nfirst run\t%.2f ms\n", b.LoadMS, b.FirstMS)
	fmt.Fprintf(w, "run\tp50 %.1f µs, p90 %.1f µs, p99 %.1f µs\n", b.P50US, b.P90US, b.P99US)
	fmt.Fprintf(w, "rate\t%.1f runs/s over %d runs\nallocations\t%.1f a run\npeak memory\t%.1f MB\n", b.RunsPerS, b.Runs, b.AllocsPerRun, b.PeakRSSMB)
	for _, o := range b.Operators {
		fmt.Fprintf(w, "%s\t%5.1f %%  %.1f µs in %d nodes\n", o.Operator, 100*o.Share, o.US, o.Nodes)
	}
	w.Flush()
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
