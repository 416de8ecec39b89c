package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/onnxfile"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

type onnxCommand struct {
	Inspect onnxInspect `cmd:"" help:"Print signature, operators, size and what is unsupported of an ONNX file."`
	Run     onnxRun     `cmd:"" help:"Run an ONNX file on tensors from .pb or .npy files."`
	Test    onnxTest    `cmd:"" help:"Run cases in the layout of the ONNX backend tests and compare with their recorded outputs."`
	Bench   onnxBench   `cmd:"" help:"Measure how fast an ONNX file loads and runs."`
}

type onnxInspect struct {
	Model string `arg:"" help:"ONNX file, or NAME, NAME@ALIAS, NAME/VERSION of a model in the bucket."`
}

func (c onnxInspect) Run(ctx context.Context, a *app) error {
	file, options, done, err := a.openModel(ctx, c.Model)
	if err != nil {
		return err
	}
	defer done()
	d, err := model.Inspect(file, options...)
	if err != nil {
		return err
	}
	if a.flags.JSON {
		return a.print(d)
	}
	a.printDescription(d)
	return nil
}

func (a *app) printDescription(d *model.Description) {
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "file\t%s, written by %s, IR version %d\n", bytesText(d.Bytes), d.Producer, d.IRVersion)
	var opsets []string
	for _, domain := range slices.Sorted(maps.Keys(d.Opsets)) {
		opsets = append(opsets, fmt.Sprintf("%s %d", domain, d.Opsets[domain]))
	}
	fmt.Fprintf(w, "opsets\t%s\n", strings.Join(opsets, ", "))
	fmt.Fprintf(w, "parameters\t%d (%s)\n", d.Parameters, bytesText(d.ParameterBytes))
	for _, p := range d.Inputs {
		fmt.Fprintf(w, "input\t%s  %s%s\n", p.Name, p.DType, shapeText(p.Shape))
	}
	for _, p := range d.Outputs {
		fmt.Fprintf(w, "output\t%s  %s%s\n", p.Name, p.DType, shapeText(p.Shape))
	}
	for _, op := range d.Operators {
		fmt.Fprintf(w, "operator\t%s × %d\n", strings.TrimPrefix(op.Domain+"."+op.Name, "ai.onnx."), op.Count)
	}
	fmt.Fprintf(w, "metadata\t%s\n", strings.Join(d.Metadata, ", "))
	if d.Runs {
		fmt.Fprintln(w, "runs\tyes")
	} else {
		fmt.Fprintf(w, "runs\tno: %s\n", d.Problem)
	}
	for _, op := range d.Unsupported {
		fmt.Fprintf(w, "unsupported\t%s\n", op)
	}
	w.Flush()
}

func shapeText(shape []any) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = fmt.Sprint(d)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// modelFile reads a model. What ends in .onnx, or cannot name a model, is a file; everything else is looked for in the
// bucket first. The second result names what was read: the file, or NAME/VERSION.
func (a *app) modelFile(ctx context.Context, ref string) ([]byte, string, error) {
	file, name, err := a.modelInBucket(ctx, ref)
	if err != nil || file != nil {
		return file, name, err
	}
	return readModel(name)
}

// modelInBucket is modelFile for what is in the bucket; file is nil where ref is the name of a file.
func (a *app) modelInBucket(ctx context.Context, ref string) (file []byte, name string, err error) {
	if isFile(ref) {
		return nil, ref, nil
	}
	reg, err := a.registry(ctx)
	if err != nil {
		return nil, "", err
	}
	v, err := reg.Resolve(ctx, ref)
	if info, e := os.Stat(ref); fault.Is(err, fault.NotFound) && e == nil && info.Mode().IsRegular() {
		return nil, ref, nil
	}
	if err != nil {
		return nil, "", err
	}
	file, err = reg.Load(ctx, v)
	return file, v.Ref(), err
}

// isFile tells what can only be the name of a file.
func isFile(ref string) bool {
	_, err := registry.ParseRef(ref)
	return err != nil || strings.HasSuffix(ref, ".onnx")
}

// openModel is modelFile for models that may keep data in other files beside them: options let model.Load find these, done gives
// the memory back.
func (a *app) openModel(ctx context.Context, ref string) (file []byte, options []model.Option, done func(), err error) {
	file, name, err := a.modelInBucket(ctx, ref)
	if err != nil || file != nil {
		return file, nil, func() {}, err
	}
	f, err := onnxfile.Open(name)
	if err != nil {
		return nil, nil, nil, fault.New(fault.NotFound, "no such model").Because(err).Try(modelHint)
	}
	return f.Bytes, []model.Option{f.Option()}, func() { _ = f.Close() }, nil // only memory is given back
}

// loadModel is a model that openModel gives, ready to run.
func (a *app) loadModel(ctx context.Context, ref string, threads int) (p *model.Program, done func(), err error) {
	file, options, done, err := a.openModel(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	if p, err = model.Load(file, append(options, model.Threads(threads))...); err != nil {
		done()
		return nil, nil, err
	}
	return p, done, nil
}

const modelHint = "MODEL is an ONNX file, or NAME, NAME@ALIAS or NAME/VERSION in the bucket"

func readModel(name string) ([]byte, string, error) {
	file, err := os.ReadFile(name)
	if err != nil {
		return nil, "", fault.New(fault.NotFound, "cannot read the model file").At(name).Because(err).Try(modelHint)
	}
	return file, name, nil
}
