package server

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

const (
	// mostRecent and mostRecentBytes bound the versions kept in memory beside the champions.
	mostRecent      = 8
	mostRecentBytes = 1 << 30
)

// served is one version of one model, ready to predict. It never changes.
type served struct {
	version registry.Version
	file    []byte
	*predict.Model
	batch     *batcher // nil where one at a time is faster
	predicted prometheus.Counter
}

// run is how a served model runs: through the batcher where there is one.
func (m *served) run(ctx context.Context, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	if m.batch != nil {
		return m.batch.Run(ctx, in)
	}
	return m.Program.Run(ctx, in)
}

// open returns a version from memory, or else from the bucket. Requests for one version that come together load it once.
func (ms *models) open(ctx context.Context, v registry.Version) (*served, error) {
	if s := ms.kept(v); s != nil {
		return s, nil
	}
	result := ms.loads.DoChan(v.Ref()+" "+v.SHA256, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime)
		defer cancel()
		return ms.read(ctx, v)
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		s, _ := r.Val.(*served)
		ms.mu.Lock()
		defer ms.mu.Unlock()
		ms.keep(s)
		return s, nil
	case <-ctx.Done():
		return nil, fault.New(fault.Canceled, "the model was not loaded in time").Because(ctx.Err()).Try("ask again")
	}
}

// read reads and compiles a version. An artifact whose bytes are wrong is quarantined in the registry by its hash, and
// not tried again before the registry has released it.
func (ms *models) read(ctx context.Context, v registry.Version) (s *served, err error) {
	if why := ms.refused(ctx, v.SHA256); why != "" {
		return nil, fault.New(fault.BadModel, "this version cannot be used: "+why).At(v.Ref())
	}
	file, err := ms.registry.Load(ctx, v)
	if err == nil {
		s, err = ms.compile(v, file)
	}
	if err == nil {
		ms.metrics.loads.WithLabelValues(v.Model, "ok").Inc()
		return s, nil
	}
	ms.metrics.loads.WithLabelValues(v.Model, "failed").Inc()
	ms.log.Error("a model cannot be loaded", "model", v.Model, "version", v.Number, "error", err)
	if fault.Is(err, fault.BadModel) || fault.Is(err, fault.Corrupt) || fault.Is(err, fault.Unsupported) {
		ms.mu.Lock()
		ms.bad[v.SHA256] = messageOf(err)
		ms.mu.Unlock()
		if e := ms.registry.Quarantine(ctx, v.SHA256, err.Error()); e != nil {
			ms.log.Warn("the unusable artifact could not be recorded in the bucket", "error", e)
		}
	}
	return nil, err
}

// compile turns a file into a model. Whatever a file brings about, other models go on.
func (ms *models) compile(v registry.Version, file []byte) (s *served, err error) {
	defer func() {
		if r := recover(); r != nil {
			ms.log.Error("a model broke its loading", "model", v.Ref(), "panic", r, "stack", string(debug.Stack()))
			s, err = nil, fault.New(fault.BadModel, "the file breaks the loader: "+fmt.Sprint(r))
		}
	}()
	m, err := predict.Open(file, model.Threads(ms.opt.Threads), model.MemoryLimit(ms.opt.Memory))
	if err != nil {
		return nil, err
	}
	s = &served{version: v, file: file, Model: m, batch: newBatcher(m.Program, ms.opt.Timeout), predicted: ms.metrics.rowsOf(v)}
	if s.batch != nil {
		m.Via(s.batch.Run)
	}
	return s, nil
}

// refused says why an artifact is not to be tried; "" when it is. The registry lifts a quarantine when a damaged file is
// published again, or when somebody releases it.
func (ms *models) refused(ctx context.Context, sha string) string {
	ms.mu.Lock()
	why := ms.bad[sha]
	ms.mu.Unlock()
	if why == "" {
		return ""
	}
	if _, still, err := ms.registry.Quarantined(ctx, sha); err != nil || still {
		return why
	}
	ms.mu.Lock()
	delete(ms.bad, sha)
	ms.mu.Unlock()
	return ""
}

func (ms *models) kept(v registry.Version) *served {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for _, s := range ms.recent {
		if s.version.Model == v.Model && s.version.Number == v.Number && s.version.SHA256 == v.SHA256 {
			ms.keep(s)
			return s
		}
	}
	return nil
}

// keep remembers a version as the most recently used one, and forgets others when they are many or large. The caller
// holds mu.
func (ms *models) keep(s *served) {
	others := make([]*served, 0, len(ms.recent)+1)
	for _, o := range ms.recent {
		if o.version.Model != s.version.Model || o.version.Number != s.version.Number {
			others = append(others, o)
		}
	}
	others = append(others, s)
	size := 0
	for i := len(others) - 1; i >= 0; i-- {
		size += len(others[i].file)
		if i < len(others)-1 && (size > mostRecentBytes || len(others)-i > mostRecent) {
			others = others[i+1:]
			break
		}
	}
	ms.recent = others
}
