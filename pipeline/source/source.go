// Package source reads tables from where they are: CSV, JSON lines and Parquet, as files, folders, standard input and
// objects of a bucket. A source gives typed columns in chunks, so that memory stays bounded.
//
// The kind of a CSV column is inferred over the whole data, not over a sample: it is Number when every value that is
// not missing is a number, and a column without any value is Number too. Codes with leading zeros (007), hexadecimal,
// dates, true and false, integers beyond ±2^53 and decimals beyond float64 are Text, since reading them as numbers
// would lose something. Missing are empty and blank fields and the texts of DefaultMissing, quoted or not, as in pandas.
// JSON and Parquet say their types: there a string stays a text, and only null and "" are missing.
//
// A record with another number of fields than the header, a quote that is not closed or stands inside an unquoted
// field, a NUL, text of two encodings, two columns of one name are errors that name file and line. An empty column
// name becomes column_N, with a notice.
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
