// Package reuse keeps memory from one run of a program to the next.
package reuse

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"weak"
)

// Pool keeps values that are worth using again. It differs from sync.Pool in two ways, without which a steady run would allocate now and then: what one
// goroutine has put, any other finds; and a garbage collection frees only what nobody has needed since the collection before. The zero Pool is
// ready. It may be used by many goroutines at once and must not be copied.
type Pool[T any] struct {
	first atomic.Pointer[T] // the common case of one user takes no lock
	asked atomic.Bool       // Take was called since the last sweep
	known atomic.Bool       // to the sweeper

	mu     sync.Mutex
	others []*T // the last one put is the first taken
	idle   int  // the first of others that nobody has needed since the last sweep
}

// Take returns a value that was put, as it was put, or a new zero.
func (p *Pool[T]) Take() *T {
	if !p.asked.Load() {
		p.asked.Store(true)
	}
	if v := p.first.Swap(nil); v != nil {
		return v
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.others) - 1
	if last < 0 {
		return new(T)
	}
	v := p.others[last]
	p.others[last] = nil
	p.others, p.idle = p.others[:last], min(p.idle, last)
	return v
}

// Put keeps a value that the caller no longer uses.
func (p *Pool[T]) Put(v *T) {
	if !p.known.Load() && p.known.CompareAndSwap(false, true) {
		watch(place[T]{weak.Make(p)})
	}
	if p.first.CompareAndSwap(nil, v) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.others = append(p.others, v)
}

// sweep frees what nobody has needed since the last sweep.
func (p *Pool[T]) sweep() {
	if !p.asked.Swap(false) {
		p.first.Store(nil)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.others = slices.Delete(p.others, 0, p.idle)
	p.idle = len(p.others)
}

// place is where a pool lies, without keeping it (and the program that it belongs to) alive.
type place[T any] struct{ at weak.Pointer[Pool[T]] }

// sweep reports whether the pool still exists.
func (w place[T]) sweep() bool {
	p := w.at.Value()
	if p != nil {
		p.sweep()
	}
	return p != nil
}

// pools are all that hold something; the sweeper goes through them after each collection.
var pools struct {
	mu  sync.Mutex
	all []interface{ sweep() bool }
}

func watch(p interface{ sweep() bool }) {
	pools.mu.Lock()
	defer pools.mu.Unlock()
	if pools.all == nil {
		await(new(sentinel))
	}
	pools.all = append(pools.all, p)
}

// sentinel is an object that nothing refers to. It holds a pointer so that it shares its block with no other object.
type sentinel struct{ _ *byte }

// await has the pools swept after the next collection, when the sentinel is found unreachable, and again after each that follows.
func await(s *sentinel) {
	runtime.SetFinalizer(s, func(s *sentinel) {
		pools.mu.Lock()
		pools.all = slices.DeleteFunc(pools.all, func(p interface{ sweep() bool }) bool { return !p.sweep() })
		pools.mu.Unlock()
		await(s)
	})
}
