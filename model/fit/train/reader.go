package train

import (
	"context"
	"sync"
)

// reader hands out the batches of an epoch in order. With ahead above 0, so many are prepared by goroutines while another is learned from.
type reader struct {
	data Dataset
	rows func(step int) []int32
	draw func(step int) uint64

	step, last int
	slots      []slot // of the batches in turn: step s is prepared in slot s modulo their number
	cancel     context.CancelFunc
	all        sync.WaitGroup
}

// slot is a batch, and the goroutine that fills it when there is one.
type slot struct {
	batch *Batch
	want  chan int // steps
	have  chan error
}

func newReader(d Dataset, inputs, ahead int) *reader {
	r := &reader{data: d}
	for range ahead + 1 {
		r.slots = append(r.slots, slot{NewBatch(inputs), make(chan int, 1), make(chan error, 1)})
	}
	return r
}

// begin starts an epoch at a step.
func (r *reader) begin(ctx context.Context, step, last int, rows func(int) []int32, draw func(int) uint64) {
	r.step, r.last, r.rows, r.draw = step, last, rows, draw
	if len(r.slots) == 1 {
		return
	}
	ctx, r.cancel = context.WithCancel(ctx)
	for i := range r.slots {
		s := &r.slots[i]
		r.all.Go(func() { r.fill(ctx, s) })
	}
	for i := range len(r.slots) - 1 {
		r.ask(step + i)
	}
}

// ask has a step prepared.
func (r *reader) ask(step int) {
	if step < r.last {
		r.slots[step%len(r.slots)].want <- step
	}
}

// fill prepares what is asked of a slot.
func (r *reader) fill(ctx context.Context, s *slot) {
	for {
		select {
		case step := <-s.want:
			s.have <- r.data.Read(ctx, r.rows(step), r.draw(step), s.batch)
		case <-ctx.Done():
			return
		}
	}
}

// next is the next batch; the one before is used again.
func (r *reader) next(ctx context.Context) (*Batch, error) {
	step, n := r.step, len(r.slots)
	s := &r.slots[step%n]
	r.step++
	if n == 1 {
		return s.batch, r.data.Read(ctx, r.rows(step), r.draw(step), s.batch)
	}
	r.ask(step + n - 1) // into the slot of the batch before
	select {
	case err := <-s.have:
		return s.batch, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// end stops what begin started.
func (r *reader) end() {
	if len(r.slots) == 1 {
		return
	}
	r.cancel()
	r.all.Wait()
	for _, s := range r.slots { // what nobody took
		for len(s.want)+len(s.have) > 0 {
			select {
			case <-s.want:
			case err := <-s.have:
				_ = err // of a batch that nobody wants
			}
		}
	}
}
