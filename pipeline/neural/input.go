// Package neural trains neural nets on the columns of a table: numbers and categories, texts, sequences, images. What a net looks at is an Input; what it
// becomes is an ONNX graph with the preparation inside.
package neural

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Input turns columns of a table into the one tensor that a net looks at: in training, and as nodes of the artifact when it predicts. Both give the same
// numbers.
type Input interface {
	// Columns are the inputs of the artifact.
	Columns() []card.Input
	// Append declares those inputs in b and appends the nodes that prepare them. It returns the net's input.
	Append(b *graph.Builder) (graph.Value, error)
	// Type is that of the net's input, (rows, …).
	Type() tensor.Type
	// Rows gets ready to read the inputs of t's rows.
	Rows(ctx context.Context, t *table.Table) (Rows, error)
}

// Rows are the inputs of a table's rows. They may be read by several goroutines at once.
type Rows interface {
	// Read fills x with rows, in that order; x is to be Reset, so that its memory serves again. draw names the random choices of augmentation: what is
	// read with the same draw is the same; 0 means none, as for rows that are held out.
	Read(ctx context.Context, rows []int32, draw uint64, x *tensor.Tensor) error
}
