package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

const flowersPath = "/models/flowers/predict"

// Versions change while requests come: each is answered, by one version as a whole, and the newest is served in time.
func TestPromotionUnderLoad(t *testing.T) {
	b, _ := folderBucket(t)
	f := withFlowers(t, Options{Bucket: b})
	f.publish("flowers", flowers(t, 2))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx, 50*time.Millisecond) })
	answers := sync.Map{} // version → its answer
	var asked atomic.Int64
	for range 4 {
		running.Go(func() {
			for ctx.Err() == nil {
				a := f.do("POST", flowersPath, oneRow)
				if a.StatusCode != http.StatusOK {
					t.Errorf("%d %s", a.StatusCode, a.body)
					return
				}
				version, rest, _ := strings.Cut(a.body, `"predictions"`)
				if first, _ := answers.LoadOrStore(version, rest); first != rest {
					t.Errorf("%s answers %s and %v", version, rest, first)
					return
				}
				asked.Add(1)
			}
		})
	}
	for _, want := range []int{2, 1, 2, 1} {
		// Another process promotes: this server sees the bucket only.
		if err := registry.Open(b).Promote(ctx, "flowers", want, registry.Champion, "test", "test"); err != nil {
			t.Fatal(err)
		}
		for begin := time.Now(); f.version(flowersPath) != want; time.Sleep(10 * time.Millisecond) {
			if time.Since(begin) > 5*time.Second {
				t.Fatalf("version %d is not served after 5 s", want)
			}
		}
	}
	cancel()
	running.Wait()
	if n := 0; asked.Load() < 10 {
		t.Errorf("%d requests", asked.Load())
	} else if answers.Range(func(any, any) bool { n++; return true }); n != 2 {
		t.Errorf("%d versions answered", n)
	}
}

func TestVersionsAndAliases(t *testing.T) {
	b := &breakable{Bucket: bucket.NewMemory()}
	f := withFlowers(t, Options{Bucket: b})
	f.publish("flowers", flowers(t, 2), registry.Candidate)
	f.publish("flowers", flowers(t, 3)) // since the last look
	for path, want := range map[string]int{
		"/models/flowers/predict": 1, "/models/flowers/predict?version=1": 1, "/models/flowers/predict?version=2": 2,
		"/models/flowers/predict?alias=candidate": 2, "/models/flowers/predict?alias=champion": 1, "/models/flowers/predict?version=3": 3,
		"/models/flowers/versions/2/predict": 2, "/models/flowers/versions/candidate/predict": 2,
	} {
		if got := f.version(path); got != want {
			t.Errorf("%s: version %d, not %d", path, got, want)
		}
	}
	if a := f.ok(nil, "POST", "/v2/models/flowers/versions/2/infer", oneCall); !strings.Contains(a.body, `"model_version":"2"`) {
		t.Error(a.body)
	}
	// What is known and in memory needs no bucket.
	f.refresh()
	b.broken.Store(true)
	for path, want := range map[string]int{"/models/flowers/predict?alias=candidate": 2, "/models/flowers/predict?version=3": 3} {
		if got := f.version(path); got != want {
			t.Errorf("without a bucket, %s: version %d", path, got)
		}
	}
	if p := f.do("POST", "/models/flowers/predict?version=4", oneRow).problem(t); p.Status != 503 || p.Code != "unavailable" || strings.Contains(p.Detail, "10.1.2.3") {
		t.Errorf("%+v", p)
	}
	b.broken.Store(false)
	// What was deleted is not served from memory either.
	if err := f.registry.Delete(context.Background(), "flowers", 3, "test", "test"); err != nil {
		t.Fatal(err)
	}
	f.refresh()
	f.do("POST", "/models/flowers/predict?version=3", oneRow).problem(t)
	if err := f.registry.Delete(context.Background(), "flowers", 1, "test", "test", registry.Force()); err != nil {
		t.Fatal(err)
	}
	f.refresh()
	if p := f.do("POST", flowersPath, oneRow).problem(t); p.Status != 404 {
		t.Errorf("a deleted champion: %+v", p)
	}
}

func TestManyVersionsAreBounded(t *testing.T) {
	f := withFlowers(t, Options{})
	for i := range 14 {
		f.publish("flowers", flowers(t, 2+i))
	}
	for n := 2; n <= 15; n++ {
		if got := f.version(flowersPath + "?version=" + itoa(n)); got != n {
			t.Fatalf("version %d for %d", got, n)
		}
	}
	if n := len(f.models.recent); n != mostRecent {
		t.Errorf("%d versions are kept", n)
	}
	body := f.ok(nil, "GET", "/metrics", "").body
	if n := strings.Count(body, "jarvis_predicted_rows_total{"); n != mostCounted {
		t.Errorf("%d series of rows", n)
	}
}

