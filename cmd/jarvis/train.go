package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
	"github.com/jarvis-ml/jarvis/pipeline/job"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
	"github.com/jarvis-ml/jarvis/pipeline/source"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

type trainCommand struct {
	Data            string        `arg:"" optional:"" help:"CSV, JSON-lines or Parquet file, a folder of them or of pictures by class, - for standard input, or a bucket URL. May stand in the configuration as train.data." config:""`
	Target          string        `help:"Column to learn; of a folder of pictures by class it is label unless another is said." placeholder:"COL"`
	Weight          string        `help:"Column that says how much each row counts, from 0 up." placeholder:"COL"`
	Task            string        `help:"What to learn: ${enum}." enum:"auto,classification,regression" default:"auto"`
	Model           modelSetting  `help:"What learns: auto, ${models}, or a YAML file with layers; auto chooses by the data and by cross-validation. In jarvis.yaml the net may stand here itself." default:"auto" placeholder:"NAME|FILE.yaml"`
	Param           paramSetting  `help:"Hyper-parameter of the model that is named, such as max_depth=8; may be given again. A name that is not there lists those that are. In jarvis.yaml an object." placeholder:"NAME=VALUE"`
	Epochs          int           `help:"Nets: times that every row is learned from, at most; 0 means what suits." default:"0"`
	BatchSize       int           `help:"Nets: rows of a step; 0 means what suits." default:"0"`
	LR              float64       `help:"Nets: learning rate; 0 means what suits." default:"0" name:"lr"`
	Monitor         string        `help:"Nets: what the best epoch is chosen by, on rows held out: loss, which keeps probabilities honest, or accuracy, which often keeps a later epoch." enum:",loss,accuracy" default:"" placeholder:"loss|accuracy"`
	CheckpointEvery time.Duration `help:"Nets: time between two checkpoints, from which a training that was killed goes on when it is started again." default:"1m"`
	Fresh           bool          `help:"Nets: begin anew where a training of the same data and settings was interrupted."`
	Name            string        `help:"Publish under this name; by default the name of the data file, unless --out is given." placeholder:"NAME"`
	Out             string        `help:"Write the ONNX file here." placeholder:"FILE.onnx" type:"path"`
	Seed            uint64        `help:"Every random choice follows from it." default:"0"`
	TimeLimit       time.Duration `help:"Start no new candidate after about this long; 0 means no limit." default:"0s"`
	Threads         int           `help:"Cores to use at most; 0 means all." default:"0"`
	Holdout         float64       `help:"Share of the rows that are never trained on and give the metrics." default:"0.2"`
	Promote         bool          `help:"Make the new version champion at once, not candidate (a first version always is)."`
	Why             string        `help:"Reason, for the registry's log." default:"jarvis train"`
}

// trained is what train --json prints.
type trained struct {
	Task       string             `json:"task"`
	Estimator  string             `json:"estimator"`
	Metrics    map[string]float64 `json:"metrics"`
	Baseline   map[string]float64 `json:"baseline"`
	Rows       int                `json:"rows"`
	Columns    []column           `json:"columns"`
	Dropped    []card.Dropped     `json:"dropped"`
	Candidates []job.Candidate    `json:"candidates,omitempty"`
	Problems   []check.Problem    `json:"problems"`
	Notices    []string           `json:"notices"` // what was assumed in reading the data
	Seconds    float64            `json:"seconds"`
	Artifact   string             `json:"artifact"` // file written, or NAME/VERSION in the bucket
	SHA256     string             `json:"sha256"`
	Model      string             `json:"model,omitempty"` // NAME/VERSION when published
	Aliases    []string           `json:"aliases,omitempty"`
}

