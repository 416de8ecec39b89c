package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// guard decides who may do what. On loopback reading is open and writing needs the token; a server that other
// machines can reach needs the token for everything but its health and the static page, which hold no data.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.opt.Public && !loopbackHost(r.Host) {
			// A page of another site that had its name pointed at 127.0.0.1 (DNS rebinding) sends its own name here.
			newProblem(http.StatusForbidden, fault.Denied, "this server answers for loopback names only").
				hint("use 127.0.0.1 or localhost, or start it with --address and a token").write(w)
			return
		}
		if (s.opt.Public && !open(r)) || writes(r) {
			if p := s.denied(r); p != nil {
				if p.Status == http.StatusUnauthorized {
					w.Header().Set("WWW-Authenticate", `Bearer realm="jarvis"`)
				}
				p.write(w)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// open are the paths without data: health for probes, and the page, which asks for the token.
func open(r *http.Request) bool {
	p := r.URL.Path
	if p == "/v2/health/live" || p == "/v2/health/ready" {
		return true
	}
	for _, prefix := range []string{"/v2", "/models/", "/api/", "/metrics", "/openapi", "/docs"} {
		if strings.HasPrefix(p, prefix) {
			return false
		}
	}
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// writes reports whether a request changes something. Predictions are reads, though they are POSTs; so is a hint that
// something may have arrived, which makes the server look at its own inbox and nothing else.
func writes(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return false
	}
	return !predicts(r.URL.Path) && r.URL.Path != eventsPath
}

func (s *Server) denied(r *http.Request) *Problem {
	if s.opt.Token == "" {
		return newProblem(http.StatusForbidden, fault.Denied, "this server was started without a token, so it takes no writes").
			hint("start it with --token-file FILE or JARVIS_TOKEN")
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	hash := sha256.Sum256([]byte(given))
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(hash[:], s.token[:]) != 1 {
		return newProblem(http.StatusUnauthorized, fault.Denied, "this needs a valid token").hint("send the header Authorization: Bearer TOKEN")
	}
	return nil
}

func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost")
}

// limit bounds the body, before and after decompression.
func (s *Server) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most := s.opt.MaxBody
		if strings.HasPrefix(r.URL.Path, inboxPath) {
			most = MaxUpload
		}
		if r.ContentLength > most {
			tooLarge(most).write(w)
			return
		}
		if r.ContentLength < 0 { // a length that is told is kept by net/http
			r.Body = http.MaxBytesReader(w, r.Body, most)
		}
		switch encoding := r.Header.Get("Content-Encoding"); {
		case encoding == "" || strings.EqualFold(encoding, "identity") || r.ContentLength == 0:
			next.ServeHTTP(w, r)
		case strings.EqualFold(encoding, "gzip"):
			z := &unzipped{from: r.Body}
			defer z.release()
			r.Body = http.MaxBytesReader(w, z, most)
			r.Header.Del("Content-Encoding")
			r.ContentLength = -1
			next.ServeHTTP(w, r)
		default:
			newProblem(http.StatusUnsupportedMediaType, fault.Invalid, "unknown Content-Encoding").hint("send gzip, or nothing").write(w)
		}
	})
}

func tooLarge(most int64) *Problem {
	return newProblem(http.StatusRequestEntityTooLarge, fault.TooLarge, "the request body is larger than "+strconv.FormatInt(most, 10)+" bytes").
		hint("send fewer rows at a time, or predict a file with 'jarvis predict'")
}

// unzipped is a gzip body; the decompressor, some 40 KB, is taken at the first read and given back at the end.
type unzipped struct {
	from io.ReadCloser
	z    *gzip.Reader
	err  error
}

var unzippers = sync.Pool{New: func() any { return new(gzip.Reader) }}

func (u *unzipped) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	if u.z == nil {
		u.z, _ = unzippers.Get().(*gzip.Reader)
		if err := u.z.Reset(u.from); err != nil {
			return 0, u.fail(err)
		}
	}
	n, err := u.z.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // gzip gives io.EOF itself
		err = u.fail(err)
	}
	return n, err
}

// fail tells a body that is no gzip from one that is too large or whose sender is gone.
func (u *unzipped) fail(err error) error {
	var large *http.MaxBytesError
	if !errors.As(err, &large) {
		err = fault.New(fault.Invalid, "the body is not gzip, or is cut short").At("body").Because(err)
	}
	u.err = err
	return err
}

func (u *unzipped) Close() error { return u.from.Close() }

func (u *unzipped) release() {
	if u.z != nil {
		unzippers.Put(u.z)
		u.z, u.err = nil, io.ErrClosedPipe
	}
}

// survive turns a panic into an answer and a line in the log: one request meets a defect, the server goes on.
func (s *Server) survive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // the value itself is the signal
				panic(v)
			}
			s.metrics.panics.Inc()
			s.opt.Log.Error("a request met a defect", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			if rec, ok := w.(*recorder); ok && rec.status != 0 {
				panic(http.ErrAbortHandler) // half an answer is out: the client must see that it is not whole
			}
			clear(w.Header())
			newProblem(http.StatusInternalServerError, fault.Internal, "internal error").hint("the server's log says more").write(w)
		}()
		next.ServeHTTP(w, r)
	})
}
