package dataset_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
)

func add(t *testing.T, d *dataset.Datasets, text string, o dataset.AppendOptions) dataset.Version {
	t.Helper()
	o.Who = "ann"
	if o.Name == "" {
		o.Name = "data.csv"
	}
	v, err := d.Append(t.Context(), "penguins", o, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVersions(t *testing.T) {
	d := dataset.Open(bucket.NewMemory())
	columns := []dataset.Column{{Name: "mass", Kind: "number"}}
	one := add(t, d, "a\n1\n", dataset.AppendOptions{Name: "x/first.csv", Rows: 1, Schema: columns, Event: "e1"})
	two := add(t, d, "a\n2\n3\n", dataset.AppendOptions{Rows: 2, Schema: columns, Event: "e2"})
	if one.Number != 1 || two.Number != 2 || two.Rows != 3 || two.Files != 2 || two.Bytes != 10 || two.Repeated {
		t.Errorf("%+v %+v", one, two)
	}
	for name, v := range map[string]dataset.Version{
		"event":   add(t, d, "other", dataset.AppendOptions{Event: "e1"}),
		"content": add(t, d, "a\n1\n", dataset.AppendOptions{Event: "e9"}),
	} {
		if v.Number != 1 || !v.Repeated {
			t.Errorf("the same %s twice: %+v", name, v)
		}
	}
	newest, err := d.Resolve(t.Context(), "penguins")
	if err != nil || newest.Number != 2 {
		t.Errorf("%+v, %v", newest, err)
	}
	first, err := d.Resolve(t.Context(), "penguins/1")
	if err != nil || first.Ref() != "penguins/1" {
		t.Errorf("%+v, %v", first, err)
	}
	var texts []string
	for r, err := range d.OpenVersion(t.Context(), newest) {
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, r.File.Name+":"+string(text))
	}
	if !slices.Equal(texts, []string{"first.csv:a\n1\n", "data.csv:a\n2\n3\n"}) {
		t.Errorf("%q", texts)
	}
	files, err := d.Files(t.Context(), first)
	if err != nil || len(files) != 1 || files[0].Schema != two.Added[0].Schema {
		t.Fatalf("%+v, %v", files, err)
	}
	if schema, err := d.Schema(t.Context(), files[0]); err != nil || !slices.Equal(schema, columns) {
		t.Errorf("%v, %v", schema, err)
	}
	names, err := d.Names(t.Context())
	if err != nil || !slices.Equal(names, []string{"penguins"}) {
		t.Errorf("%q, %v", names, err)
	}
}

func TestConcurrentAppends(t *testing.T) {
	b := bucket.NewMemory()
	var wait sync.WaitGroup
	for i := range 24 { // three for each of eight events
		wait.Go(func() {
			_, err := dataset.Open(b).Append(t.Context(), "d", dataset.AppendOptions{Who: "ann", Name: "f.csv", Event: fmt.Sprint(i % 8), Rows: 1}, strings.NewReader(fmt.Sprint(i)))
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if v, err := dataset.Open(b).Resolve(t.Context(), "d"); err != nil || v.Number != 8 || v.Rows != 8 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestRefused(t *testing.T) {
	d := dataset.Open(bucket.NewMemory())
	broken := errors.New("broken")
	_, err := d.Append(t.Context(), "d", dataset.AppendOptions{Who: "ann", Name: "f.csv"}, failing{broken})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	for _, c := range []struct {
		name string
		o    dataset.AppendOptions
	}{
		{"../../etc/passwd", dataset.AppendOptions{Who: "ann", Name: "f.csv"}},
		{"d", dataset.AppendOptions{Name: "f.csv"}},
		{"d", dataset.AppendOptions{Who: "ann"}},
		{"d", dataset.AppendOptions{Who: "ann", Name: "a/.."}},
		{"d", dataset.AppendOptions{Who: "ann", Name: "f.csv", Rows: -1}},
	} {
		if _, err := d.Append(t.Context(), c.name, c.o, strings.NewReader("x")); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q %+v: %v", c.name, c.o, err)
		}
	}
	for ref, code := range map[string]fault.Code{"d": fault.NotFound, "d/1": fault.NotFound, "d/x": fault.NotFound, "../d": fault.Invalid} {
		if _, err := d.Resolve(t.Context(), ref); !fault.Is(err, code) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestDamagedFile(t *testing.T) {
	b := bucket.NewMemory()
	d := dataset.Open(b)
	v := add(t, d, "a\n1\n", dataset.AppendOptions{})
	key, _ := bucket.BlobKey(v.Added[0].SHA256)
	put(t, b, key, "a\n9\n")
	r, err := d.OpenFile(t.Context(), v.Added[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); !fault.Is(err, fault.Corrupt) {
		t.Errorf("other bytes were read: %v", err)
	}
}

func put(t *testing.T, b bucket.Bucket, key, text string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, strings.NewReader(text), bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestInbox(t *testing.T) {
	b := bucket.NewMemory()
	d := dataset.Open(b)
	put(t, b, "inbox/penguins/may.csv", "good")
	put(t, b, "inbox/penguins/bad.csv", "bad 1")
	put(t, b, "inbox/other/x.csv", "x")
	put(t, b, "inbox/stray.csv", "x")
	put(t, b, "inbox/..x/y.csv", "x")
	var found []string
	for u, err := range d.Inbox(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, u.Dataset+":"+u.File)
	}
	if !slices.Equal(found, []string{"other:x.csv", "penguins:bad.csv", "penguins:may.csv"}) {
		t.Errorf("%q", found)
	}

	for i, text := range []string{"bad 1", "bad 2", "bad 2"} { // the same name thrice, two contents
		put(t, b, "inbox/penguins/bad.csv", text)
		u, err := d.Upload(t.Context(), "inbox/penguins/bad.csv")
		if err != nil {
			t.Fatal(err)
		}
		q, err := d.Quarantine(t.Context(), u, map[string]int{"round": i})
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := bucket.ReadAll(t.Context(), b, "quarantine/penguins/"+q.File, 100); err != nil || string(got) != text {
			t.Errorf("%s holds %q, %v", q.File, got, err)
		}
		if report, err := d.Report(t.Context(), q); err != nil || !strings.Contains(string(report), fmt.Sprint(i)) {
			t.Errorf("%s, %v", report, err)
		}
		if _, err := d.Upload(t.Context(), "inbox/penguins/bad.csv"); !fault.Is(err, fault.NotFound) {
			t.Errorf("still in the inbox: %v", err)
		}
	}
	kept := 0
	for _, err := range d.InQuarantine(t.Context(), "penguins") {
		if err != nil {
			t.Fatal(err)
		}
		kept++
	}
	if kept != 2 {
		t.Errorf("%d files in quarantine, want 2", kept)
	}
}

// A file that was replaced while the old one was worked on is neither read as the old one nor removed.
func TestReplacedUpload(t *testing.T) {
	b := bucket.NewMemory()
	d := dataset.Open(b)
	put(t, b, "inbox/d/f.csv", "old")
	u, err := d.Upload(t.Context(), "inbox/d/f.csv")
	if err != nil {
		t.Fatal(err)
	}
	put(t, b, "inbox/d/f.csv", "new")
	if _, err := d.Open(t.Context(), u); !fault.Is(err, fault.Conflict) {
		t.Errorf("opened as the old one: %v", err)
	}
	if err := d.Settle(t.Context(), u); err != nil {
		t.Error(err)
	}
	now, err := d.Upload(t.Context(), "inbox/d/f.csv")
	if err != nil || now.Event() == u.Event() {
		t.Errorf("%+v, %v", now, err)
	}
	for _, key := range []string{"inbox/d", "inbox/d/", "inbox//f", "inbox/../f", "other/d/f", "inbox/a b/f"} {
		if _, err := d.Upload(t.Context(), key); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", key, err)
		}
	}
}
