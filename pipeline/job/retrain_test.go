package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarvis-ml/jarvis/infra/folder"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
	"github.com/jarvis-ml/jarvis/pipeline/source"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// place is a bucket with a model, as `jarvis train` leaves it.
type place struct {
	testing.TB
	b   bucket.Bucket
	reg *registry.Registry
	set *dataset.Datasets
}

func (p *place) train(name string, data *table.Table, s Spec, promote bool) registry.Version {
	p.Helper()
	s.Keep = func(ctx context.Context) (string, error) {
		v, err := KeepData(ctx, p.set, name, data, nil, "test", "test")
		return v.Ref(), err
	}
	v, err := Publish(p.Context(), p.reg, name, mustTrain(p, data, s), PublishOptions{Who: "test", Why: "test", Promote: promote})
	if err != nil {
		p.Fatal(err)
	}
	return v
}

func (p *place) put(key string, body []byte) {
	p.Helper()
	if _, err := p.b.Put(p.Context(), key, bytes.NewReader(body), bucket.PutOptions{}); err != nil {
		p.Fatal(err)
	}
}

// retrainer is a process of its own, as far as claims go.
func (p *place) retrainer() *Retrainer {
	return &Retrainer{Bucket: p.b, Owner: "test", Threads: 1, Version: "test", Lease: 2 * time.Second}
}

