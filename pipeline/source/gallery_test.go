package source

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// A folder and a prefix of pictures by class give the same table, and what is left aside is said.
func TestPictures(t *testing.T) {
	ctx := context.Background()
	files := map[string]string{
		"dog/1.jpg": "d1", "cat/b.PNG": "cb", "cat/a.jpg": "ca", "cat-2/x.webp": "x", "cat/deep/c.bmp": "cc", "loose.png": "l",
		"README.txt": "of the pictures", "cat/notes.md": "?", "none/x.md": "?", ".hidden/h.jpg": "h", "cat/._a.jpg": "h",
	}
	want := "image:t label:t\n" + `"cat-2/x.webp" "cat-2"
"cat/a.jpg" "cat"
"cat/b.PNG" "cat"
"cat/deep/c.bmp" "cat"
"dog/1.jpg" "dog"
"loose.png" ∅`
	b := bucket.NewMemory()
	for key, data := range files {
		if _, err := b.Put(ctx, "p/"+key, strings.NewReader(data), bucket.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Bucket: func(context.Context, string) (bucket.Bucket, error) { return b, nil }}
	dir := folder(t, files)
	for _, location := range []string{dir, "mem://x/p", "mem://x/p/"} {
		got, src, err := open(location, o)
		if err != nil {
			t.Fatal(err)
		}
		if s := show(got); s != want {
			t.Errorf("%s: got\n%s\nwant\n%s", location, s, want)
		}
		said := strings.Join(Notices(src), "\n")
		for _, part := range []string{`there is no class "none"`, "README.txt", "cat/notes.md", "1 pictures lie in no folder"} {
			if !strings.Contains(said, part) {
				t.Errorf("%s: %q is not said in %s", location, part, said)
			}
		}
		if chunked, err := fromChunks(src); err != nil || show(chunked) != want {
			t.Errorf("chunks differ: %v", err)
		}
		read := Files(src)
		for _, ref := range []string{"cat/a.jpg", "./cat/../cat/a.jpg", strings.TrimSuffix(location, "/") + "/cat/a.jpg"} {
			if file, err := read(ctx, ref); err != nil || string(file) != "ca" {
				t.Errorf("%s: %q: %v", ref, file, err)
			}
		}
		for ref, code := range map[string]fault.Code{
			"../x.jpg": fault.Denied, "/etc/x.jpg": fault.Denied, "cat/../../x.jpg": fault.Denied, "https://host/x.jpg": fault.Unsupported,
			"cat/none.jpg": fault.NotFound, "": fault.Denied,
		} {
			if _, err := read(ctx, ref); fault.CodeOf(err) != code || fault.HintOf(err) == "" {
				t.Errorf("%s: %q: %v", location, ref, err)
			}
		}
	}
	if _, err := Files(must(Open(ctx, dir, Options{})))(ctx, "cat"); !fault.Is(err, fault.BadData) {
		t.Errorf("a folder is read as a file: %v", err)
	}

	o.Columns, o.FreshDicts = []string{"label"}, true
	if got, _, err := open("mem://x/p", o); err != nil || !strings.HasPrefix(show(got), "label:t\n\"cat-2\"") {
		t.Errorf("one column: %v", err)
	}
	o.Columns = []string{"species"}
	if _, _, err := open("mem://x/p", o); !fault.Is(err, fault.Invalid) {
		t.Errorf("another column: %v", err)
	}
}

func must(s Source, err error) Source {
	if err != nil {
		panic(err)
	}
	return s
}

// A file of a picture and a folder without folders are pictures without labels; data files beside pictures name them.
func TestPicturesElsewhere(t *testing.T) {
	ctx := context.Background()
	dir := folder(t, map[string]string{"a/1.jpg": "1", "a/2.jpg": "2", "b/3.jpg": "3", "b/t.csv": "image,n\n3.jpg,1\n", "s/train/4.jpg": "4", "s/test/5.jpg": "5"})
	for location, want := range map[string]string{
		filepath.Join(dir, "a", "1.jpg"): "image:t\n\"1.jpg\"", filepath.Join(dir, "a"): "image:t\n\"1.jpg\"\n\"2.jpg\"",
		filepath.Join(dir, "b"): "image:t n:n\n\"3.jpg\" 1", filepath.Join(dir, "b", "t.csv"): "image:t n:n\n\"3.jpg\" 1",
	} {
		got, src, err := open(location, Options{})
		if err != nil || show(got) != want {
			t.Errorf("%s: %v", location, err)
			continue
		}
		if file, err := Files(src)(ctx, got.Columns[0].Text(0)); err != nil || len(file) != 1 {
			t.Errorf("%s: %q: %v", location, file, err)
		}
		if n := strings.Join(Notices(src), ""); location == filepath.Join(dir, "b") && !strings.Contains(n, "1 pictures (3.jpg …) are no rows") {
			t.Errorf("notices: %s", n)
		}
	}
	if _, src, err := open(filepath.Join(dir, "s"), Options{}); err != nil || !strings.Contains(strings.Join(Notices(src), ""), "parts of a data set") {
		t.Errorf("train and test as labels: %v", err)
	}
	if src, err := Open(ctx, "-", Options{Stdin: strings.NewReader("a\n1\n")}); err != nil || Files(src) != nil {
		t.Errorf("standard input opens files: %v", err)
	}
}
