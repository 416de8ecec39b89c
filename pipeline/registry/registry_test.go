package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

func publish(t *testing.T, r *registry.Registry, name, content string, aliases ...string) registry.Version {
	t.Helper()
	v, err := r.Publish(t.Context(), name, []byte(content), registry.PublishOptions{Who: "ann", Why: "test", Aliases: aliases})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func number(t *testing.T, r *registry.Registry, ref string) int {
	t.Helper()
	v, err := r.Resolve(t.Context(), ref)
	if err != nil {
		t.Fatalf("Resolve(%q): %v", ref, err)
	}
	return v.Number
}

func want(t *testing.T, err error, code fault.Code, parts ...string) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("error is %v, want code %q", err, code)
		return
	}
	for _, part := range parts {
		if text := err.Error() + " | " + fault.HintOf(err); !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}

func ExampleRegistry() {
	ctx := context.Background()
	r := registry.Open(bucket.NewMemory())
	for _, artifact := range []string{"first", "second"} {
		v, err := r.Publish(ctx, "penguins", []byte(artifact), registry.PublishOptions{Who: "ann", Why: "nightly training", Aliases: []string{registry.Champion}})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(v.Ref(), v.Aliases)
	}
	back, err := r.Rollback(ctx, "penguins", registry.Champion, "ann", "too many false alarms")
	fmt.Println(back.Number, err)
	v, err := r.Resolve(ctx, "penguins")
	fmt.Println(v.Ref(), err)
	// Output:
	// penguins/1 [champion]
	// penguins/2 [champion]
	// 1 <nil>
	// penguins/1 <nil>
}

func TestLife(t *testing.T) {
	b := bucket.NewMemory()
	r := registry.Open(b)
	c := card.Card{Signature: card.Signature{Task: "classification", Target: "species", Classes: []string{"a", "b"}}, Metrics: card.Metrics{Holdout: map[string]float64{"accuracy": 0.99}}}
	v, err := r.Publish(t.Context(), "penguins", []byte("one"), registry.PublishOptions{Who: "ann", Why: "first", Card: &c})
	if err != nil || v.Number != 1 || v.Model != "penguins" || v.Summary.Classes != 2 || len(v.Aliases) != 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	_, err = r.Resolve(t.Context(), "penguins")
	want(t, err, fault.NotFound, "no champion", "versions: 1")
	publish(t, r, "penguins", "two", registry.Champion, "blue")
	publish(t, r, "penguins", "three", registry.Candidate)
	if err := r.Promote(t.Context(), "penguins", 3, registry.Champion, "bob", "better"); err != nil {
		t.Fatal(err)
	}
	for ref, n := range map[string]int{"penguins": 3, "penguins@champion": 3, "penguins@blue": 2, "penguins@candidate": 3, "penguins/1": 1} {
		if got := number(t, registry.Open(b), ref); got != n {
			t.Errorf("%s is version %d, want %d", ref, got, n)
		}
	}
	if data, err := r.Load(t.Context(), v); err != nil || string(data) != "one" {
		t.Errorf("%q, %v", data, err)
	}
	models, err := registry.Open(b).List(t.Context())
	if err != nil || len(models) != 1 || len(models[0].Versions) != 3 || models[0].Versions[0].Summary.Metrics["accuracy"] != 0.99 {
		t.Errorf("%+v, %v", models, err)
	}
	history, err := r.History(t.Context(), "penguins")
	if last := history[len(history)-1]; err != nil || len(history) != 4 || last.Kind != "promote" || last.Who != "bob" || last.Why != "better" || last.Previous != 2 || last.Time.IsZero() {
		t.Errorf("%+v, %v", history, err)
	}
}

func TestRollback(t *testing.T) {
	r := registry.Open(bucket.NewMemory())
	for i := range 4 {
		publish(t, r, "m", fmt.Sprint(i), registry.Champion)
	}
	if err := r.Promote(t.Context(), "m", 4, registry.Champion, "ann", "again"); err != nil { // no second target
		t.Fatal(err)
	}
	back := func(wanted int) {
		t.Helper()
		v, err := r.Rollback(t.Context(), "m", registry.Champion, "ann", "worse")
		if err != nil || v.Number != wanted || number(t, r, "m") != wanted {
			t.Errorf("back to %d, %v; want %d", v.Number, err, wanted)
		}
	}
	back(3)
	if err := r.Delete(t.Context(), "m", 2, "ann", "broken"); err != nil {
		t.Fatal(err)
	}
	back(1)
	_, err := r.Rollback(t.Context(), "m", registry.Champion, "ann", "worse")
	want(t, err, fault.NotFound, "never pointed", "1, 3, 4")
	_, err = r.Rollback(t.Context(), "m", "blue", "ann", "worse")
	want(t, err, fault.NotFound, "no blue", "champion")
}