type column struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// prepare takes the data's location from the configuration if need be, and finds what would fail only after the training.
func (c *trainCommand) prepare(file *configFile) (name string, err error) {
	if c.Data == "" {
		c.Data = file.text("train", "data")
	}
	if c.Data == "" {
		return "", fault.New(fault.Invalid, "no data is named").At("DATA").Try("jarvis train DATA --target COL; or set train.data in jarvis.yaml")
	}
	if c.Target == "" && !folderOfPictures(c.Data) {
		return "", fault.New(fault.Invalid, "no target column is named").At("--target").Try("jarvis train DATA --target COL; 'jarvis data check DATA' lists the columns")
	}
	if !(c.Holdout > 0 && c.Holdout < 1) {
		return "", fault.New(fault.Invalid, "the holdout is a share of the rows between 0 and 1").At("--holdout")
	}
	if err := c.checkNet(); err != nil {
		return "", err
	}
	if c.Out != "" {
		if info, err := os.Stat(filepath.Dir(c.Out)); err != nil || !info.IsDir() {
			return "", fault.New(fault.Invalid, "there is no such folder").At(filepath.Dir(c.Out)).Try("make it, or name another with --out")
		}
	}
	return c.modelName()
}

func (c trainCommand) Run(ctx context.Context, a *app, file *configFile) error {
	name, err := c.prepare(file)
	if err != nil {
		return err
	}
	bar := a.progress()
	defer bar.close()
	bar.say("reading %s", c.Data)
	if c.Target == "" {
		c.Target = source.LabelColumn
	}
	makeRoom()
	t, files, notices, err := a.read(ctx, c.Data)
	if err != nil {
		return err
	}
	spec := job.Spec{
		Target: c.Target, Weight: c.Weight, Task: c.Task, Seed: c.Seed, TimeLimit: c.TimeLimit, Threads: c.Threads,
		Holdout: c.Holdout, Files: files, DataName: dataName(c.Data), Version: version(),
	}
	c.learner(&spec)
	return c.carryOut(ctx, a, name, t, notices, spec, bar, func(spec job.Spec, tell func(job.Event)) (*job.Outcome, error) {
		return job.Train(ctx, t, spec, tell)
	})
}

// carryOut has a training done, keeps what came of it, and tells of it.
func (c trainCommand) carryOut(ctx context.Context, a *app, name string, t *table.Table, notices []string, spec job.Spec, bar *progress, work func(job.Spec, func(job.Event)) (*job.Outcome, error)) error {
	spec.CheckpointEvery = c.CheckpointEvery
	var finish func(context.Context, string) error
	if name == "" {
		file := checkpointFile{c.Out + ".checkpoint", c.Fresh}
		spec.Store, finish = file.store, file.remove
	} else {
		b, err := a.bucket(ctx) // before the training, not after it, if it cannot be opened
		if err != nil {
			return err
		}
		spec.Keep = func(ctx context.Context) (string, error) {
			v, err := job.KeepData(ctx, dataset.Open(b), name, t, spec.Files, spec.DataName, who())
			return v.Ref(), err
		}
		runs := job.Runs{Bucket: b, Name: name, Fresh: c.Fresh}
		spec.Store, finish = runs.Store, runs.Finish
	}
	gently, release := a.gentle(&spec)
	defer release()
	out, err := work(spec, func(e job.Event) {
		gently(e)
		bar.event(e)
	})
	bar.close()
	if err != nil {
		return err
	}
	result := summary(out)
	result.Notices = notices
	if err := c.deliver(ctx, a, name, out, &result); err != nil {
		return err
	}
	if out.Run != "" {
		if err := finish(ctx, out.Run); err != nil { // the model is safe
			a.notice("the checkpoint of the training could not be removed: %v", err)
		}
	}
	if a.flags.JSON {
		return a.print(result)
	}
	a.printTrained(result, out)
	return nil
}

// modelName is the name to publish under, "" for not publishing.
func (c trainCommand) modelName() (string, error) {
	if c.Name != "" || c.Out != "" {
		if c.Name == "" {
			return "", nil
		}
		return c.Name, registry.CheckName(c.Name)
	}
	base := path.Base(strings.TrimSuffix(filepath.ToSlash(dataName(c.Data)), "/"))
	name := strings.Trim(unfit.ReplaceAllString(strings.ToLower(strings.SplitN(base, ".", 2)[0]), "-"), "-")
	if c.Data == "-" || registry.CheckName(name) != nil {
		return "", fault.New(fault.Invalid, "the model needs a name").At("--name").Try("give --name NAME to publish, or --out FILE.onnx to write a file")
	}
	return name, nil
}

