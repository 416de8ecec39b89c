package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/fit/tune"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/job"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
	"github.com/jarvis-ml/jarvis/pipeline/onnxfile"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
	"github.com/jarvis-ml/jarvis/pipeline/source"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

type finetuneCommand struct {
	Model           string        `arg:"" help:"ONNX file of any framework, or NAME, NAME@ALIAS, NAME/VERSION of a model in the bucket."`
	Data            string        `arg:"" help:"CSV, JSON-lines or Parquet file, a folder of them, - for standard input, or a bucket URL. A column with the name of an input of the model is given to it; what is left is given by kinds."`
	Target          string        `help:"Column to learn; for a model of Jarvis's own, the one that it learned unless another is named." placeholder:"COL"`
	Weight          string        `help:"Column that says how much each row counts." placeholder:"COL"`
	Task            string        `help:"What to learn: ${enum}." enum:"auto,classification,regression" default:"auto"`
	Head            bool          `help:"Put a new last layer in the place of the model's, for other classes or another number than it knows; behind a model of embeddings, which has none, one for their mean."`
	Freeze          []string      `help:"Leave weights as they are whose name, or that of a node that uses them, is like this: * stands for any characters. '*' leaves all but a new last layer. May be repeated." placeholder:"PATTERN" sep:"none"`
	Lora            int           `help:"Leave all weights as they are, and learn a product of two matrices of so many columns and rows beside each matrix, which it becomes a part of in the end (LoRA); 4 to 16 are usual." default:"0" placeholder:"RANK"`
	LoraAlpha       float64       `help:"What that product is multiplied with, over RANK; 0 means twice RANK." default:"0"`
	LoraDropout     float64       `help:"Share of its inputs that each of them leaves out while training." default:"0"`
	Output          string        `help:"Output of the model to learn from, where it has several." placeholder:"NAME"`
	Fix             []string      `help:"Input of the model that is always the same: a number, or a JSON list. May be repeated. Free dimensions are those of the data: state=0 fills a state for every row." placeholder:"NAME=VALUE" sep:"none"`
	Size            string        `help:"Height and width that the model wants pictures to have, where it does not say." placeholder:"224|48x192"`
	Mean            []float64     `help:"Mean that is taken from each channel of pictures, where 0 is black and 1 the most: one, or one for each; without it that of ImageNet for a model of colours (rows, 3, height, width), else 0." placeholder:"M"`
	Std             []float64     `help:"Deviation that each channel is divided by, likewise." placeholder:"S"`
	Epochs          int           `help:"Times that every row is learned from, at most; 0 means 10." default:"0"`
	BatchSize       int           `help:"Rows of a step; 0 means 8 to 32, by the rows. Below 16, running statistics (BatchNormalization) stay as they are." default:"0"`
	LR              float64       `help:"Learning rate; 0 means 0.0005, for more than a million weights 0.0001, for a new last layer or LoRA alone 0.002." default:"0" name:"lr"`
	Optimizer       string        `help:"How weights move: ${enum}." enum:"adamw,adam,sgd,rmsprop,adagrad,lion" default:"adamw"`
	Patience        int           `help:"Epochs without gain after which training ends; 0 means 10." default:"0"`
	CheckpointEvery time.Duration `help:"Time between two checkpoints, from which a training that was killed goes on when it is started again." default:"1m"`
	Fresh           bool          `help:"Begin anew where a training of the same model, data and settings was interrupted."`
	Name            string        `help:"Publish under this name; by default that of the model, unless --out is given." placeholder:"NAME"`
	Out             string        `help:"Write the ONNX file here." placeholder:"FILE.onnx" type:"path"`
	Seed            uint64        `help:"Every random choice follows from it." default:"0"`
	Threads         int           `help:"Cores to use at most; 0 means all." default:"0"`
	Holdout         float64       `help:"Share of the rows that are never trained on and give the metrics." default:"0.2"`
	Promote         bool          `help:"Make the new version champion at once, not candidate (a first version always is)."`
	Why             string        `help:"Reason, for the registry's log." default:"jarvis finetune"`
}

// Run implements the command: train's, with a model to begin from.
func (c finetuneCommand) Run(ctx context.Context, a *app) error {
	how, err := c.tuning()
	if err != nil {
		return err
	}
	done, err := c.open(ctx, a, &how)
	if err != nil {
		return err
	}
	defer done()
	t := trainCommand{
		Data: c.Data, Target: c.Target, Task: c.Task, Name: c.Name, Out: c.Out, CheckpointEvery: c.CheckpointEvery, Fresh: c.Fresh, Seed: c.Seed, Threads: c.Threads,
		Holdout: c.Holdout, Promote: c.Promote, Why: c.Why,
	}
	m, err := predict.Open(how.Model, modelOptions(how)...)
	if err != nil {
		return err
	}
	if t.Target == "" && m.HasCard {
		t.Target = m.Card.Signature.Target
	}
	if t.Target == "" && folderOfPictures(c.Data) {
		t.Target = source.LabelColumn
	}
	if t.Name == "" && t.Out == "" {
		if t.Name, err = published(how.Name); err != nil {
			return err
		}
	}
	name, err := t.prepare(&configFile{})
	if err != nil {
		return err
	}
	bar := a.progress()
	defer bar.close()
	bar.say("reading %s", c.Data)
	makeRoom()
	rows, files, notices, err := c.read(ctx, a, m)
	if err != nil {
		return err
	}
	spec := job.Spec{
		Target: t.Target, Weight: c.Weight, Task: c.Task, Seed: c.Seed, Threads: c.Threads, Holdout: c.Holdout, Files: files, DataName: dataName(c.Data), Version: version(),
	}
	return t.carryOut(ctx, a, name, rows, notices, spec, bar, func(spec job.Spec, tell func(job.Event)) (*job.Outcome, error) {
		return job.FineTune(ctx, rows, spec, how, tell)
	})
}

