// Package conformance runs models on recorded inputs and compares with recorded outputs, in the folder layout of the ONNX backend tests: model.onnx
// beside test_data_set_N/input_K.pb and output_K.pb. It judges; printing is the command's.
package conformance

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/onnxfile"
)

// Status is how a case ended.
type Status string

// Passed: all outputs are as recorded. Unsupported: the model was refused by name of what is missing. Failed: anything else.
const (
	Passed      Status = "passed"
	Failed      Status = "failed"
	Unsupported Status = "unsupported"
)

// Result is one case.
type Result struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"` // what differs or is missing; for a case that passed, "" or what was not compared
}

// Options say how close outputs must be; zero fields have the defaults of the ONNX suite.
type Options struct {
	RTol, ATol  float64       // 1e-3 and 1e-7
	Timeout     time.Duration // of one case; 1 minute
	Threads     int           // of one run; 0: all cores
	MemoryLimit int64         // of one run
}

func (o Options) withDefaults() Options {
	if o.RTol == 0 {
		o.RTol = 1e-3
	}
	if o.ATol == 0 {
		o.ATol = 1e-7
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	return o
}

// Find lists the folders with a model.onnx at or below root, in order. Errors: fault.NotFound when there is none.
func Find(root string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() == "model.onnx" {
			dirs = append(dirs, filepath.Dir(path))
		}
		return err
	})
	if err != nil {
		return nil, fault.New(fault.NotFound, "cannot read the folder of cases").At(root).Because(err)
	}
	if len(dirs) == 0 {
		return nil, fault.New(fault.NotFound, "no case below the folder").At(root).
			Try("a case is a folder with model.onnx and test_data_set_0/input_0.pb, output_0.pb and so on")
	}
	slices.Sort(dirs)
	return dirs, nil
}

// Run judges the case in a folder.
func Run(ctx context.Context, dir string, o Options) Result {
	o = o.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	r := Result{Name: filepath.Base(dir), Status: Passed}
	why, err := judge(ctx, dir, o)
	switch {
	case fault.Is(err, fault.Unsupported):
		r.Status, r.Detail = Unsupported, err.Error()
	case err != nil:
		r.Status, r.Detail = Failed, err.Error()
	case why == drawn:
		r.Detail = drawn
	case why != "":
		r.Status, r.Detail = Failed, why
	}
	return r
}

// drawn is the detail of a case with random numbers, which onnx's own runner leaves out: another generator draws others.
const drawn = "random numbers: only types and shapes are compared"

// judge runs the data sets of a case; why says what differs.
func judge(ctx context.Context, dir string, o Options) (why string, err error) {
	file, err := onnxfile.Open(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	p, err := model.Load(file.Bytes, model.Threads(o.Threads), model.MemoryLimit(o.MemoryLimit), file.Option())
	if err != nil {
		return "", err
	}
	sets, err := filepath.Glob(filepath.Join(dir, "test_data_set_*"))
	if err != nil || len(sets) == 0 {
		return "no data sets", err
	}
	random := draws(p.Model())
	for _, set := range sets {
		if why, err := judgeSet(ctx, p, set, random, o); why != "" || err != nil {
			return why, err
		}
	}
	if random {
		return drawn, nil
	}
	return "", nil
}

// draws reports whether a model has an operator that draws random numbers.
func draws(m *graph.Model) bool {
	random := func(nodes []*graph.Node) bool {
		return slices.ContainsFunc(nodes, func(n *graph.Node) bool {
			s := op.Lookup(n.Domain, n.Op, m.Opsets[n.Domain])
			return s != nil && s.Random
		})
	}
	return random(m.Graph.Nodes) || slices.ContainsFunc(m.Functions, func(f *graph.Function) bool { return random(f.Nodes) })
}

// judgeSet runs one data set; of random outputs only the types are compared.
func judgeSet(ctx context.Context, p *model.Program, set string, random bool, o Options) (why string, err error) {
	in, err := read(set, "input_", p.Inputs())
	if err != nil {
		return "", err
	}
	want, err := read(set, "output_", p.Outputs())
	if err != nil {
		return "", err
	}
	args := make(map[string]*tensor.Tensor, len(in))
	for i, port := range p.Inputs() {
		args[string(port.Name)] = in[i]
	}
	got, err := p.Run(ctx, args)
	if err != nil {
		return "", err
	}
	for i, port := range p.Outputs() {
		if random {
			if a, b := got[string(port.Name)].Type(), want[i].Type(); a.String() != b.String() {
				return "output " + string(port.Name) + ": got " + a.String() + ", want " + b.String(), nil
			}
			continue
		}
		if why := op.Compare(got[string(port.Name)], want[i], o.RTol, o.ATol); why != "" {
			return "output " + string(port.Name) + ": " + why, nil
		}
	}
	return "", nil
}

// read brings the recorded values of ports.
func read(dir, prefix string, ports []graph.Port) ([]*tensor.Tensor, error) {
	out := make([]*tensor.Tensor, len(ports))
	for i, port := range ports {
		name := filepath.Join(dir, prefix+strconv.Itoa(i)+".pb")
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, fault.New(fault.NotFound, "cannot read a recorded value").At(name).Because(err)
		}
		if out[i], err = onnx.DecodeValue(raw, port.Type.Kind); err != nil {
			return nil, err
		}
	}
	return out, nil
}
