package neural

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

const (
	mostAhead = 1 << 30 // bytes that are kept of what is frozen
	chunkRows = 64
)

// answered runs what is frozen once for each row. It returns nil where there is no room for the answers.
func answered(ctx context.Context, front *graph.Graph, rows *foreignRows, d Data) (batchSource, error) {
	memory := &train.Memory{Target: tensor.New(tensor.Int64, 0)}
	size := 0
	for _, p := range front.Outputs {
		shape, n := []int{d.Table.Rows}, 4*d.Table.Rows
		for _, dim := range p.Type.Type().Dims[1:] {
			shape, n = append(shape, dim.Size), n*dim.Size
			if n > mostAhead {
				return nil, nil
			}
		}
		if size += n; size > mostAhead {
			return nil, nil
		}
		memory.In = append(memory.In, tensor.New(tensor.Float32, shape...))
	}
	m := &graph.Model{IRVersion: graph.IRVersion, Opsets: map[string]int64{"": graph.OpsetVersion}, Graph: front}
	program, err := exec.Compile(m, exec.Options{Threads: d.Threads})
	if err != nil {
		return nil, err
	}
	in, out := tensors(len(front.Inputs)), tensors(len(front.Outputs))
	inputs := make([]int, len(front.Inputs))
	for i, p := range front.Inputs {
		inputs[i] = at(rows.ports, p.Name)
	}
	all := tensors(len(rows.ports))
	for from := 0; from < d.Table.Rows; from += chunkRows {
		var chunk []int32
		for r := from; r < min(from+chunkRows, d.Table.Rows); r++ {
			chunk = append(chunk, int32(r))
		}
		if err := rows.read(ctx, chunk, 0, all); err != nil {
			return nil, err
		}
		for i, k := range inputs {
			in[i] = all[k]
		}
		if err := program.RunInto(ctx, in, out); err != nil {
			return nil, err
		}
		for i, t := range out {
			width := t.Len() / len(chunk)
			copy(memory.In[i].F32()[from*width:], t.F32())
		}
	}
	return &answers{memory}, nil
}

func tensors(n int) []*tensor.Tensor {
	list := make([]*tensor.Tensor, n)
	for i := range list {
		list[i] = new(tensor.Tensor)
	}
	return list
}

// answers are what a frozen part gave for each row.
type answers struct{ memory *train.Memory }

func (a *answers) read(ctx context.Context, rows []int32, draw uint64, in []*tensor.Tensor) error {
	return a.memory.Read(ctx, rows, draw, &train.Batch{In: in, Target: new(tensor.Tensor)})
}
