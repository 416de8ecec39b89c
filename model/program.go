package model

import (
	"context"
	"maps"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Program is a model that is ready to run. Its methods may be called from many goroutines at once.
type Program struct {
	model *graph.Model
	exec  *exec.Program
	equal [][]axis // dimensions of the inputs that must have one length
}

// Option changes how Load and FromGraph make a Program.
type Option func(*options)

type options struct {
	exec   exec.Options
	limits onnx.Limits
}

// Threads bounds the goroutines that one run keeps busy. 0, the default, takes as many as there are cores.
func Threads(n int) Option { return func(o *options) { o.exec.Threads = max(n, 0) } }

// MemoryLimit bounds the bytes that the values of one run may take together, weights not counted; beyond it Run returns
// fault.TooLarge. 0 is the default of exec.Options.
func MemoryLimit(bytes int64) Option { return func(o *options) { o.exec.MemoryLimit = max(bytes, 0) } }

// Limits bounds what Load accepts as a file; the defaults are those of onnx.Limits.
func Limits(l onnx.Limits) Option { return func(o *options) { o.limits = l } }

// Load reads an ONNX file and compiles it. The Program uses the weights where they lie in file, which must not change
// afterwards. Errors: fault.BadModel, fault.Unsupported, fault.TooLarge.
func Load(file []byte, opts ...Option) (*Program, error) {
	o := settle(opts)
	m, err := onnx.Decode(file, o.limits)
	if err != nil {
		return nil, err
	}
	if err := refusePrivate(m); err != nil {
		return nil, err
	}
	return compile(m, o)
}

// FromGraph compiles a model that is in memory already. The model must not change afterwards. Errors are Load's.
func FromGraph(m *graph.Model, opts ...Option) (*Program, error) {
	if m == nil || m.Graph == nil {
		return nil, fault.New(fault.BadModel, "a model without a graph")
	}
	return compile(m, settle(opts))
}

// External lets Load find what a model keeps in other files; see onnx.Limits.External. It comes after Limits.
func External(find func(onnx.External) ([]byte, error)) Option {
	return func(o *options) { o.limits.External = find }
}

func settle(opts []Option) options {
	var o options
	for _, set := range opts {
		set(&o)
	}
	return o
}

func compile(m *graph.Model, o options) (*Program, error) {
	p, err := exec.Compile(m, o.exec)
	if err != nil {
		return nil, err
	}
	return &Program{model: m, exec: p, equal: alike(p.Inputs())}, nil
}

// Inputs returns the inputs that Run needs, in the order of the file. Inputs that have a value in the file are not
// among them.
func (p *Program) Inputs() []graph.Port { return p.exec.Inputs() }

// Outputs returns the outputs that Run gives, in the order of the file.
func (p *Program) Outputs() []graph.Port { return p.exec.Outputs() }

// Metadata returns a copy of the file's metadata_props.
func (p *Program) Metadata() map[string]string { return maps.Clone(p.model.Metadata) }

// Model returns the graph that was compiled; it must not be changed.
func (p *Program) Model() *graph.Model { return p.model }

// Run computes all outputs from all inputs. It keeps nothing of in; the outputs belong to the caller.
//
// Free dimensions take the length that the inputs bring; dimensions of one symbolic name ("rows") must agree.
// Errors: fault.Invalid with the input's name as Field; fault.Canceled; fault.TooLarge; fault.Unsupported for what shows
// only with the actual shapes.
func (p *Program) Run(ctx context.Context, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap(err, fault.Canceled, "the run was canceled")
	}
	args, err := p.arrange(in)
	if err != nil {
		return nil, err
	}
	results, err := p.exec.Run(ctx, args)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*tensor.Tensor, len(results))
	for i, port := range p.exec.Outputs() {
		out[string(port.Name)] = results[i]
	}
	return out, nil
}

// RunInto is Run without its maps, for callers that keep their memory from run to run: in is in the order of Inputs, out
// in that of Outputs, and the memory of out is used where it is large enough. Calls of one shape then allocate nothing.
// out must not share memory with in; after an error its content is not defined.
func (p *Program) RunInto(ctx context.Context, in, out []*tensor.Tensor) error {
	if len(in) == len(p.Inputs()) { // else the executor says what is wrong
		if err := p.agree(in); err != nil {
			return err
		}
	}
	return p.exec.RunInto(ctx, in, out)
}

// RunObserved is RunInto that calls after when a node is done, with the node's name and operator: for a profile.
func (p *Program) RunObserved(ctx context.Context, in, out []*tensor.Tensor, after func(node, operator string)) error {
	return p.exec.RunObserved(ctx, in, out, after)
}
