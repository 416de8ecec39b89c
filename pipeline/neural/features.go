package neural

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/feature"
	"github.com/jarvis-ml/jarvis/pipeline/paged"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// FewCategories is how many categories of a column become a feature each; columns of more become codes, for which nets learn vectors.
const FewCategories = 16

// Features are numbers, categories, truth values and dates, as package feature prepares them: (rows, features), codes of categories last.
type Features struct{ Plan *feature.Plan }

// Columns implements Input.
func (f *Features) Columns() []card.Input { return f.Plan.Inputs }

// Append implements Input.
func (f *Features) Append(b *graph.Builder) (graph.Value, error) { return f.Plan.Append(b) }

// Type implements Input.
func (f *Features) Type() tensor.Type { return tensor.Rows(tensor.Float32, f.Plan.Width()) }

// Rows implements Input.
func (f *Features) Rows(ctx context.Context, t *table.Table) (Rows, error) {
	x, err := f.Plan.Transform(ctx, t)
	paged.Scattered(x)
	return features{x, f.Plan.Width()}, err
}

type features struct {
	x     []float32 // (rows, width)
	width int
}

// Read implements Rows.
func (f features) Read(_ context.Context, rows []int32, _ uint64, x *tensor.Tensor) error {
	x.Reset(tensor.Float32, len(rows), f.width)
	to := x.F32()
	for i, r := range rows {
		copy(to[i*f.width:(i+1)*f.width], f.x[int(r)*f.width:])
	}
	return nil
}
