package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"net"
	"net/http"
	"strings"

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
				w.Header().Set("WWW-Authenticate", `Bearer realm="jarvis"`)
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
	p := r.URL.Path
	return !(strings.HasSuffix(p, "/predict") && strings.HasPrefix(p, "/models/") ||
		strings.HasSuffix(p, "/infer") && strings.HasPrefix(p, "/v2/models/") || p == eventsPath)
}

func (s *Server) denied(r *http.Request) *Problem {
	if s.opt.Token == "" {
		return newProblem(http.StatusForbidden, fault.Denied, "this server was started without a token, so it takes no writes").
			hint("start it with --token-file FILE or JARVIS_TOKEN")
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.opt.Token))
	if !ok || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		return newProblem(http.StatusUnauthorized, fault.Denied, "this needs a valid token").hint("send the header Authorization: Bearer TOKEN")
	}
	return nil
}

func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// limit bounds the body, before and after decompression.
func (s *Server) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most := s.opt.MaxBody
		if strings.HasPrefix(r.URL.Path, inboxPath) {
			most = MaxUpload
		}
		if r.ContentLength > most {
			newProblem(http.StatusRequestEntityTooLarge, fault.TooLarge, "the request body is too large").
				hint("send fewer rows at a time, or predict a file with 'jarvis predict'").write(w)
			return
		}
		if r.Body != nil && r.Body != http.NoBody {
			body := http.MaxBytesReader(w, r.Body, most)
			switch r.Header.Get("Content-Encoding") {
			case "", "identity":
				r.Body = body
			case "gzip":
				z, err := gzip.NewReader(body)
				if err != nil {
					newProblem(http.StatusBadRequest, fault.Invalid, "the body is not gzip, though Content-Encoding says so").write(w)
					return
				}
				r.Body = http.MaxBytesReader(w, struct {
					io.Reader
					io.Closer
				}{z, body}, most)
				r.Header.Del("Content-Encoding")
				r.ContentLength = -1
			default:
				newProblem(http.StatusUnsupportedMediaType, fault.Invalid, "unknown Content-Encoding").hint("send gzip, or nothing").write(w)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
