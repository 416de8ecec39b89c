//go:build !lean

package op

import (
	"sync"
	"sync/atomic"
)

// laterFrom is how many elements of weights are worth waiting with: laying them out takes as long as a product of a few rows.
const laterFrom = 1 << 16

// later is something that pays off only when it is used again: made at its second use, so that the first result of a program comes sooner, and one
// that is run once never takes the memory.
type later[T any] struct {
	uses atomic.Int32
	once sync.Once
	v    *T
}

// get returns it, or nil at the first use.
func (l *later[T]) get(made func() *T) *T {
	if l.uses.Load() == 0 && l.uses.Add(1) == 1 {
		return nil
	}
	l.once.Do(func() { l.v = made() })
	return l.v
}
