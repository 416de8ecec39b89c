package job

import (
	"context"
	"io"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
	"github.com/jarvis-ml/jarvis/pipeline/pixels"
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

// KeepData stores a table as a new version of a dataset that holds it alone: what later uploads are added to. Pictures that the table names are stored
// themselves; files opens them, and may be nil.
func KeepData(ctx context.Context, d *dataset.Datasets, name string, t *table.Table, files neural.FileOpener, from, who string) (dataset.Version, error) {
	file, w := io.Pipe() // a table may be larger than memory
	go func() { w.CloseWithError(writeWhole(ctx, w, t, files)) }()
	defer file.Close() //nolint:errcheck // ends the writer where reading ended early
	o := dataset.AppendOptions{Name: "train.parquet", Rows: int64(t.Rows), Schema: columns(t), Who: who, Why: "trained on " + from, Afresh: true}
	return d.Append(ctx, name, o, file)
}

// piece is how many rows are written at a time where pictures take the place of their names.
const piece = 256

// writeWhole writes a table as Parquet, pictures themselves in place of their names. A picture that cannot be opened is missing.
func writeWhole(ctx context.Context, w io.Writer, t *table.Table, files neural.FileOpener) error {
	named := namedPictures(t, files)
	if len(named) == 0 {
		return source.Write(ctx, w, source.Parquet, t)
	}
	out, err := source.NewWriter(w, source.Parquet, t.Schema(), source.WriteOptions{})
	if err != nil {
		return err
	}
	for from := 0; from < t.Rows; from += piece {
		part := t.Slice(from, min(from+piece, t.Rows))
		for _, at := range named {
			part.Columns[at] = opened(ctx, part.Columns[at], files)
		}
		if ctx.Err() != nil {
			return fault.Wrap(ctx.Err(), fault.Canceled, "canceled while the data was kept")
		}
		if err := out.Write(part); err != nil {
			return err
		}
	}
	return out.Close()
}

// opened is a column of files in place of their names.
func opened(ctx context.Context, c table.Column, files neural.FileOpener) table.Column {
	out := table.Column{Field: c.Field, Dict: table.NewDict(), Codes: make([]int32, len(c.Codes))}
	for i := range c.Codes {
		out.Codes[i] = -1
		if c.Missing(i) {
			continue
		}
		if body, err := files(ctx, c.Text(i)); err == nil {
			out.Codes[i] = out.Dict.CodeBytes(body)
		}
	}
	return out
}

// namedPictures are the columns whose values name files of pictures.
func namedPictures(t *table.Table, files neural.FileOpener) (at []int) {
	if files == nil {
		return nil
	}
	for i, c := range t.Columns {
		if c.Kind != table.Text {
			continue
		}
		values := c.Dict.Values[:min(len(c.Dict.Values), 100)]
		n := 0
		for _, v := range values {
			if pixels.Reference(v) {
				n++
			}
		}
		if 2*n > len(values) {
			at = append(at, i)
		}
	}
	return at
}

func columns(t *table.Table) []dataset.Column {
	var out []dataset.Column
	for _, f := range t.Schema() {
		out = append(out, dataset.Column{Name: f.Name, Kind: f.Kind.String()})
	}
	return out
}
