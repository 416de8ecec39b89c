package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// read reads a text whole, and holds the chunks to the same answer.
func read(t testing.TB, name, data string, o Options) (*table.Table, error) {
	t.Helper()
	src, err := FromBytes(name, []byte(data), o)
	if err != nil {
		return nil, err
	}
	whole, err := ReadAll(context.Background(), src)
	src, _ = FromBytes(name, []byte(data), o)
	chunked, chunkErr := fromChunks(src)
	if fmt.Sprint(err) != fmt.Sprint(chunkErr) {
		t.Fatalf("ReadAll says %v, Chunks say %v", err, chunkErr)
	}
	if err != nil {
		return nil, err
	}
	if a, b := show(whole), show(chunked); a != b {
		t.Fatalf("ReadAll has\n%.500s\nChunks have\n%.500s", a, b)
	}
	return whole, nil
}

func fromChunks(src Source) (*table.Table, error) {
	schema, err := src.Schema(context.Background())
	if err != nil {
		return nil, err
	}
	out := table.Empty(schema)
	for t, err := range src.Chunks(context.Background()) {
		if err != nil {
			return nil, err
		}
		out.Append(t)
	}
	return out, nil
}

// show writes a table out: names and kinds, then one row a line; texts in quotes, ∅ for missing.
func show(t *table.Table) string {
	var b strings.Builder
	for i, f := range t.Schema() {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(f.Name + ":" + f.Kind.String()[:1])
	}
	for r := range t.Rows {
		b.WriteByte('\n')
		for i := range t.Columns {
			if i > 0 {
				b.WriteByte(' ')
			}
			switch c := &t.Columns[i]; {
			case c.Missing(r):
				b.WriteString("∅")
			case c.Kind == table.Number:
				b.WriteString(strconv.FormatFloat(c.Numbers[r], 'g', -1, 64))
			default:
				b.WriteString(strconv.Quote(c.Text(r)))
			}
		}
	}
	return b.String()
}

