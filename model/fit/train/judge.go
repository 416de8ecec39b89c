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
	classes []float64 // their weights, or none
	in, out []*tensor.Tensor
	inputs  int
	batch   *Batch
	weight  *tensor.Tensor
	rows    []int32
	most    int
}

func newJudge(n *Net, o Objective, most, threads int) (*judge, error) {
	l, f := o.Loss, newForm(n)
	total, err := f.loss(Objective{Loss: l})
	if err != nil {
		return nil, err
	}
	f.output(total, tensor.TypeOf(tensor.Float32))
	if l == CrossEntropy {
		f.output(f.z, tensor.Rows(tensor.Float32, tensor.Free))
	}
	j := &judge{loss: l, classes: o.ClassWeight, inputs: len(f.inputs), batch: NewBatch(len(f.inputs)), weight: new(tensor.Tensor), most: most}
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

// score is the mean loss by weight, of rows and of their classes, and for classes the share of rows, by their weight, that are right; NaN for other losses.
func (j *judge) score(ctx context.Context, d Dataset) (loss, accuracy float64, err error) {
	var total, mass, right, all float64
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
		n := float64(len(j.rows))
		for _, w := range j.weight.F32() {
			all += n * float64(w)
		}
		j.weigh()
		if err := j.program.RunInto(ctx, j.in, j.out); err != nil {
			return 0, 0, err
		}
		total += n * float64(j.out[0].F32()[0])
		for i, w := range j.weight.F32() {
			mass += n * float64(w)
			if j.loss == CrossEntropy && j.right(i) {
				right += n * float64(w) / j.of(i)
			}
		}
	}
	accuracy = math.NaN()
	if j.loss == CrossEntropy {
		accuracy = right / all
	}
	return total / mass, accuracy, nil
}

// weigh has rows count by their classes, too.
func (j *judge) weigh() {
	for i := range j.weight.F32() {
		j.weight.F32()[i] *= float32(j.of(i))
	}
}

// of is the weight of the class of row i.
func (j *judge) of(i int) float64 {
	if len(j.classes) == 0 {
		return 1
	}
	if c := j.batch.Target.I64()[i]; c >= 0 && c < int64(len(j.classes)) {
		return j.classes[c]
	}
	return 1 // the loss refuses the class
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