func TestDelete(t *testing.T) {
	r := registry.Open(bucket.NewMemory())
	publish(t, r, "m", "1", registry.Champion)
	publish(t, r, "m", "2")
	want(t, r.Delete(t.Context(), "m", 1, "ann", "why"), fault.Conflict, "champion", "force")
	if err := r.Delete(t.Context(), "m", 1, "ann", "leaked data", registry.Force()); err != nil {
		t.Fatal(err)
	}
	_, err := r.Resolve(t.Context(), "m/1")
	want(t, err, fault.NotFound, "deleted by ann", "leaked data", "versions: 2")
	_, err = r.Resolve(t.Context(), "m")
	want(t, err, fault.NotFound, "no champion")
	want(t, r.Promote(t.Context(), "m", 1, registry.Champion, "ann", ""), fault.NotFound)
	want(t, r.Delete(t.Context(), "m", 1, "ann", ""), fault.NotFound)
	if v := publish(t, r, "m", "3"); v.Number != 3 {
		t.Errorf("number %d was used again", v.Number)
	}
}

func TestNotFound(t *testing.T) {
	r := registry.Open(bucket.NewMemory())
	_, err := r.Resolve(t.Context(), "penguins")
	want(t, err, fault.NotFound, "no model penguins", "no models yet")
	publish(t, r, "diamonds", "1", "blue")
	_, err = r.Resolve(t.Context(), "penguins")
	want(t, err, fault.NotFound, "there are: diamonds")
	_, err = r.Resolve(t.Context(), "diamonds@red")
	want(t, err, fault.NotFound, "no red", "aliases: blue", "versions: 1")
	_, err = r.Resolve(t.Context(), "diamonds/2")
	want(t, err, fault.NotFound, "no version 2", "versions: 1")
	want(t, r.Promote(t.Context(), "penguins", 1, "blue", "ann", ""), fault.NotFound, "diamonds")
}

func TestBadNames(t *testing.T) {
	r := registry.Open(bucket.NewMemory())
	for _, name := range []string{"", "../../etc/passwd", "..", ".", "a..b", ".a", "a.", "a b", "a/b", `a\b`, "a\x00", "ä", "-a", strings.Repeat("a", 101)} {
		_, err := r.Publish(t.Context(), name, []byte("x"), registry.PublishOptions{Who: "ann"})
		want(t, err, fault.Invalid)
		_, err = r.Resolve(t.Context(), name)
		want(t, err, fault.Invalid)
		_, err = r.Resolve(t.Context(), "m@"+name)
		if name != "a..b" {
			want(t, err, fault.Invalid)
		}
	}
	for _, ref := range []string{"m/0", "m/-1", "m/x", "m/01", "m/1/2", "m@1", "m@", "m/99999999999999999999"} {
		_, err := r.Resolve(t.Context(), ref)
		want(t, err, fault.Invalid)
	}
	_, err := r.Publish(t.Context(), "m", nil, registry.PublishOptions{Who: "ann"})
	want(t, err, fault.Invalid)
	_, err = r.Publish(t.Context(), "m", []byte("x"), registry.PublishOptions{})
	want(t, err, fault.Invalid, "who")
}

// A comparison with a champion that has been replaced since does not promote.
func TestPromoteIf(t *testing.T) {
	r := registry.Open(bucket.NewMemory())
	publish(t, r, "m", "1", registry.Champion)
	publish(t, r, "m", "2")
	publish(t, r, "m", "3")
	if err := r.PromoteIf(t.Context(), "m", 2, registry.Champion, 1, "ann", ""); err != nil {
		t.Error(err)
	}
	want(t, r.PromoteIf(t.Context(), "m", 3, registry.Champion, 1, "ann", ""), fault.Conflict, "points at 2")
}

