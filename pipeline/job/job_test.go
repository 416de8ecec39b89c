package job

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/source"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

const data = "../../testdata/"

// created stands in every artifact that a test makes.
var created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// load reads a file of testdata.
func load(t testing.TB, name string) *table.Table {
	t.Helper()
	s, err := source.Open(t.Context(), filepath.Join(data, name), source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return readSource(t, s)
}

func readSource(t testing.TB, s source.Source) *table.Table {
	t.Helper()
	read, err := source.ReadAll(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// parse reads CSV text.
func parse(t testing.TB, csv string) *table.Table {
	t.Helper()
	s, err := source.FromBytes("test.csv", []byte(csv), source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return readSource(t, s)
}

// every takes each n-th row.
func every(t *table.Table, n int) *table.Table {
	var rows []int
	for i := 0; i < t.Rows; i += n {
		rows = append(rows, i)
	}
	return t.Take(rows)
}

func span(from, to int) []int {
	rows := make([]int, 0, to-from)
	for i := from; i < to; i++ {
		rows = append(rows, i)
	}
	return rows
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustTrain(t testing.TB, data *table.Table, s Spec) *Outcome {
	t.Helper()
	s.Created = created
	out, err := Train(t.Context(), data, s, nil)
	if err != nil {
		t.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	return out
}
