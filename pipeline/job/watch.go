package job

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/pipeline/dataset"
)

// Watcher looks into an inbox again and again.
type Watcher struct {
	Retrainer *Retrainer
	seen      map[string]string  // key → ETag at the last look
	failed    map[string]failure // key → what went wrong
}

// failure delays the next try of a file that could not be dealt with: 2 s, 4 s … 5 min.
type failure struct {
	next  time.Time
	times int
}

// Look deals with what lies in the inbox, one file after the other. A file that has changed since the last look, or
// was not there, is left for the next one: in a folder it may still be growing.
func (w *Watcher) Look(ctx context.Context, tell func(key string, result *Retrained, err error)) {
	now := map[string]string{}
	var ready []string
	for file, err := range dataset.Open(w.Retrainer.Bucket).Inbox(ctx, "") {
		if err != nil {
			return // the next look tries again
		}
		key, etag := file.Object.Key, file.Object.ETag
		if strings.HasPrefix(path.Base(key), ".") {
			continue
		}
		now[key] = etag
		if w.seen[key] == etag && time.Now().After(w.failed[key].next) {
			ready = append(ready, key)
		}
	}
	w.seen = now
	for _, key := range ready {
		if ctx.Err() != nil {
			return
		}
		result, err := w.Retrainer.Run(ctx, key)
		if result != nil && result.Action == Busy {
			continue
		}
		w.note(key, err)
		tell(key, result, err)
	}
}

func (w *Watcher) note(key string, err error) {
	if err == nil {
		delete(w.failed, key)
		return
	}
	if w.failed == nil {
		w.failed = map[string]failure{}
	}
	times := w.failed[key].times + 1
	w.failed[key] = failure{times: times, next: time.Now().Add(min(time.Second<<min(times, 10), 5*time.Minute))}
}
