package job

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/pipeline/source"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

var penguinColumns = []string{"island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex", "year"}

func TestHoldoutStaysWhenRowsAreAdded(t *testing.T) {
	all := load(t, "penguins/penguins.csv")
	rows := span(0, 200)
	_, before := holdout(all.Take(rows), penguinColumns, rows, 0.2)
	_, after := holdout(all, penguinColumns, span(0, all.Rows), 0.2)
	after = slices.DeleteFunc(after, func(r int) bool { return r >= 200 })
	if !slices.Equal(before, after) {
		t.Errorf("of the first 200 rows %v were held out, and %v when others followed", before, after)
	}
	if share := float64(len(before)) / 200; math.Abs(share-0.2) > 0.09 { // three deviations
		t.Errorf("%.2f of the rows are held out, not about 0.2", share)
	}
}

func TestHoldoutIsThatOfTheValues(t *testing.T) {
	all := load(t, "penguins/penguins.csv")
	var file bytes.Buffer
	if err := source.Write(t.Context(), &file, source.Parquet, all); err != nil {
		t.Fatal(err)
	}
	s, err := source.FromBytes("p.parquet", file.Bytes(), source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, want := holdout(all, penguinColumns, span(0, all.Rows), 0.2)
	fromParquet := readSource(t, s)
	if _, got := holdout(fromParquet, penguinColumns, span(0, all.Rows), 0.2); !slices.Equal(got, want) {
		t.Error("Parquet and CSV of the same rows hold out different ones")
	}
	if Fingerprint(all) != Fingerprint(fromParquet) {
		t.Error("Parquet and CSV of the same rows have different fingerprints")
	}
	asText := &table.Table{Rows: all.Rows, Columns: slices.Clone(all.Columns)}
	schema := all.Schema()
	for i := range schema {
		schema[i].Kind = table.Text
	}
	asText = join(schema, []*table.Table{asText})
	if _, got := holdout(asText, penguinColumns, span(0, all.Rows), 0.2); !slices.Equal(got, want) {
		t.Error("numbers held as text hold out different rows")
	}
}

func TestHoldoutKeepsDuplicatesTogether(t *testing.T) {
	one := load(t, "penguins/penguins.csv")
	doubled := one.Take(append(span(0, one.Rows), span(0, one.Rows)...))
	train, test := holdout(doubled, penguinColumns, span(0, doubled.Rows), 0.2)
	side := map[int]string{}
	for _, r := range train {
		side[r] = "train"
	}
	for _, r := range test {
		side[r] = "test"
	}
	for r := range one.Rows {
		if side[r] != side[r+one.Rows] {
			t.Fatalf("row %d is on both sides", r)
		}
	}
}

func TestHoldoutOfFewRowsIsNeverEmpty(t *testing.T) {
	for n := 2; n < 40; n++ {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(i * n)
		}
		train, test := holdout(table.New(table.Numbers("x", x)), []string{"x"}, span(0, n), 0.01)
		if len(test) == 0 || len(train) == 0 || len(train)+len(test) != n {
			t.Errorf("of %d rows %d are trained on and %d held out", n, len(train), len(test))
		}
	}
}

// A hash must not care how a zero or a missing value is written.
func TestCellHashes(t *testing.T) {
	numbers := table.Numbers("x", []float64{0, math.Copysign(0, -1), math.NaN(), math.Float64frombits(0x7ff8000000000123), 7})
	texts := table.Texts("x", []string{"0", "-0", "", "", "007"})
	n, s := cellHasher(&numbers), cellHasher(&texts)
	for i := range 5 {
		if n(i) != s(i) {
			t.Errorf("row %d: number and text differ", i)
		}
	}
	if n(0) != n(1) || n(2) != n(3) || n(0) == n(2) || n(0) == n(4) {
		t.Error("zeros, missing values and others are not told apart as they should")
	}
}

func TestFoldsAreStratifiedAndEqual(t *testing.T) {
	class := make([]int32, 103)
	for i := range class {
		class[i] = int32(min(i%7, 2)) // 15, 15 and 73 or so
	}
	for _, k := range []int{3, 5} {
		group := folds(len(class), k, class, 42)
		size, per := make([]int, k), map[[2]int]int{}
		for row, g := range group {
			size[g]++
			per[[2]int{g, int(class[row])}]++
		}
		if slices.Max(size)-slices.Min(size) > 1 {
			t.Errorf("%d folds have the sizes %v", k, size)
		}
		for c := range 3 {
			least, most := math.MaxInt, 0
			for g := range k {
				least, most = min(least, per[[2]int{g, c}]), max(most, per[[2]int{g, c}])
			}
			if most-least > 1 {
				t.Errorf("class %d has %d to %d rows in a fold", c, least, most)
			}
		}
		if !slices.Equal(group, folds(len(class), k, class, 42)) || slices.Equal(group, folds(len(class), k, class, 43)) {
			t.Error("folds do not follow from the seed")
		}
	}
}
