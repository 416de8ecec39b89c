// Package buckettest is the conformance suite of bucket.Bucket. Every driver runs it against the real store or its
// emulator, and has no tests of its own for what it covers.
package buckettest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// Large is the size of the large stream in bytes: 1 GiB, in short mode 8 MiB and a bit. Both need several parts.
func Large() int64 {
	if testing.Short() {
		return 8<<20 + 12345
	}
	return 1 << 30
}

// Run holds a bucket to the contract. Its keys start with "t-", a random part and a slash.
func Run(t *testing.T, b bucket.Bucket) { RunUpTo(t, b, Large()) }

// RunUpTo is Run with a large stream of at most limit bytes, for emulators that cannot take Large.
func RunUpTo(t *testing.T, b bucket.Bucket, limit int64) {
	part, err := bucket.Sub(b, "t-"+rand.Text()[:8])
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{part, min(limit, Large())}
	for name, test := range map[string]func(*testing.T){
		"RoundTrip": s.roundTrip, "Ranges": s.ranges, "Empty": s.empty, "LargeStream": s.largeStream,
		"List": s.list, "ListPages": s.listPages, "Overwrite": s.overwrite, "Race": s.race, "LargeRace": s.largeRace,
		"FailingReader": s.failingReader, "Canceled": s.canceled, "BadKeys": s.badKeys, "Delete": s.delete, "Missing": s.missing,
		"URL": s.url,
	} {
		t.Run(name, test)
	}
}

type suite struct {
	b     bucket.Bucket
	large int64 // bytes
}

func (s *suite) put(t *testing.T, key string, data []byte) bucket.Object {
	t.Helper()
	o, err := s.b.Put(t.Context(), key, bytes.NewReader(data), bucket.PutOptions{})
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	return o
}

func (s *suite) get(t *testing.T, key string) []byte {
	t.Helper()
	data, _, err := bucket.ReadAll(t.Context(), s.b, key, 1<<20)
	if err != nil {
		t.Fatalf("ReadAll(%q): %v", key, err)
	}
	return data
}

func (s *suite) keys(t *testing.T, prefix string) (keys []string) {
	t.Helper()
	for o, err := range s.b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("List(%q): %v", prefix, err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("error is %q (%v), want code %q", fault.CodeOf(err), err, code)
	}
}

