package train

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Dataset is rows to learn from, read in any order and any number of times, by several goroutines at once where it is read ahead.
type Dataset interface {
	Rows() int
	// Read fills b with rows, in that order. draw names the random choices of augmentation: what is read with the same draw is the same; 0 means
	// none, as for rows that are held out. b's tensors are to be Reset, so that their memory serves again.
	Read(ctx context.Context, rows []int32, draw uint64, b *Batch) error
}

// Batch is rows as a step takes them.
type Batch struct {
	In     []*tensor.Tensor // for each input of the net, (rows, …)
	Target *tensor.Tensor   // as the loss says
	Weight []float32        // (rows), or empty for equal weights; their mean over the data set should be 1
}

// NewBatch makes an empty batch for a net of so many inputs.
func NewBatch(inputs int) *Batch {
	b := &Batch{Target: new(tensor.Tensor)}
	for range inputs {
		b.In = append(b.In, new(tensor.Tensor))
	}
	return b
}

// Memory is a Dataset of tensors in memory, whose first dimension counts the rows. Inputs of float32 and int64 are taken.
type Memory struct {
	In     []*tensor.Tensor
	Target *tensor.Tensor
	Weight []float32 // (rows), or nil
}

// Rows implements Dataset.
func (m *Memory) Rows() int { return m.Target.Shape()[0] }

// Read implements Dataset.
func (m *Memory) Read(_ context.Context, rows []int32, _ uint64, b *Batch) error {
	for i, t := range m.In {
		pick(b.In[i], t, rows)
	}
	pick(b.Target, m.Target, rows)
	b.Weight = b.Weight[:0]
	if m.Weight != nil {
		for _, r := range rows {
			b.Weight = append(b.Weight, m.Weight[r])
		}
	}
	return nil
}

// pick copies rows of src into dst.
func pick(dst, src *tensor.Tensor, rows []int32) {
	var shape [8]int
	n := copy(shape[:], src.Shape())
	all := shape[0]
	shape[0] = len(rows)
	dst.Reset(src.DType(), shape[:n]...)
	if all == 0 {
		return
	}
	from, to := src.Bytes(), dst.Bytes()
	size := len(from) / all
	for i, r := range rows {
		copy(to[i*size:(i+1)*size], from[int(r)*size:])
	}
}