// read reads the data: as text what a model of Jarvis's own takes as text.
func (c finetuneCommand) read(ctx context.Context, a *app, m *predict.Model) (*table.Table, neural.FileOpener, []string, error) {
	o := source.Options{Stdin: a.stdin}
	if m.HasCard {
		o.Kinds = m.TextColumns()
	}
	s, err := source.Open(ctx, c.Data, o)
	if err != nil {
		return nil, nil, nil, err
	}
	t, err := source.ReadAll(ctx, s)
	if err != nil {
		return nil, nil, nil, err
	}
	return t, source.Files(s), a.tellNotices(s), nil
}

// published is the name under which what came of a model is published: its own.
func published(model string) (string, error) {
	name, _, _ := strings.Cut(model, "/")
	if isFile(model) {
		base := strings.TrimSuffix(filepath.Base(model), filepath.Ext(model))
		name = strings.Trim(unfit.ReplaceAllString(strings.ToLower(base), "-"), "-")
	}
	if registry.CheckName(name) != nil {
		return "", fault.New(fault.Invalid, "the model needs a name").At("--name").Try("give --name NAME to publish, or --out FILE.onnx to write a file")
	}
	return name, nil
}

// tuning is what the flags ask for.
func (c finetuneCommand) tuning() (job.Tuning, error) {
	how := job.Tuning{
		Output: c.Output, Freeze: c.Freeze, Head: c.Head, LoRA: tune.LoRA{Rank: c.Lora, Alpha: c.LoraAlpha, Dropout: c.LoraDropout}, Fix: map[string]*tensor.Tensor{},
		Config: train.Config{Epochs: c.Epochs, BatchSize: c.BatchSize, Patience: c.Patience, Optimizer: optim.Config{Name: c.Optimizer, LR: c.LR}},
	}
	if c.Epochs < 0 || c.BatchSize < 0 || !(c.LR >= 0) {
		return how, fault.New(fault.Invalid, "--epochs, --batch-size and --lr must be above 0")
	}
	how.Pictures = neural.PictureOptions{Mean: c.Mean, Std: c.Std}
	if c.Size != "" {
		var err error
		if how.Pictures.Height, how.Pictures.Width, err = neural.Size(c.Size); err != nil {
			return how, err
		}
	}
	for _, text := range c.Fix {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return how, fault.New(fault.Invalid, "it is no NAME=VALUE: "+text).At("--fix").Try("such as --fix state=0 or --fix 'sizes=[48, 192]'")
		}
		t, err := constant(value)
		if err != nil {
			return how, err
		}
		how.Fix[name] = t
	}
	return how, nil
}

// constant reads a number, a text, or lists of numbers.
func constant(text string) (*tensor.Tensor, error) {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		v = text
	}
	var shape []int
	var numbers []float64
	if s, ok := v.(string); ok {
		t := tensor.New(tensor.String)
		t.Str()[0] = s
		return t, nil
	}
	if !flatten(v, 0, &shape, &numbers) {
		return nil, fault.New(fault.Invalid, "it is neither a number, nor equally long lists of numbers: "+text).At("--fix").Try("such as --fix state=0 or --fix 'sizes=[48, 192]'")
	}
	t := tensor.New(tensor.Float64, shape...)
	copy(tensor.Data[float64](t), numbers)
	return t, nil
}

// flatten takes lists of one shape apart.
func flatten(v any, depth int, shape *[]int, into *[]float64) bool {
	switch v := v.(type) {
	case float64:
		*into = append(*into, v)
		return depth == len(*shape)
	case bool:
		n := 0.
		if v {
			n = 1
		}
		return flatten(n, depth, shape, into)
	case []any:
		if len(*into) == 0 && depth == len(*shape) {
			*shape = append(*shape, len(v))
		}
		if depth >= len(*shape) || (*shape)[depth] != len(v) {
			return false
		}
		for _, e := range v {
			if !flatten(e, depth+1, shape, into) {
				return false
			}
		}
		return len(v) > 0
	}
	return false
}

// open reads the model; done gives the memory back.
func (c finetuneCommand) open(ctx context.Context, a *app, how *job.Tuning) (done func(), err error) {
	file, name, err := a.modelInBucket(ctx, c.Model)
	if err != nil || file != nil {
		how.Model, how.Name = file, name
		return func() {}, err
	}
	f, err := onnxfile.Open(name)
	if err != nil {
		return nil, fault.New(fault.NotFound, "no such model").Because(err).Try(modelHint)
	}
	how.Model, how.Name, how.External = f.Bytes, filepath.Base(name), f.External
	return func() { _ = f.Close() }, nil // only memory is given back
}

func modelOptions(how job.Tuning) []model.Option {
	if how.External == nil {
		return nil
	}
	return []model.Option{model.External(how.External)}
}
