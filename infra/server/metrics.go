package server

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics tells, in Prometheus' conventions.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // by route and status
	seconds  *prometheus.HistogramVec // by route
	rows     *prometheus.CounterVec   // rows predicted, by model and version
	version  *prometheus.GaugeVec     // version that a model serves
	bucketUp prometheus.Gauge
	reloads  *prometheus.CounterVec // by model and result
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jarvis_http_requests_total", Help: "Requests answered."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "jarvis_http_request_duration_seconds", Help: "Time to answer.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 2.5, 14)}, []string{"route"}),
		rows:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jarvis_predicted_rows_total", Help: "Rows predicted."}, []string{"model", "version"}),
		version:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "jarvis_model_version", Help: "Version that is served as champion."}, []string{"model"}),
		bucketUp: prometheus.NewGauge(prometheus.GaugeOpts{Name: "jarvis_bucket_up", Help: "1 when the bucket could be read at the last look."}),
		reloads:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jarvis_model_loads_total", Help: "Models loaded."}, []string{"model", "result"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.rows, m.version, m.bucketUp, m.reloads,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// count measures every request. Routes are few and fixed, so that a client cannot make up label values.
func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		route := routeOf(r.URL.Path)
		m.requests.WithLabelValues(route, strconv.Itoa(rec.status)).Inc()
		m.seconds.WithLabelValues(route).Observe(time.Since(start).Seconds())
	})
}

func routeOf(path string) string {
	switch {
	case strings.HasPrefix(path, "/models/"):
		return "predict"
	case strings.HasPrefix(path, "/v2/health"):
		return "health"
	case strings.HasPrefix(path, "/v2") && strings.HasSuffix(path, "/infer"):
		return "infer"
	case strings.HasPrefix(path, "/v2"):
		return "metadata"
	case strings.HasPrefix(path, "/api/"):
		return "api"
	case path == "/metrics":
		return "metrics"
	}
	return "page"
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what is below.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
