// Package reuse keeps memory from one run of a program to the next.
package reuse

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
	"weak"
)

// Pool keeps values that are worth using again. It differs from sync.Pool in two ways, without which a steady run would allocate now and then: what one
// goroutine has put, any other finds; and a garbage collection frees only what nobody has needed since the collection before. The zero Pool is
// ready. It may be used by many goroutines at once and must not be copied.
type Pool[T any] struct{ shelf shelf }

// Take returns a value that was put, as it was put, or a new zero.
func (p *Pool[T]) Take() *T {
	if v := p.shelf.take(); v != nil {
		return (*T)(v)
	}
	return new(T)
}

// Put keeps a value that the caller no longer uses.
func (p *Pool[T]) Put(v *T) { p.shelf.put(unsafe.Pointer(v)) }

// shelf is a Pool of no type, so that its code is compiled once and not for each.
type shelf struct {
	first unsafe.Pointer // the common case of one user takes no lock; used atomically
	asked atomic.Bool    // take was called since the last sweep
	known atomic.Bool    // to the sweeper

	mu     sync.Mutex
	others []unsafe.Pointer // the last one put is the first taken
	idle   int              // the first of others that nobody has needed since the last sweep
}

// take returns a value that was put, or nil.
func (s *shelf) take() unsafe.Pointer {
	if !s.asked.Load() {
		s.asked.Store(true)
	}
	if v := atomic.SwapPointer(&s.first, nil); v != nil {
		return v
	}
	return s.other()
}

// other is take where the first place is empty.
func (s *shelf) other() unsafe.Pointer {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.others) - 1
	if last < 0 {
		return nil
	}
	v := s.others[last]
	s.others[last] = nil
	s.others, s.idle = s.others[:last], min(s.idle, last)
	return v
}

func (s *shelf) put(v unsafe.Pointer) {
	if !s.known.Load() || !atomic.CompareAndSwapPointer(&s.first, nil, v) {
		s.add(v)
	}
}

// add is put where the first place is taken, and for the first time.
func (s *shelf) add(v unsafe.Pointer) {
	if s.known.CompareAndSwap(false, true) {
		watch(place{weak.Make(s)})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others = append(s.others, v)
}

// sweep frees what nobody has needed since the last sweep.
func (s *shelf) sweep() {
	if !s.asked.Swap(false) {
		atomic.StorePointer(&s.first, nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others = slices.Delete(s.others, 0, s.idle)
	s.idle = len(s.others)
}

// place is where a pool lies, without keeping it (and the program that it belongs to) alive.
type place struct{ at weak.Pointer[shelf] }

// sweep reports whether the pool still exists.
func (w place) sweep() bool {
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
