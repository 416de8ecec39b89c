package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/npy"
)

type onnxRun struct {
	Model   string            `arg:"" help:"ONNX file, or NAME, NAME@ALIAS, NAME/VERSION of a model in the bucket."`
	In      map[string]string `help:"Value of an input: a tensor in a .pb (TensorProto) or .npy file; once for each input." placeholder:"NAME=FILE" mapsep:"none"`
	OutDir  string            `help:"Folder that the outputs are written to, one file each." placeholder:"DIR" required:"" type:"path"`
	Format  string            `help:"Format of the outputs: ${enum}." enum:"npy,pb" default:"npy"`
	Threads int               `help:"Goroutines that the run may use; 0 is one for each core." default:"0"`
}

// ran is what onnx run prints.
type ran struct {
	Outputs []ranOutput `json:"outputs"`
}

type ranOutput struct {
	Name  string `json:"name"`
	Type  string `json:"type"` // "float32(1, 10)"
	File  string `json:"file"`
	Bytes int    `json:"bytes"`
}

func (c onnxRun) Run(ctx context.Context, a *app) error {
	p, done, err := a.loadModel(ctx, c.Model, c.Threads)
	if err != nil {
		return err
	}
	defer done()
	in, err := readInputs(p, c.In)
	if err != nil {
		return err
	}
	out, err := p.Run(ctx, in)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.OutDir, 0o755); err != nil {
		return fault.New(fault.Invalid, "cannot make the folder for the outputs").At(c.OutDir).Because(err)
	}
	var result ran
	for i, port := range p.Outputs() {
		o, err := c.write(i, string(port.Name), out[string(port.Name)])
		if err != nil {
			return err
		}
		result.Outputs = append(result.Outputs, o)
	}
	if a.flags.JSON {
		return a.print(result)
	}
	for _, o := range result.Outputs {
		fmt.Fprintf(a.stdout, "%s  %s  %s\n", o.Name, o.Type, o.File)
	}
	return nil
}

// write stores output i. Its file is named as the output where that is a name for a file.
func (c onnxRun) write(i int, name string, t *tensor.Tensor) (ranOutput, error) {
	if t.DType().Container() {
		return ranOutput{}, fault.New(fault.Unsupported, "the output is a "+t.Type().String()+", which has no file format here").At(name)
	}
	base := name
	if base == "" || strings.ContainsFunc(base, func(r rune) bool { return r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) }) || strings.HasPrefix(base, ".") || len(base) > 100 {
		base = fmt.Sprintf("output_%d", i)
	}
	content := onnx.EncodeTensor(name, t)
	if c.Format == "npy" {
		var err error
		if content, err = npy.Encode(t); err != nil {
			return ranOutput{}, err
		}
	}
	path := filepath.Join(c.OutDir, base+"."+c.Format)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return ranOutput{}, fault.New(fault.Unavailable, "cannot write the output").At(path).Because(err)
	}
	return ranOutput{Name: name, Type: t.Type().String(), File: path, Bytes: len(content)}, nil
}

// readInputs reads the files that --in names.
func readInputs(p *model.Program, files map[string]string) (map[string]*tensor.Tensor, error) {
	kinds := map[string]graph.Kind{}
	for _, port := range p.Inputs() {
		kinds[string(port.Name)] = port.Type.Kind
	}
	in := map[string]*tensor.Tensor{}
	for name, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fault.New(fault.NotFound, "cannot read the value of input "+name).At(path).Because(err)
		}
		var t *tensor.Tensor
		switch filepath.Ext(path) {
		case ".npy":
			t, err = npy.Decode(raw)
		case ".pb":
			t, err = onnx.DecodeValue(raw, kinds[name])
		default:
			err = fault.New(fault.Invalid, "not a .pb or .npy file")
		}
		if err != nil {
			return nil, fault.New(fault.CodeOf(err), "the value of input "+name+" cannot be used").At(path).Because(err)
		}
		in[name] = t
	}
	return in, nil
}

// randomInput makes a value of a port's type: normal numbers, 0 and 1 for integers (so that they are indices of any table), short texts. dim gives
// the lengths of free dimensions.
func randomInput(port graph.Port, dim func(axis int, d tensor.Dim) int, rng *rand.Rand) (*tensor.Tensor, error) {
	t := port.Type.Tensor
	if port.Type.Kind != graph.TensorKind || t.Unranked {
		return nil, fault.New(fault.Invalid, "no random value can be made for "+port.Type.Type().String()).At(string(port.Name)).Try("give it with --in " + string(port.Name) + "=FILE")
	}
	shape := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		if shape[i] = d.Size; d.Size == tensor.Free {
			shape[i] = dim(i, d)
		}
	}
	n, err := tensor.Elements(shape)
	if err != nil {
		return nil, err
	}
	if n > 1<<31 {
		return nil, fault.New(fault.TooLarge, "a value of "+fmt.Sprint(n)+" elements").At(string(port.Name))
	}
	x := tensor.New(t.DType, shape...)
	switch t.DType {
	case tensor.Float32:
		fillRandom(x, func() float32 { return float32(rng.NormFloat64()) })
	case tensor.Float64:
		fillRandom(x, rng.NormFloat64)
	case tensor.Float16:
		fillRandom(x, func() uint16 { return uint16(0x3800 + rng.IntN(0x400)) }) // 0.5 to 1
	case tensor.BFloat16:
		fillRandom(x, func() uint16 { return uint16(math.Float32bits(float32(rng.NormFloat64())) >> 16) })
	case tensor.String:
		for i := range x.Str() {
			x.Str()[i] = string(rune('a' + rng.IntN(26)))
		}
	default:
		size := t.DType.Size()
		for i := 0; i < len(x.Bytes()); i += size {
			x.Bytes()[i] = byte(rng.IntN(2))
		}
	}
	return x, nil
}

func fillRandom[T tensor.Element](t *tensor.Tensor, next func() T) {
	for i := range tensor.Data[T](t) {
		tensor.Data[T](t)[i] = next()
	}
}