var unfit = regexp.MustCompile(`[^a-z0-9_-]+`)

// dataName names the data for the artifact, which travels: a URL without its query, where secrets may stand, and of a
// path on this machine the last part.
func dataName(location string) string {
	if bucket.IsURL(location) {
		name, _, _ := strings.Cut(location, "?")
		return name
	}
	return filepath.Base(location)
}

// deliver writes the artifact where it was asked for.
func (c trainCommand) deliver(ctx context.Context, a *app, name string, out *job.Outcome, result *trained) error {
	if c.Out != "" {
		if err := writeFile(c.Out, out.Artifact); err != nil {
			return err
		}
		result.Artifact = c.Out
	}
	if name == "" {
		return nil
	}
	reg, err := a.registry(ctx)
	if err != nil {
		return err
	}
	version, err := job.Publish(ctx, reg, name, out, job.PublishOptions{Who: who(), Why: c.Why, Promote: c.Promote})
	if err != nil {
		return err
	}
	result.Model = version.Ref()
	result.Aliases = version.Aliases
	if result.Artifact == "" {
		result.Artifact = result.Model
	}
	return nil
}

func summary(out *job.Outcome) trained {
	hash := sha256.Sum256(out.Artifact)
	t := trained{
		Task: out.Card.Signature.Task, Estimator: out.Card.Provenance.Estimator, Metrics: out.Card.Metrics.Holdout,
		Baseline: out.Card.Metrics.Baseline, Rows: out.Rows, Dropped: out.Card.Provenance.Dropped, Candidates: out.Candidates,
		Problems: out.Report.Problems, Seconds: out.Seconds, SHA256: hex.EncodeToString(hash[:]),
	}
	for _, col := range out.Report.Columns {
		t.Columns = append(t.Columns, column{Name: col.Name, Kind: string(col.Kind)})
	}
	if t.Dropped == nil {
		t.Dropped = []card.Dropped{}
	}
	if t.Problems == nil {
		t.Problems = []check.Problem{}
	}
	return t
}

func (a *app) printTrained(r trained, out *job.Outcome) {
	fmt.Fprintf(a.stdout, "%s by %s, %d rows, %.1f s\n", r.Task, r.Estimator, r.Rows, r.Seconds)
	fmt.Fprintf(a.stdout, "  holdout   %s   (%d rows never trained on)\n", metricLine(r.Metrics), out.Card.Metrics.Rows)
	fmt.Fprintf(a.stdout, "  baseline  %s\n", metricLine(r.Baseline))
	fmt.Fprintf(a.stdout, "  artifact  %s, %s\n", r.Artifact, bytesText(int64(len(out.Artifact))))
	for _, d := range r.Dropped {
		fmt.Fprintf(a.stdout, "  left out  %s: %s\n", d.Column, d.Reason)
	}
	if r.Model != "" {
		fmt.Fprintf(a.stdout, "  published %s", r.Model)
		if len(r.Aliases) > 0 {
			fmt.Fprintf(a.stdout, " as %s", strings.Join(r.Aliases, ", "))
		}
		fmt.Fprintln(a.stdout)
	}
}

// writeFile writes a file so that its name never stands for half of it.
func writeFile(name string, data []byte) error {
	return replaceFile(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// replaceFile writes beside a name and takes the name at the end.
func replaceFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".jarvis-*")
	if err != nil {
		return fault.New(fault.Invalid, "cannot write there").At(name).Because(err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // after the renaming there is none
	if err := write(f); err != nil {
		_ = f.Close() // err says more
		return err
	}
	err = f.Chmod(0o644)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fault.New(fault.Invalid, "cannot write the file").At(name).Because(err)
	}
	return nil
}
