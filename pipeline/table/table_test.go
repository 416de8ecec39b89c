package table

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestDictAgreesWithAMap(t *testing.T) {
	d, want := NewDict(), map[string]int32{}
	for i := range 50_000 {
		s := fmt.Sprint("v", (i*7919)%20_011)
		if i%1000 == 0 {
			s += string(make([]byte, 5000)) // too long for the arena
		}
		code, known := want[s]
		if !known {
			code = int32(len(want))
			want[s] = code
			if got := d.Find(s); got != -1 {
				t.Fatalf("Find(%.10q) = %d before it was added", s, got)
			}
		}
		if got := d.CodeBytes([]byte(s)); got != code {
			t.Fatalf("CodeBytes(%.10q) = %d, want %d", s, got, code)
		}
		if got := d.Find(s); got != code || d.Values[code] != s {
			t.Fatalf("Find(%.10q) = %d, want %d", s, got, code)
		}
	}
	if d.Code("") != -1 || d.Find("") != -1 {
		t.Error("the empty text has a code")
	}
}

func TestDictKeepsNoReferenceToItsArgument(t *testing.T) {
	d, b := NewDict(), []byte("red")
	d.CodeBytes(b)
	copy(b, "xyz")
	if d.Values[0] != "red" {
		t.Errorf("value became %q", d.Values[0])
	}
}

func TestDictOverGivenValues(t *testing.T) {
	d := &Dict{Values: []string{"a", "b"}}
	if d.Find("b") != 1 || d.Code("b") != 1 || d.Code("c") != 2 || d.Find("c") != 2 || d.Code("a") != 0 {
		t.Errorf("codes over given values are wrong: %v", d.Values)
	}
}

func TestAppendTranslatesDictionaries(t *testing.T) {
	a := New(Numbers("n", []float64{1}), Texts("s", []string{"x"}))
	b := New(Numbers("n", []float64{math.NaN(), 3, 4}), Texts("s", []string{"y", "", "x"}))
	a.Append(b)
	var got []string
	for i := range a.Rows {
		got = append(got, a.Columns[1].Text(i))
	}
	if !slices.Equal(got, []string{"x", "y", "", "x"}) || a.Rows != 4 || !a.Columns[0].Missing(1) || a.Columns[0].Numbers[3] != 4 {
		t.Errorf("got %v %v", got, a.Columns[0].Numbers)
	}
	cut := a.Slice(1, 3)
	if cut.Rows != 2 || cut.Columns[1].Text(0) != "y" || cut.Columns[0].Numbers[1] != 3 {
		t.Errorf("slice is wrong: %+v", cut)
	}
	if _, missing, ok := a.Select("s", "nope"); ok || missing != "nope" {
		t.Errorf("Select did not name the missing column")
	}
	if e := Empty(a.Schema()); e.Rows != 0 || !slices.Equal(e.Schema(), a.Schema()) {
		t.Errorf("Empty has another schema")
	}
}
