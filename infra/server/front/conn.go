package front

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	firstBuffer = 4 << 10
	keptBuffer  = 8 << 10 // the largest buffer that a connection keeps between requests
	mostHead    = 8 << 10
	mostBody    = 64 << 10
)

// phase is what a connection is doing.
type phase int64

const (
	fresh     phase = iota // it was accepted and nothing came yet
	idle                   // an answer went out and nothing came yet
	arriving               // a part of a request is there
	answering              // the handler runs, or the answer is written
	ended                  // its time is over: whoever is blocked in it is woken
	phases
)

// conn is a connection that the front reads.
type conn struct {
	server *Server
	net    net.Conn
	state  atomic.Int64 // phase and when it began: see Server.at
	waking sync.Mutex   // held while the deadline that wakes the connection is set
	in     []byte       // what was read and not yet answered
	out    []byte       // the answer
	head   head         // of the last request
	writer writer
	body   body
}

// at joins a phase with the present time in one word, so that both change at once.
func (s *Server) at(p phase) int64 {
	return s.clock.Load()/int64(time.Millisecond)*int64(phases) + int64(p)
}

func since(state int64) (phase, time.Duration) {
	return phase(state % int64(phases)), time.Duration(state/int64(phases)) * time.Millisecond
}

// enter begins a phase; false when the connection's time was over before.
func (c *conn) enter(p phase) bool {
	old := c.state.Load()
	return phase(old%int64(phases)) != ended && c.state.CompareAndSwap(old, c.server.at(p))
}

// expire ends the connection unless it has gone on from state meanwhile.
func (c *conn) expire(state int64) {
	c.waking.Lock()
	defer c.waking.Unlock()
	if c.state.CompareAndSwap(state, c.server.at(ended)) {
		_ = c.net.SetDeadline(time.Unix(1, 0)) // a connection that is closed already needs no waking
	}
}

// until gives reads and writes a deadline again, zero for none, after expire has done its work.
func (c *conn) until(deadline time.Time) error {
	c.waking.Lock()
	defer c.waking.Unlock()
	return c.net.SetDeadline(deadline)
}

// hurry ends the connection if it waits for a request.
func (c *conn) hurry() {
	state := c.state.Load()
	if p, _ := since(state); p == fresh || p == idle {
		c.expire(state)
	}
}

// look holds the connection to its time limits. Server.watch calls it.
func (c *conn) look() {
	s, state := c.server, c.state.Load()
	p, begun := since(state)
	took := time.Duration(s.clock.Load()) - begun
	switch {
	case p == fresh && over(took, s.HTTP.ReadHeaderTimeout), p == idle && over(took, s.HTTP.IdleTimeout), p == arriving && took > slow:
		c.expire(state)
	case p == answering && over(took, s.Timeout):
		c.head.context.Load().cancel(context.DeadlineExceeded)
		if took > s.Timeout+30*time.Second { // the answer is not taken
			c.expire(state)
		}
	case p == answering && took > tick && gone(c.net):
		c.head.context.Load().cancel(context.Canceled)
	}
}

func over(took, limit time.Duration) bool { return limit > 0 && took > limit }

// serve answers requests until one is not hot or the connection ends.
func (c *conn) serve() {
	keep := false
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // the value itself is the signal
			c.complain(v)
		}
		if !keep {
			_ = c.net.Close() // nobody is left to tell
		}
		c.server.end(c)
	}()
	for {
		size, ok := c.next()
		if ok && size == 0 {
			return
		}
		if !ok || !c.enter(answering) {
			keep = true
			c.handOver()
			return
		}
		if !c.answer(size) {
			c.linger()
			return
		}
		c.in = c.in[:copy(c.in, c.in[size:])]
		if cap(c.in) > keptBuffer && len(c.in) <= firstBuffer {
			c.in = append(make([]byte, 0, firstBuffer), c.in...)
		}
		if len(c.in) == 0 {
			if !c.enter(idle) {
				return
			}
			if c.server.closing.Load() { // Shutdown may have looked before
				c.hurry()
			}
		}
	}
}

// next reads a whole request and returns its size; 0 at the end of the connection, !ok when it is not for the front.
func (c *conn) next() (size int, ok bool) {
	for {
		if len(c.in) > 0 {
			size, whole := c.head.read(c)
			if whole || size < 0 {
				return size, size > 0
			}
			if p, _ := since(c.state.Load()); p != arriving && !c.enter(arriving) {
				return 0, false
			}
		}
		if len(c.in) == cap(c.in) {
			c.in = append(make([]byte, 0, 2*cap(c.in)), c.in...)
		}
		n, err := c.net.Read(c.in[len(c.in):cap(c.in)])
		c.in = c.in[:len(c.in)+n]
		switch {
		case n > 0:
		case errors.Is(err, os.ErrDeadlineExceeded) && len(c.in) > 0: // it takes its time
			return 0, false
		case errors.Is(err, os.ErrDeadlineExceeded) && c.server.closing.Load():
			return c.last()
		case err != nil && len(c.in) == 0:
			return 0, true
		case err != nil: // cut short: net/http knows what to say to half a request
			return 0, false
		}
	}
}

// last takes a request that was on its way when the server began to shut down.
func (c *conn) last() (int, bool) {
	if c.until(time.Now().Add(lastLook)) != nil {
		return 0, true
	}
	n, _ := c.net.Read(c.in[:cap(c.in)]) // an end or a timeout: nothing came
	c.in = c.in[:n]
	return 0, n == 0
}

// handOver gives the connection to net/http, with what was read.
func (c *conn) handOver() {
	_ = c.until(time.Time{}) // net/http will see what is wrong with the connection
	c.server.handed.take(&replay{Conn: c.net, first: c.in})
}

// answer runs the handler and writes its answer; false when that was the last of the connection.
func (c *conn) answer(size int) bool {
	c.body = body{c.in[c.head.length:size]}
	r := c.head.request
	r.Body, r.ContentLength = &c.body, int64(len(c.body.b))
	c.head.until(c.server.Timeout)
	w := &c.writer
	w.begin()
	c.server.handler.ServeHTTP(w, r)
	last := c.server.closing.Load()
	c.out = w.finish(c.out[:0], *c.server.date.Load(), last)
	_, err := c.net.Write(c.out)
	if cap(c.out) > keptBuffer {
		c.out = nil
	}
	return err == nil && !last
}

// linger closes the connection for writing and waits for the other side to do the same: closed at once, what it still
// sends would make the system throw the last answer away.
func (c *conn) linger() {
	if w, ok := c.net.(closeWriter); ok && w.CloseWrite() == nil && c.until(time.Now().Add(lingering)) == nil {
		_, _ = io.CopyBuffer(io.Discard, onlyReader{c.net}, c.in[:cap(c.in)]) // its end or the deadline
	}
}

// onlyReader keeps io.Copy from asking for more than Read.
type onlyReader struct{ io.Reader }

func (c *conn) complain(v any) {
	if l := c.server.HTTP.ErrorLog; l != nil {
		l.Printf("front: panic serving %v: %v\n%s", c.net.RemoteAddr(), v, debug.Stack())
	}
}
