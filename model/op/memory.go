package op

import (
	"context"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Budget is implemented by the context that an executor hands to kernels: it counts the memory of one run.
type Budget interface {
	// Grow asks for more bytes. Errors: fault.TooLarge when the run's limit would be passed.
	Grow(bytes int64) error
}

// DefaultLimit bounds the memory of a run, and of one tensor where no Budget counts: 4 GiB.
const DefaultLimit = 4 << 30

// stringSize is what one string costs in a tensor, its bytes not counted.
const stringSize = 16

// Held is the memory that t holds for reuse, in bytes.
func Held(t *tensor.Tensor) int64 {
	held := int64(cap(t.Bytes())) + stringSize*int64(cap(t.Str()))
	for _, e := range t.List() {
		held += Held(e)
	}
	return held
}

// Reset gives t a type and shape within the memory that the run may use. Kernels call it in place of Tensor.Reset, so
// that no shape computed from a request or a file allocates without bound. The elements are not cleared (strings are).
// Errors: fault.TooLarge.
func Reset(ctx context.Context, t *tensor.Tensor, d tensor.DType, shape ...int) error {
	if len(shape) > MaxRank {
		return fault.New(fault.Unsupported, "a tensor of more than "+strconv.Itoa(MaxRank)+" dimensions")
	}
	n, err := tensor.Elements(shape)
	if err != nil {
		return err
	}
	size, held := int64(d.Size()), int64(cap(t.Bytes()))
	if d == tensor.String {
		size, held = stringSize, stringSize*int64(cap(t.Str()))
	}
	if need := int64(n) * size; need > held {
		if b, ok := ctx.(Budget); ok {
			if err := b.Grow(need - held); err != nil {
				return err
			}
		} else if need > DefaultLimit {
			return fault.New(fault.TooLarge, "a tensor of the shape "+shapeText(shape)+" passes the memory limit")
		}
	}
	t.Reset(d, shape...)
	return nil
}

// Copy makes dst an equal of src, containers with all that they hold, within the memory that the run may use. Errors: fault.TooLarge.
func Copy(ctx context.Context, dst, src *tensor.Tensor) error {
	if src.DType().Container() {
		for i, e := range dst.ResetList(src.DType(), len(src.List())) {
			if err := Copy(ctx, e, src.List()[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := Reset(ctx, dst, src.DType(), src.Shape()...); err != nil {
		return err
	}
	copy(dst.Bytes(), src.Bytes())
	copy(dst.Str(), src.Str())
	return nil
}

// scratch is memory that a kernel borrows for the length of a call. A scratch of tensors lends slots for what lies between: Reset uses again what
// memory they have.
type scratch[T any] struct{ slices reuse.Slices[T] }

// take returns n elements with any content, and the handle that put gives back.
func (s *scratch[T]) take(n int) *[]T { return s.slices.Take(n) }

// put gives memory back; nil is none.
func (s *scratch[T]) put(p *[]T) { s.slices.Put(p) }

// lists lends lists of tensors, for kernels that call another.
type lists struct{ pool scratch[*tensor.Tensor] }

func (l *lists) take(t ...*tensor.Tensor) *[]*tensor.Tensor {
	p := l.pool.take(len(t))
	copy(*p, t)
	return p
}

// put gives a list back, which keeps nothing alive.
func (l *lists) put(p *[]*tensor.Tensor) {
	clear(*p)
	l.pool.put(p)
}
