package server

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

// served is one version of one model, ready to predict. It never changes.
type served struct {
	version registry.Version
	file    []byte
	*predict.Model
	batch     *batcher // nil where one at a time is faster
	predicted prometheus.Counter
}

// models is what is in memory. Predictions read the map behind an atomic pointer; refresh replaces the map whole.
type models struct {
	registry  *registry.Registry
	opt       Options
	metrics   *metrics
	log       *slog.Logger
	champions atomic.Pointer[map[string]*served]
	state     atomic.Pointer[state]

	refreshing sync.Mutex

	mu    sync.Mutex
	other map[string]*served // versions asked for by number, by NAME/NUMBER
	bad   map[string]string  // hash of an unusable artifact → why
}

// state is the outcome of the last look at the bucket.
type state struct {
	err   error
	since time.Time // when err first appeared
}

// mostOther bounds the versions kept in memory beside the champions.
const mostOther = 8

func newModels(reg *registry.Registry, opt Options, m *metrics) *models {
	ms := &models{registry: reg, opt: opt, metrics: m, log: opt.Log, other: map[string]*served{}, bad: map[string]string{}}
	ms.champions.Store(&map[string]*served{})
	ms.state.Store(&state{err: fault.New(fault.Unavailable, "the bucket has not been read yet"), since: time.Now()})
	return ms
}

// refresh brings champions in line with the registry. A champion that cannot be used leaves the old one in place.
func (ms *models) refresh(ctx context.Context) error {
	ms.refreshing.Lock()
	defer ms.refreshing.Unlock()
	list, err := ms.registry.List(ctx)
	ms.note(err)
	if err != nil {
		return err
	}
	now := *ms.champions.Load()
	next := make(map[string]*served, len(list))
	changed := len(list) != len(now)
	for _, m := range list {
		s := ms.champion(ctx, m, now[m.Name])
		if s != nil {
			next[m.Name] = s
		}
		changed = changed || s != now[m.Name]
	}
	if changed {
		ms.champions.Store(&next)
	}
	return nil
}

func (ms *models) note(err error) {
	before := ms.state.Load()
	if err == nil {
		ms.metrics.bucketUp.Set(1)
		if before.err != nil {
			ms.state.Store(&state{})
		}
		return
	}
	ms.metrics.bucketUp.Set(0)
	if before.err == nil {
		ms.log.Warn("the bucket cannot be read; serving goes on from memory", "error", err)
		ms.state.Store(&state{err: err, since: time.Now()})
	}
}

// champion returns what to serve for a model: the version that the registry names, or what is served now where that
// one cannot be loaded.
func (ms *models) champion(ctx context.Context, m registry.Model, now *served) *served {
	number, ok := m.Aliases[registry.Champion]
	if !ok {
		return nil
	}
	if now != nil && now.version.Number == number {
		return now
	}
	i := slices.IndexFunc(m.Versions, func(v registry.Version) bool { return v.Number == number })
	if i < 0 {
		return now
	}
	s, err := ms.load(ctx, m.Versions[i])
	if err != nil {
		ms.metrics.reloads.WithLabelValues(m.Name, "failed").Inc()
		return now
	}
	ms.metrics.reloads.WithLabelValues(m.Name, "ok").Inc()
	ms.metrics.version.WithLabelValues(m.Name).Set(float64(number))
	ms.log.Info("serving", "model", m.Name, "version", number)
	return s
}

// load reads and compiles a version. An artifact whose bytes are wrong is put aside in the registry by its hash and
// not tried again.
func (ms *models) load(ctx context.Context, v registry.Version) (*served, error) {
	ms.mu.Lock()
	why, bad := ms.bad[v.SHA256]
	ms.mu.Unlock()
	if bad {
		return nil, fault.New(fault.BadModel, "this version cannot be used: "+why).At(v.Ref())
	}
	file, err := ms.registry.Load(ctx, v)
	if err == nil {
		var m *predict.Model
		m, err = predict.Open(file, model.Threads(ms.opt.Threads), model.MemoryLimit(ms.opt.Memory))
		if err == nil {
			return ms.ready(v, file, m), nil
		}
	}
	ms.log.Error("a model cannot be loaded", "model", v.Model, "version", v.Number, "error", err)
	if fault.Is(err, fault.BadModel) || fault.Is(err, fault.Corrupt) || fault.Is(err, fault.Unsupported) {
		ms.mu.Lock()
		ms.bad[v.SHA256] = err.Error()
		ms.mu.Unlock()
		if e := ms.registry.Quarantine(ctx, v.SHA256, err.Error()); e != nil {
			ms.log.Warn("the unusable artifact could not be recorded in the bucket", "error", e)
		}
	}
	return nil, err
}

func (ms *models) ready(v registry.Version, file []byte, m *predict.Model) *served {
	s := &served{version: v, file: file, Model: m, batch: newBatcher(m.Program)}
	s.predicted = ms.metrics.rows.WithLabelValues(v.Model, strconv.Itoa(v.Number))
	if s.batch != nil {
		m.Via(s.batch.Run)
	}
	return s
}

// get returns the champion of a model, or the version that ref names: a number or an alias.
func (ms *models) get(ctx context.Context, name, ref string) (*served, error) {
	champion := (*ms.champions.Load())[name]
	if ref == "" || ref == registry.Champion {
		if champion == nil {
			return nil, ms.unknown(name)
		}
		return champion, nil
	}
	if champion != nil && strconv.Itoa(champion.version.Number) == ref {
		return champion, nil
	}
	number, err := strconv.Atoi(ref)
	full := name + "/" + ref
	if err != nil {
		full = name + "@" + ref
	} else if s := ms.kept(name, number); s != nil {
		return s, nil
	}
	v, err := ms.registry.Resolve(ctx, full)
	if err != nil {
		return nil, err
	}
	if s := ms.kept(name, v.Number); s != nil {
		return s, nil
	}
	s, err := ms.load(ctx, v)
	if err != nil {
		return nil, err
	}
	ms.keep(s)
	return s, nil
}

func (ms *models) kept(name string, number int) *served {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return ms.other[name+"/"+strconv.Itoa(number)]
}

// keep remembers a version that was asked for by number, and forgets another when there are many.
func (ms *models) keep(s *served) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for key := range ms.other {
		if len(ms.other) < mostOther {
			break
		}
		delete(ms.other, key)
	}
	ms.other[s.version.Ref()] = s
}

func (ms *models) unknown(name string) error {
	err := fault.New(fault.NotFound, "there is no model of that name, or it has no champion").At(name)
	hint := "the models are listed at /api/models"
	if st := ms.state.Load(); st.err != nil {
		hint = "the bucket cannot be read now, so there may be models that are not known here yet"
	}
	return err.Try(hint)
}

// names lists the models that are served.
func (ms *models) names() []string {
	names := slices.AppendSeq([]string{}, maps.Keys(*ms.champions.Load()))
	slices.Sort(names)
	return names
}
