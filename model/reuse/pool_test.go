package reuse

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"
)

// TestNobodyShares has many goroutines use a pool while collections sweep it: no value is in two hands.
func TestNobodyShares(t *testing.T) {
	type value struct{ held atomic.Bool }
	var p Pool[value]
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				v := p.Take()
				if v.held.Swap(true) {
					t.Error("a value is in two hands")
				}
				runtime.Gosched()
				v.held.Store(false)
				p.Put(v)
			}
		})
	}
	for range 20 {
		runtime.GC()
	}
	all.Wait()
}

// TestWhatIsUsedStays: values in steady use outlive collections, however many are in use at once.
func TestWhatIsUsedStays(t *testing.T) {
	var p Pool[[1 << 10]byte]
	made := 0
	use := func(n int) {
		var out [3]*[1 << 10]byte
		for i := range n {
			if out[i] = p.Take(); out[i][0] == 0 {
				out[i][0] = 1
				made++
			}
		}
		for _, v := range out[:n] {
			p.Put(v)
		}
	}
	for range 10 {
		use(3)
		collect(t)
	}
	if made != 3 {
		t.Errorf("three values in use: %d were made", made)
	}
}

// TestWhatIsIdleGoes: what was needed once is freed by the second collection after.
func TestWhatIsIdleGoes(t *testing.T) {
	var p Pool[[1 << 10]byte]
	var seen [3]weak.Pointer[[1 << 10]byte]
	for i := range seen {
		v := new([1 << 10]byte)
		seen[i] = weak.Make(v)
		p.Put(v)
	}
	for range 3 {
		collect(t)
	}
	for i, s := range seen {
		if s.Value() != nil {
			t.Errorf("value %d is still held", i)
		}
	}
	runtime.KeepAlive(&p)
}

// TestPoolsGo: the sweeper keeps no pool alive.
func TestPoolsGo(t *testing.T) {
	seen := func() weak.Pointer[Pool[int]] {
		p := new(Pool[int])
		p.Put(new(int))
		return weak.Make(p)
	}()
	for range 3 {
		collect(t)
	}
	if seen.Value() != nil {
		t.Error("the pool is still held")
	}
}

// collect runs the collector and waits until the pools were swept after it.
func collect(t *testing.T) {
	t.Helper()
	swept := make(signal)
	watch(swept)
	runtime.GC()
	select {
	case <-swept:
	case <-time.After(10 * time.Second):
		t.Fatal("no sweep after a collection")
	}
}

// signal is a pool that tells when it is swept, and is gone then.
type signal chan struct{}

func (s signal) sweep() bool {
	close(s)
	return false
}

func BenchmarkTakePut(b *testing.B) {
	var p Pool[int]
	p.Put(new(int))
	for b.Loop() {
		p.Put(p.Take())
	}
}