// A champion that cannot be used is quarantined by its hash; the version before it goes on.
func TestUnusableChampion(t *testing.T) {
	f := withFlowers(t, Options{})
	good := flowers(t, 2)
	foreign := graph.NewBuilder("foreign")
	foreign.Output("y", foreign.Node("com.example", "Frobnicate", []graph.Value{foreign.Input("x", tensor.Rows(tensor.Float32, 1))}, 1)[0], tensor.Rows(tensor.Float32, 1))
	number := 1
	for name, file := range map[string][]byte{
		"truncated": good[:len(good)/2], "text": []byte("<html>not found</html>"), "unknown operator": encoded(t, foreign.Model()),
	} {
		v := f.publish("flowers", file, registry.Champion)
		f.refresh()
		if got := f.version(flowersPath); got != number {
			t.Errorf("%s: version %d answers", name, got)
		}
		if q, ok, err := f.registry.Quarantined(context.Background(), v.SHA256); !ok || err != nil || q.Why == "" {
			t.Errorf("%s: not quarantined: %+v %v", name, q, err)
		}
		ready := f.ok(nil, "GET", "/v2/health/ready", "")
		if !strings.Contains(ready.body, `"problems":{"flowers":"version `+itoa(v.Number)) {
			t.Errorf("%s: %s", name, ready.body)
		}
		f.do("POST", flowersPath+"?version="+itoa(v.Number), oneRow).problem(t)
		f.refresh() // not tried again
		if n := strings.Count(f.ok(nil, "GET", "/metrics", "").body, `result="failed"} 1`); n != 1 && number == 1 && v.Number == 2 {
			t.Errorf("%s: %d failed loads", name, n)
		}
	}
	v := f.publish("flowers", good, registry.Champion)
	f.refresh()
	if got := f.version(flowersPath); got != v.Number {
		t.Errorf("version %d, not %d", got, v.Number)
	}
	if ready := f.ok(nil, "GET", "/v2/health/ready", ""); strings.Contains(ready.body, "problems") {
		t.Error(ready.body)
	}
}

