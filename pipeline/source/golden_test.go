package source

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// What pandas reads from a nasty file (testdata/make.py), value for value; where Jarvis keeps texts on purpose, the
// golden file has them as texts.
func TestCSVAgreesWithPandas(t *testing.T) {
	raw, err := os.ReadFile("testdata/nasty.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string][]any
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	src, err := Open(context.Background(), "testdata/nasty.csv", Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadAll(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Columns) != len(golden) {
		t.Fatalf("%d columns, pandas has %d", len(got.Columns), len(golden))
	}
	for i := range got.Columns {
		c := &got.Columns[i]
		for r, want := range golden[c.Name] {
			switch want := want.(type) {
			case nil:
				if !c.Missing(r) {
					t.Errorf("%s[%d] is not missing", c.Name, r)
				}
			case string:
				if c.Kind != table.Text || c.Text(r) != want {
					t.Errorf("%s[%d] is not %q", c.Name, r, want)
				}
			case map[string]any:
				f, _ := strconv.ParseFloat(want["number"].(string), 64)
				if c.Kind != table.Number || math.Float64bits(c.Numbers[r]) != math.Float64bits(f) {
					t.Errorf("%s[%d] is not %v", c.Name, r, f)
				}
			}
		}
	}
}

const typesWant = `i8:n u32:n i64:n wide:t f16:n f32:n f64:n ok:t text:t cat:t day:t ms:t utc:t ns:t time:t money:n group.a:n group.b.c:t
1 4.294967295e+09 1 "9007199254740993" 1.5 0.10000000149011612 0.1 "true" "a" "x" "2024-02-29" "2024-01-02T03:04:05.678" "2024-01-02T03:04:05Z" "1970-01-01T00:00:00.000000001" "01:02:03" 12.34 1 "deep"
∅ 0 2 "-1" -2 ∅ +Inf "false" ∅ "y" "1969-12-31" "1950-01-01T00:00:00" ∅ ∅ ∅ -0.05 ∅ ∅
-128 ∅ ∅ ∅ ∅ 3 ∅ ∅ "é" ∅ ∅ ∅ ∅ ∅ ∅ ∅ ∅ ∅`

func TestParquetTypes(t *testing.T) {
	raw, err := os.ReadFile("testdata/types.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{string(raw), zipped(string(raw))} {
		got, err := read(t, "types", data, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s := show(got); s != typesWant {
			t.Errorf("got\n%s\nwant\n%s", s, typesWant)
		}
	}
	got, err := read(t, "types", string(raw), Options{Columns: []string{"money", "f32"}, Kinds: map[string]table.Kind{"f32": table.Text}})
	if err != nil || show(got) != "money:n f32:t\n12.34 \"0.10000000149011612\"\n-0.05 ∅\n∅ \"3\"" {
		t.Errorf("%v", err)
	}
}

const listsWant = `n:n f:t i:t nested:t fixed:t in.x:t bytes:t
1 "[0.1,2]" "[1]" "[[1,2],[3,4]]" "[1,2]" "[1.5]" "\x89PNG\r\n\x1a\n\xff"
2 "[]" "[2,3]" "[]" "[3,4]" ∅ "text"
3 ∅ "[4]" ∅ ∅ ∅ ∅
4 "[null,-3e+10]" "[]" "[[],null,[5]]" "[5,6]" "[]" ∅
5 "[null]" "[1099511627776]" "[[6]]" "[7,8]" "[2,3]" "\xff\xd8\xff\xe0"`

// Lists of numbers are JSON arrays; bytes that are pictures are themselves.
func TestParquetLists(t *testing.T) {
	raw, err := os.ReadFile("testdata/lists.parquet")
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(t, "lists", string(raw), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s := show(got); s != listsWant {
		t.Errorf("got\n%s\nwant\n%s", s, listsWant)
	}
	if _, err := read(t, "lists", string(raw), Options{Kinds: map[string]table.Kind{"i": table.Number}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("lists as numbers: %v", err)
	}
	// What is not read stands in nobody's way when it is not asked for.
	if raw, err = os.ReadFile("testdata/list.parquet"); err != nil {
		t.Fatal(err)
	}
	if got, err = read(t, "list", string(raw), Options{Columns: []string{"a"}}); err != nil || show(got) != "a:n\n1\n2" {
		t.Errorf("without its lists: %v", err)
	}
}

func TestParquetRefuses(t *testing.T) {
	raw, err := os.ReadFile("testdata/types.parquet")
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("testdata/list.parquet")
	if err != nil {
		t.Fatal(err)
	}
	check := func(name, data string, code fault.Code) {
		t.Helper()
		if _, err := read(t, name, data, Options{}); !fault.Is(err, code) || fault.HintOf(err) == "" && code != fault.BadData {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("list.parquet", string(list), fault.Unsupported)
	check("text.parquet", "a,b\n1,2\n", fault.BadData)
	for _, n := range []int{4, 100, len(raw) / 2, len(raw) - 1} {
		check("cut.parquet", string(raw[:n]), fault.BadData)
	}
	// Every byte of the footer damaged in turn: an answer or an error, never a panic or a table of impossible size.
	for at := len(raw) - 600; at < len(raw); at += 7 {
		for _, v := range []byte{0x00, 0x7f, 0xff} {
			damaged := append([]byte(nil), raw...)
			damaged[at] = v
			src, _ := FromBytes("d.parquet", damaged, Options{MaxBytes: 1 << 24, MaxMemory: 1 << 24})
			if _, err := ReadAll(context.Background(), src); fault.Is(err, fault.Internal) {
				t.Errorf("byte %d: %v", at, err)
			}
		}
	}
}

func FuzzParquet(f *testing.F) {
	for _, name := range []string{"types", "list", "lists"} {
		raw, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		src, _ := FromBytes("d", data, Options{Format: Parquet, MaxBytes: 1 << 24, MaxMemory: 1 << 24})
		if _, err := ReadAll(context.Background(), src); fault.Is(err, fault.Internal) {
			t.Fatal(err)
		}
	})
}
