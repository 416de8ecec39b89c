// Package source reads tables from where they are: CSV, JSON lines and Parquet, as files, folders, standard input and
// objects of a bucket. A source gives typed columns in chunks, so that memory stays bounded.
package source

import (
	"context"
	"iter"

	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Source is any place that rows come from.
type Source interface {
	// Schema returns the columns. It may read the head of the data, and is the same at every call.
	Schema(ctx context.Context) (table.Schema, error)
	// Chunks yields the rows in order, in tables of the Schema's columns; the chunks of one iteration share their
	// dictionaries. An error ends the iteration. Each call starts from the beginning, where the place allows it.
	Chunks(ctx context.Context) iter.Seq2[*table.Table, error]
}
