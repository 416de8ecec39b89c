package front

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// head is the head of a request as net/http parsed it. Clients repeat themselves: while the bytes of the next head are
// the same but for the digits of Content-Length, what was parsed holds for it too.
type head struct {
	length  int // bytes, blank line included
	request *http.Request
	context atomic.Pointer[limited] // of request

	before, after string // what stands before and after the digits of Content-Length
	digits        string
}

var blankLine = []byte("\r\n\r\n")

// read looks for a request at the beginning of what c has read. It returns the size of the request with its body, 0 when
// that is not known yet and -1 when it is not for the front, and whether all of it is there.
func (h *head) read(c *conn) (size int, whole bool) {
	n, ok := h.repeated(c.in)
	if !ok {
		end := bytes.Index(c.in[:min(len(c.in), mostHead)], blankLine)
		switch {
		case end < 0 && (len(c.in) >= mostHead || !promising(c.in)):
			return -1, false
		case end < 0:
			return 0, false
		}
		h.length = end + len(blankLine)
		if n, ok = h.parse(c, c.in[:h.length]); !ok {
			return -1, false
		}
	}
	if n > mostBody {
		return -1, false
	}
	size = h.length + n
	return size, size <= len(c.in)
}

// promising reports whether more of a head is worth waiting for: other methods go to net/http at once.
func promising(in []byte) bool {
	const post = "POST /"
	return string(in[:min(len(in), len(post))]) == post[:min(len(in), len(post))]
}

// repeated recognises the head of the request before, and reads the digits of its Content-Length.
func (h *head) repeated(in []byte) (n int, ok bool) {
	if h.request == nil || len(in) < len(h.before) || string(in[:len(h.before)]) != h.before || h.context.Load().Err() != nil {
		return 0, false
	}
	i := len(h.before)
	for ; i < len(in) && i < len(h.before)+7 && in[i] >= '0' && in[i] <= '9'; i++ {
		n = 10*n + int(in[i]-'0')
	}
	digits := in[len(h.before):i]
	if len(digits) == 0 || len(in)-i < len(h.after) || string(in[i:i+len(h.after)]) != h.after {
		return 0, false
	}
	if string(digits) != h.digits {
		h.digits = string(digits)
		h.request.Header["Content-Length"] = []string{h.digits}
	}
	h.length = i + len(h.after)
	return n, true
}

// parse has net/http parse a head and decides whether the front may answer it. What net/http's server checks beyond
// http.ReadRequest is refused here where it could matter, and so left to it.
func (h *head) parse(c *conn, raw []byte) (length int, ok bool) {
	h.request = nil
	at, ok := plain(raw)
	if !ok {
		return 0, false
	}
	reader := bytes.NewReader(raw)
	buffered := bufio.NewReader(reader)
	r, err := http.ReadRequest(buffered)
	if err != nil || buffered.Buffered() != 0 || reader.Len() != 0 || !ordinary(r) || !c.server.Hot(r) {
		return 0, false
	}
	ctx := &limited{Context: context.WithValue(context.WithValue(context.Background(), http.ServerContextKey, c.server.HTTP), http.LocalAddrContextKey, c.net.LocalAddr()), done: make(chan struct{})}
	h.context.Store(ctx)
	h.request = r.WithContext(ctx)
	h.request.RemoteAddr = c.net.RemoteAddr().String()
	end := at
	for raw[end] >= '0' && raw[end] <= '9' {
		end++
	}
	h.before, h.digits, h.after = string(raw[:at]), string(raw[at:end]), string(raw[end:])
	return int(r.ContentLength), len(h.digits) > 0 && len(h.digits) < 8
}

// plain reports whether a head is of printable ASCII in whole lines, with one Host and one Content-Length, whose value
// begins at the place that it returns.
func plain(raw []byte) (at int, ok bool) {
	hosts, lengths := 0, 0
	for rest, first := raw, true; len(rest) > 0; first = false {
		line, after, found := bytes.Cut(rest, []byte("\r\n"))
		if !found {
			return 0, false
		}
		for _, b := range line {
			if b < ' ' || b > '~' {
				return 0, false
			}
		}
		name, value, named := bytes.Cut(line, []byte{':'})
		if !first && len(line) > 0 {
			if !named || !token(name) {
				return 0, false
			}
			switch {
			case bytes.EqualFold(name, []byte("Host")):
				hosts++
				if !hostname(bytes.TrimSpace(value)) {
					return 0, false
				}
			case bytes.EqualFold(name, []byte("Content-Length")):
				lengths++
				at = len(raw) - len(rest) + len(line) - len(bytes.TrimLeft(value, " "))
			}
		}
		rest = after
	}
	return at, hosts == 1 && lengths == 1
}

// token is a field name of RFC 9110, section 5.6.2, without the characters that no name has.
func token(name []byte) bool { return len(name) > 0 && only(name, "-_.") }

// hostname is a host, with or without a port.
func hostname(value []byte) bool { return len(value) > 0 && only(value, "-_.:[]") }

// only reports whether b is of letters, digits and some others.
func only(b []byte, others string) bool {
	for _, c := range b {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

// ordinary reports whether a request wants nothing but an answer.
func ordinary(r *http.Request) bool {
	if r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Close || len(r.TransferEncoding) > 0 || r.ContentLength < 0 || !strings.HasPrefix(r.RequestURI, "/") {
		return false
	}
	for name, values := range r.Header {
		switch name {
		case "Expect", "Upgrade", "Trailer", "Transfer-Encoding", "Te", "Content-Encoding":
			return false
		case "Connection":
			if len(values) != 1 || !strings.EqualFold(values[0], "keep-alive") {
				return false
			}
		case "Content-Length":
			if len(values) != 1 || values[0] != strconv.FormatInt(r.ContentLength, 10) {
				return false
			}
		}
	}
	return true
}

// limited is the context of the requests of a connection, one after the other. Server.watch ends it.
type limited struct {
	context.Context
	deadline time.Time
	done     chan struct{}

	mu  sync.Mutex
	err atomic.Pointer[error]
}

// until gives the request that begins its deadline.
func (h *head) until(timeout time.Duration) {
	if timeout > 0 {
		h.context.Load().deadline = time.Now().Add(timeout)
	}
}

func (l *limited) Deadline() (time.Time, bool) { return l.deadline, !l.deadline.IsZero() }
func (l *limited) Done() <-chan struct{}       { return l.done }

func (l *limited) Err() error {
	if err := l.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (l *limited) cancel(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err.Load() == nil {
		l.err.Store(&err)
		close(l.done)
	}
}

// body is the body of a request, which is in memory.
type body struct{ b []byte }

func (b *body) Read(p []byte) (int, error) {
	n := copy(p, b.b)
	if b.b = b.b[n:]; len(b.b) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func (b *body) Close() error { return nil }
