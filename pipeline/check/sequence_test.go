package check

import (
	"math"
	"slices"
	"testing"
)

func TestParseSequence(t *testing.T) {
	for text, want := range map[string]struct {
		x     []float32
		width int
		fails bool
	}{
		"":                      {width: 1},
		" [ ] ":                 {width: 1},
		"[1, 2.5,-3e1]":         {x: []float32{1, 2.5, -30}, width: 1},
		"[[1,2],\n[3,4],[5,6]]": {x: []float32{1, 2, 3, 4, 5, 6}, width: 2},
		"[[7]]":                 {x: []float32{7}, width: 1},
		"[[1,2],[3]]":           {fails: true},
		"[[],[]]":               {fails: true},
		"[1,[2]]":               {fails: true},
		"[[1,2],3]":             {fails: true},
		"[1,2":                  {fails: true},
		"[1,2]]":                {fails: true},
		"[1,,2]":                {fails: true},
		"[1 2]":                 {fails: true},
		"1,2":                   {fails: true},
		"[one]":                 {fails: true},
		"[1e999]":               {fails: true},
		"[[[1]]]":               {fails: true},
		`{"a":1}`:               {fails: true},
	} {
		x, width, err := ParseSequence(text, nil)
		if want.fails != (err != nil) || err == nil && (width != want.width || !slices.Equal(x, want.x)) {
			t.Errorf("%q: %v by %d, %v", text, x, width, err)
		}
	}
	if x, _, err := ParseSequence("[1, null]", nil); err != nil || !math.IsNaN(float64(x[1])) {
		t.Errorf("null gives %v, %v", x, err)
	}
}

func FuzzParseSequence(f *testing.F) {
	for _, s := range []string{"[1,2]", "[[1,2],[3,4]]", "[", "[[", "[null", "[1,]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, width, err := ParseSequence(text, nil)
		if err == nil && (width < 1 || len(x)%width != 0) {
			t.Fatalf("%d numbers in steps of %d", len(x), width)
		}
	})
}
