package job

import (
	"context"
	"io"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
	"github.com/jarvis-ml/jarvis/pipeline/source"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// PublishOptions says how a trained model enters the registry.
type PublishOptions struct {
	Who, Why string
	Promote  bool   // make it champion at once; a first version always is
	Key      string // publishing twice with one key gives one version
}

// Publish stores a trained model as a new version: champion when it is the first or Promote says so, else candidate.
func Publish(ctx context.Context, r *registry.Registry, name string, out *Outcome, o PublishOptions) (registry.Version, error) {
	alias := registry.Candidate
	_, err := r.Resolve(ctx, name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return registry.Version{}, err
	}
	if o.Promote || err != nil {
		alias = registry.Champion
	}
	return r.Publish(ctx, name, out.Artifact, registry.PublishOptions{Who: o.Who, Why: o.Why, Aliases: []string{alias}, Card: &out.Card, Key: o.Key})
}

// KeepData stores a table as a new version of a dataset that holds it alone: what later uploads are added to.
func KeepData(ctx context.Context, d *dataset.Datasets, name string, t *table.Table, from, who string) (dataset.Version, error) {
	file, w := io.Pipe() // a table may be larger than memory
	go func() { w.CloseWithError(source.Write(ctx, w, source.Parquet, t)) }()
	defer file.Close() //nolint:errcheck // ends the writer where reading ended early
	o := dataset.AppendOptions{Name: "train.parquet", Rows: int64(t.Rows), Schema: columns(t), Who: who, Why: "trained on " + from, Afresh: true}
	return d.Append(ctx, name, o, file)
}

func columns(t *table.Table) []dataset.Column {
	var out []dataset.Column
	for _, f := range t.Schema() {
		out = append(out, dataset.Column{Name: f.Name, Kind: f.Kind.String()})
	}
	return out
}
