package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
	"github.com/jarvis-ml/jarvis/pipeline/job"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

type trainCommand struct {
	Data      string        `arg:"" help:"CSV, JSON-lines or Parquet file, a folder of them, - for standard input, or a bucket URL."`
	Target    string        `help:"Column to learn." placeholder:"COL"`
	Task      string        `help:"What to learn: ${enum}." enum:"auto,classification,regression" default:"auto"`
	Model     string        `help:"Estimator: ${enum}; auto chooses by cross-validation." enum:"auto,linear,boost,mlp" default:"auto"`
	Name      string        `help:"Publish under this name; by default the name of the data file, unless --out is given." placeholder:"NAME"`
	Out       string        `help:"Write the ONNX file here." placeholder:"FILE.onnx" type:"path"`
	Seed      uint64        `help:"Every random choice follows from it." default:"0"`
	TimeLimit time.Duration `help:"Start no new candidate after about this long; 0 means no limit." default:"0s"`
	Threads   int           `help:"Cores to use at most; 0 means all." default:"0"`
	Holdout   float64       `help:"Share of the rows that are never trained on and give the metrics." default:"0.2"`
	Promote   bool          `help:"Make the new version champion at once, not candidate (a first version always is)."`
	Why       string        `help:"Reason, for the registry's log." default:"jarvis train"`
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

func (c trainCommand) Run(ctx context.Context, a *app) error {
	if c.Target == "" {
		return fault.New(fault.Invalid, "no target column is named").At("--target").Try("jarvis train DATA --target COL; 'jarvis data check DATA' lists the columns")
	}
	name, err := c.modelName()
	if err != nil {
		return err
	}
	bar := a.progress()
	defer bar.close()
	bar.say("reading %s", c.Data)
	t, err := a.read(ctx, c.Data)
	if err != nil {
		return err
	}
	spec := job.Spec{
		Target: c.Target, Task: c.Task, Model: c.Model, Seed: c.Seed, TimeLimit: c.TimeLimit, Threads: c.Threads,
		Holdout: c.Holdout, DataName: dataName(c.Data), Version: version(),
	}
	var data dataset.Version
	if name != "" {
		if data, err = a.keepData(ctx, name, t, spec.DataName); err != nil {
			return err
		}
		spec.Dataset = data.Ref()
	}
	out, err := job.Train(ctx, t, spec, bar.event)
	bar.close()
	if err != nil {
		return err
	}
	result := summary(out)
	if err := c.deliver(ctx, a, name, out, &result); err != nil {
		return err
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

// dataName names the data without the query of a URL, where secrets may stand.
func dataName(location string) string {
	name, _, _ := strings.Cut(location, "?")
	return name
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
	if r.Model != "" {
		fmt.Fprintf(a.stdout, "  published %s", r.Model)
		if len(r.Aliases) > 0 {
			fmt.Fprintf(a.stdout, " as %s", strings.Join(r.Aliases, ", "))
		}
		fmt.Fprintln(a.stdout)
	}
}

// keepData stores the table as the dataset that later uploads extend.
func (a *app) keepData(ctx context.Context, name string, t *table.Table, from string) (dataset.Version, error) {
	b, err := a.bucket(ctx)
	if err != nil {
		return dataset.Version{}, err
	}
	return job.KeepData(ctx, dataset.Open(b), name, t, from, who())
}

// writeFile writes a file so that its name never stands for half of it.
func writeFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".jarvis-*")
	if err != nil {
		return fault.New(fault.Invalid, "cannot write there").At(name).Because(err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
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
