package train

import (
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// mixed is memory that mixup uses again from step to step.
type mixed struct {
	x    []float32
	rows []int32
}

// mixture draws for a step λ from Beta(mixup, mixup), and how many rows behind its own the other row of each stands.
func (s *Step) mixture(seed uint64, step, rows int) (lambda float32, shift int) {
	source := rand.NewPCG(seed, 0x313<<32|uint64(step))
	lambda = float32(distuv.Beta{Alpha: s.mixup, Beta: s.mixup, Src: source}.Rand())
	return lambda, rand.New(source).IntN(max(1, rows))
}

// mix puts λ·x + (1-λ)·x' in place of each row of the batch, x' being the one that stands shift behind it, all around, and has both targets count by those
// parts (Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018).
func (s *Step) mix(b *Batch, lambda float32, shift int) {
	rows := b.Target.Shape()[0]
	for _, t := range b.In {
		if t.DType() == tensor.Float32 {
			s.mixed.x = append(s.mixed.x[:0], t.F32()...)
			blend(t.F32(), s.mixed.x, rows, shift, lambda)
		}
	}
	first, second := s.parts[0].weight.F32(), s.parts[1]
	second.weight.Reset(tensor.Float32, rows)
	s.mixed.rows = s.mixed.rows[:0]
	for i := range rows {
		s.mixed.rows = append(s.mixed.rows, int32((i+shift)%rows))
		second.weight.F32()[i] = (1 - lambda) * first[i]
	}
	pick(second.target, b.Target, s.mixed.rows)
	for i := range first {
		first[i] *= lambda
	}
}

// blend makes of rows as they were, old, x: each mixed with the one that comes shift behind it, all around.
func blend(x, old []float32, rows, shift int, lambda float32) {
	size := len(x) / max(1, rows)
	for i := range x {
		x[i] = lambda*old[i] + (1-lambda)*old[(i+shift*size)%len(x)]
	}
}
