package front

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// begun is a server that answers with the body that it is sent, and its address.
func begun(t *testing.T, s *Server, handler http.HandlerFunc) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if s.HTTP == nil {
		s.HTTP = new(http.Server)
	}
	s.HTTP.Handler, s.HTTP.ErrorLog = handler, log.New(io.Discard, "", 0)
	s.Hot = func(r *http.Request) bool { return r.URL.Path == "/hot" }
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func echo(w http.ResponseWriter, r *http.Request) {
	_, hot := r.Context().(*limited)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		body = []byte(err.Error())
	}
	_, _ = fmt.Fprintf(w, "%t %s", hot, body)
}

func dial(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c, bufio.NewReader(c)
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

const request = "POST /hot HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"

// A sender that takes its time is net/http's: with its limits, from where it was.
func TestSlowSenders(t *testing.T) {
	address := begun(t, &Server{HTTP: &http.Server{ReadHeaderTimeout: 300 * time.Millisecond, IdleTimeout: 300 * time.Millisecond}, Timeout: time.Minute}, echo)
	t.Run("body", func(t *testing.T) {
		t.Parallel()
		c, r := dial(t, address)
		send(t, c, request+request[:len(request)-2])
		if got := hear(t, r); got != "true hello" {
			t.Error(got)
		}
		time.Sleep(slow + 2*tick)
		send(t, c, "lo")
		if got := hear(t, r); got != "false hello" {
			t.Error(got)
		}
	})
	for name, begin := range map[string]string{"head": request[:30], "nothing": "", "nothing more": request, "a byte": "P"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, r := dial(t, address)
			start := time.Now()
			send(t, c, begin)
			if begin == request {
				hear(t, r)
			}
			if rest, _ := io.ReadAll(r); time.Since(start) > slow+time.Second || strings.Contains(string(rest), " 200 ") {
				t.Errorf("open for %v, said %q", time.Since(start), rest)
			}
		})
	}
}

// The context of a hot request ends with its time, or when its client goes.
func TestContexts(t *testing.T) {
	ended := make(chan error, 1)
	address := begun(t, &Server{Timeout: time.Second}, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 5 {
			<-r.Context().Done()
			ended <- r.Context().Err()
		}
		echo(w, r)
	})
	c, r := dial(t, address)
	send(t, c, request)
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if got := hear(t, r); got != "true hello" {
		t.Error(got)
	}
	// The next request on the connection has a time of its own.
	send(t, c, strings.Replace(request, "Length: 5\r\n\r\nhello", "Length: 2\r\n\r\nno", 1))
	if got := hear(t, r); got != "true no" {
		t.Error(got)
	}
	send(t, c, request)
	_ = c.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPanics(t *testing.T) {
	address := begun(t, &Server{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half an answer")
		panic(http.ErrAbortHandler)
	})
	c, r := dial(t, address)
	send(t, c, request)
	if got, err := io.ReadAll(r); len(got) > 0 || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

// Requests that were sent before a shutdown are answered, whichever way they are on; new connections are refused.
func TestShutdownDropsNothing(t *testing.T) {
	var waiting atomic.Int64
	s := &Server{Timeout: time.Minute}
	address := begun(t, s, func(w http.ResponseWriter, r *http.Request) {
		waiting.Add(1)
		time.Sleep(10 * time.Millisecond)
		echo(w, r)
	})
	var clients sync.WaitGroup
	for i := range 20 {
		c, r := dial(t, address)
		text := request
		if i%4 == 0 {
			text = strings.Replace(request, "/hot", "/cold", 1)
		}
		clients.Go(func() {
			for {
				if _, err := io.WriteString(c, text); err != nil {
					t.Errorf("a request could not be sent: %v", err)
					return
				}
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Errorf("a request was dropped: %v", err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || !strings.HasSuffix(string(body), " hello") {
					t.Errorf("%q %v", body, err)
				}
				if resp.Close {
					return
				}
			}
		})
	}
	idle, _ := dial(t, address)
	for waiting.Load() < 100 {
		time.Sleep(time.Millisecond)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	clients.Wait()
	if n, err := idle.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		t.Errorf("an idle connection: %d %v", n, err)
	}
	if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address); err == nil {
		_ = c.Close()
		t.Error("a new connection is taken")
	}
}

// FuzzHead: of all heads that the front takes, net/http understands the same, also when the one before was alike.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{request, "POST /hot?x=1 HTTP/1.1\r\nhost:a\r\nContent-Length:  12 \r\nX-A: b: c\r\n\r\n", "POST /hot HTTP/1.1\r\nHost: a\r\nX-Content-Length: 7\r\nContent-Length: 0\r\n\r\n"} {
		f.Add([]byte(seed), []byte("7"))
		f.Add([]byte(seed), []byte("0\r\nContent-Length: 7"))
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	s := &Server{HTTP: new(http.Server), Hot: func(*http.Request) bool { return true }}
	f.Fuzz(func(t *testing.T, text, digits []byte) {
		c := &conn{server: s, net: a, in: text}
		size, _ := c.head.read(c)
		if size <= 0 {
			return
		}
		same(t, c, text, size)
		again := []byte(c.head.before + string(digits) + c.head.after)
		c.in = again
		if n, ok := c.head.repeated(again); ok && n <= mostBody {
			same(t, c, again, c.head.length+n)
		}
	})
}

// same compares what the head says with what net/http reads from the text.
func same(t *testing.T, c *conn, text []byte, size int) {
	t.Helper()
	want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(text))))
	got := c.head.request
	if err != nil || want.Method != got.Method || want.RequestURI != got.RequestURI || want.Host != got.Host || want.ContentLength != int64(size-c.head.length) ||
		fmt.Sprint(want.Header) != fmt.Sprint(got.Header) || want.Close || want.TransferEncoding != nil {
		t.Fatalf("%q: %+v, net/http has %+v %v", text, got, want, err)
	}
	body, err := io.ReadAll(want.Body)
	if rest := text[min(c.head.length, len(text)):min(size, len(text))]; len(text) >= size && (err != nil || string(body) != string(rest)) {
		t.Fatalf("%q: the body is %q, net/http has %q %v", text, rest, body, err)
	}
}