func (s *suite) roundTrip(t *testing.T) {
	before := time.Now()
	s.put(t, "round/a.txt", []byte("hello"))
	r, o, err := s.b.Open(t.Context(), "round/a.txt", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil || string(data) != "hello" {
		t.Errorf("read %q, %v", data, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if o.Key != "round/a.txt" || o.Size != 5 || o.ETag == "" {
		t.Errorf("object %+v", o)
	}
	if age := o.Modified.Sub(before); age < -time.Minute || age > time.Minute {
		t.Errorf("modified %v, now %v", o.Modified, before)
	}
	first := o.ETag
	s.put(t, "round/a.txt", []byte("HELLO"))
	if o, err = bucket.Stat(t.Context(), s.b, "round/a.txt"); err != nil || o.ETag == first || o.Size != 5 {
		t.Errorf("after an overwrite: %+v (ETag was %s), %v", o, first, err)
	}
	for listed, err := range s.b.List(t.Context(), "round/") {
		if err != nil || listed.ETag != o.ETag || listed.Size != 5 {
			t.Errorf("listed %+v, opened %+v, %v", listed, o, err)
		}
	}
}

func (s *suite) ranges(t *testing.T) {
	s.put(t, "ranges/x", []byte("0123456789"))
	for _, c := range []struct {
		offset, n int64
		want      string
	}{{0, -1, "0123456789"}, {3, -1, "3456789"}, {3, 4, "3456"}, {0, 1, "0"}, {9, 1, "9"}, {8, 100, "89"}, {10, -1, ""}, {10, 5, ""}, {50, 2, ""}, {2, 0, ""}} {
		r, o, err := s.b.Open(t.Context(), "ranges/x", c.offset, c.n)
		if err != nil {
			t.Errorf("Open(%d, %d): %v", c.offset, c.n, err)
			continue
		}
		data, err := io.ReadAll(r)
		_ = r.Close() // only read
		if err != nil || string(data) != c.want || o.Size != 10 {
			t.Errorf("Open(%d, %d) gives %q of %d bytes, %v; want %q of 10", c.offset, c.n, data, o.Size, err, c.want)
		}
	}
	_, _, err := s.b.Open(t.Context(), "ranges/x", -1, -1)
	wantCode(t, err, fault.Invalid)
}

func (s *suite) empty(t *testing.T) {
	s.put(t, "empty/x", nil)
	if data := s.get(t, "empty/x"); len(data) != 0 {
		t.Errorf("read %q", data)
	}
	_, err := s.b.Put(t.Context(), "empty/x", strings.NewReader("more"), bucket.PutOptions{IfAbsent: true})
	wantCode(t, err, fault.Conflict)
}

// pattern is an endless stream that does not repeat with the size of any part, and hides its length.
type pattern struct {
	n   uint64
	sum hash.Hash
}

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte((p.n >> 3) * 0x9e3779b97f4a7c15 >> 56)
		p.n++
	}
	p.sum.Write(b)
	return len(b), nil
}

func (s *suite) largeStream(t *testing.T) {
	p := &pattern{sum: sha256.New()}
	size := s.large
	o, err := s.b.Put(t.Context(), "large/x", io.LimitReader(p, size), bucket.PutOptions{IfAbsent: true})
	if err != nil || o.Size != size {
		t.Fatalf("Put: %+v, %v", o, err)
	}
	r, o, err := s.b.Open(t.Context(), "large/x", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // only read
	sum := sha256.New()
	if n, err := io.Copy(sum, r); err != nil || n != size || o.Size != size {
		t.Errorf("read %d of %d bytes, %v", n, size, err)
	}
	if !bytes.Equal(sum.Sum(nil), p.sum.Sum(nil)) {
		t.Error("other bytes came back")
	}
	_, err = s.b.Put(t.Context(), "large/x", io.LimitReader(p, size), bucket.PutOptions{IfAbsent: true})
	wantCode(t, err, fault.Conflict)
	if err := s.b.Delete(t.Context(), "large/x"); err != nil {
		t.Error(err)
	}
}

func (s *suite) list(t *testing.T) {
	keys := []string{
		"list/a b.csv", "list/a+b.csv", "list/a%20b.csv", "list/a.csv", "list/a/1", "list/a-1", "list/a0", "list/B", "list/ü/ß.csv",
		"list/日本", "list/q?x=1&y=2", "list/#1", "list/a'b\"c", "list/z/y/x/w", "list/[x]{y}~!@$^()=;,:", "list/<&>",
	}
	for _, key := range keys {
		s.put(t, key, []byte(key))
	}
	slices.Sort(keys)
	if got := s.keys(t, "list/"); !slices.Equal(got, keys) {
		t.Errorf("List gives\n%q, want\n%q", got, keys)
	}
	for _, key := range keys {
		if got := string(s.get(t, key)); got != key {
			t.Errorf("%q holds %q", key, got)
		}
	}
	for prefix, want := range map[string][]string{
		"list/a/": {"list/a/1"}, "list/a%": {"list/a%20b.csv"}, "list/ü": {"list/ü/ß.csv"}, "list/z/y": {"list/z/y/x/w"},
		"list/none": nil, "list/a/1/": nil, "nothing/here/": nil,
	} {
		if got := s.keys(t, prefix); !slices.Equal(got, want) {
			t.Errorf("List(%q) gives %q, want %q", prefix, got, want)
		}
	}
	for _, err := range s.b.List(t.Context(), "list/") { // stopping early must not panic or hang
		if err != nil {
			t.Error(err)
		}
		break
	}
}

func (s *suite) listPages(t *testing.T) {
	const n = 1100 // S3 gives 1,000 a page
	var wait sync.WaitGroup
	for w := range 16 {
		wait.Go(func() {
			for i := w; i < n; i += 16 {
				if _, err := s.b.Put(t.Context(), fmt.Sprintf("pages/%05d", i), strings.NewReader("x"), bucket.PutOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	if got := s.keys(t, "pages/"); len(got) != n || !slices.IsSorted(got) {
		t.Errorf("List gives %d keys, sorted %v; want %d", len(got), slices.IsSorted(got), n)
	}
}

// overwrite: readers see one version, whole, whatever writers do.
func (s *suite) overwrite(t *testing.T) {
	version := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 50_000+i) }
	s.put(t, "over/x", version(0))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wait sync.WaitGroup
	var reads atomic.Int64
	for range 4 {
		wait.Go(func() {
			for ctx.Err() == nil {
				data, _, err := bucket.ReadAll(t.Context(), s.b, "over/x", 1<<20)
				if err != nil {
					t.Errorf("a reader failed: %v", err)
					return
				}
				if i := len(data) - 50_000; i < 0 || !bytes.Equal(data, version(i)) {
					t.Errorf("a reader saw %d mixed bytes", len(data))
					return
				}
				reads.Add(1)
			}
		})
	}
	for i := 0; i < 30 || i < 20_000 && reads.Load() < 10; i++ {
		s.put(t, "over/x", version(i))
	}
	stop()
	wait.Wait()
	if reads.Load() == 0 {
		t.Error("nobody read anything")
	}
}

// race: of 200 concurrent creations of a key exactly one wins, and its bytes are what is stored.
func (s *suite) race(t *testing.T) { s.compete(t, "race/x", 200, 64) }

// largeRace is the same for uploads in several parts.
func (s *suite) largeRace(t *testing.T) { s.compete(t, "race/large", 4, 9<<20) }

func (s *suite) compete(t *testing.T, key string, writers, size int) {
	start := make(chan struct{})
	var wait sync.WaitGroup
	var winner, wins atomic.Int64
	for w := range writers {
		wait.Go(func() {
			data := bytes.Repeat(fmt.Appendf(nil, "%08d", w), size/8)
			<-start
			_, err := s.b.Put(t.Context(), key, io.MultiReader(bytes.NewReader(data)), bucket.PutOptions{IfAbsent: true})
			if err == nil {
				wins.Add(1)
				winner.Store(int64(w))
			} else if !fault.Is(err, fault.Conflict) {
				t.Errorf("writer %d: %q %v", w, fault.CodeOf(err), err)
			}
		})
	}
	close(start)
	wait.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%d winners", wins.Load())
	}
	data, _, err := bucket.ReadAll(t.Context(), s.b, key, 16<<20)
	if want := bytes.Repeat(fmt.Appendf(nil, "%08d", winner.Load()), size/8); err != nil || !bytes.Equal(data, want) {
		t.Errorf("what is stored is not the winner's: %d bytes, %v", len(data), err)
	}
}

func (s *suite) failingReader(t *testing.T) {
	broken := errors.New("the line broke")
	for name, r := range map[string]io.Reader{
		"small": io.MultiReader(strings.NewReader("some"), iotestErr{broken}),
		"large": io.MultiReader(bytes.NewReader(make([]byte, 9<<20)), iotestErr{broken}),
	} {
		key := "failing/" + name
		_, err := s.b.Put(t.Context(), key, r, bucket.PutOptions{})
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
		_, err = bucket.Stat(t.Context(), s.b, key)
		wantCode(t, err, fault.NotFound)
	}
	s.put(t, "failing/kept", []byte("old"))
	if _, err := s.b.Put(t.Context(), "failing/kept", iotestErr{broken}, bucket.PutOptions{}); err == nil {
		t.Error("no error")
	}
	if got := string(s.get(t, "failing/kept")); got != "old" {
		t.Errorf("the old object became %q", got)
	}
	if got := s.keys(t, "failing/"); !slices.Equal(got, []string{"failing/kept"}) {
		t.Errorf("left behind: %q", got)
	}
}

type iotestErr struct{ err error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.err }

// canceled: a context that ends in mid-write stores nothing.
func (s *suite) canceled(t *testing.T) {
	s.put(t, "canceled/there", []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	r := io.MultiReader(bytes.NewReader(make([]byte, 9<<20)), readFunc(func([]byte) (int, error) { cancel(); return 0, nil }))
	_, err := s.b.Put(ctx, "canceled/x", r, bucket.PutOptions{})
	wantCode(t, err, fault.Canceled)
	_, err = bucket.Stat(t.Context(), s.b, "canceled/x")
	wantCode(t, err, fault.NotFound)
	_, _, err = s.b.Open(ctx, "canceled/there", 0, -1)
	wantCode(t, err, fault.Canceled)
	wantCode(t, s.b.Delete(ctx, "canceled/there"), fault.Canceled)
	for _, err := range s.b.List(ctx, "canceled/") {
		wantCode(t, err, fault.Canceled)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// BadKeys are keys that every driver refuses.
var BadKeys = []string{
	"", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "..", ".", "a/./b", "a//b", "a/", `a\b`, "a\x00b", "a\nb", "a\x7f", "\xff\xfe",
	strings.Repeat("a/", 500) + "x", strings.Repeat("a", 241), "a./b", "a\u0085b",
}

func (s *suite) badKeys(t *testing.T) {
	for _, key := range BadKeys {
		_, err := s.b.Put(t.Context(), key, strings.NewReader("x"), bucket.PutOptions{})
		wantCode(t, err, fault.Invalid)
		_, _, err = s.b.Open(t.Context(), key, 0, -1)
		wantCode(t, err, fault.Invalid)
		wantCode(t, s.b.Delete(t.Context(), key), fault.Invalid)
		_, err = s.b.URL(t.Context(), key, http.MethodGet, time.Minute)
		if !fault.Is(err, fault.Unsupported) {
			wantCode(t, err, fault.Invalid)
		}
	}
	for _, prefix := range []string{"/", "../", "a/../", "a//", `a\`, "a\x00"} {
		for _, err := range s.b.List(t.Context(), prefix) {
			wantCode(t, err, fault.Invalid)
		}
	}
}

func (s *suite) delete(t *testing.T) {
	s.put(t, "delete/x", []byte("x"))
	for range 2 {
		if err := s.b.Delete(t.Context(), "delete/x"); err != nil {
			t.Error(err)
		}
	}
	_, err := bucket.Stat(t.Context(), s.b, "delete/x")
	wantCode(t, err, fault.NotFound)
	if _, err := s.b.Put(t.Context(), "delete/x", strings.NewReader("y"), bucket.PutOptions{IfAbsent: true}); err != nil {
		t.Errorf("creating again: %v", err)
	}
}

func (s *suite) missing(t *testing.T) {
	s.put(t, "missing/there", []byte("x"))
	for _, key := range []string{"missing/x", "missing", "missing/x/y"} {
		for _, n := range []int64{-1, 0, 5} {
			_, _, err := s.b.Open(t.Context(), key, 0, n)
			wantCode(t, err, fault.NotFound)
		}
	}
}

func (s *suite) url(t *testing.T) {
	s.put(t, "url/a b+ü%20.txt", []byte("signed"))
	address, err := s.b.URL(t.Context(), "url/a b+ü%20.txt", http.MethodGet, time.Minute)
	if fault.Is(err, fault.Unsupported) {
		t.Skip("the store has no presigned URLs here: " + err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	if status, body := do(t, http.MethodGet, address, nil); status != 200 || body != "signed" {
		t.Errorf("GET gives %d %q", status, body)
	}
	address, err = s.b.URL(t.Context(), "url/up", http.MethodPut, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if status, body := do(t, http.MethodPut, address, strings.NewReader("uploaded")); status/100 != 2 {
		t.Fatalf("PUT gives %d %q", status, body)
	}
	if got := string(s.get(t, "url/up")); got != "uploaded" {
		t.Errorf("PUT stored %q", got)
	}
	_, err = s.b.URL(t.Context(), "url/up", http.MethodDelete, time.Minute)
	wantCode(t, err, fault.Invalid)
}

func do(t *testing.T, method, address string, body io.Reader) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-ms-blob-type", "BlockBlob") // Azure demands it, the others ignore it
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	data, _ := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	return response.StatusCode, string(data)
}
