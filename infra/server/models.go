package server

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

const (
	// lookTime bounds one look at the registry, so that a store that hangs is noticed.
	lookTime = 10 * time.Second
	// loadTime bounds reading and compiling one artifact.
	loadTime = 5 * time.Minute
)

// models is what is in memory. Predictions read a snapshot behind an atomic pointer; whoever changes it replaces it whole.
type models struct {
	registry *registry.Registry
	opt      Options
	metrics  *metrics
	log      *slog.Logger
	now      atomic.Pointer[snapshot]

	look  chan struct{} // held by the refresh under way
	loads singleflight.Group

	mu      sync.Mutex
	loading map[string]bool   // models whose champion is being loaded
	recent  []*served         // versions beside the champions, least recently used first
	bad     map[string]string // hash of an unusable artifact → why
}

// snapshot is what is known of the registry and what is served.
type snapshot struct {
	champions map[string]*served
	listed    map[string]registry.Model
	problems  map[string]string // model → why its champion is not what the registry says
	err       error             // of the last look at the bucket
	since     time.Time         // when err first appeared
}

// errNotRead is the state before the first look.
var errNotRead = fault.New(fault.Unavailable, "the bucket has not been read yet")

func newModels(reg *registry.Registry, opt Options, m *metrics) *models {
	ms := &models{registry: reg, opt: opt, metrics: m, log: opt.Log, look: make(chan struct{}, 1), loading: map[string]bool{}, bad: map[string]string{}}
	ms.now.Store(&snapshot{
		champions: map[string]*served{}, listed: map[string]registry.Model{}, problems: map[string]string{},
		err: errNotRead, since: time.Now(),
	})
	return ms
}

// change replaces the snapshot by an altered copy.
func (ms *models) change(alter func(*snapshot)) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	old := ms.now.Load()
	next := &snapshot{champions: maps.Clone(old.champions), listed: maps.Clone(old.listed), problems: maps.Clone(old.problems), err: old.err, since: old.since}
	alter(next)
	ms.now.Store(next)
}

// refresh brings champions in line with the registry and waits for those that must be loaded, but no longer than
// patience (0: as long as it takes); they are served when they are ready all the same. A champion that cannot be used
// leaves the old one in place.
func (ms *models) refresh(ctx context.Context, patience time.Duration) error {
	select {
	case ms.look <- struct{}{}:
		defer func() { <-ms.look }()
	case <-ctx.Done():
		return fault.Wrap(ctx.Err(), fault.Canceled, "the look at the registry was given up")
	}
	looking, cancel := context.WithTimeout(ctx, lookTime)
	list, err := ms.registry.List(looking)
	cancel()
	if err != nil && errors.Is(ctx.Err(), context.Canceled) { // the caller is gone: that says nothing about the bucket
		return fault.Wrap(ctx.Err(), fault.Canceled, "the look at the registry was given up")
	}
	ms.note(list, err)
	ms.wait(ctx, patience, ms.load(ctx, list))
	return err
}

// note records the outcome of a look.
func (ms *models) note(list []registry.Model, err error) {
	before := ms.now.Load()
	ms.change(func(s *snapshot) {
		for _, m := range list {
			s.listed[m.Name] = m
			ms.drop(m.Name, func(v registry.Version) bool { return find(m, v.Number).SHA256 == v.SHA256 })
		}
		if err == nil {
			ms.prune(s, list)
		} else if s.err == nil { // models that the list lacks may be there all the same
			s.since = time.Now()
		}
		s.err = err
	})
	if err == nil {
		ms.metrics.bucketUp.Set(1)
		if before.err != nil && before.err != error(errNotRead) { //nolint:errorlint // this very one
			ms.log.Info("the bucket can be read again")
		}
		return
	}
	ms.metrics.bucketUp.Set(0)
	if before.err == nil {
		ms.log.Warn("the bucket cannot be read; serving goes on from memory", "error", err)
	}
}

// prune forgets the models that a complete list lacks.
func (ms *models) prune(s *snapshot, list []registry.Model) {
	there := make(map[string]bool, len(list))
	for _, m := range list {
		there[m.Name] = true
		if _, ok := m.Aliases[registry.Champion]; !ok {
			ms.retire(s, m.Name)
		}
	}
	for name := range s.listed {
		if !there[name] {
			delete(s.listed, name)
			ms.retire(s, name)
			ms.metrics.forget(name)
			ms.drop(name, func(registry.Version) bool { return false })
		}
	}
}

// retire stops serving a champion.
func (ms *models) retire(s *snapshot, name string) {
	delete(s.champions, name)
	delete(s.problems, name)
	ms.metrics.version.DeleteLabelValues(name)
}

