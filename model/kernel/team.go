package kernel

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/jarvis-ml/jarvis/model/reuse"
)

// Work is what several goroutines can do parts of at once. It must not panic.
type Work interface {
	// Do does the items [lo, hi).
	Do(lo, hi int)
}

// Share does n items of work, cut into so many pieces of about equal size, on up to so many goroutines, this one included: whoever is free takes the
// next piece. It allocates nothing. When done is closed (nil never is), it returns without the pieces that nobody has begun.
func Share(done <-chan struct{}, threads, n, pieces int, w Work) {
	pieces = min(pieces, n)
	if pieces < 2 {
		if n > 0 {
			w.Do(0, n)
		}
		return
	}
	j := jobs.Take()
	if j.done == nil {
		j.done = make(chan struct{}, 1)
	}
	j.work, j.given, j.n, j.pieces = w, done, n, pieces
	j.run(min(threads, pieces))
	j.work, j.given = nil, nil // keeps nothing alive
	jobs.Put(j)
}

// job is work that is shared.
type job struct {
	work      Work
	given     <-chan struct{} // closed when the work is given up
	n, pieces int

	next    atomic.Int64 // the next piece
	helpers atomic.Int64 // goroutines that have joined; at least closed: none may any more
	left    atomic.Int64 // of them, how many have finished
	most    atomic.Int64 // how many may join
	waits   atomic.Bool  // the owner sleeps until done tells that one has finished
	done    chan struct{}
}

const closed = 1 << 32

// join reports whether this goroutine may help.
func (j *job) join() bool {
	for {
		n := j.helpers.Load()
		if n >= j.most.Load() {
			return false
		}
		if j.helpers.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (j *job) help() {
	for {
		t := int(j.next.Add(1) - 1)
		if t >= j.pieces {
			return
		}
		if isDone(j.given) {
			return
		}
		j.work.Do(j.n*t/j.pieces, j.n*(t+1)/j.pieces)
	}
}

// isDone reports whether a channel is closed; nil never is.
func isDone(done <-chan struct{}) bool {
	if done == nil {
		return false
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// leave ends what join began.
func (j *job) leave() {
	j.left.Add(1)
	if j.waits.Load() {
		select {
		case j.done <- struct{}{}:
		default:
		}
	}
}

// run does the job on up to so many goroutines, this one included.
func (j *job) run(threads int) {
	j.next.Store(0)
	if threads < 2 {
		j.help()
		return
	}
	j.left.Store(0)
	j.waits.Store(false)
	j.most.Store(int64(threads - 1))
	j.helpers.Store(0) // from here on others may join
	if team.open.CompareAndSwap(nil, j) {
		call(int64(threads - 1))
	}
	defer j.end()
	j.help()
}

// end waits for who has joined.
func (j *job) end() {
	team.open.CompareAndSwap(j, nil)
	joined := j.helpers.Swap(closed)
	for spin := 0; j.left.Load() < joined; spin++ {
		if spin < patience {
			runtime.Gosched()
			continue
		}
		j.waits.Store(true)
		if j.left.Load() < joined {
			<-j.done // or what is left of an earlier use
		}
	}
}

// patience is how many times the scheduler is asked for other work before a goroutine sleeps: about a tenth of a millisecond where there is none.
const patience = 500

// nap is a sleep too short to have been worth it: work of a step that follows on other such work.
const nap = 250 * time.Microsecond

// team are goroutines that help with jobs. Waking one takes longer than a small product does: those who have just helped look out for the next
// job for a while, letting other goroutines go first.
var team = struct {
	open    atomic.Pointer[job] // the job that wants help, or nil
	members atomic.Int64
	awake   atomic.Int64 // members that are at work or look out
	bell    chan struct{}
}{bell: make(chan struct{}, 1024)}

// call sees to it that n members are awake, if there are so many processors.
func call(n int64) {
	for {
		have := team.members.Load()
		if have >= n || have >= int64(runtime.GOMAXPROCS(0)-1) {
			break
		}
		if team.members.CompareAndSwap(have, have+1) {
			team.awake.Add(1)
			go serve()
		}
	}
	for missing := min(n, team.members.Load()) - team.awake.Load(); missing > 0; missing-- {
		select {
		case team.bell <- struct{}{}:
		default:
			return // enough have been called already
		}
	}
}

// serve is what a member does for ever. One who went to sleep only to be called at once looks out longer from then on, up to four times as long.
func serve() {
	lookOut := patience
	for {
		for spin := 0; spin < lookOut; spin++ {
			if j := team.open.Load(); j != nil && j.join() {
				j.help()
				j.leave()
				spin = 0
			}
			runtime.Gosched()
		}
		team.awake.Add(-1)
		if j := team.open.Load(); j == nil || j.helpers.Load() >= j.most.Load() { // who opens a job after this sees that nobody is awake
			asleep := time.Now()
			<-team.bell
			if time.Since(asleep) < nap {
				lookOut = min(2*lookOut, 4*patience)
			} else {
				lookOut = max(lookOut/2, patience)
			}
		}
		team.awake.Add(1)
	}
}

var jobs reuse.Pool[job]