func TestPublishOncePerKey(t *testing.T) {
	b := bucket.NewMemory()
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			v, err := registry.Open(b).Publish(t.Context(), "m", fmt.Appendf(nil, "%d", i), registry.PublishOptions{Who: "ann", Key: "event-1"})
			if err != nil || v.Number != 1 {
				t.Errorf("%d, %v", v.Number, err)
			}
		})
	}
	wait.Wait()
	m, err := registry.Open(b).Show(t.Context(), "m")
	if err != nil || len(m.Versions) != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestDamagedArtifact(t *testing.T) {
	b := bucket.NewMemory()
	r := registry.Open(b)
	v := publish(t, r, "m", "artifact", registry.Champion)
	key, _ := bucket.BlobKey(v.SHA256)
	if _, err := b.Put(t.Context(), key, strings.NewReader("artif"), bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := r.Load(t.Context(), v)
	want(t, err, fault.Corrupt, "m/1")
	if q, ok, err := r.Quarantined(t.Context(), v.SHA256); err != nil || !ok || !q.Damaged {
		t.Errorf("%+v, %v, %v", q, ok, err)
	}
	publish(t, r, "m", "artifact") // heals
	if data, err := r.Load(t.Context(), v); err != nil || string(data) != "artifact" {
		t.Errorf("%q, %v", data, err)
	}
	if _, ok, err := r.Quarantined(t.Context(), v.SHA256); ok || err != nil {
		t.Error("a healed artifact stays in quarantine", err)
	}
	if err := r.Quarantine(t.Context(), v.SHA256, "not ONNX"); err != nil {
		t.Fatal(err)
	}
	_, err = r.Publish(t.Context(), "m", []byte("artifact"), registry.PublishOptions{Who: "ann"})
	want(t, err, fault.BadModel, "not ONNX")
	if err := r.Release(t.Context(), v.SHA256); err != nil {
		t.Fatal(err)
	}
	publish(t, r, "m", "artifact")
	want(t, r.Quarantine(t.Context(), "../x", "why"), fault.Invalid)
}

func TestWatch(t *testing.T) {
	b := bucket.NewMemory()
	r, other := registry.Open(b), registry.Open(b)
	publish(t, other, "a", "1")
	publish(t, other, "b", "1")
	w := r.Watcher()
	poll := func(wanted ...string) {
		t.Helper()
		if got, err := w.Poll(t.Context()); err != nil || !slices.Equal(got, wanted) {
			t.Errorf("changed %q, %v; want %q", got, err, wanted)
		}
	}
	poll("a", "b")
	poll()
	if err := other.Promote(t.Context(), "b", 1, registry.Champion, "ann", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve(t.Context(), "b"); err != nil { // another reader of the same registry hides nothing
		t.Error(err)
	}
	poll("b")
	publish(t, other, "c", "1")
	poll("c")

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	seen := 0
	for names, err := range r.Watch(ctx, 5*time.Millisecond, "a") {
		if err != nil || !slices.Equal(names, []string{"a"}) {
			t.Errorf("%q, %v", names, err)
		}
		if seen++; seen == 2 {
			break
		}
		publish(t, other, "a", "2")
	}
	if seen != 2 {
		t.Error("a change was not seen")
	}
}

// What a person with access to the bucket writes into a log stops the model with a code, nothing else.
func TestForeignEntries(t *testing.T) {
	for name, data := range map[string]string{
		"text": `"x"`, "unknown kind": `{"kind":"explode","version":1}`, "no such version": `{"kind":"promote","version":7,"aliases":["a"]}`,
		"number taken": `{"kind":"publish","version":1,"sha256":"` + strings.Repeat("a", 64) + `"}`,
		"bad hash":     `{"kind":"publish","version":2,"sha256":"../x"}`, "rollback to nowhere": `{"kind":"rollback","version":1,"aliases":["a"]}`,
		"negative": `{"kind":"delete","version":-1}`,
	} {
		b := bucket.NewMemory()
		r := registry.Open(b)
		v := publish(t, r, "m", "1")
		entry := `{"number":2,"id":"x","time":"2026-01-01T00:00:00Z","data":` + data + `}`
		if _, err := b.Put(t.Context(), "models/m/log/00000000000000000002.json", strings.NewReader(entry), bucket.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		_, err := r.Resolve(t.Context(), "m/1")
		want(t, err, fault.Corrupt, "models/m/log/00000000000000000002.json")
		if _, err := r.Load(t.Context(), v); err != nil { // what was resolved before still loads
			t.Errorf("%s: %v", name, err)
		}
	}
}

// stops lets n writes through and then fails like a process that is killed: at every point of a publication.
type stops struct {
	bucket.Bucket
	left int
}

var errKilled = errors.New("killed")

func (s *stops) Put(ctx context.Context, key string, r io.Reader, opt bucket.PutOptions) (bucket.Object, error) {
	if s.left--; s.left < 0 {
		return bucket.Object{}, errKilled
	}
	return s.Bucket.Put(ctx, key, r, opt)
}

func TestKilledBetweenWrites(t *testing.T) {
	for n := range 4 {
		b := bucket.NewMemory()
		publish(t, registry.Open(b), "m", "old", registry.Champion)
		_, err := registry.Open(&stops{b, n}).Publish(t.Context(), "m", bytes.Repeat([]byte("new"), 10), registry.PublishOptions{Who: "ann", Aliases: []string{registry.Champion}})
		v, resolveErr := registry.Open(b).Resolve(t.Context(), "m")
		if resolveErr != nil {
			t.Fatal(resolveErr)
		}
		if done := err == nil; (v.Number == 2) != done {
			t.Errorf("after %d writes (error %v) the champion is %d", n, err, v.Number)
		}
		if _, err := registry.Open(b).Load(t.Context(), v); err != nil {
			t.Error(err)
		}
	}
}
