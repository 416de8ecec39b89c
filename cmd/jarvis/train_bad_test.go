package main

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// photo is a noisy picture, dark or bright.
func photo(width, height, light int) image.Image {
	random := rand.New(rand.NewPCG(uint64(width), uint64(light)))
	p := image.NewGray(image.Rect(0, 0, width, height))
	for i := range p.Pix {
		p.Pix[i] = uint8(light + random.IntN(40))
	}
	return p
}

// photos writes a folder with a folder for each class, of so many pictures of three sizes.
func (s shell) photos(name string, count int, classes ...string) {
	s.Helper()
	for k, class := range classes {
		for i := range count {
			var b bytes.Buffer
			if err := png.Encode(&b, photo([]int{12, 30, 9}[i%3], []int{12, 8, 21}[i%3], 90*k+i)); err != nil {
				s.Fatal(err)
			}
			s.put(fmt.Sprintf("%s/%s/%d.png", name, class, i), b.Bytes())
		}
	}
}

func (s shell) put(name string, data []byte) {
	s.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		s.Fatal(err)
	}
	s.write(name, string(data))
}

// lines writes a data set of so many rows, of which two classes take turns.
func (s shell) lines(name, head string, rows int, row func(i int) string) {
	s.Helper()
	var b strings.Builder
	b.WriteString(head)
	for i := range rows {
		b.WriteString(row(i) + "\n")
	}
	s.write(name, b.String())
}

// What people bring: data that cannot be learned from, and settings that lead nowhere. Each is told apart by its exit code, and the second line says what to do.
func TestBadThingsToLearn(t *testing.T) {
	s := newShell(t)
	sequence := func(short, odd string, every int) func(i int) string {
		return func(i int) string {
			x := fmt.Sprintf(short, i)
			if i%every == every-1 {
				x = fmt.Sprintf(odd, i)
			}
			return fmt.Sprintf(`{"x":%s,"y":"%c"}`, x, 'a'+i%2)
		}
	}
	s.photos("one", 20, "cat")
	s.photos("broken", 20, "cat", "dog")
	var cut bytes.Buffer
	if err := jpeg.Encode(&cut, photo(64, 64, 1), nil); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		s.put(fmt.Sprintf("broken/cat/cut%d.jpg", i), cut.Bytes()[:cut.Len()/2])
	}
	s.put("nothing/cat/.keep", nil)
	s.lines("long.jsonl", "", 40, sequence("[%d,2,3]", "[%d"+strings.Repeat(",1", 99_999)+"]", 4))
	s.lines("holes.jsonl", "", 40, sequence("[%d,2,3]", "[%d,null,3]", 4))
	s.lines("table.csv", "a,y\n", 60, func(i int) string { return fmt.Sprintf("%d,%c", i*i, 'p'+i%2) })
	s.lines("same.csv", "a,y\n", 60, func(i int) string { return fmt.Sprintf("%d,p", i) })
	s.do("train", "table.csv", "--target", "y", "--model", "mlp", "--epochs", "1", "--name", "net")
	for _, c := range []struct {
		args       string
		code       int
		says, hint string
	}{
		{"train one --model cnn", 3, `the target is "cat" in every row`, "other classes"},
		{"train same.csv --target y --model mlp", 3, `the target is "p" in every row`, "other classes"},
		{"train broken --model cnn", 3, "10 of 50 pictures cannot be read: cat/cut0.jpg", "mend or remove them"},
		{"train nothing --model cnn", 4, "no data files", "a folder for each class"},
		{"train long.jsonl --target y --model rnn", 3, "100000 steps", "max_len"},
		{"train holes.jsonl --target y --model rnn", 3, "row 4 holds NaN", "replace what is missing"},
		{"train table.csv --target y --model cnn", 3, "no column of images", "--model mlp"},
		{"train table.csv --target y --model boost --param max_deep=3", 2, "max_deep", "it has objective"},
		{"train table.csv --target y --model boost --param max_depth", 2, "NAME=VALUE", "max_depth=8"},
		{"train table.csv --target y --model knn --epochs 3", 2, "for nets", ""},
		{"train table.csv --target y --model mlp --lr 1e9 --epochs 5", 2, "diverged", "lower lr"},
		{"finetune net table.csv --freeze *", 2, "all 6 weights are frozen", "freeze fewer"},
	} {
		r := s.try("", strings.Fields(c.args)...)
		if r.code != c.code || !strings.Contains(r.stderr, c.says) || !strings.Contains(r.stderr, c.hint) {
			t.Errorf("jarvis %s: exit %d, wanted %d, %q and %q:\n%s", c.args, r.code, c.code, c.says, c.hint, r.stderr)
		}
	}
}

// What looks bad and is not: pictures of many sizes, one broken among many, a class without pictures, sequences without steps, holes in a table, words never seen.
func TestOddThingsToLearn(t *testing.T) {
	s := newShell(t)
	s.photos("photos", 30, "cat", "dog")
	s.put("photos/cat/broken.jpg", []byte("\xff\xd8\xff\xe0 no picture"))
	if err := os.MkdirAll("photos/owl", 0o755); err != nil {
		t.Fatal(err)
	}
	s.lines("short.jsonl", "", 60, func(i int) string {
		return fmt.Sprintf(`{"x":[%s],"y":"%c"}`, strings.Repeat(",7", i%5)[min(1, i%5):], 'a'+i%2)
	})
	s.lines("holes.csv", "a,b,y\n", 120, func(i int) string {
		return fmt.Sprintf("%s,%s,%c", []string{"NaN", "", fmt.Sprint(i)}[min(2, i%9)], []string{"", "red", "blue"}[i%3], 'p'+i%2)
	})
	s.lines("texts.csv", "text,y\n", 80, func(i int) string {
		return fmt.Sprintf("take number %d was %s,%c", i, []string{"good", "bad"}[i%2], 'a'+i%2)
	})
	for _, c := range []struct{ args, says string }{
		{"train photos --model cnn --epochs 1 --name photos", `there is no class "owl"`},
		{"train short.jsonl --target y --model rnn --epochs 1 --name short", "48 rows"},
		{"train holes.csv --target y --model mlp --epochs 1 --name holes", "120 rows"},
		{"train texts.csv --target y --model rnn --epochs 1 --name texts", "80 rows"},
	} {
		if r := s.try("", strings.Fields(c.args)...); r.code != 0 || !strings.Contains(r.stdout+r.stderr, c.says) {
			t.Errorf("jarvis %s: exit %d, wanted %q:\n%s%s", c.args, r.code, c.says, r.stdout, r.stderr)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 3, 90))); err != nil {
		t.Fatal(err)
	}
	s.put("odd.png", b.Bytes())
	s.write("unknown.csv", "text\nzzz qqq\n\n")
	for _, args := range []string{"predict photos odd.png", "predict texts unknown.csv", "predict holes holes.csv"} {
		if out := s.do(strings.Fields(args)...); !strings.Contains(out, "probability") {
			t.Errorf("jarvis %s answers %.200s", args, out)
		}
	}
	if r := s.try(`{"x":[]}`, "predict", "short", "-"); r.code == 0 || !strings.Contains(r.stderr, "no steps") {
		t.Errorf("a sequence of no steps: exit %d: %s", r.code, r.stderr)
	}
}
