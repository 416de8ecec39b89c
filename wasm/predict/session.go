//go:build js && wasm

package main

import (
	"context"
	"strconv"
	"syscall/js"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// memoryLimit bounds one run: a browser gives a WebAssembly memory 4 GiB at most, and running out ends the instance.
const memoryLimit = 1 << 30

// session holds the loaded models by number.
type session struct {
	loaded map[int]*loaded
	last   int
}

type loaded struct {
	program *model.Program
	wants   map[string]tensor.DType // element types of the inputs
}

// load is load(bytes).
func (s *session) load(args []js.Value) (js.Value, error) {
	bytes := args[0]
	if bytes.InstanceOf(js.Global().Get("ArrayBuffer")) {
		bytes = jsUint8Array.New(bytes)
	}
	if !bytes.InstanceOf(jsUint8Array) {
		return js.Value{}, fault.New(fault.Invalid, "want the model file as a Uint8Array").At("bytes")
	}
	file := make([]byte, bytes.Get("length").Int())
	js.CopyBytesToGo(file, bytes)
	p, err := model.Load(file, model.Threads(1), model.MemoryLimit(memoryLimit))
	if err != nil {
		return js.Value{}, err
	}
	s.last++
	l := &loaded{program: p, wants: map[string]tensor.DType{}}
	for _, port := range p.Inputs() {
		l.wants[string(port.Name)] = port.Type.Tensor.DType
	}
	s.loaded[s.last] = l
	metadata := map[string]any{}
	for k, v := range p.Metadata() {
		metadata[k] = v
	}
	return js.ValueOf(map[string]any{"id": s.last, "metadata": metadata, "inputs": ports(p.Inputs()), "outputs": ports(p.Outputs())}), nil
}

// ports makes an array of {name, dtype, shape}.
func ports(list []graph.Port) []any {
	out := make([]any, len(list))
	for i, p := range list {
		shape := []any{}
		for _, d := range p.Type.Tensor.Dims {
			shape = append(shape, d.Size)
		}
		out[i] = map[string]any{"name": string(p.Name), "dtype": p.Type.Tensor.DType.String(), "shape": shape}
	}
	return out
}

func (s *session) find(id js.Value) (*loaded, error) {
	if id.Type() == js.TypeNumber {
		if l := s.loaded[id.Int()]; l != nil {
			return l, nil
		}
	}
	return nil, fault.New(fault.NotFound, "no model is loaded under this id").At("id").Try("call load first, and run before unload")
}

// run is run(id, inputs).
func (s *session) run(args []js.Value) (js.Value, error) {
	l, err := s.find(args[0])
	if err != nil {
		return js.Value{}, err
	}
	if args[1].Type() != js.TypeObject {
		return js.Value{}, fault.New(fault.Invalid, "want an object of inputs by name").At("inputs")
	}
	in, err := l.inputs(args[1])
	if err != nil {
		return js.Value{}, err
	}
	out, err := l.program.Run(context.Background(), in)
	if err != nil {
		return js.Value{}, err
	}
	result := js.ValueOf(map[string]any{})
	for name, t := range out {
		result.Set(name, fromTensor(t))
	}
	return result, nil
}

// inputs reads the object of inputs by name. What the model does not know goes along, for Run to refuse.
func (l *loaded) inputs(object js.Value) (map[string]*tensor.Tensor, error) {
	in := make(map[string]*tensor.Tensor, len(l.wants))
	read := func(name string, v js.Value) error {
		t, err := toTensor(v, l.wants[name])
		if e, ok := err.(*fault.Error); ok {
			return e.At(name)
		}
		in[name] = t
		return err
	}
	for name := range l.wants {
		if v := object.Get(name); !v.IsUndefined() {
			if err := read(name, v); err != nil {
				return nil, err
			}
		}
	}
	keys := objectKeys.Invoke(object)
	for i := 0; len(in) < keys.Length() && i < keys.Length(); i++ {
		if name := keys.Index(i).String(); in[name] == nil {
			if err := read(name, object.Get(name)); err != nil {
				return nil, err
			}
		}
	}
	return in, nil
}

// unload is unload(id).
func (s *session) unload(args []js.Value) (js.Value, error) {
	if _, err := s.find(args[0]); err != nil {
		return js.Value{}, err
	}
	delete(s.loaded, args[0].Int())
	return js.Undefined(), nil
}

// shapeOf reads an array of lengths and multiplies them.
func shapeOf(v js.Value) ([]int, int, error) {
	bad := fault.New(fault.Invalid, "want {data, shape}, shape being an array of at most 16 lengths")
	if !v.InstanceOf(jsArray) {
		return nil, 0, bad
	}
	rank := v.Length()
	if rank > 16 {
		return nil, 0, bad
	}
	shape := make([]int, rank)
	for i := range shape {
		d := v.Index(i)
		if d.Type() != js.TypeNumber || d.Float() < 0 || d.Float() != float64(int32(d.Float())) {
			return nil, 0, bad
		}
		shape[i] = d.Int()
	}
	n, err := tensor.Elements(shape)
	return shape, n, err
}

func wrongLength(got, want int) error {
	return fault.New(fault.Invalid, "data has "+strconv.Itoa(got)+" elements, shape needs "+strconv.Itoa(want))
}
