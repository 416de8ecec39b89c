package fit

import "sync"

// Parallel calls f(0) … f(n-1) from that many goroutines at most, and returns when all are done. Parts must not depend
// on who runs them: results are combined by the caller in the order of parts, so that they do not depend on workers.
func Parallel(workers, n int, f func(part int)) {
	if workers = min(workers, n); workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	group.Wait()
}
