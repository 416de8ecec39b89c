package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
)

func sumOf(s []int, e Entry) ([]int, error) {
	var n int
	if err := json.Unmarshal(e.Data, &n); err != nil {
		return s, err
	}
	return append(s, n), nil
}

// Writers that append under a condition never see it broken, and readers see one history.
func TestConcurrentAppend(t *testing.T) {
	b := NewMemory()
	var wait sync.WaitGroup
	const writers, each = 8, 40
	for range writers {
		wait.Go(func() {
			v := NewView(NewLog(b, "log"), nil, sumOf) // as a process of its own
			for range each {
				_, _, err := v.Append(t.Context(), func(s []int) (any, error) { return len(s) + 1, nil })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	got, at, err := NewView(NewLog(b, "log"), nil, sumOf).Read(t.Context())
	if err != nil || at != writers*each || len(got) != writers*each {
		t.Fatalf("%d entries, %d numbers, %v", len(got), at, err)
	}
	for i, n := range got {
		if n != i+1 {
			t.Fatalf("entry %d was decided on %d entries", i+1, n-1)
		}
	}
}

// flaky fails calls of Put as told; what "lost" stores is stored before the error.
type flaky struct {
	Bucket
	mu    sync.Mutex
	modes []string
	opens int
}

func (f *flaky) Put(ctx context.Context, key string, r io.Reader, opt PutOptions) (Object, error) {
	f.mu.Lock()
	mode := ""
	if len(f.modes) > 0 {
		mode, f.modes = f.modes[0], f.modes[1:]
	}
	f.mu.Unlock()
	gone := fault.New(fault.Unavailable, "gone")
	switch mode {
	case "refused":
		return Object{}, gone
	case "lost":
		if _, err := f.Bucket.Put(ctx, key, r, opt); err != nil {
			return Object{}, err
		}
		return Object{}, gone
	}
	return f.Bucket.Put(ctx, key, r, opt)
}

func (f *flaky) Open(ctx context.Context, key string, offset, n int64) (io.ReadCloser, Object, error) {
	f.mu.Lock()
	f.opens++
	f.mu.Unlock()
	return f.Bucket.Open(ctx, key, offset, n)
}

// An answer that is lost on the way does not make an entry appear twice, nor its writer think that it lost a race.
func TestLostAnswer(t *testing.T) {
	for _, modes := range [][]string{{"lost"}, {"refused", "lost"}, {"refused", "refused"}, {"lost", "refused", "refused"}} {
		f := &flaky{Bucket: NewMemory(), modes: modes}
		v := NewView(NewLog(f, "log"), nil, sumOf)
		e, s, err := v.Append(t.Context(), func([]int) (any, error) { return 7, nil })
		if err != nil || e.Number != 1 || len(s) > 1 {
			t.Errorf("%v: %+v %v %v", modes, e, s, err)
		}
		if got, _, _ := NewView(NewLog(f.Bucket, "log"), nil, sumOf).Read(t.Context()); len(got) != 1 {
			t.Errorf("%v: the log holds %v", modes, got)
		}
	}
	f := &flaky{Bucket: NewMemory(), modes: []string{"refused", "refused", "refused", "refused"}}
	if _, err := NewLog(f, "log").Append(t.Context(), 1, 7); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a store that stays away: %v", err)
	}
}

func TestReadsOnlyWhatIsNew(t *testing.T) {
	f := &flaky{Bucket: NewMemory()}
	log := NewLog(f, "log")
	for i := range uint64(100) {
		if _, err := log.Append(t.Context(), i+1, i); err != nil {
			t.Fatal(err)
		}
	}
	v := NewView(log, nil, sumOf)
	if got, _, err := v.Read(t.Context()); err != nil || len(got) != 100 {
		t.Fatal(len(got), err)
	}
	f.opens = 0
	if _, _, err := v.Read(t.Context()); err != nil || f.opens != 1 {
		t.Errorf("a look at what is known took %d reads, %v", f.opens, err)
	}
}

func TestDamagedLog(t *testing.T) {
	write := func(b Bucket, n uint64, text string) {
		if _, err := b.Put(t.Context(), NewLog(b, "log").Key(n), strings.NewReader(text), PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	good := func(n int) string {
		return fmt.Sprintf(`{"number":%d,"id":"x","time":"2026-01-01T00:00:00Z","data":1}`, n)
	}
	for name, text := range map[string]string{
		"garbage": "\x00\x01", "truncated": good(3)[:20], "another number": good(4), "no id": `{"number":3,"data":1}`,
		"no data": `{"number":3,"id":"x"}`, "huge": strings.Repeat(" ", MaxEntry) + good(3), "refused": `{"number":3,"id":"x","data":"text"}`, "empty": "",
	} {
		b := NewMemory()
		write(b, 1, good(1))
		write(b, 2, good(2))
		write(b, 3, text)
		v := NewView(NewLog(b, "log"), nil, sumOf)
		got, at, err := v.Read(t.Context())
		if !fault.Is(err, fault.Corrupt) || at != 2 || len(got) != 2 {
			t.Errorf("%s: %d entries, %v", name, at, err)
		}
		if _, _, err := v.Append(t.Context(), func([]int) (any, error) { return 1, nil }); !fault.Is(err, fault.Corrupt) {
			t.Errorf("%s: Append: %v", name, err)
		}
	}
	b := NewMemory()
	for _, n := range []int{1, 3} {
		write(b, uint64(n), good(n))
	}
	if _, _, err := NewView(NewLog(b, "log"), nil, sumOf).Read(t.Context()); !fault.Is(err, fault.Corrupt) {
		t.Errorf("a hole: %v", err)
	}
	if _, err := NewLog(b, "log").Append(t.Context(), 9, strings.Repeat("x", MaxEntry)); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a large entry: %v", err)
	}
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte(`{"number":1,"id":"x","time":"2026-01-01T00:00:00Z","data":1}`))
	f.Add([]byte(`{"number":-1}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := NewMemory()
		log := NewLog(b, "log")
		if _, err := b.Put(t.Context(), log.Key(1), strings.NewReader(string(raw)), PutOptions{}); err != nil {
			t.Fatal(err)
		}
		e, err := log.read(t.Context(), 1)
		if err == nil && (e.Number != 1 || e.ID == "" || !json.Valid(e.Data)) {
			t.Errorf("accepted %q as %+v", raw, e)
		}
		if err != nil && !fault.Is(err, fault.Corrupt) {
			t.Error(err)
		}
	})
}

func TestBlobs(t *testing.T) {
	b := NewMemory()
	s := NewBlobs(b)
	for _, size := range []int{0, 5, spoolAt - 1, spoolAt, spoolAt + 1, 2*spoolAt + 7} {
		want := strings.Repeat("x", size)
		blob, err := s.Put(t.Context(), strings.NewReader(want))
		if err != nil || blob.Size != int64(size) {
			t.Fatalf("%d: %+v, %v", size, blob, err)
		}
		same, err := s.PutBytes(t.Context(), []byte(want))
		if err != nil || same != blob {
			t.Errorf("%d: again: %+v, %v", size, same, err)
		}
		if got, err := s.ReadAll(t.Context(), blob.SHA256, 1<<30); err != nil || string(got) != want {
			t.Errorf("%d: read %d bytes, %v", size, len(got), err)
		}
	}
	blob, err := s.PutBytes(t.Context(), []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	key, _ := BlobKey(blob.SHA256)
	for _, damage := range []string{"conten", "contenT", "content!", ""} {
		if _, err := b.Put(t.Context(), key, strings.NewReader(damage), PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReadAll(t.Context(), blob.SHA256, 100); !fault.Is(err, fault.Corrupt) {
			t.Errorf("%q was read: %v", damage, err)
		}
		if err := s.Check(t.Context(), blob.SHA256); !fault.Is(err, fault.Corrupt) {
			t.Errorf("%q passed the check: %v", damage, err)
		}
		if _, err := s.PutBytes(t.Context(), []byte("content")); err != nil {
			t.Error(err)
		}
		if err := s.Check(t.Context(), blob.SHA256); err != nil {
			t.Errorf("%q was not healed: %v", damage, err)
		}
	}
	for _, sha := range []string{"", "..", "../../etc/passwd", strings.Repeat("A", 64), strings.Repeat("a", 63)} {
		if _, err := s.ReadAll(t.Context(), sha, 100); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", sha, err)
		}
	}
	if _, err := s.ReadAll(t.Context(), blob.SHA256, 3); !fault.Is(err, fault.TooLarge) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestURL(t *testing.T) {
	for _, address := range []string{"", "mem://x?y=z", "mem://user:pw@x", "mem://x/../y", "a\x00b", "s3://%zz"} {
		if _, err := OpenURL(t.Context(), address); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := OpenURL(t.Context(), "ftp://x"); !fault.Is(err, fault.Unsupported) {
		t.Error(err)
	}
	a, err := OpenURL(t.Context(), "mem://shared/part")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Put(t.Context(), "k", strings.NewReader("v"), PutOptions{}); err != nil {
		t.Fatal(err)
	}
	whole, _ := OpenURL(t.Context(), "mem://shared")
	if got, _, err := ReadAll(t.Context(), whole, "part/k", 10); err != nil || string(got) != "v" {
		t.Errorf("%q, %v", got, err)
	}
	b, key, err := SplitURL("s3://data/raw/a%20b.csv?region=x")
	if err != nil || b != "s3://data?region=x" || key != "raw/a b.csv" {
		t.Errorf("%q %q %v", b, key, err)
	}
}

func TestClaims(t *testing.T) {
	b := NewMemory()
	one, two := NewClaims(b, "claims", "one"), NewClaims(b, "claims", "two")
	lease, err := one.Claim(t.Context(), "task/../x", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Claims{one, two} {
		if _, err := c.Claim(t.Context(), "task/../x", time.Minute); !errors.Is(err, ErrHeld) || !fault.Is(err, fault.Conflict) {
			t.Errorf("a second claim: %v", err)
		}
	}
	if err := lease.Renew(t.Context()); err != nil {
		t.Error(err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Error(err)
	}
	second, err := two.Claim(t.Context(), "task/../x", time.Minute)
	if err != nil || second.Token() <= lease.Token() {
		t.Fatalf("after a release: %v", err)
	}
	if err := lease.Done(t.Context(), 1); !errors.Is(err, ErrLost) {
		t.Errorf("a lease that was released: %v", err)
	}
	if err := second.Done(t.Context(), "result"); err != nil {
		t.Error(err)
	}
	if _, err := one.Claim(t.Context(), "task/../x", time.Minute); !errors.Is(err, ErrDone) {
		t.Errorf("after the end: %v", err)
	}
	if raw, ok, err := one.Result(t.Context(), "task/../x"); err != nil || !ok || string(raw) != `"result"` {
		t.Errorf("%s %v %v", raw, ok, err)
	}
}

// Of many that see a dead owner one takes over, and the owner, should it live, learns of it.
func TestTakeover(t *testing.T) {
	b := NewMemory()
	dead, err := NewClaims(b, "claims", "dead").Claim(t.Context(), "k", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	early := NewClaims(b, "claims", "early")
	if _, err := early.Claim(t.Context(), "k", time.Second); !errors.Is(err, ErrHeld) {
		t.Fatalf("taken from a living owner: %v", err)
	}
	jumped := NewClaims(b, "claims", "jumped") // whose monotonic clock says what it has seen, not what the wall says
	base := time.Now()
	jumped.now = func() time.Time { return base }
	time.Sleep(2100 * time.Millisecond)
	var wait sync.WaitGroup
	wins := make(chan string, 20)
	for i := range 20 {
		wait.Go(func() {
			c := NewClaims(b, "claims", fmt.Sprint(i)) // none has seen the owner before: the store's times decide
			if _, err := c.Claim(t.Context(), "k", time.Minute); err == nil {
				wins <- fmt.Sprint(i)
			} else if !errors.Is(err, ErrHeld) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if len(wins) != 1 {
		t.Fatalf("%d took over", len(wins))
	}
	for _, err := range []error{dead.Renew(t.Context()), dead.Done(t.Context(), nil), dead.Release(t.Context())} {
		if !errors.Is(err, ErrLost) {
			t.Errorf("the dead owner: %v", err)
		}
	}
	if _, err := jumped.Claim(t.Context(), "k", time.Minute); !errors.Is(err, ErrHeld) {
		t.Errorf("taken from the new owner: %v", err)
	}
}

// Without the store's times, seeing no sign of life for the time to live is enough.
func TestTakeoverByWatching(t *testing.T) {
	b := NewMemory()
	if _, err := NewClaims(b, "claims", "dead").Claim(t.Context(), "k", time.Hour); err != nil {
		t.Fatal(err)
	}
	c := NewClaims(b, "claims", "patient")
	clock := time.Now()
	c.now = func() time.Time { return clock }
	if _, err := c.Claim(t.Context(), "k", time.Hour); !errors.Is(err, ErrHeld) {
		t.Fatal(err)
	}
	clock = clock.Add(time.Hour + 2*time.Second)
	if _, err := c.Claim(t.Context(), "k", time.Hour); err != nil {
		t.Errorf("after an hour of silence: %v", err)
	}
}

func TestKeep(t *testing.T) {
	b := NewMemory()
	lease, err := NewClaims(b, "claims", "a").Claim(t.Context(), "k", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	kept, stop := lease.Keep(t.Context())
	defer stop()
	time.Sleep(800 * time.Millisecond)
	state, _, err := lease.view.Read(t.Context())
	if err != nil || state.Beat == lease.token || kept.Err() != nil {
		t.Errorf("no renewal: %+v, %v, %v", state, err, kept.Err())
	}
	thief := lease.view // somebody takes over, as if the owner had been silent
	if _, _, err := thief.Append(t.Context(), func(claim) (any, error) {
		return claimEntry{Kind: "take", Owner: "thief", Nonce: "n", Millis: 1000}, nil
	}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-kept.Done():
		if !errors.Is(context.Cause(kept), ErrLost) {
			t.Error(context.Cause(kept))
		}
	case <-time.After(3 * time.Second):
		t.Error("the work goes on without a lease")
	}
}
