package neural

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// dataset is some rows of Data as training takes them.
type dataset struct {
	data           Data
	rows           Rows
	index          []int32 // rows of the table
	center, spread float64 // of a regression's target, which is learned as (y - center)/spread
	mean           float64 // weight of the rows to learn from
}

// Rows implements train.Dataset.
func (d *dataset) Rows() int { return len(d.index) }

// Classes implements train.Counter.
func (d *dataset) Classes() []int {
	if d.data.Task != fit.Classification {
		return nil
	}
	rows := make([]int, d.data.Classes)
	for _, r := range d.index {
		rows[d.data.Class[r]]++
	}
	return rows
}

// Read implements train.Dataset.
func (d *dataset) Read(ctx context.Context, rows []int32, draw uint64, b *train.Batch) error {
	at := make([]int32, len(rows))
	for i, r := range rows {
		at[i] = d.index[r]
	}
	if err := d.rows.Read(ctx, at, draw, b.In[0]); err != nil {
		return err
	}
	d.targets(at, b.Target)
	d.weigh(at, b)
	return nil
}

func (d *dataset) weigh(rows []int32, b *train.Batch) {
	b.Weight = b.Weight[:0]
	if d.data.Weight != nil {
		for _, r := range rows {
			b.Weight = append(b.Weight, float32(float64(d.data.Weight[r])/d.mean))
		}
	}
}

func (d *dataset) targets(rows []int32, y *tensor.Tensor) {
	if d.data.Task == fit.Classification {
		y.Reset(tensor.Int64, len(rows))
		for i, r := range rows {
			y.I64()[i] = int64(d.data.Class[r])
		}
		return
	}
	y.Reset(tensor.Float32, len(rows), 1)
	for i, r := range rows {
		y.F32()[i] = 0
		if d.spread > 0 {
			y.F32()[i] = float32((float64(d.data.Y[r]) - d.center) / d.spread)
		}
	}
}
