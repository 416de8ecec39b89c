package server

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

// mostCounted bounds the versions of one model that have a counter of their own: a model that is retrained every hour
// would otherwise leave a thousand series behind each month.
const mostCounted = 10

// metrics are what /metrics tells, in Prometheus' conventions.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // by route and status
	seconds  *prometheus.HistogramVec // by route
	rows     *prometheus.CounterVec   // rows predicted, by model and version
	version  *prometheus.GaugeVec     // version that a model serves
	bucketUp prometheus.Gauge
	loads    *prometheus.CounterVec // by model and result
	panics   prometheus.Counter

	routes [len(routeNames)]routeMetrics

	mu      sync.Mutex
	counted map[string][]string // model → versions with a counter, oldest first
}

// routeMetrics are one route's series, found once and not in every request.
type routeMetrics struct {
	seconds  prometheus.Observer
	statuses [500]atomic.Pointer[prometheus.Counter] // by status-100
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jarvis_http_requests_total", Help: "Requests answered."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jarvis_http_request_duration_seconds", Help: "Time to answer.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 2.5, 14),
		}, []string{"route"}),
		rows:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jarvis_predicted_rows_total", Help: "Rows predicted."}, []string{"model", "version"}),
		version:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "jarvis_model_version", Help: "Version that is served as champion."}, []string{"model"}),
		bucketUp: prometheus.NewGauge(prometheus.GaugeOpts{Name: "jarvis_bucket_up", Help: "1 when the bucket could be read at the last look."}),
		loads:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jarvis_model_loads_total", Help: "Models loaded."}, []string{"model", "result"}),
		panics:   prometheus.NewCounter(prometheus.CounterOpts{Name: "jarvis_panics_total", Help: "Requests that met a defect and were answered with 500."}),
		counted:  map[string][]string{},
	}
	m.registry.MustRegister(m.requests, m.seconds, m.rows, m.version, m.bucketUp, m.loads, m.panics,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for i, name := range routeNames {
		m.routes[i].seconds = m.seconds.WithLabelValues(name)
	}
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// rowsOf is the counter of a version's predictions. The counters of versions long gone are given up.
func (m *metrics) rowsOf(v registry.Version) prometheus.Counter {
	m.mu.Lock()
	defer m.mu.Unlock()
	number := strconv.Itoa(v.Number)
	versions := make([]string, 0, mostCounted)
	for _, other := range m.counted[v.Model] {
		if other != number {
			versions = append(versions, other)
		}
	}
	versions = append(versions, number)
	if len(versions) > mostCounted {
		m.rows.DeleteLabelValues(v.Model, versions[0])
		versions = versions[1:]
	}
	m.counted[v.Model] = versions
	return m.rows.WithLabelValues(v.Model, number)
}

// forget gives up the series of a model that is gone.
func (m *metrics) forget(model string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.counted, model)
	byModel := prometheus.Labels{"model": model}
	m.rows.DeletePartialMatch(byModel)
	m.version.DeletePartialMatch(byModel)
	m.loads.DeletePartialMatch(byModel)
}

// count measures every request. Routes are few and fixed, so that a client cannot make up label values.
func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec, _ := recorders.Get().(*recorder)
		*rec = recorder{ResponseWriter: w}
		next.ServeHTTP(rec, r)
		route := routeOf(r.URL.Path)
		m.status(route, rec.status).Inc()
		m.routes[route].seconds.Observe(time.Since(start).Seconds())
		*rec = recorder{}
		recorders.Put(rec) // not after a panic
	})
}

func (m *metrics) status(r route, status int) prometheus.Counter {
	if status == 0 {
		status = http.StatusOK
	}
	known := &m.routes[r].statuses[min(max(status-100, 0), 499)]
	if c := known.Load(); c != nil {
		return *c
	}
	c := m.requests.WithLabelValues(routeNames[r], strconv.Itoa(status))
	known.Store(&c)
	return c
}

// route is a kind of path, as metrics tell them apart.
type route int

const (
	pageRoute route = iota
	predictRoute
	inferRoute
	metadataRoute
	healthRoute
	apiRoute
	metricsRoute
)

var routeNames = [...]string{
	pageRoute: "page", predictRoute: "predict", inferRoute: "infer", metadataRoute: "metadata",
	healthRoute: "health", apiRoute: "api", metricsRoute: "metrics",
}

func routeOf(path string) route {
	switch {
	case strings.HasPrefix(path, "/models/"):
		return predictRoute
	case strings.HasPrefix(path, "/v2/health/"):
		return healthRoute
	case strings.HasPrefix(path, "/v2/") && strings.HasSuffix(path, "/infer"):
		return inferRoute
	case path == "/v2" || strings.HasPrefix(path, "/v2/"):
		return metadataRoute
	case strings.HasPrefix(path, "/api/"):
		return apiRoute
	case path == "/metrics":
		return metricsRoute
	}
	return pageRoute
}

var recorders = sync.Pool{New: func() any { return new(recorder) }}

// recorder remembers what was answered; status is 0 while nothing was.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 { // 1xx are only announced
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach what is below.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
