package registry

import (
	"context"
	"iter"
	"time"
)

// Watcher tells which models have changed since it last looked: a version, an alias, anything in the log.
type Watcher struct {
	r     *Registry
	names []string // empty: all models
	at    map[string]uint64
}

// Watcher returns a watcher of some models, or of all. Its first Poll names every model that has a version. It is not
// safe for concurrent use.
func (r *Registry) Watcher(names ...string) *Watcher {
	return &Watcher{r: r, names: names, at: map[string]uint64{}}
}

// Poll names the models with new entries. It costs one read for each model, and one listing when all are watched. A
// model that cannot be read does not hide the others: they are returned with the first error.
func (w *Watcher) Poll(ctx context.Context) (changed []string, err error) {
	names := w.names
	if len(names) == 0 {
		if names, err = w.r.names(ctx); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if nameErr := CheckName(name); nameErr != nil {
			return nil, nameErr
		}
		_, at, readErr := w.r.view(name).Read(ctx)
		if readErr != nil && err == nil {
			err = readErr
		}
		if at != w.at[name] {
			w.at[name] = at
			changed = append(changed, name)
		}
	}
	return changed, err
}

// Watch polls at once and then every interval, and yields the names that have changed, or an error, after which it
// goes on. It ends with the context.
func (r *Registry) Watch(ctx context.Context, interval time.Duration, names ...string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		w := r.Watcher(names...)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for ctx.Err() == nil {
			changed, err := w.Poll(ctx)
			if ctx.Err() != nil || (len(changed) > 0 || err != nil) && !yield(changed, err) {
				return
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	}
}
