// Package front accepts connections for an http.Handler and answers small plain requests to hot paths itself, with less
// work than net/http: no goroutine that watches the connection, no timers, no memory and no parsing that the request
// before it on the connection has not left behind. Everything else (other paths, large or chunked or compressed bodies,
// Expect, Upgrade, HTTP/1.0, heads with anything unusual, senders that take their time) goes to net/http together with the
// bytes that were read; the connection stays there.
//
// Both ways run the same handler, and heads are parsed by net/http in both. A client cannot tell which one answered.
package front

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Server serves HTTP/1.1. Its fields must not change once it serves.
type Server struct {
	// HTTP answers what is not hot. Its Handler, ReadHeaderTimeout and IdleTimeout hold for both ways.
	HTTP *http.Server

	// Hot tells requests that may be answered without net/http. Their handler must answer with one body of moderate size,
	// change neither the request's header nor its URL, and keep nothing of the request when it returns.
	Hot func(r *http.Request) bool

	// Timeout bounds a hot request, by the deadline of its context.
	Timeout time.Duration

	handler http.Handler // HTTP's, before it was told to close connections at the end
	handed  *handed
	clock   atomic.Int64 // nanoseconds since the server began, to the precision of tick
	date    atomic.Pointer[string]
	closing atomic.Bool

	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]struct{}
	drained  chan struct{} // closed when closing and without connections
}

const (
	// tick is how often connections are looked at: for time limits and for clients that are gone.
	tick = 250 * time.Millisecond
	// slow is how long a request may take to arrive before net/http goes on with it.
	slow = time.Second
	// lastLook is how long a connection without a request is read when the server shuts down, for one that is on its way.
	lastLook = 200 * time.Millisecond
	// lingering is how long the other side may take to close a connection after its last answer.
	lingering = 500 * time.Millisecond
)

// Serve accepts connections until Shutdown, and then returns http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listener, s.conns, s.drained = l, map[*conn]struct{}{}, make(chan struct{})
	s.handed = &handed{addr: l.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
	s.mu.Unlock()
	if s.closing.Load() {
		_ = l.Close()
		return http.ErrServerClosed
	}
	s.handler = s.HTTP.Handler
	s.HTTP.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.closing.Load() { // net/http closes a connection that waits, even if a request is on its way
			w.Header().Set("Connection", "close")
		}
		s.handler.ServeHTTP(w, r)
	})
	s.tell(0)
	stop := make(chan struct{})
	defer close(stop)
	go s.watch(stop)
	go func() { _ = s.HTTP.Serve(s.handed) }() // it ends when Shutdown or the end of Serve closes what it accepts from
	err := s.accept(l)
	if s.closing.Load() {
		return http.ErrServerClosed
	}
	_ = s.handed.Close()
	return err
}

func (s *Server) accept(l net.Listener) error {
	pause := time.Duration(0)
	for {
		c, err := l.Accept()
		if err == nil {
			pause = 0
			s.begin(c)
			continue
		}
		var ne net.Error
		if s.closing.Load() || !errors.As(err, &ne) || !ne.Temporary() { //nolint:staticcheck // as net/http does: too many open files pass
			return err
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		time.Sleep(pause)
	}
}

func (s *Server) begin(n net.Conn) {
	c := &conn{server: s, net: n, in: make([]byte, 0, firstBuffer)}
	c.state.Store(s.at(fresh))
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	if s.closing.Load() { // Shutdown may have looked before
		c.hurry()
	}
	go c.serve()
}

// end forgets a connection that was closed or handed over.
func (s *Server) end(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.drain()
}

// drain tells Shutdown when nothing is left. The caller holds mu.
func (s *Server) drain() {
	if s.closing.Load() && len(s.conns) == 0 {
		select {
		case <-s.drained:
		default:
			close(s.drained)
		}
	}
}

// Shutdown stops accepting, lets requests that have begun come to their answers and closes every connection.
// Errors: fault.Canceled when ctx ends before.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closing.Store(true)
	s.mu.Lock()
	l, drained := s.listener, s.drained
	if l == nil { // it never served
		s.mu.Unlock()
		return nil
	}
	for c := range s.conns {
		c.hurry()
	}
	s.drain()
	s.mu.Unlock()
	_ = l.Close() // nothing is lost: connections that were accepted go on
	select {
	case <-drained:
	case <-ctx.Done():
		s.abandon()
	}
	_ = s.handed.Close()
	if s.handed.any.Load() { // their clients learn with an answer that it is the last
		select {
		case <-time.After(lastLook):
		case <-ctx.Done():
		}
	}
	if err := s.HTTP.Shutdown(ctx); err != nil {
		return fault.Wrap(err, fault.Canceled, "requests were cut off")
	}
	return nil
}

// abandon closes what did not end in time.
func (s *Server) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.net.Close() // its requests are given up
	}
}

// watch keeps the clock and looks after the connections, which spares each request timers of its own.
func (s *Server) watch(stop <-chan struct{}) {
	begin := time.Now()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			if !s.closing.Load() {
				return
			}
			stop = nil // requests under way still have their deadlines
		case <-s.drained:
			return
		case <-ticker.C:
			s.tell(time.Since(begin))
			s.mu.Lock()
			for c := range s.conns {
				c.look()
			}
			s.mu.Unlock()
		}
	}
}

// tell sets the clock and the text of the Date field.
func (s *Server) tell(now time.Duration) {
	date := time.Now().UTC().Format(http.TimeFormat)
	s.date.Store(&date)
	s.clock.Store(int64(now))
}

// handed is the listener from which net/http accepts what the front does not answer.
type handed struct {
	addr   net.Addr
	conns  chan net.Conn
	any    atomic.Bool // a connection was taken
	once   sync.Once
	closed chan struct{}
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handed) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handed) Addr() net.Addr { return h.addr }

// take gives a connection to net/http.
func (h *handed) take(c net.Conn) {
	h.any.Store(true)
	select {
	case h.conns <- c:
	case <-h.closed:
		_ = c.Close() // the server is gone
	}
}

// replay is a connection whose first bytes were read already.
type replay struct {
	net.Conn
	first []byte
}

type closeWriter interface{ CloseWrite() error }

// CloseWrite is what net/http does after the last answer of a connection.
func (r *replay) CloseWrite() error {
	if w, ok := r.Conn.(closeWriter); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (r *replay) Read(p []byte) (int, error) {
	if len(r.first) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.first)
	if r.first = r.first[n:]; len(r.first) == 0 {
		r.first = nil
	}
	return n, nil
}
