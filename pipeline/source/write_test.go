package source

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

func sample() *table.Table {
	return table.New(
		table.Numbers("z n", []float64{0.1, math.NaN(), -3, 1e300, 5e-324, 9007199254740992, math.Copysign(0, -1)}),
		table.Texts("a \"t\", x", []string{"plain", "", "a,b", "say \"x\"", "two\nlines", "\r\né\t😀", "x y"}),
		table.Numbers("m", []float64{1, 2, 3, math.NaN(), 123456.789, -1e-7, 1e15}),
	)
}

func TestWriteAndReadBack(t *testing.T) {
	for _, format := range []Format{CSV, JSON, Parquet} {
		t.Run(format.String(), func(t *testing.T) {
			var b bytes.Buffer
			want := sample()
			if err := Write(context.Background(), &b, format, want); err != nil {
				t.Fatal(err)
			}
			got, err := read(t, "back", b.String(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if show(got) != show(want) {
				t.Errorf("wrote\n%s\nread\n%s", show(want), show(got))
			}
			if math.Signbit(got.Columns[0].Numbers[6]) != true {
				t.Error("-0 lost its sign")
			}
		})
	}
}

// Many rows in several tables with dictionaries of their own, past the size of a Parquet row group.
func TestWriterStreams(t *testing.T) {
	for _, format := range []Format{CSV, JSON, Parquet} {
		var b bytes.Buffer
		one := table.New(table.Numbers("n", make([]float64, 50_000)), table.Texts("s", strings.Split(strings.Repeat("x ", 49_999)+"y", " ")))
		w, err := NewWriter(&b, format, one.Schema(), WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := w.Write(one); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Write(sample()); !fault.Is(err, fault.Invalid) {
			t.Errorf("another schema: %v", err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := read(t, "d", b.String(), Options{})
		if err != nil || got.Rows != 150_000 || got.Column("s").Text(149_999) != "y" {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestWriteOneColumn(t *testing.T) {
	var b bytes.Buffer
	if err := Write(context.Background(), &b, CSV, table.New(table.Texts("s", []string{"x", "", "y"}))); err != nil {
		t.Fatal(err)
	}
	if got, err := read(t, "d.csv", b.String(), Options{}); err != nil || got.Rows != 3 {
		t.Errorf("a missing value of a single column is lost: %v in %q", err, b.String())
	}
}

func TestWriteSingle(t *testing.T) {
	var b bytes.Buffer
	w, _ := NewWriter(&b, CSV, table.Schema{{Name: "p", Kind: table.Number}}, WriteOptions{Single: true})
	w.Write(table.New(table.Numbers("p", []float64{float64(float32(0.3)), 1})))
	w.Close()
	if b.String() != "p\n0.3\n1\n" {
		t.Errorf("got %q", b.String())
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestWriteFailures(t *testing.T) {
	for _, format := range []Format{CSV, JSON, Parquet} {
		if err := Write(context.Background(), full{}, format, sample()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s on a full disk: %v", format, err)
		}
	}
	if err := Write(context.Background(), full{}, Auto, sample()); !fault.Is(err, fault.Invalid) {
		t.Errorf("no format: %v", err)
	}
	if err := Write(context.Background(), &bytes.Buffer{}, JSON, table.New(table.Numbers("a", []float64{math.Inf(1)}))); !fault.Is(err, fault.Invalid) {
		t.Errorf("infinite: %v", err)
	}
}

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]Format{"a.csv": CSV, "A.TSV.GZ": CSV, "x/y.jsonl": JSON, "p.parquet": Parquet, "README.md": Auto, "": Auto} {
		if got := FormatOf(name); got != want {
			t.Errorf("FormatOf(%q) = %s", name, got)
		}
	}
}