func (p *place) run(r *Retrainer, key string) *Retrained {
	p.Helper()
	result, err := r.Run(p.Context(), key)
	if err != nil {
		p.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	return result
}

func (p *place) versions(name string) int {
	p.Helper()
	m, err := p.reg.Show(p.Context(), name)
	if err != nil {
		p.Fatal(err)
	}
	return len(m.Versions)
}

func (p *place) champion() int {
	p.Helper()
	v, err := p.reg.Resolve(p.Context(), "penguins")
	if err != nil {
		p.Fatal(err)
	}
	return v.Number
}

func (p *place) keys(prefix string) (keys []string) {
	p.Helper()
	for o, err := range p.b.List(p.Context(), prefix) {
		if err != nil {
			p.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

// lines is some rows of the penguins as CSV.
func lines(t testing.TB, rows []int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := source.Write(t.Context(), &out, source.CSV, load(t, "penguins/penguins.csv").Take(rows)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// stride spreads rows over all species, which stand one after the other in the file.
func stride(from, step int) (rows []int) {
	for i := from; i < 344; i += step {
		rows = append(rows, i)
	}
	return rows
}

func buckets(t *testing.T, f func(t *testing.T, b bucket.Bucket)) {
	t.Run("memory", func(t *testing.T) { f(t, bucket.NewMemory()) })
	t.Run("folder", func(t *testing.T) {
		b, err := folder.New(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		f(t, b)
	})
}

// half is a place whose champion has seen every other row.
func half(t testing.TB, b bucket.Bucket) *place {
	p := &place{t, b, registry.Open(b), dataset.Open(b)}
	p.train("penguins", load(t, "penguins/penguins.csv").Take(stride(0, 2)), Spec{Target: "species", Model: "linear"}, true)
	return p
}

func TestRetrainPromotes(t *testing.T) {
	buckets(t, func(t *testing.T, b bucket.Bucket) {
		p := half(t, b)
		p.put("inbox/penguins/more.csv", lines(t, stride(1, 2)))
		r := p.retrainer()
		r.Policy.Margin = 10
		got := p.run(r, "inbox/penguins/more.csv")
		if got.Action != Promoted || got.Version != 2 || got.Dataset != "penguins/2" || got.Rows != 344 || p.champion() != 2 {
			t.Fatalf("%+v, and the champion is %d", got, p.champion())
		}
		if got.Challenger["log_loss"] <= 0 || got.Champion["log_loss"] <= 0 || got.Challenger["log_loss"] == got.Champion["log_loss"] {
			t.Errorf("scores %v against %v", got.Challenger, got.Champion)
		}
		if left := p.keys("inbox/"); len(left) != 0 {
			t.Errorf("%v is left in the inbox", left)
		}
		// The same event again, before and after the file is gone.
		if again := p.run(p.retrainer(), "inbox/penguins/more.csv"); again.Action != Repeated || p.versions("penguins") != 2 {
			t.Errorf("again: %+v", again)
		}
		// The champion carries the same holdout, so the next one is compared on rows that nobody has seen.
		v, _ := p.reg.Resolve(t.Context(), "penguins")
		if v.Summary.Dataset != "penguins/2" {
			t.Errorf("the card says %q", v.Summary.Dataset)
		}
	})
}

// Every kind of policy, on one upload.
func TestPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		policy Policy
		want   string
		says   string
	}{
		"never":     {Policy{Never: true, Margin: 10}, Kept, "left to people"},
		"wide":      {Policy{Margin: 1000}, Promoted, "log_loss"},
		"by f1":     {Policy{Metric: "f1_macro", Margin: 0.9}, Promoted, "f1_macro"},
		"by others": {Policy{Metric: "rmse", Margin: 1000}, Promoted, "log_loss"}, // a rule for regressors in the same bucket
	} {
		t.Run(name, func(t *testing.T) {
			p := half(t, bucket.NewMemory())
			p.put("inbox/penguins/a.csv", lines(t, stride(1, 4)))
			r := p.retrainer()
			r.Policy = c.policy
			got := p.run(r, "inbox/penguins/a.csv")
			if got.Action != c.want || !strings.Contains(got.Reason, c.says) {
				t.Errorf("%+v", got)
			}
			if moved := p.champion() == 2; moved != (c.want == Promoted) {
				t.Errorf("the champion is %d", p.champion())
			}
			if v, err := p.reg.Resolve(t.Context(), "penguins@candidate"); err != nil || v.Number != 2 {
				t.Errorf("the candidate is %d: %v", v.Number, err)
			}
		})
	}
	for _, p := range []Policy{{Metric: "beauty"}, {Margin: -1}} {
		if _, err := (&Retrainer{Bucket: bucket.NewMemory(), Policy: p}).Run(t.Context(), "inbox/a/b"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		metric           string
		margin, old, new float64
		want             string
	}{
		{"log_loss", 0, 0.5, 0.5, Promoted}, // not worse
		{"log_loss", 0, 0.5, 0.51, Kept},
		{"log_loss", 0.05, 0.5, 0.52, Promoted},
		{"accuracy", 0, 0.9, 0.89, Kept},
		{"accuracy", 0.05, 0.9, 0.86, Promoted},
		{"accuracy", 0.05, 0.9, 0.85, Kept},
		{"r2", 0.1, -1, -1.05, Promoted}, // a share of a negative score
		{"r2", 0.1, -1, -1.2, Kept},
	} {
		p := Policy{Margin: c.margin}
		got, why := p.decide(c.metric, map[string]float64{c.metric: c.old}, map[string]float64{c.metric: c.new})
		if got != c.want || why == "" {
			t.Errorf("%s %v after %v with margin %v: %s", c.metric, c.new, c.old, c.margin, got)
		}
	}
	if got, _ := (Policy{}).decide("roc_auc", map[string]float64{}, map[string]float64{"roc_auc": 1}); got != Kept {
		t.Errorf("without a score of the champion: %s", got)
	}
}

// Without a margin the lower loss wins: of several uploads some make a better model and some a worse one.
func TestTheBetterOneServes(t *testing.T) {
	seen := map[string]int{}
	all := load(t, "penguins/penguins.csv")
	for k := range 10 {
		b := bucket.NewMemory()
		p := &place{t, b, registry.Open(b), dataset.Open(b)}
		p.train("penguins", all.Take(span(10*k, all.Rows)), Spec{Target: "species", Model: "linear"}, true)
		p.put("inbox/penguins/a.csv", lines(t, span(0, 10*k+1)))
		got := p.run(p.retrainer(), "inbox/penguins/a.csv")
		want, champion := Promoted, 2
		if got.Challenger["log_loss"] > got.Champion["log_loss"] {
			want, champion = Kept, 1
		}
		if got.Version != 2 || got.Action != want || p.champion() != champion {
			t.Errorf("%+v, and the champion is %d", got, p.champion())
		}
		seen[got.Action]++
	}
	if seen[Kept] == 0 || seen[Promoted] == 0 {
		t.Errorf("only %v: this shows nothing", seen)
	}
}

// What is the file's own fault goes to quarantine with a report that says what is wrong; champion and dataset stay.
func TestQuarantine(t *testing.T) {
	good := string(lines(t, stride(1, 8)))
	header, rest, _ := strings.Cut(good, "\n")
	for name, c := range map[string]struct {
		key, body, says string
		limit           int64
	}{
		"ragged":         {"inbox/penguins/a.csv", header + "\n1,2,3\n" + rest, "", 0},
		"binary":         {"inbox/penguins/a.parquet", "PAR1 but not really", "", 0},
		"wrong columns":  {"inbox/penguins/a.csv", "a,b\n1,2\n", "the model was trained on this column", 0},
		"bad cell":       {"inbox/penguins/a.csv", header + "\nAdelie,Dream,tall,18,190,3800,male,2008\n" + rest, "row 1: bill_length_mm", 0},
		"no target":      {"inbox/penguins/a.csv", strings.Replace(good, "species", "sort", 1), "species", 0},
		"hole in target": {"inbox/penguins/a.csv", header + "\n,Dream,39,18,190,3800,male,2008\n" + rest, "missing_target", 0},
		"empty":          {"inbox/penguins/a.csv", "", "", 0},
		"header only":    {"inbox/penguins/a.csv", header + "\n", "rows", 0},
		"too large":      {"inbox/penguins/a.csv", good, "bytes", 100},
		"no such model":  {"inbox/walruses/a.csv", good, "walruses", 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := half(t, bucket.NewMemory())
			p.put(c.key, []byte(c.body))
			r := p.retrainer()
			r.Policy.MaxBytes = c.limit
			got := p.run(r, c.key)
			if got.Action != Quarantined || got.Reason == "" || got.Version != 0 {
				t.Fatalf("%+v", got)
			}
			if left := p.keys("inbox/"); len(left) != 0 {
				t.Errorf("%v is left", left)
			}
			held := strings.Replace(c.key, "inbox/", "quarantine/", 1)
			body, _, err := bucket.ReadAll(t.Context(), p.b, held, 1<<20)
			if err != nil || string(body) != c.body {
				t.Errorf("the file in quarantine has %d bytes of %d: %v", len(body), len(c.body), err)
			}
			raw, _, err := bucket.ReadAll(t.Context(), p.b, held+".report.json", 1<<20)
			var report struct{ Code, Message, Model, File string }
			if err != nil || json.Unmarshal(raw, &report) != nil || report.Code == "" || report.Message == "" || report.File == "" || !bytes.Contains(raw, []byte(c.says)) {
				t.Errorf("the report is %s (%v), without %q", raw, err, c.says)
			}
			if v, err := p.set.Resolve(t.Context(), "penguins"); err != nil || v.Number != 1 || p.versions("penguins") != 1 {
				t.Errorf("the dataset is at %d, the model has %d versions", v.Number, p.versions("penguins"))
			}
			if again := p.run(p.retrainer(), c.key); again.Action != Repeated {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

// A model that Jarvis did not train cannot be retrained, and the file says so.
func TestForeignChampion(t *testing.T) {
	p := half(t, bucket.NewMemory())
	foreign := readFile(t, "../../model/testdata/logistic.onnx")
	if _, err := p.reg.Publish(t.Context(), "penguins", foreign, registry.PublishOptions{Who: "t", Aliases: []string{registry.Champion}}); err != nil {
		t.Fatal(err)
	}
	p.put("inbox/penguins/a.csv", lines(t, stride(1, 8)))
	if got := p.run(p.retrainer(), "inbox/penguins/a.csv"); got.Action != Quarantined || !strings.Contains(got.Reason, "not trained by Jarvis") {
		t.Errorf("%+v", got)
	}
}

func TestBadKeys(t *testing.T) {
	p := &place{TB: t, b: bucket.NewMemory()}
	for _, key := range []string{"", "inbox", "inbox/", "inbox/a", "inbox/../../etc/passwd", "../../etc/passwd", "inbox/a/../b", "outbox/a/b", "/inbox/a/b", "inbox/" + strings.Repeat("x", 300) + "/a"} {
		if got, err := p.retrainer().Run(t.Context(), key); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %+v, %v", key, got, err)
		}
	}
}

// Any number of processes at one file: one version comes of it.
func TestManyRetrainersOneFile(t *testing.T) {
	buckets(t, func(t *testing.T, b bucket.Bucket) {
		p := half(t, b)
		p.put("inbox/penguins/a.csv", lines(t, stride(1, 2)))
		var mu sync.Mutex
		count := map[string]int{}
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				got, err := p.retrainer().Run(t.Context(), "inbox/penguins/a.csv")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				count[got.Action]++
				mu.Unlock()
			})
		}
		all.Wait()
		if count[Promoted]+count[Kept] != 1 || p.versions("penguins") != 2 {
			t.Errorf("%v, and %d versions", count, p.versions("penguins"))
		}
	})
}

// Two files at the same time: both are learned from, and the last champion is one that was compared with the one before.
func TestTwoFilesAtOnce(t *testing.T) {
	p := half(t, bucket.NewMemory())
	var all sync.WaitGroup
	for i := range 3 {
		key := fmt.Sprintf("inbox/penguins/%d.csv", i)
		p.put(key, lines(t, stride(1+2*i, 6)))
		all.Go(func() {
			r := p.retrainer()
			r.Policy.Margin = 1000
			if got, err := r.Run(t.Context(), key); err != nil || got.Action != Promoted {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	all.Wait()
	if v, _ := p.set.Resolve(t.Context(), "penguins"); v.Number != 4 || v.Rows != 344 || p.versions("penguins") != 4 {
		t.Errorf("the dataset is %+v, with %d versions of the model", v, p.versions("penguins"))
	}
}

// A person moves the champion while the challenger trains: the two are compared anew, and the history tells both.
func TestChampionChangesMeanwhile(t *testing.T) {
	p := half(t, bucket.NewMemory())
	other := p.train("penguins", load(t, "penguins/penguins.csv").Take(stride(0, 3)), Spec{Target: "species", Model: "boost"}, false)
	p.put("inbox/penguins/a.csv", lines(t, stride(1, 4)))
	r := p.retrainer()
	r.Policy.Margin = 1000
	r.Report = func(e Event) {
		if e.Stage == Evaluate {
			if err := p.reg.Promote(t.Context(), "penguins", other.Number, registry.Champion, "a person", "meanwhile"); err != nil {
				t.Error(err)
			}
		}
	}
	got := p.run(r, "inbox/penguins/a.csv")
	history, err := p.reg.History(t.Context(), "penguins")
	if err != nil || got.Action != Promoted || p.champion() != got.Version {
		t.Fatalf("%+v, champion %d: %v", got, p.champion(), err)
	}
	if last := history[len(history)-1]; last.Previous != other.Number {
		t.Errorf("it replaced %d, not the person's %d", last.Previous, other.Number)
	}
}

// flaky fails one kind of call from a moment on, as a process that is killed there would.
type flaky struct {
	bucket.Bucket
	mu   sync.Mutex
	left int // calls that go well
}

var errKilled = errors.New("killed")

func (f *flaky) spend() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left--; f.left < 0 {
		return fault.Wrap(errKilled, fault.Unavailable, "the store is away")
	}
	return nil
}

func (f *flaky) Put(ctx context.Context, key string, r io.Reader, o bucket.PutOptions) (bucket.Object, error) {
	if err := f.spend(); err != nil {
		return bucket.Object{}, err
	}
	return f.Bucket.Put(ctx, key, r, o)
}

func (f *flaky) Delete(ctx context.Context, key string) error {
	if err := f.spend(); err != nil {
		return err
	}
	return f.Bucket.Delete(ctx, key)
}

// A run may end at any write. The next one finishes: one version of model and data, an empty inbox.
func TestKilledAtEveryWrite(t *testing.T) {
	const many = 1000
	whole := &flaky{left: many}
	killed(t, whole)
	writes := many - whole.left
	if writes < 8 {
		t.Fatalf("a run with %d writes", writes)
	}
	for after := range writes {
		synctest.Test(t, func(t *testing.T) { // a clock of its own: nobody waits for leases and for stores
			p := killed(t, &flaky{left: after})
			next := p.retrainer()
			next.Policy.Margin = 1000
			var got *Retrained
			for got = p.run(next, "inbox/penguins/a.csv"); got.Action == Busy; got = p.run(next, "inbox/penguins/a.csv") {
				time.Sleep(100 * time.Millisecond) // until the lease of the dead one ends
			}
			v, _ := p.set.Resolve(t.Context(), "penguins")
			if p.versions("penguins") != 2 || p.champion() != 2 || v.Number != 2 || v.Rows != 344 || len(p.keys("inbox/")) != 0 {
				t.Errorf("killed after %d writes, then %s: %d versions, champion %d, dataset %d of %d rows, %v left", after, got.Action,
					p.versions("penguins"), p.champion(), v.Number, v.Rows, p.keys("inbox/"))
			}
		})
	}
}

// killed runs a retraining over a store that goes away.
func killed(t *testing.T, store *flaky) *place {
	t.Helper()
	p := half(t, bucket.NewMemory())
	p.put("inbox/penguins/a.csv", lines(t, stride(1, 2)))
	r := p.retrainer()
	r.Policy.Margin, r.Lease = 1000, time.Second
	store.Bucket = p.b
	r.Bucket = store
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // some writes are tried again when a store is away
	defer cancel()
	_, _ = r.Run(ctx, "inbox/penguins/a.csv")
	return p
}

// A stopped run gives its file back at once.
func TestStoppedRunReleases(t *testing.T) {
	p := half(t, bucket.NewMemory())
	p.put("inbox/penguins/a.csv", lines(t, stride(1, 2)))
	ctx, cancel := context.WithCancel(t.Context())
	r := p.retrainer()
	r.Lease = time.Hour
	r.Report = func(Event) { cancel() }
	if _, err := r.Run(ctx, "inbox/penguins/a.csv"); !fault.Is(err, fault.Canceled) {
		t.Fatalf("stopped: %v", err)
	}
	if got := p.run(p.retrainer(), "inbox/penguins/a.csv"); got.Action == Busy || got.Version != 2 {
		t.Errorf("after a stop: %+v", got)
	}
}

// A large file is handed over once, and is free for the job that takes it.
func TestSubmit(t *testing.T) {
	p := half(t, bucket.NewMemory())
	const key = "inbox/penguins/a.csv"
	p.put(key, lines(t, stride(1, 2)))
	calls := 0
	r := p.retrainer()
	r.Inline = 100
	r.Submit = func(context.Context, string, string) error {
		calls++
		return fault.New(fault.Unavailable, "the service is away")
	}
	if _, err := r.Run(t.Context(), key); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	r.Submit = func(_ context.Context, name, k string) error {
		calls++
		if name != "penguins" || k != key {
			t.Errorf("submitted %s of %s", k, name)
		}
		return nil
	}
	if got := p.run(r, key); got.Action != Submitted || calls != 2 {
		t.Fatalf("%+v after %d calls", got, calls)
	}
	if got := p.run(r, key); got.Action != Repeated || calls != 2 {
		t.Errorf("the same event: %+v after %d calls", got, calls)
	}
	if got := p.run(p.retrainer(), key); got.Version != 2 {
		t.Errorf("the job: %+v", got)
	}
	if got := p.run(r, key); got.Action != Repeated || calls != 2 || len(p.keys("inbox/")) != 0 {
		t.Errorf("afterwards: %+v", got)
	}
	r.Inline = 1 << 20
	p.put("inbox/penguins/small.csv", lines(t, stride(1, 9)))
	if got := p.run(r, "inbox/penguins/small.csv"); got.Version != 3 || calls != 2 {
		t.Errorf("a small one: %+v", got)
	}
}

// Rows that fit, but of which nothing can be learned, stay in the dataset and are said to.
func TestNothingToLearn(t *testing.T) {
	p := half(t, bucket.NewMemory())
	v, _ := p.reg.Resolve(t.Context(), "penguins")
	file, err := p.reg.Load(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	// The same model under another name has no dataset behind it.
	if _, err := p.reg.Publish(t.Context(), "lone", file, registry.PublishOptions{Who: "t", Aliases: []string{registry.Champion}}); err != nil {
		t.Fatal(err)
	}
	p.put("inbox/lone/few.csv", lines(t, []int{0, 100, 200}))
	got := p.run(p.retrainer(), "inbox/lone/few.csv")
	if got.Action != Kept || got.Version != 0 || !strings.Contains(got.Reason, "too few") || got.Dataset != "lone/1" {
		t.Errorf("%+v", got)
	}
	p.put("inbox/lone/more.csv", lines(t, stride(1, 2)))
	if got := p.run(p.retrainer(), "inbox/lone/more.csv"); got.Version != 2 || got.Rows != 175 {
		t.Errorf("with more: %+v", got)
	}
}

// Class labels keep their texts however a file writes them.
func TestLabelsOfUploads(t *testing.T) {
	for name, c := range map[string]struct{ first, upload [2]string }{
		"numbers written otherwise":    {[2]string{"0", "1"}, [2]string{"0.0", "1.0"}},
		"codes that look like numbers": {[2]string{"007", "abc"}, [2]string{"007", "007"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &place{t, bucket.NewMemory(), nil, nil}
			p.reg, p.set = registry.Open(p.b), dataset.Open(p.b)
			rows := func(l [2]string, n int) string {
				return numbered("x,z,y", n, func(i int) string { return fmt.Sprintf("%d.5,%d,%s", i*7%50, i%5, l[i*7%50/25]) })
			}
			p.train("m", parse(t, rows(c.first, 80)), Spec{Target: "y", Task: "classification", Model: "linear"}, true)
			p.put("inbox/m/a.csv", []byte(rows(c.upload, 40)))
			got := p.run(p.retrainer(), "inbox/m/a.csv")
			v, err := p.reg.Resolve(t.Context(), "m/2")
			if err != nil || v.Summary.Classes != 2 {
				t.Errorf("%+v has %d classes: %v", got, v.Summary.Classes, err)
			}
		})
	}
}
