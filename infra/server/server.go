// Package server is Jarvis over HTTP: predictions in two protocols, the registry, the inbox, metrics and the page, as one
// http.Handler that the command line, a container, Lambda and tests mount alike.
//
// It serves from memory. The bucket is asked for news (Refresh), never during a prediction: while the bucket is gone,
// predictions go on, and readiness says so.
package server

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/klauspost/compress/gzhttp"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

// Options says what to serve and to whom.
type Options struct {
	Bucket  bucket.Bucket
	Token   string                           // bearer token for writes; without one nothing can be written
	Public  bool                             // reachable from other machines: reads need the token too
	Page    http.Handler                     // the web page; nil for none
	Docs    func(*huma.OpenAPI) http.Handler // makes the page at /docs, as docs.Handler does; nil for none
	Threads int                              // cores for one prediction; 0 means all
	MaxBody int64                            // bytes of a request at most; 0 means DefaultMaxBody
	Memory  int64                            // bytes of tensors of one prediction at most; 0 means DefaultMemory
	Timeout time.Duration                    // for one prediction; 0 means DefaultTimeout
	Version string                           // of Jarvis, for the API's description
	Log     *slog.Logger                     // nil means slog.Default()
	Wake    func()                           // called after an upload to the inbox or an event; may be nil
}

// Defaults of Options.
const (
	DefaultMaxBody = 16 << 20
	DefaultMemory  = 1 << 30
	DefaultTimeout = 30 * time.Second
)

// Server holds the models in memory and answers for them.
type Server struct {
	opt      Options
	registry *registry.Registry
	models   *models
	metrics  *metrics
	token    [32]byte            // SHA-256 of Options.Token
	handler  func() http.Handler // routes, made once
}

// New makes a server. It loads nothing yet: call Refresh once before serving, and from then on now and then.
func New(opt Options) *Server {
	if opt.MaxBody == 0 {
		opt.MaxBody = DefaultMaxBody
	}
	if opt.Memory == 0 {
		opt.Memory = DefaultMemory
	}
	if opt.Timeout == 0 {
		opt.Timeout = DefaultTimeout
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	s := &Server{opt: opt, registry: registry.Open(opt.Bucket), metrics: newMetrics(), token: sha256.Sum256([]byte(opt.Token))}
	s.models = newModels(s.registry, opt, s.metrics)
	s.handler = sync.OnceValue(s.routes)
	go s.handler() // while the caller goes on: what it needs next is the bucket, and on a cold start every millisecond counts
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler().ServeHTTP(w, r) }

// Refresh looks once for changes in the registry and swaps the models that changed. Predictions that run keep the
// model that they started with. An error means that the bucket could not be read; what is loaded stays.
func (s *Server) Refresh(ctx context.Context) error { return s.models.refresh(ctx, 0) }

// patience is how long a look waits for models that are being loaded, before the next may see what changed meanwhile.
const patience = time.Second

// Run refreshes every interval until ctx ends.
func (s *Server) Run(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = s.models.refresh(ctx, patience) // recorded where readiness and metrics show it
		}
	}
}

// routes mounts everything on one mux, inside out: who may do what, limits, counting, compression.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Jarvis", s.opt.Version)
	config.Info.Description = "Predictions by the Open Inference Protocol v2 or with plain rows, and the registry behind them."
	config.DocsPath = "" // package docs has a page that needs no other host
	config.SchemasPath = ""
	config.CreateHooks = nil // no $schema links in answers
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	api := humago.New(mux, config)
	s.addHealth(api)
	s.addInference(mux, api)
	s.addPredict(mux, api)
	s.addCatalog(mux, api)
	s.addWrites(mux, api)
	if s.opt.Docs != nil {
		page := s.opt.Docs(api.OpenAPI())
		mux.Handle("/docs", page)
		mux.Handle("/docs/", page)
	}
	mux.Handle("GET /metrics", s.metrics.handler())
	mux.Handle("/", s.otherwise(mux))
	compressed, err := gzhttp.NewWrapper(gzhttp.MinSize(1024))
	if err != nil {
		panic("server: " + err.Error()) // the options above are constant
	}
	answers := s.metrics.count(s.survive(s.guard(s.limit(s.shortcut(mux)))))
	return compressible(compressed(answers), answers)
}

// compressible takes requests that accept no compression past the wrapper for it, which would cost more than they do.
func compressible(compressed, plain http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, asked := r.Header["Accept-Encoding"]; asked {
			compressed.ServeHTTP(w, r)
			return
		}
		w.Header()["Vary"] = varies
		plain.ServeHTTP(w, r)
	})
}

var varies = []string{"Accept-Encoding"}

// shortcut finds the handler of a prediction with the champion, the usual one, without the mux.
func (s *Server) shortcut(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.RawPath == "" {
			if name, ok := between(r.URL.Path, "/models/", "/predict"); ok {
				s.call(w, r, s.predict, name, "")
				return
			}
			if name, ok := between(r.URL.Path, "/v2/models/", "/infer"); ok {
				s.call(w, r, s.infer, name, "")
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

// between gives the name of a model in a path; names that the mux would see in another way are left to it.
func between(path, before, after string) (string, bool) {
	if len(path) <= len(before)+len(after) || path[:len(before)] != before || path[len(path)-len(after):] != after {
		return "", false
	}
	name := path[len(before) : len(path)-len(after)]
	return name, name != "." && name != ".." && strings.IndexByte(name, '/') < 0
}

// otherwise answers what no operation does: with the page, or a problem for paths of the API and other methods than GET.
func (s *Server) otherwise(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if allowed := others(mux, r); len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			newProblem(http.StatusMethodNotAllowed, fault.Invalid, "there is no "+strconv.QuoteToASCII(r.Method)+" at "+r.URL.Path).hint("use " + strings.Join(allowed, " or ")).write(w)
			return
		}
		get := r.Method == http.MethodGet || r.Method == http.MethodHead
		if s.opt.Page == nil || !get || reserved(r.URL.Path) {
			notFound(w, r)
			return
		}
		s.opt.Page.ServeHTTP(w, r)
	})
}

// reserved are paths that never belong to the page.
func reserved(path string) bool {
	return path == "/v2" || strings.HasPrefix(path, "/v2/") || strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/models/")
}

// others lists the methods that do exist at the path of a request.
func others(mux *http.ServeMux, r *http.Request) (allowed []string) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if method == r.Method || method == http.MethodGet && r.Method == http.MethodHead {
			continue
		}
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(probe); pattern != "" && pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	return allowed
}
