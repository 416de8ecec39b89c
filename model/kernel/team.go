package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// job is a product that several goroutines share: pieces of C, h rows and w columns each, which whoever is free takes next.
type job struct {
	g            productF32
	h, w, across int
	tasks        int64

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

func (j *job) work() {
	for {
		t := j.next.Add(1) - 1
		if t >= j.tasks {
			return
		}
		i, c := int(t)/j.across*j.h, int(t)%j.across*j.w
		j.g.part(i, min(i+j.h, j.g.m), c, min(c+j.w, j.g.n))
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
	j.left.Store(0)
	j.waits.Store(false)
	j.most.Store(int64(threads - 1))
	j.helpers.Store(0) // from here on others may join
	if team.open.CompareAndSwap(nil, j) {
		call(int64(threads - 1))
	}
	j.work()
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
			go help()
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

// help is what a member does for ever.
func help() {
	for {
		for spin := 0; spin < patience; spin++ {
			if j := team.open.Load(); j != nil && j.join() {
				j.work()
				j.leave()
				spin = 0
			}
			runtime.Gosched()
		}
		team.awake.Add(-1)
		if j := team.open.Load(); j == nil || j.helpers.Load() >= j.most.Load() { // who opens a job after this sees that nobody is awake
			<-team.bell
		}
		team.awake.Add(1)
	}
}

// jobs are reused.
var jobs = sync.Pool{New: func() any { return &job{done: make(chan struct{}, 1)} }}
