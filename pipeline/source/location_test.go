package source

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// folder writes files, and returns where.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(location string, o Options) (*table.Table, Source, error) {
	src, err := Open(context.Background(), location, o)
	if err != nil {
		return nil, nil, err
	}
	t, err := ReadAll(context.Background(), src)
	return t, src, err
}

func TestFolder(t *testing.T) {
	dir := folder(t, map[string]string{
		"b.csv": "s,n\nz,3\n", "a.csv": "n,s\n1,x\n2,y\n", "sub/c.jsonl": "{\"n\":4}\n", ".hidden.csv": "q\n1\n", "_SUCCESS": "",
		"_tmp/d.csv": "q\n1\n", "README.md": "hello", "z.csv.gz": zipped("n;s\n5;x\n"),
	})
	for _, location := range []string{dir, "file://" + dir} {
		got, src, err := open(location, Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := "n:n s:t\n1 \"x\"\n2 \"y\"\n3 \"z\"\n4 ∅\n5 \"x\""
		if s := show(got); s != want {
			t.Errorf("got\n%s\nwant\n%s", s, want)
		}
		if n := strings.Join(Notices(src), "\n"); !strings.Contains(n, "README.md is left out") || strings.Contains(n, "_SUCCESS") {
			t.Errorf("notices: %s", n)
		}
		chunked, err := fromChunks(src)
		if err != nil || show(chunked) != want {
			t.Errorf("chunks differ: %v", err)
		}
	}
}

// A column of numbers in one file and of texts in another is text in all.
func TestFolderUnitesKinds(t *testing.T) {
	got, _, err := open(folder(t, map[string]string{"a.csv": "a\n1.0\n", "b.csv": "a\nx\n"}), Options{})
	if err != nil || show(got) != "a:t\n\"1.0\"\n\"x\"" {
		t.Errorf("%v", err)
	}
}

func TestPlacesRefused(t *testing.T) {
	for name, c := range map[string]struct {
		location string
		code     fault.Code
		want     string
	}{
		"nothing":        {"", fault.Invalid, "no data is named"},
		"no file":        {filepath.Join(t.TempDir(), "x.csv"), fault.NotFound, "no such file"},
		"empty folder":   {t.TempDir(), fault.NotFound, "no data files"},
		"missing column": {folder(t, map[string]string{"a.csv": "a,b\n1,2\n", "b.csv": "a\n1\n"}), fault.BadData, `b.csv: column "b" is missing`},
		"added column":   {folder(t, map[string]string{"a.csv": "a\n1\n", "b.csv": "a,b\n1,2\n"}), fault.BadData, `a.csv: column "b" is missing`},
		"empty file":     {folder(t, map[string]string{"a.csv": "a\n1\n", "b.csv": ""}), fault.BadData, "b.csv: the file is empty"},
		"no scheme":      {"zz://bucket/key", fault.Unsupported, "zz://"},
		"no object":      {"mem://source-none/x.csv", fault.NotFound, "no such object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := open(c.location, Options{})
			if err == nil || fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %s: %v", fault.CodeOf(err), err)
			}
		})
	}
}

func TestFileThatVanishesOrChanges(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(folder(t, map[string]string{"a.csv": "a\n1\n"}), "a.csv")
	src, err := Open(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("a\n1\n2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAll(ctx, src); !fault.Is(err, fault.Conflict) {
		t.Errorf("changed: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAll(ctx, src); !fault.Is(err, fault.NotFound) {
		t.Errorf("gone: %v", err)
	}
}

// onlyReader hides everything but Read, as a pipe does.
type onlyReader struct{ io.Reader }

func TestStandardInput(t *testing.T) {
	parquet, err := os.ReadFile("testdata/types.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ data, want string }{
		"csv":     {"a,b\n1,x\n", "a:n b:t\n1 \"x\""},
		"json":    {" {\"a\":1}\n", "a:n\n1"},
		"gzip":    {zipped("a;b\n1;x\n"), "a:n b:t\n1 \"x\""},
		"parquet": {string(parquet), typesWant},
	} {
		in := onlyReader{strings.NewReader(c.data)}
		got, src, err := open("-", Options{Stdin: in})
		if err != nil || show(got) != c.want {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := fromChunks(src) // from the spooled copy
		if err != nil || show(again) != c.want {
			t.Errorf("%s again: %v", name, err)
		}
		if err := src.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
		if _, err := ReadAll(context.Background(), src); err == nil {
			t.Errorf("%s: a closed source is read", name)
		}
	}
	if _, _, err := open("-", Options{Stdin: onlyReader{strings.NewReader("")}}); !fault.Is(err, fault.BadData) {
		t.Errorf("empty: %v", err)
	}
	if _, _, err := open("-", Options{Stdin: onlyReader{strings.NewReader(strings.Repeat("a\n", 5000))}, MaxBytes: 1000}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func TestBucket(t *testing.T) {
	ctx := context.Background()
	b := bucket.NewMemory()
	for key, data := range map[string]string{"d/a.csv": "a\n1\n", "d/b.csv": "a\n2\n", "d/_x.csv": "q\n", "d2/c.csv": "a\n3\n", "d/a.csv.bak": "?"} {
		if _, err := b.Put(ctx, key, strings.NewReader(data), bucket.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Bucket: func(context.Context, string) (bucket.Bucket, error) { return b, nil }}
	for location, want := range map[string]string{
		"mem://x/d": "a:n\n1\n2", "mem://x/d/": "a:n\n1\n2", "mem://x/d/a.csv": "a:n\n1", "mem://x": "a:n\n1\n2\n3",
	} {
		got, _, err := open(location, o)
		if err != nil || show(got) != want {
			t.Errorf("%s: %v", location, err)
		}
	}
	src, err := Open(ctx, "mem://x/d/a.csv", o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(ctx, "d/a.csv", strings.NewReader("a\n9\n"), bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAll(ctx, src); !fault.Is(err, fault.Conflict) {
		t.Errorf("replaced: %v", err)
	}
}

func TestRealData(t *testing.T) {
	got, _, err := open("../../testdata/penguins/penguins.csv", Options{})
	if err != nil || got.Rows != 344 || got.Column("species") == nil {
		t.Fatalf("penguins: %v", err)
	}
	missing := 0
	for i := range got.Rows {
		if got.Column("bill_length_mm").Missing(i) {
			missing++
		}
	}
	if missing != 2 {
		t.Errorf("%d bill lengths are missing, there are 2", missing)
	}
	got, _, err = open("../../testdata/diamonds/diamonds.parquet", Options{})
	if err != nil || got.Rows != 53_940 || got.Column("price").Kind != table.Number || got.Column("cut").Kind != table.Text {
		t.Errorf("diamonds: %v", err)
	}
}