// drop forgets the kept versions of a model that are not there any more. The caller holds mu.
func (ms *models) drop(name string, there func(registry.Version) bool) {
	ms.recent = slices.DeleteFunc(ms.recent, func(s *served) bool { return s.version.Model == name && !there(s.version) })
}

// load starts to load every champion that is not served yet. The channels close when each is done.
func (ms *models) load(ctx context.Context, list []registry.Model) []chan struct{} {
	var started []chan struct{}
	now := ms.now.Load()
	for _, m := range list {
		v := find(m, m.Aliases[registry.Champion])
		if s := now.champions[m.Name]; v.Number == 0 || s != nil && s.version.Number == v.Number && s.version.SHA256 == v.SHA256 {
			if now.problems[m.Name] != "" {
				ms.change(func(s *snapshot) { delete(s.problems, m.Name) })
			}
			continue
		}
		if !ms.begin(m.Name) {
			continue
		}
		done := make(chan struct{})
		started = append(started, done)
		go func() {
			defer close(done)
			defer ms.end(m.Name)
			ms.crown(context.WithoutCancel(ctx), v)
		}()
	}
	return started
}

func (ms *models) begin(name string) bool {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if ms.loading[name] {
		return false
	}
	ms.loading[name] = true
	return true
}

func (ms *models) end(name string) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	delete(ms.loading, name)
}

func (ms *models) wait(ctx context.Context, patience time.Duration, started []chan struct{}) {
	var enough <-chan time.Time
	if patience > 0 && len(started) > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		enough = t.C
	}
	for _, done := range started {
		select {
		case <-done:
		case <-enough:
			return
		case <-ctx.Done():
			return
		}
	}
}

// crown loads a version and serves it as champion, unless the registry has named another meanwhile.
func (ms *models) crown(ctx context.Context, v registry.Version) {
	s, err := ms.open(ctx, v)
	if err != nil {
		ms.change(func(now *snapshot) {
			now.problems[v.Model] = "version " + strconv.Itoa(v.Number) + ": " + messageOf(err)
		})
		return
	}
	ms.change(func(now *snapshot) {
		if now.listed[v.Model].Aliases[registry.Champion] != v.Number {
			return
		}
		if old := now.champions[v.Model]; old != nil {
			ms.keep(old) // whoever names it by number, or rolls back, finds it ready
		}
		now.champions[v.Model] = s
		ms.recent = slices.DeleteFunc(ms.recent, func(kept *served) bool { return kept == s })
		delete(now.problems, v.Model)
		ms.metrics.version.WithLabelValues(v.Model).Set(float64(v.Number))
		ms.log.Info("serving", "model", v.Model, "version", v.Number)
	})
}

// find returns a version of a model, the zero Version when there is none of that number.
func find(m registry.Model, number int) registry.Version {
	for i := len(m.Versions) - 1; i >= 0; i-- {
		if m.Versions[i].Number == number {
			return m.Versions[i]
		}
	}
	return registry.Version{}
}

// get returns the champion of a model, or the version that ref names: a number or an alias. Only a version that is not
// in memory is looked for in the bucket.
func (ms *models) get(ctx context.Context, name, ref string) (*served, error) {
	now := ms.now.Load()
	champion := now.champions[name]
	if ref == "" || ref == registry.Champion {
		if champion == nil {
			return nil, ms.unknown(now, name)
		}
		return champion, nil
	}
	m, full := now.listed[name], name+"/"+ref
	number, err := strconv.Atoi(ref)
	if err != nil {
		number, full = m.Aliases[ref], name+"@"+ref
	}
	if champion != nil && champion.version.Number == number {
		return champion, nil
	}
	v := find(m, number)
	if v.Number == 0 { // newer than the last look, or not there
		if v, err = ms.registry.Resolve(ctx, full); err != nil {
			return nil, err
		}
	}
	return ms.open(ctx, v)
}

func (ms *models) unknown(now *snapshot, name string) error {
	if registry.CheckName(name) != nil {
		name = strconv.QuoteToASCII(name[:min(len(name), 100)])
	}
	if why := now.problems[name]; why != "" {
		return fault.New(fault.Unavailable, "the champion of "+name+" cannot be used, and there was none before it").At("name").Try(why)
	}
	hint := "the models are listed at /api/models"
	if now.err != nil {
		hint = "the bucket cannot be read now, so there may be models that are not known here yet"
	}
	return fault.New(fault.NotFound, "there is no model "+name+", or it has no champion").At("name").Try(hint)
}

// names lists the models that are served.
func (ms *models) names() []string {
	names := slices.AppendSeq([]string{}, maps.Keys(ms.now.Load().champions))
	slices.Sort(names)
	return names
}
