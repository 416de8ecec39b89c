package job

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/pipeline/dataset"
)

// Watcher looks into an inbox again and again. It is not safe for concurrent use.
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
// was not there, is left for the next one: in a folder it may still be growing. What came of a file is told, and with
// key "" that the inbox cannot be listed.
func (w *Watcher) Look(ctx context.Context, tell func(key string, result *Retrained, err error)) {
	if !w.due("") {
		return
	}
	ready, err := w.list(ctx)
	if ctx.Err() != nil {
		return
	}
	w.note("", err)
	if err != nil {
		tell("", nil, err)
		return
	}
	for _, key := range ready {
		result, err := w.Retrainer.Run(ctx, key)
		if ctx.Err() != nil {
			return // stopped, not failed: the next process goes on
		}
		w.note(key, err)
		if err == nil && result.Action == Busy {
			continue
		}
		tell(key, result, err)
	}
}

// list gives the keys that are ready to be dealt with, and remembers what it saw.
func (w *Watcher) list(ctx context.Context) (ready []string, err error) {
	now := map[string]string{}
	for file, err := range dataset.Open(w.Retrainer.Bucket).Inbox(ctx, "") {
		if err != nil {
			return nil, err
		}
		key, etag := file.Object.Key, file.Object.ETag
		if strings.HasPrefix(path.Base(key), ".") {
			continue
		}
		now[key] = etag
		if w.seen[key] == etag && w.due(key) {
			ready = append(ready, key)
		}
	}
	for key, etag := range w.seen {
		if now[key] != etag { // gone, or another file: a new beginning
			delete(w.failed, key)
		}
	}
	w.seen = now
	return ready, nil
}

// due reports whether the next try of a key has come.
func (w *Watcher) due(key string) bool { return !time.Now().Before(w.failed[key].next) }

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
