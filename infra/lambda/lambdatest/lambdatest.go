//go:build unix

// Package lambdatest plays AWS Lambda for one function: it starts a built bootstrap as a process, speaks the Runtime API
// with it, freezes it between invocations, stops it at its deadline, and starts it anew when it has ended.
//
// It is not Lambda's processor share: an init here has all cores.
package lambdatest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"
)

// Options describe the function. Only Binary is needed.
type Options struct {
	Binary      string        // the executable bootstrap
	Name        string        // of the function; "" means "test"
	Env         []string      // NAME=value, beside what Lambda sets
	Timeout     time.Duration // of an invocation; 0 means 10 seconds
	InitTimeout time.Duration // of the start; 0 means 10 seconds, which is Lambda's
	MemoryMB    int           // what the function is told; 0 means 512
	Thawed      bool          // let the process run between invocations, which Lambda does not
	Log         io.Writer     // gets the function's output too; may be nil
}

// Function is a function of which one environment runs.
type Function struct {
	o Options

	mu     sync.Mutex // one invocation at a time, as in one environment
	p      *process
	starts int
	closed bool
}

// Result is the outcome of an invocation.
type Result struct {
	Payload  []byte
	Error    *Error        // the function's own failure; nil when it answered
	Cold     bool          // a process was started for it
	Init     time.Duration // from the start of the process until it asked for work, when Cold
	Duration time.Duration // from the payload's delivery to the answer
	Peak     int64         // bytes of memory at most so far; 0 where the system does not tell
}

// Error is what a function, or Lambda on its behalf, reports about a failure.
type Error struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

// Error gives type and message.
func (e *Error) Error() string { return e.Type + ": " + e.Message }

// Start starts the function's process and returns when it asks for its first invocation. An error has what the process
// wrote in it.
func Start(ctx context.Context, o Options) (*Function, error) {
	binary, err := filepath.Abs(o.Binary)
	if err != nil {
		return nil, err
	}
	o.Binary = binary
	if o.Name == "" {
		o.Name = "test"
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.InitTimeout == 0 {
		o.InitTimeout = 10 * time.Second
	}
	if o.MemoryMB == 0 {
		o.MemoryMB = 512
	}
	f := &Function{o: o}
	if f.p, err = boot(ctx, o); err != nil {
		return nil, err
	}
	f.starts = 1
	f.rest()
	return f, nil
}

// Starts is the number of processes that were started.
func (f *Function) Starts() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.starts
}

// Output is the last that the running process wrote.
func (f *Function) Output() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.p.log.String()
}

// Invoke has one payload answered. The error is one of the harness; that of the function is in the Result.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return Result{}, errClosed
	}
	cold := !f.p.used
	if !f.p.alive() {
		_ = f.p.server.Close() // its process has ended
		p, err := boot(ctx, f.o)
		if err != nil {
			return Result{}, err
		}
		f.p, cold = p, true
		f.starts++
	}
	result, err := f.deliver(ctx, payload)
	if cold {
		result.Cold, result.Init = true, f.p.init
	}
	return result, err
}

// deliver gives the payload to the waiting process and waits for its answer, its end or its deadline.
func (f *Function) deliver(ctx context.Context, payload []byte) (Result, error) {
	p := f.p
	p.used = true
	in := &invocation{id: uuid(), payload: payload, trace: trace(), done: make(chan Result, 1)}
	start := time.Now()
	in.deadline = start.Add(f.o.Timeout)
	p.thaw()
	timeout := time.NewTimer(f.o.Timeout)
	defer timeout.Stop()
	select {
	case p.work <- in:
	case <-p.exited:
		return Result{Error: &Error{Type: "Runtime.ExitError", Message: p.ending()}}, nil
	case <-timeout.C:
		p.kill()
		return Result{}, errors.New("lambdatest: the process does not ask for work")
	}
	var r Result
	select {
	case r = <-in.done:
	case <-p.exited:
		select {
		case r = <-in.done: // it answered before it ended
		default:
			r.Error = &Error{Type: "Runtime.ExitError", Message: p.ending()}
		}
	case <-timeout.C:
		p.kill()
		r.Error = &Error{Type: "Sandbox.Timedout", Message: fmt.Sprintf("task timed out after %.2f seconds", f.o.Timeout.Seconds())}
	case <-ctx.Done():
		p.kill()
		return Result{}, context.Cause(ctx)
	}
	r.Duration = time.Since(start)
	r.Peak = p.peak()
	f.settle()
	return r, nil
}

// settle waits until the process asks for more, and freezes it then.
func (f *Function) settle() {
	if !f.p.alive() {
		return
	}
	select {
	case <-f.p.idle:
		f.rest()
	case <-f.p.exited:
	case <-time.After(f.o.Timeout):
		f.p.kill()
	}
}

func (f *Function) rest() {
	if !f.o.Thawed {
		f.p.freeze()
	}
}

// Close ends the process.
func (f *Function) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.closed = true
	f.p.stop()
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func trace() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails
	h := hex.EncodeToString(b[:])
	return "Root=1-" + h[:8] + "-" + h[8:32] + ";Parent=" + h[24:40] + ";Sampled=0"
}
