package exec

import (
	"context"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// frame is the memory of one run. It is also the context that kernels get, so that it can count what they allocate.
type frame struct {
	context.Context
	values  []*tensor.Tensor
	slots   []tensor.Tensor
	in, out []*tensor.Tensor // arguments of the step that runs
	step    int
	held    int64 // bytes in slots and outputs
	rest    int64 // of them in slots, when the run before ended
	limit   int64
}

// Grow implements op.Budget.
func (f *frame) Grow(bytes int64) error {
	if f.held += bytes; f.held > f.limit {
		return fault.New(fault.TooLarge, "the run needs more memory than its limit of "+strconv.FormatInt(f.limit, 10)+" bytes")
	}
	if outer, ok := f.Context.(op.Budget); ok { // a subgraph's run is part of the run around it
		return outer.Grow(bytes)
	}
	return nil
}

// Held is how many bytes of tensors a run holds for the next one between its inputs and its outputs, 0 before the first. Scratch memory of kernels,
// which programs share, is not counted.
func (p *Program) Held() int64 {
	f := p.frames.Take()
	defer p.frames.Put(f)
	if f.values == nil {
		p.furnish(f)
	}
	return f.held
}

// furnish gives a new frame its parts.
func (p *Program) furnish(f *frame) {
	f.values, f.slots, f.limit = make([]*tensor.Tensor, len(p.values)), make([]tensor.Tensor, len(p.slots)), p.limit
	f.in, f.out = make([]*tensor.Tensor, p.args), make([]*tensor.Tensor, p.results)
	copy(f.values, p.values)
	for i, s := range p.slots {
		f.values[s.at] = &f.slots[i]
	}
}

// Run computes the outputs, in the graph's order, from the inputs, in the order of Inputs. The outputs belong to the caller; the inputs
// are read only.
//
// Errors: fault.Invalid for inputs that do not fit (Field names the input, or the node whose shapes clash), fault.TooLarge when
// the memory limit is passed, fault.Canceled when ctx ends.
func (p *Program) Run(ctx context.Context, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	out := make([]*tensor.Tensor, len(p.outputs))
	for i := range out {
		out[i] = new(tensor.Tensor)
	}
	if err := p.RunInto(ctx, in, out); err != nil {
		return nil, err
	}
	return out, nil
}

// RunInto is Run into tensors of the caller, whose memory is used where it is large enough: a loop of equal shapes then allocates
// nothing. out must not share memory with in. After an error the content of out is not defined.
func (p *Program) RunInto(ctx context.Context, in, out []*tensor.Tensor) error {
	if err := p.accept(in, out); err != nil {
		return err
	}
	return p.run(ctx, in, out, nil)
}

// RunObserved is RunInto that calls after when a node is done, with the node's name and operator.
func (p *Program) RunObserved(ctx context.Context, in, out []*tensor.Tensor, after func(node, operator string)) error {
	if err := p.accept(in, out); err != nil {
		return err
	}
	return p.run(ctx, in, out, after)
}

// run is RunInto without a look at the arguments: subgraphs are run by kernels.
func (p *Program) run(ctx context.Context, in, out []*tensor.Tensor, after func(node, operator string)) (err error) {
	f := p.frames.Take()
	if f.values == nil {
		p.furnish(f)
	}
	f.Context = ctx
	copy(f.values[1:], in)
	copy(f.values[1+len(in):], out)
	defer func() {
		if r := recover(); r != nil { // the frame is in an unknown state: it is left to the collector
			err = recovered(r, p.steps[min(f.step, len(p.steps)-1)].node, nil)
			return
		}
		p.settle(f)
	}()
	done := ctx.Done()
	for i := range p.steps {
		s := &p.steps[i]
		f.step = i
		if done != nil && ctx.Err() != nil {
			return fault.Wrap(context.Cause(ctx), fault.Canceled, "the run was given up")
		}
		args, results := f.in[:len(s.in)], f.out[:len(s.out)]
		for k, at := range s.in {
			args[k] = f.values[at]
		}
		for k, at := range s.out {
			results[k] = f.values[at]
		}
		if err := s.kernel(f, args, results); err != nil {
			return failed(s, err)
		}
		if after != nil {
			after(s.node, s.operator)
		}
	}
	if done != nil && ctx.Err() != nil { // kernels leave their work undone where it is given up
		return fault.Wrap(context.Cause(ctx), fault.Canceled, "the run was given up")
	}
	for _, c := range p.copies {
		if err := op.Copy(f, f.values[c.to], f.values[c.from]); err != nil {
			return err
		}
	}
	return nil
}

// settle forgets what belongs to the caller and gives the frame back.
func (p *Program) settle(f *frame) {
	f.Context = nil
	clear(f.values[1 : 1+len(p.inputs)+len(p.outputs)])
	clear(f.in)
	clear(f.out)
	grown := f.held != f.rest
	if grown {
		f.held = 0
	}
	for i, s := range p.slots {
		if s.view {
			f.slots[i].Alias(&nothing, 0)
		} else if grown {
			f.held += op.Held(&f.slots[i])
		}
	}
	f.rest = f.held
	p.frames.Put(f)
}

// nothing is what a view shows between runs.
var nothing = *tensor.New(tensor.Uint8, 0)

// accept checks the inputs against the signature.
func (p *Program) accept(in, out []*tensor.Tensor) error {
	if len(in) != len(p.inputs) || len(out) != len(p.outputs) {
		return fault.New(fault.Invalid, "the model wants "+strconv.Itoa(len(p.inputs))+" inputs and gives "+strconv.Itoa(len(p.outputs))+
			" outputs, not "+strconv.Itoa(len(in))+" and "+strconv.Itoa(len(out)))
	}
	for i := range p.inputs {
		want, t := p.accepts[i], in[i]
		if t == nil {
			return fault.New(fault.Invalid, "the input is missing").At(string(p.inputs[i].Name))
		}
		if t.Rank() > op.MaxRank || !want.Accepts(t.DType(), t.Shape()) {
			return fault.New(fault.Invalid, "the model wants "+want.String()+", not "+t.Type().String()).At(string(p.inputs[i].Name))
		}
	}
	for i, t := range out {
		if t == nil {
			return fault.New(fault.Invalid, "no tensor for the output").At(string(p.outputs[i].Name))
		}
	}
	return nil
}

// failed names the node in an error of a kernel, keeping its code.
func failed(s *step, err error) error {
	return &fault.Error{Code: fault.CodeOf(err), Message: "the node failed", Field: s.node, Hint: fault.HintOf(err), Cause: err}
}