// A blob that rots in the bucket is noticed by its hash, and serving it begins when the file is published again.
func TestDamagedBlobHeals(t *testing.T) {
	b, dir := folderBucket(t)
	f := withFlowers(t, Options{Bucket: b})
	good := flowers(t, 2)
	v := f.publish("flowers", good)
	key, _ := bucket.BlobKey(v.SHA256)
	blob := filepath.Join(dir, filepath.FromSlash(key))
	if err := os.Chmod(blob, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blob, good[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.registry.Promote(context.Background(), "flowers", 2, registry.Champion, "test", "test"); err != nil {
		t.Fatal(err)
	}
	f.refresh()
	if got := f.version(flowersPath); got != 1 {
		t.Fatalf("version %d answers", got)
	}
	if _, ok, _ := f.registry.Quarantined(context.Background(), v.SHA256); !ok {
		t.Error("not quarantined")
	}
	f.publish("flowers", good)
	f.refresh()
	if got := f.version(flowersPath); got != 2 {
		t.Errorf("version %d answers after the blob was healed", got)
	}
}

// A model without any usable version is an error that says so, and one broken model is not the others' concern.
func TestBrokenModelBesideGoodOne(t *testing.T) {
	f := withFlowers(t, Options{})
	f.publish("broken", []byte("nothing"), registry.Champion)
	f.refresh()
	if p := f.do("POST", "/models/broken/predict", oneRow).problem(t); p.Status != 503 {
		t.Errorf("%+v", p)
	}
	// A log that was tampered with hides its model's news and nothing else's.
	if _, err := f.opt.Bucket.Put(context.Background(), bucket.NewLog(f.opt.Bucket, "models/broken/log").Key(2), strings.NewReader("{"), bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	f.publish("flowers", flowers(t, 2), registry.Champion)
	if err := f.Refresh(context.Background()); !fault.Is(err, fault.Corrupt) {
		t.Errorf("refresh: %v", err)
	}
	if got := f.version(flowersPath); got != 2 {
		t.Errorf("version %d", got)
	}
	if a := f.ok(nil, "GET", "/v2/health/ready", ""); !strings.Contains(a.body, "damaged since") {
		t.Error(a.body)
	}
}

func TestBucketGoneAndBack(t *testing.T) {
	b := &breakable{Bucket: bucket.NewMemory()}
	b.broken.Store(true)
	f := newFixture(t, Options{Bucket: b})
	if err := f.Refresh(context.Background()); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	if a := f.do("GET", "/v2/health/ready", ""); a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.body, "unreachable since") {
		t.Errorf("at start: %d %s", a.StatusCode, a.body)
	}
	if p := f.do("POST", flowersPath, oneRow).problem(t); p.Status != 404 || !strings.Contains(p.Hint, "bucket") {
		t.Errorf("at start: %+v", p)
	}
	b.broken.Store(false)
	f.publish("flowers", flowers(t, 1), registry.Champion)
	f.refresh()
	for _, how := range []*atomic.Bool{&b.broken, &b.hangs} {
		how.Store(true)
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		if err := f.Refresh(ctx); err == nil {
			t.Error("a look at a bucket that is gone succeeds")
		}
		cancel()
		if a := f.ok(nil, "GET", "/v2/health/ready", ""); !strings.Contains(a.body, "unreachable since") {
			t.Error(a.body)
		}
		if how == &b.broken {
			a := f.ok(nil, "GET", "/v2/health/ready", "")
			if !strings.Contains(a.body, "unreachable since") || !strings.Contains(a.body, "flowers") || strings.Contains(a.body, "10.1.2.3") {
				t.Error(a.body)
			}
			if body := f.ok(nil, "GET", "/metrics", "").body; !strings.Contains(body, "jarvis_bucket_up 0") {
				t.Error("jarvis_bucket_up is not 0")
			}
			for path, part := range map[string]string{"/api/models": `"stale":true`, "/api/models/flowers": `"stale":true`, "/v2/models/flowers": `"versions":["1"]`} {
				if a := f.ok(nil, "GET", path, ""); !strings.Contains(a.body, part) {
					t.Errorf("%s: %s", path, a.body)
				}
			}
			auth := []string{"Authorization", "Bearer " + token}
			if p := f.do("POST", "/api/models/flowers/promote", `{"version":1}`, auth...).problem(t); p.Status != 503 || p.Code != "unavailable" {
				t.Errorf("%+v", p)
			}
			f.do("POST", "/api/inbox/flowers/x.csv", "a,b", auth...).problem(t)
		}
		if got := f.version(flowersPath); got != 1 {
			t.Errorf("version %d", got)
		}
		how.Store(false)
		f.refresh()
		if a := f.ok(nil, "GET", "/v2/health/ready", ""); !strings.Contains(a.body, `"bucket":"ok"`) {
			t.Error(a.body)
		}
	}
}

// bulky is a model whose cost is in its weights: x (rows, n) times n layers of (n, n).
func bulky(t testing.TB, n, layers int) []byte {
	t.Helper()
	b := graph.NewBuilder("bulky")
	v := b.Input("x", tensor.Rows(tensor.Float32, n))
	for range layers {
		w := make([]float32, n*n)
		for i := range w {
			w[i] = float32(i%7-3) / float32(n)
		}
		v = b.Op("MatMul", v, b.Floats("w", w, n, n))
	}
	b.Output("y", v, tensor.Rows(tensor.Float32, n))
	return encoded(t, b.Model())
}

func TestJoinedRequestsGetTheirOwnAnswers(t *testing.T) {
	const n = 512
	f := newFixture(t, Options{Threads: 1})
	f.publish("bulky", bulky(t, n, 4), registry.Champion)
	f.refresh()
	m, err := f.models.get(context.Background(), "bulky", "")
	if err != nil {
		t.Fatal(err)
	}
	m.batch = &batcher{program: m.Program, timeout: time.Minute} // whatever this machine measured
	ask := func(i, rows int) string {
		return `{"inputs":[{"name":"x","datatype":"FP32","shape":[` + itoa(rows) + `,` + itoa(n) + `],"data":[` + strings.Repeat(itoa(i)+",", rows*n-1) + itoa(i) + `]}]}`
	}
	alone := make([]string, 24)
	for i := range alone {
		a := f.ok(nil, "POST", "/v2/models/bulky/infer", ask(i, 1+i%3))
		alone[i] = a.body
	}
	var wait sync.WaitGroup
	for round := range 3 {
		for i := range alone {
			wait.Go(func() {
				if i%5 == 4 { // one that fails must not reach the others
					bad := strings.Replace(ask(i, 1), `"x"`, `"z"`, 1)
					if a := f.do("POST", "/v2/models/bulky/infer", bad); a.StatusCode != http.StatusUnprocessableEntity {
						t.Errorf("%d %s", a.StatusCode, a.body)
					}
					return
				}
				if a := f.ok(nil, "POST", "/v2/models/bulky/infer", ask(i, 1+i%3)); a.body != alone[i] && !close32(a.body, alone[i]) {
					t.Errorf("round %d, request %d: another answer when joined", round, i)
				}
			})
		}
	}
	wait.Wait()
}

// Requests that wait together take one run.
func TestBatcherJoins(t *testing.T) {
	f := newFixture(t, Options{})
	f.publish("bulky", bulky(t, 8, 1), registry.Champion)
	f.refresh()
	m, _ := f.models.get(context.Background(), "bulky", "")
	b := &batcher{program: m.Program, timeout: time.Minute}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	row := func(v float32) map[string]*tensor.Tensor {
		return map[string]*tensor.Tensor{"x": tensor.Floats(slices.Repeat([]float32{v}, 8), 1, 8)}
	}
	group := []*waiting{
		{ctx: context.Background(), in: row(1), rows: 1, done: make(chan struct{})},
		{ctx: gone, in: row(2), rows: 1, done: make(chan struct{})},
		{ctx: context.Background(), in: row(3), rows: 1, done: make(chan struct{})},
		{ctx: context.Background(), in: map[string]*tensor.Tensor{"x": tensor.Floats(nil, 0, 4)}, rows: 0, done: make(chan struct{})},
	}
	b.queue, b.busy = slices.Clone(group), 1
	first := b.next()
	if len(first) != 2 || first[0] != group[0] || first[1] != group[2] {
		t.Fatalf("%d joined", len(first))
	}
	b.runJoined(first)
	if a, c := first[0].out["y"].F32(), first[1].out["y"].F32(); first[0].err != nil || first[1].err != nil || a[0]*3 != c[0] {
		t.Errorf("%v %v", a, c)
	}
	b.drain()
	if err := group[3].err; !fault.Is(err, fault.Invalid) {
		t.Errorf("another shape: %v", err)
	}
	if b.busy != 0 || len(b.queue) != 0 {
		t.Errorf("%d busy, %d waiting", b.busy, len(b.queue))
	}
}

// A graph that mixes its rows looks as if requests could be joined in it.
func TestMixingModelIsNotBatched(t *testing.T) {
	for name, build := range map[string]func(*graph.Builder, graph.Value) graph.Value{
		"row by row": func(b *graph.Builder, x graph.Value) graph.Value { return b.Op("Relu", x) },
		"softmax over rows": func(b *graph.Builder, x graph.Value) graph.Value {
			return b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 0)}, x)
		},
	} {
		b := graph.NewBuilder("mixing")
		b.Output("y", build(b, b.Input("x", tensor.Rows(tensor.Float32, 4))), tensor.Rows(tensor.Float32, 4))
		f := newFixture(t, Options{})
		f.publish("m", encoded(t, b.Model()), registry.Champion)
		f.refresh()
		m, err := f.models.get(context.Background(), "m", "")
		if err != nil {
			t.Fatal(err)
		}
		if got := independent(context.Background(), m.Program); rowwise(m.Program) != true || got != (name == "row by row") {
			t.Errorf("%s: independent %v", name, got)
		}
	}
}

func TestDefectsAreAnswered(t *testing.T) {
	f := newFixture(t, Options{Page: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			_, _ = io.WriteString(w, strings.Repeat("half an answer ", 10_000))
		}
		w.Header().Set("ETag", "x")
		panic("a defect")
	})})
	a := f.do("GET", "/page", "", "Accept-Encoding", "gzip")
	if p := a.problem(t); p.Status != 500 || strings.Contains(a.body, "defect") || a.Header.Get("ETag") != "" {
		t.Errorf("%d %v %s", a.StatusCode, a.Header, a.body)
	}
	r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, f.url+"/half", nil)
	if resp, err := transport.RoundTrip(r); err == nil {
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("half an answer looks whole")
		}
		resp.Body.Close()
	} else if !errors.Is(err, io.EOF) {
		t.Log(err)
	}
	f.ok(nil, "GET", "/v2/health/live", "")
	if body := f.ok(nil, "GET", "/metrics", "").body; !strings.Contains(body, "jarvis_panics_total 2") {
		t.Error("panics are not counted")
	}
}
