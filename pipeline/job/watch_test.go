package job

import (
	"context"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// told collects what a watcher tells.
type told struct {
	keys, actions []string
	errors        int
}

func (w *told) tell(key string, r *Retrained, err error) {
	w.keys = append(w.keys, key)
	if err != nil {
		w.errors++
		return
	}
	w.actions = append(w.actions, r.Action)
}

// A file is dealt with once it lies still.
func TestWatcherWaitsForGrowingFiles(t *testing.T) {
	p := half(t, bucket.NewMemory())
	w, got := &Watcher{Retrainer: p.retrainer()}, &told{}
	look := func() { w.Look(t.Context(), got.tell) }
	all := lines(t, stride(1, 2))
	p.put("inbox/penguins/.hidden.csv", all)
	p.put("inbox/penguins/a.csv", all[:2000])
	look()
	p.put("inbox/penguins/a.csv", all)
	look()
	if len(got.keys) != 0 {
		t.Fatalf("%v was taken while it grew", got.keys)
	}
	look()
	look()
	if !slices.Equal(got.keys, []string{"inbox/penguins/a.csv"}) || got.errors != 0 || p.versions("penguins") != 2 {
		t.Errorf("told %+v", got)
	}
	if v, _ := p.set.Resolve(t.Context(), "penguins"); v.Rows != 344 {
		t.Errorf("the dataset has %d rows", v.Rows)
	}
}

// away is a store that fails, and counts how often it is asked.
type away struct {
	bucket.Bucket
	list  bool
	asked int
}

func (a *away) List(ctx context.Context, prefix string) iter.Seq2[bucket.Object, error] {
	if a.list {
		a.asked++
		return bucket.Failed(fault.New(fault.Unavailable, "the store is away"))
	}
	return a.Bucket.List(ctx, prefix)
}

// What fails is tried again after 2 s, 4 s, 8 s … 5 min, by a clock that nobody can set back; the first success ends it.
func TestWatcherBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &away{Bucket: bucket.NewMemory(), list: true}
		w, got := &Watcher{Retrainer: &Retrainer{Bucket: store}}, &told{}
		for range 3600 {
			w.Look(t.Context(), got.tell)
			time.Sleep(time.Second)
		}
		// 0, 2, 6, 14, 30, 62, 126, 254, 510 s, and from then on every 5 minutes.
		if store.asked != 9+10 || got.errors != store.asked || got.keys[0] != "" {
			t.Errorf("asked %d times in an hour, told %d errors", store.asked, got.errors)
		}
		store.list = false
		time.Sleep(5 * time.Minute)
		w.Look(t.Context(), got.tell)
		store.list, store.asked = true, 0
		w.Look(t.Context(), got.tell)
		time.Sleep(2 * time.Second)
		w.Look(t.Context(), got.tell)
		if store.asked != 2 {
			t.Errorf("after a success it was asked %d times in two seconds", store.asked)
		}
	})
}

// One file that cannot be dealt with now does not stop the next, and is not tried at every look.
func TestWatcherGoesOn(t *testing.T) {
	p := half(t, bucket.NewMemory())
	r := p.retrainer()
	r.Inline, r.Submit = 1, func(_ context.Context, _, key string) error {
		if key == "inbox/penguins/a.csv" {
			return fault.New(fault.Unavailable, "the service is away")
		}
		return nil
	}
	w, got := &Watcher{Retrainer: r}, &told{}
	p.put("inbox/penguins/a.csv", lines(t, stride(1, 9)))
	p.put("inbox/penguins/b.csv", lines(t, stride(2, 9)))
	for range 3 {
		w.Look(t.Context(), got.tell)
	}
	if got.errors != 1 || len(got.actions) < 1 || got.actions[0] != Submitted {
		t.Errorf("%+v", got)
	}
	// Stopped means stopped: nothing is told or held against the file.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := len(got.keys)
	w.Look(ctx, got.tell)
	if len(got.keys) != before {
		t.Errorf("a stopped watcher tells %v", got.keys[before:])
	}
}