func encode16(s string, big, mark bool) string {
	var b []byte
	if mark {
		s = "\uFEFF" + s
	}
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

func TestCSVReads(t *testing.T) {
	mixed := "a,b\n1,x\n2,y\n"
	want := "a:n b:t\n1 \"x\"\n2 \"y\""
	for name, c := range map[string]struct {
		data string
		o    Options
		want string
	}{
		"plain":              {data: mixed, want: want},
		"no last newline":    {data: "a,b\n1,x\n2,y", want: want},
		"CRLF":               {data: "a,b\r\n1,x\r\n2,y\r\n", want: want},
		"CR":                 {data: "a,b\r1,x\r2,y\r", want: want},
		"UTF-8 mark":         {data: "\xef\xbb\xbf" + mixed, want: want},
		"UTF-16LE mark":      {data: encode16(mixed, false, true), want: want},
		"UTF-16BE mark":      {data: encode16(mixed, true, true), want: want},
		"UTF-16LE guessed":   {data: encode16(mixed, false, false), want: want},
		"UTF-16BE said":      {data: encode16(mixed, true, false), o: Options{Encoding: "utf-16be"}, want: want},
		"UTF-16 pairs":       {data: encode16("a,b\n1,😀é\n", false, true), want: "a:n b:t\n1 \"😀é\""},
		"gzip":               {data: zipped(mixed), want: want},
		"gzip of two parts":  {data: zipped("a,b\n1,x\n") + zipped("2,y\n"), want: want},
		"semicolons":         {data: "a;b\n1;x, y\n2;z\n", want: "a:n b:t\n1 \"x, y\"\n2 \"z\""},
		"tabs":               {data: "a\tb\n1\tx;\n2\ty\n", want: "a:n b:t\n1 \"x;\"\n2 \"y\""},
		"bars":               {data: "a|b\n1|x\n2|y\n", want: want},
		"comma decimals":     {data: "a;b\n1,5;x\n2,5;y\n", want: "a:t b:t\n\"1,5\" \"x\"\n\"2,5\" \"y\""},
		"delimiter said":     {data: "a^b\n1^x\n2^y\n", o: Options{Delimiter: '^'}, want: want},
		"one column":         {data: "name\nSmith, John\nDoe\n", want: "name:t\n\"Smith, John\"\n\"Doe\""},
		"Latin-1":            {data: "a,b\n1,caf\xe9\n2,\x80\n", want: "a:n b:t\n1 \"café\"\n2 \"€\""},
		"Latin-1 said":       {data: "a,b\n1,\xc3\xa9\n2,y\n", o: Options{Encoding: "latin-1"}, want: "a:n b:t\n1 \"Ã©\"\n2 \"y\""},
		"UTF-8 header":       {data: "größe,b\n1,é\n", want: "größe:n b:t\n1 \"é\""},
		"quotes":             {data: "\"a\",\"b,c\"\n\"1\",\"x \"\"y\"\" z\"\n2,\"\"\n", want: "a:n b,c:t\n1 \"x \\\"y\\\" z\"\n2 ∅"},
		"newline in quotes":  {data: "a,b\n1,\"x\ny\r\nz\"\n2,w\n", want: "a:n b:t\n1 \"x\\ny\\r\\nz\"\n2 \"w\""},
		"blank lines":        {data: "\n\na,b\n\n1,x\n\r\n2,y\n\n", want: want},
		"no header":          {data: "1,x\n2,y\n", o: Options{NoHeader: true}, want: "column_1:n column_2:t\n1 \"x\"\n2 \"y\""},
		"empty name":         {data: ",b\n1,x\n2,y\n", want: "column_1:n b:t\n1 \"x\"\n2 \"y\""},
		"missing":            {data: "a,b\nNA,NA\n,n/a\n 3 ,  \nnan,x\n", want: "a:n b:t\n∅ ∅\n∅ ∅\n3 ∅\n∅ \"x\""},
		"missing said":       {data: "a,b\n-,NA\n1,-\n", o: Options{Missing: []string{"-"}}, want: "a:n b:t\n∅ \"NA\"\n1 ∅"},
		"all missing":        {data: "a,b\n,1\nNA,2\n", want: "a:n b:n\n∅ 1\n∅ 2"},
		"codes":              {data: "a,b,c\n007,true,0x1F\n1,false,2\n", want: "a:t b:t c:t\n\"007\" \"true\" \"0x1F\"\n\"1\" \"false\" \"2\""},
		"large integers":     {data: "a,b\n9007199254740993,9007199254740992\n1,1\n", want: "a:t b:n\n\"9007199254740993\" 9.007199254740992e+15\n\"1\" 1"},
		"kinds said":         {data: "a,b\n1,2\n1.0,3\n", o: Options{Kinds: map[string]table.Kind{"a": table.Text, "zz": table.Text}}, want: "a:t b:n\n\"1\" 2\n\"1.0\" 3"},
		"columns said":       {data: "a,b,c\n1,x,3\n2,y,4\n", o: Options{Columns: []string{"c", "a"}}, want: "c:n a:n\n3 1\n4 2"},
		"fresh dictionaries": {data: mixed, o: Options{FreshDicts: true}, want: want},
		"lone CR":            {data: "a,b\n1,x\ry\n2,z\n", want: "a:n b:t\n1 \"x\\ry\"\n2 \"z\""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(t, "d.csv", c.data, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if s := show(got); s != c.want {
				t.Errorf("got\n%s\nwant\n%s", s, c.want)
			}
		})
	}
}

func TestCSVRefuses(t *testing.T) {
	rows := strings.Repeat("1,2\n", 300_000) // more than one block
	for name, c := range map[string]struct {
		data string
		o    Options
		code fault.Code
		want string // within the message
	}{
		"empty":                {"", Options{}, fault.BadData, "d.csv: the file is empty"},
		"blank":                {" \n\r\n", Options{}, fault.BadData, "the file is empty"},
		"header only":          {"a,b\n", Options{}, fault.BadData, "a header and no rows"},
		"header, no newline":   {"a,b", Options{}, fault.BadData, "a header and no rows"},
		"too few fields":       {"a,b\n1,2\n\n3\n", Options{}, fault.BadData, "d.csv:4: 1 fields where the header has 2"},
		"too many fields":      {"a,b\n1,2\n3,4,5,6\n", Options{}, fault.BadData, "d.csv:3: 4 fields where the header has 2"},
		"far ragged":           {"a,b\n" + rows + "1,2,3\n", Options{}, fault.BadData, "d.csv:300002: 3 fields"},
		"ragged after quotes":  {"a,b\n\"x\ny\",2\n3\n", Options{}, fault.BadData, "d.csv:4: 1 fields"},
		"quote inside":         {"a,b\n1,5\" nail\n", Options{}, fault.BadData, "d.csv:2: a quote inside an unquoted field"},
		"text after quote":     {"a,b\n1,\"x\"y\n", Options{}, fault.BadData, "d.csv:2: text after a closing quote"},
		"open quote":           {"a,b\n1,2\n3,\"x\n4,5\n", Options{}, fault.BadData, "d.csv:3: a quote is opened and not closed"},
		"far open quote":       {"a,b\n" + rows + "3,\"x\n4,5\n", Options{}, fault.BadData, "d.csv:300002: a quote is opened and not closed"},
		"open quote in header": {"a,\"b\n1,2\n", Options{}, fault.BadData, "d.csv:1: a quote is opened"},
		"wrong delimiter":      {"a,b\n1,2\n", Options{Delimiter: ';'}, fault.BadData, "does not occur in the header"},
		"mixed encodings":      {"a,b\n1,é\n2,\xe9\n", Options{}, fault.BadData, "d.csv:3: two encodings are mixed"},
		"far mixed encodings":  {"a,b\n1,é\n" + rows + "2,\xe9\n", Options{}, fault.BadData, "two encodings are mixed"},
		"not UTF-8":            {"a,b\n1,\xe9\n", Options{Encoding: "utf-8"}, fault.BadData, "d.csv:2: not UTF-8"},
		"half UTF-16":          {encode16("a,b\n1,2\n", false, true) + "x", Options{}, fault.BadData, "not UTF-16"},
		"lone surrogate":       {encode16("a,b\n1,", false, true) + "\x00\xd8a\x00", Options{}, fault.BadData, "surrogate"},
		"two of one name":      {"a,b,a\n1,2,3\n", Options{}, fault.BadData, `columns 1 and 3 are both named "a"`},
		"NUL":                  {"a,b\n1,x\x00y\n", Options{}, fault.BadData, "d.csv:2: a NUL byte"},
		"long field":           {"a,b\n1," + strings.Repeat("x", 2000) + "\n", Options{MaxField: 1000}, fault.TooLarge, "d.csv:2: a field of more than 1000 bytes"},
		"many columns":         {"a,b,c\n1,2,3\n", Options{MaxColumns: 2}, fault.TooLarge, "more than 2 columns"},
		"many bytes":           {"a,b\n" + rows, Options{MaxBytes: 1 << 20}, fault.TooLarge, "more than 1048576 bytes"},
		"gzip bomb":            {zipped("a,b\n" + strings.Repeat(rows, 5)), Options{MaxBytes: 4 << 20}, fault.TooLarge, "more than 4194304 bytes"},
		"truncated gzip":       {zipped(rows)[:400], Options{}, fault.BadData, "gzip data ends too early"},
		"damaged gzip":         {zipped("a,b\n1,2\n")[:20] + "xxxxxxxxxxxxxxx", Options{}, fault.BadData, "gzip data"},
		"unknown column":       {"a,b\n1,2\n", Options{Columns: []string{"z"}}, fault.Invalid, "z: no column of this name"},
		"wrong kind said":      {"a,b\n1,2\nx,3\n", Options{Kinds: map[string]table.Kind{"a": table.Number}}, fault.Invalid, `d.csv:3: "a" is "x", which is not a number`},
		"a workbook":           {"PK\x03\x04rest", Options{}, fault.Unsupported, "Excel workbook"},
		"encoding unknown":     {"a\n1\n", Options{Encoding: "koi8"}, fault.Unsupported, "koi8"},
		"delimiter impossible": {"a\n1\n", Options{Delimiter: '"'}, fault.Invalid, "cannot be a delimiter"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, "d.csv", c.data, c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.CodeOf(err) != c.code {
				t.Errorf("got %s: %v\nwant %s: … %s", fault.CodeOf(err), err, c.code, c.want)
			} else if fault.HintOf(err) == "" {
				t.Errorf("%v has no hint", err)
			}
		})
	}
}

