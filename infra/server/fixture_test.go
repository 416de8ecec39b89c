package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	_ "github.com/jarvis-ml/jarvis/infra/folder"
	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/feature"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

const token = "a token for tests"

// flowers makes a classifier of size (number, may be missing), petals (number), color (category) whose weights depend on
// seed, so that versions can be told apart by their answers.
func flowers(t testing.TB, seed int) []byte {
	t.Helper()
	const rows = 200
	size, petals := make([]float64, rows), make([]float64, rows)
	color, name := make([]string, rows), make([]string, rows)
	for i := range rows {
		size[i], petals[i] = float64(i%17)/2, float64(i%5)
		color[i], name[i] = []string{"red", "blue", "white"}[i%3], []string{"a", "b", "c"}[i%3]
		if i%10 == 7 {
			size[i] = math.NaN()
		}
	}
	data := table.New(table.Numbers("size", size), table.Numbers("petals", petals), table.Texts("color", color), table.Texts("name", name))
	p, err := feature.Fit(data, check.Profile(data, check.Options{Target: "name"}), "name", feature.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := graph.NewBuilder("flowers")
	b.Reserve("label", "probabilities")
	x, err := p.Append(b)
	if err != nil {
		t.Fatal(err)
	}
	w := make([]float32, p.Width()*3)
	for i := range w {
		w[i] = float32(math.Sin(float64(i + seed)))
	}
	y := b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, b.Op("MatMul", x, b.Floats("weight", w, p.Width(), 3)))
	best := b.OpWith("ArgMax", []graph.Attr{graph.IntAttr("axis", 1), graph.IntAttr("keepdims", 0)}, y)
	b.Output("label", b.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 0)}, b.Strings("classes", []string{"a", "b", "c"}), best), tensor.Rows(tensor.String))
	b.Output("probabilities", y, tensor.Rows(tensor.Float32, 3))
	m := b.Model()
	m.Metadata, err = card.Card{Signature: card.Signature{Task: "classification", Target: "name", Classes: []string{"a", "b", "c"}, Inputs: p.Inputs}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return encoded(t, m)
}

func encoded(t testing.TB, m *graph.Model) []byte {
	t.Helper()
	file, err := onnx.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

const (
	oneRow  = `{"rows":[{"size":2.5,"petals":3,"color":"red"}]}`
	oneCall = `{"id":"7","inputs":[{"name":"size","shape":[1,1],"datatype":"FP32","data":[2.5]},{"name":"petals","shape":[1,1],"datatype":"FP32","data":[3]},{"name":"color","shape":[1,1],"datatype":"BYTES","data":["red"]}]}`
)

// fixture is a server over HTTP, with the model "flowers" in the registry of its bucket.
type fixture struct {
	t testing.TB
	*Server
	url string
}

func newFixture(t testing.TB, opt Options) *fixture {
	t.Helper()
	if opt.Bucket == nil {
		opt.Bucket = bucket.NewMemory()
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Token == "" {
		opt.Token = token
	}
	s := New(opt)
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	f := &fixture{t: t, Server: s, url: ts.URL}
	return f
}

// withFlowers publishes the first version and serves it.
func withFlowers(t testing.TB, opt Options) *fixture {
	t.Helper()
	f := newFixture(t, opt)
	f.publish("flowers", flowers(t, 1), registry.Champion)
	f.refresh()
	return f
}

func (f *fixture) publish(name string, file []byte, aliases ...string) registry.Version {
	f.t.Helper()
	v, err := f.registry.Publish(context.Background(), name, file, registry.PublishOptions{Who: "test", Why: "test", Aliases: aliases})
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

func (f *fixture) refresh() {
	f.t.Helper()
	if err := f.Refresh(context.Background()); err != nil {
		f.t.Fatal(err)
	}
}

// answer is a response that was read.
type answer struct {
	*http.Response
	body string
}

// problem decodes an RFC 9457 answer and fails when it is none.
func (a answer) problem(t testing.TB) Problem {
	t.Helper()
	var p Problem
	if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("status %d, content type %q, body %s", a.StatusCode, ct, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Status != a.StatusCode || p.Title == "" || p.Detail == "" || p.Code == "" {
		t.Fatalf("not a whole problem: %v: %s", err, a.body)
	}
	return p
}

func (f *fixture) do(method, path, body string, header ...string) answer {
	f.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	return f.send(r)
}

func (f *fixture) send(r *http.Request) answer {
	f.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: transport}
	resp, err := client.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer{resp, string(b)}
}

// transport asks for no compression by itself.
var transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}

// ok sends a request that must succeed and decodes its answer.
func (f *fixture) ok(out any, method, path, body string, header ...string) answer {
	f.t.Helper()
	a := f.do(method, path, body, header...)
	if a.StatusCode/100 != 2 {
		f.t.Fatalf("%s %s: %d %s", method, path, a.StatusCode, a.body)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(a.body), out); err != nil {
			f.t.Fatalf("%s %s: %v: %s", method, path, err, a.body)
		}
	}
	return a
}

type predicted struct {
	Model       string
	Version     int
	Predictions []struct {
		Label         string
		Probabilities map[string]float64
		Prediction    *float64
	}
}

// version asks which version answers.
func (f *fixture) version(path string) int {
	f.t.Helper()
	var p predicted
	f.ok(&p, "POST", path, oneRow)
	return p.Version
}

// breakable is a bucket that can be taken away, or made to hang.
type breakable struct {
	bucket.Bucket
	broken, hangs atomic.Bool
}

func (b *breakable) fails(ctx context.Context) error {
	if b.hangs.Load() {
		<-ctx.Done()
		return fault.Wrap(ctx.Err(), fault.Unavailable, "gone")
	}
	if b.broken.Load() {
		return fault.New(fault.Unavailable, "the bucket is away").Because(fmt.Errorf("dial tcp 10.1.2.3:443"))
	}
	return nil
}

func (b *breakable) Open(ctx context.Context, key string, offset, n int64) (io.ReadCloser, bucket.Object, error) {
	if err := b.fails(ctx); err != nil {
		return nil, bucket.Object{}, err
	}
	return b.Bucket.Open(ctx, key, offset, n)
}

func (b *breakable) Put(ctx context.Context, key string, r io.Reader, opt bucket.PutOptions) (bucket.Object, error) {
	if err := b.fails(ctx); err != nil {
		return bucket.Object{}, err
	}
	return b.Bucket.Put(ctx, key, r, opt)
}

func (b *breakable) List(ctx context.Context, prefix string) iter.Seq2[bucket.Object, error] {
	if err := b.fails(ctx); err != nil {
		return func(yield func(bucket.Object, error) bool) { yield(bucket.Object{}, err) }
	}
	return b.Bucket.List(ctx, prefix)
}

// folderBucket opens a bucket in a folder of the test's own.
func folderBucket(t testing.TB) (bucket.Bucket, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bucket")
	b, err := bucket.OpenURL(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return b, dir
}

func zipped(t testing.TB, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzipWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
