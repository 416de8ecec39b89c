// Package server is Jarvis over HTTP: predictions in two protocols, the registry, the inbox, metrics and the page, as one
// http.Handler that the command line, a container, Lambda and tests mount alike.
//
// It serves from memory. The bucket is asked for news (Refresh), never during a prediction: while the bucket is gone,
// predictions go on, and readiness says so.
package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/klauspost/compress/gzhttp"

	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

// Options says what to serve and to whom.
type Options struct {
	Bucket  bucket.Bucket
	Token   string        // bearer token for writes; without one nothing can be written
	Public  bool          // reachable from other machines: reads need the token too
	Page    http.Handler  // the web page; nil for none
	Threads int           // cores for one prediction; 0 means all
	MaxBody int64         // bytes of a request at most; 0 means DefaultMaxBody
	Memory  int64         // bytes of tensors of one prediction at most; 0 means DefaultMemory
	Timeout time.Duration // for one prediction; 0 means DefaultTimeout
	Version string        // of Jarvis, for the API's description
	Log     *slog.Logger  // nil means slog.Default()
	Wake    func()        // called after an upload to the inbox or an event; may be nil
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
	handler  http.Handler
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
	s := &Server{opt: opt, registry: registry.Open(opt.Bucket), metrics: newMetrics()}
	s.models = newModels(s.registry, opt, s.metrics)
	s.handler = s.routes()
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Refresh looks once for changes in the registry and swaps the models that changed. Predictions that run keep the
// model that they started with. An error means that the bucket could not be read; what is loaded stays.
func (s *Server) Refresh(ctx context.Context) error { return s.models.refresh(ctx) }

// Run refreshes every interval until ctx ends.
func (s *Server) Run(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = s.Refresh(ctx) // recorded where readiness and metrics show it
		}
	}
}

// page serves everything that is not the API's.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if s.opt.Page == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		notAPage(w, r)
		return
	}
	s.opt.Page.ServeHTTP(w, r)
}

// routes mounts everything on one mux, inside out: compression, limits, who may do what, the operations.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Jarvis", s.opt.Version)
	config.Info.Description = "Predictions by the Open Inference Protocol v2 or with plain rows, and the registry behind them."
	config.DocsPath = "" // the page below needs no other host
	config.SchemasPath = ""
	config.CreateHooks = nil // no $schema links in answers
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	api := humago.New(mux, config)
	s.addHealth(api)
	s.addInference(api)
	s.addPredict(api)
	s.addCatalog(api)
	s.addWrites(api)
	mux.Handle("GET /metrics", s.metrics.handler())
	for _, prefix := range []string{"/models/", "/v2/", "/api/"} {
		mux.HandleFunc(prefix, notAPage)
	}
	mux.HandleFunc("/", s.page)
	compressed, err := gzhttp.NewWrapper(gzhttp.MinSize(1024))
	if err != nil {
		panic("server: " + err.Error()) // the options above are constant
	}
	return s.metrics.count(s.guard(s.limit(compressed(mux))))
}