func TestReadAllKeepsToItsMemory(t *testing.T) {
	src, _ := FromBytes("d.csv", []byte("a\n"+strings.Repeat("1\n", 600_000)), Options{MaxMemory: 1 << 20})
	if _, err := ReadAll(context.Background(), src); !fault.Is(err, fault.TooLarge) {
		t.Errorf("got %v", err)
	}
}

// A column that looks like numbers for megabytes, and is not: the first values keep their text.
func TestKindsAreThoseOfTheWholeData(t *testing.T) {
	var b strings.Builder
	b.WriteString("a,b,c\n")
	for i := range 120_000 {
		fmt.Fprintf(&b, "%d.50,%d,x%d\n", i, i, i%3)
	}
	b.WriteString("n. a.,2,x\n")
	got, err := read(t, "d.csv", b.String(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := got.Column("a")
	if a.Kind != table.Text || a.Text(0) != "0.50" || a.Text(119_999) != "119999.50" || a.Text(120_000) != "n. a." {
		t.Errorf("a is %s with %q …", a.Kind, a.Text(0))
	}
	if b := got.Column("b"); b.Kind != table.Number || b.Numbers[119_999] != 119_999 {
		t.Errorf("b is %s", b.Kind)
	}
}

func TestWideAndLong(t *testing.T) {
	names, values := make([]string, 10_000), make([]string, 10_000)
	for i := range names {
		names[i], values[i] = "c"+strconv.Itoa(i), strconv.Itoa(i)
	}
	row := strings.Join(values, ",") + "\n"
	got, err := read(t, "wide.csv", strings.Join(names, ",")+"\n"+strings.Repeat(row, 30), Options{})
	if err != nil || got.Rows != 30 || got.Columns[9999].Numbers[29] != 9999 {
		t.Fatalf("10,000 columns: %v", err)
	}
	long := strings.Repeat("long, \"\"text\"\"\n", 5<<20/15)
	got, err = read(t, "long.csv", "a,b\n1,\""+long+"\"\n2,x\n", Options{})
	if err != nil || got.Columns[1].Text(0) != strings.ReplaceAll(long, `""`, `"`) || got.Columns[1].Text(1) != "x" {
		t.Fatalf("a field of 5 MB: %v", err)
	}
}

// Random records, quoted and not, over several blocks, against encoding/csv.
func TestCSVAgreesWithEncodingCSV(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	pieces := []string{"a", "b\"", "\n", ",", "12", "word", " ", "é", "\"\"", "3.5", "a longer piece of text", "\r\n"}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write([]string{"x", "y", "z"})
	for range 60_000 {
		rec := make([]string, 3)
		for i := range rec {
			for range r.IntN(6) {
				rec[i] += pieces[r.IntN(len(pieces))]
			}
		}
		w.Write(rec)
	}
	w.Flush()
	compareCSV(t, b.Bytes())
}

// compareCSV holds what encoding/csv reads, if it does, to what Jarvis reads.
func compareCSV(t *testing.T, data []byte) {
	cr := csv.NewReader(bytes.NewReader(data))
	want, wantErr := cr.ReadAll()
	src, err := FromBytes("d", data, Options{Format: CSV, Delimiter: ',', Encoding: "utf-8", Missing: []string{}, MaxMemory: 1 << 28})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadAll(context.Background(), src)
	if err != nil {
		if fault.Is(err, fault.Internal) {
			t.Fatal(err)
		}
		return
	}
	if wantErr != nil {
		t.Fatalf("encoding/csv refuses: %v; Jarvis reads\n%s", wantErr, show(got))
	}
	if len(want)-1 != got.Rows || len(want[0]) != len(got.Columns) {
		t.Fatalf("%d rows of %d columns, want %d of %d", got.Rows, len(got.Columns), len(want)-1, len(want[0]))
	}
	for i, rec := range want[1:] {
		for j, w := range rec {
			c := &got.Columns[j]
			var g string
			switch {
			case c.Kind == table.Number && !c.Missing(i):
				if f, err := strconv.ParseFloat(strings.Trim(w, " \t"), 64); err != nil || f != c.Numbers[i] {
					t.Fatalf("row %d, column %d: %v, want %q", i, j, c.Numbers[i], w)
				}
				continue
			case c.Kind == table.Text:
				g = strings.ReplaceAll(c.Text(i), "\r\n", "\n")
			}
			if strings.Trim(w, " \t") == "" {
				w = ""
			}
			if g != w {
				t.Fatalf("row %d, column %d: %q, want %q", i, j, g, w)
			}
		}
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a\n\"x\"\"y\"\n", "a,b\r\n1,\"2\n3\"\r\n", "a\n\"\n", "a,a\n", ",\n1,2", "a\n5\" x\n", "\"\"\n\"\"", "a\n1e5\n-\n+\n.\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) || !bytes.Contains(data, newline) {
			return // encoding/csv keeps the mark, and knows no \r as a line's end
		}
		compareCSV(t, data)
	})
}

