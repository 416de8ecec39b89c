package kernel

import (
	"sync"
	"sync/atomic"
	"testing"
)

type work func(lo, hi int)

func (w work) Do(lo, hi int) { w(lo, hi) }

func TestShare(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 100} {
		for _, pieces := range []int{0, 1, 3, 100, 1000} {
			for _, threads := range []int{0, 1, 2, 5} {
				times := make([]atomic.Int32, n)
				Share(nil, threads, n, pieces, work(func(lo, hi int) {
					for i := lo; i < hi; i++ {
						times[i].Add(1)
					}
				}))
				for i := range times {
					if got := times[i].Load(); got != 1 {
						t.Fatalf("%d items, %d pieces, %d threads: item %d was done %d times", n, pieces, threads, i, got)
					}
				}
			}
		}
	}
}

// Work that is given up ends with the pieces that have begun.
func TestShareGivenUp(t *testing.T) {
	const threads = 4
	done, once := make(chan struct{}), sync.Once{}
	var begun atomic.Int32
	Share(done, threads, 1000, 1000, work(func(lo, hi int) {
		once.Do(func() { close(done) })
		begun.Add(1)
	}))
	if got := begun.Load(); got > threads {
		t.Errorf("%d of 1000 pieces were begun", got)
	}
}

// A product stops between blocks.
func TestProductGivenUp(t *testing.T) {
	const n = 1024
	done, once := make(chan struct{}), sync.Once{}
	var parts atomic.Int32
	e := Epilogue{Done: done, Func: func([]float32) {
		once.Do(func() { close(done) })
		parts.Add(1)
	}}
	a, c := make([]float32, n*8), make([]float32, n*n)
	ProductF32(1, n, 8, n, a, 8, false, a, n, false, c, n, &e)
	if got := int(parts.Load()); got > aRows*n/finish {
		t.Errorf("%d parts were made of %d", got, n*n/finish)
	}
}

func TestShareAllocatesNothing(t *testing.T) {
	var sum atomic.Int64
	w := work(func(lo, hi int) { sum.Add(int64(hi - lo)) })
	if got := testing.AllocsPerRun(100, func() { Share(nil, 2, 100, 8, w) }); got > 0 {
		t.Errorf("%v allocations a run", got)
	}
}
