package train

import (
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// judgeRows is how many rows are judged at a time, at least.
const judgeRows = 64

// judge computes the loss of rows held out, by the net as it predicts.
type judge struct {
	program *exec.Program
	loss    Loss
	in, out []*tensor.Tensor
	inputs  int
	batch   *Batch
	weight  *tensor.Tensor
	rows    []int32
	most    int
}

func newJudge(n *Net, l Loss, most, threads int) (*judge, error) {
	f := newForm(n)
	total, err := f.loss(Objective{Loss: l})
	if err != nil {
		return nil, err
	}
	f.output(total, tensor.TypeOf(tensor.Float32))
	if l == CrossEntropy {
		f.output(f.z, tensor.Rows(tensor.Float32, tensor.Free))
	}
	j := &judge{loss: l, inputs: len(f.inputs), batch: NewBatch(len(f.inputs)), weight: new(tensor.Tensor), most: most}
	if j.program, err = exec.Compile(f.b.Model(), exec.Options{Threads: threads}); err != nil {
		return nil, err
	}
	j.in = make([]*tensor.Tensor, len(f.inputs))
	for _, v := range slices.Concat(f.params, f.states) {
		j.in = append(j.in, n.Graph.Initializers[v])
	}
	j.in = append(j.in, nil, j.weight)
	for range j.program.Outputs() {
		j.out = append(j.out, new(tensor.Tensor))
	}
	return j, nil
}

// score is the mean loss by weight and, for classes, the share of rows, by weight, that are right; NaN for other losses.
func (j *judge) score(ctx context.Context, d Dataset) (loss, accuracy float64, err error) {
	var total, right, all float64
	for from := 0; from < d.Rows(); from += j.most {
		j.rows = j.rows[:0]
		for r := from; r < min(from+j.most, d.Rows()); r++ {
			j.rows = append(j.rows, int32(r))
		}
		if err := d.Read(ctx, j.rows, 0, j.batch); err != nil {
			return 0, 0, err
		}
		copy(j.in, j.batch.In)
		j.in[len(j.in)-2] = j.batch.Target
		share(j.weight, j.batch)
		if err := j.program.RunInto(ctx, j.in, j.out); err != nil {
			return 0, 0, err
		}
		n := float64(len(j.rows))
		total += n * float64(j.out[0].F32()[0])
		for i, w := range j.weight.F32() {
			all += n * float64(w)
			if j.loss == CrossEntropy && j.right(i) {
				right += n * float64(w)
			}
		}
	}
	accuracy = math.NaN()
	if j.loss == CrossEntropy {
		accuracy = right / all
	}
	return total / all, accuracy, nil
}

// right reports whether the largest logit of row i is that of its class.
func (j *judge) right(i int) bool {
	z, classes := j.out[1].F32(), j.out[1].Shape()[1]
	row, best := z[i*classes:][:classes], 0
	for k, v := range row {
		if v > row[best] {
			best = k
		}
	}
	return int64(best) == j.batch.Target.I64()[i]
}