// FuzzText throws any bytes at detection and decoding: an answer or an error with a code, never a defect.
func FuzzText(f *testing.F) {
	for _, s := range []string{"a;b\n1;2", "{\"a\":1}\n", "\xff\xfea\x00\n\x001\x00", "PAR1", "\x1f\x8b\x08", "a\rb\r", "[{\"a\":1}]", "a\tb\n\xe9\t1\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		src, err := FromBytes("x", data, Options{MaxBytes: 1 << 22, MaxMemory: 1 << 24})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadAll(context.Background(), src); fault.Is(err, fault.Internal) {
			t.Fatal(err, fault.HintOf(err))
		}
	})
}

func TestNotices(t *testing.T) {
	src, _ := FromBytes("d.csv", []byte(";b\n1;caf\xe9\n"), Options{})
	if _, err := src.Schema(context.Background()); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(Notices(src), "\n")
	for _, want := range []string{"separated by ';'", "column_1", "Windows-1252"} {
		if !strings.Contains(all, want) {
			t.Errorf("no notice of %s in %q", want, all)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	src, _ := FromBytes("d.csv", []byte("a,b\n"+strings.Repeat("1,2\n", 2_000_000)), Options{})
	for _, err := range src.Chunks(ctx) {
		if err != nil {
			if !fault.Is(err, fault.Canceled) {
				t.Errorf("got %v", err)
			}
			return
		}
		cancel()
	}
	t.Error("reading went on to the end")
}

func TestStoppingEarlyIsNoError(t *testing.T) {
	src, _ := FromBytes("d.csv", []byte("a,b\n"+strings.Repeat("1,2\n", 2_000_000)), Options{})
	n := 0
	for c, err := range src.Chunks(context.Background()) {
		if err != nil || math.IsNaN(c.Columns[0].Numbers[0]) {
			t.Fatal(err)
		}
		if n++; n == 2 {
			break
		}
	}
}
