package neural

import (
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/pixels"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// columns makes a table of texts and numbers.
func columnsOf(columns map[string][]any, order ...string) *table.Table {
	t := &table.Table{Rows: len(columns[order[0]])}
	for _, name := range order {
		c := table.Column{Field: table.Field{Name: name, Kind: table.Number}}
		if _, text := columns[name][0].(string); text {
			c.Kind, c.Dict = table.Text, table.NewDict()
		}
		for _, v := range columns[name] {
			switch v := v.(type) {
			case string:
				c.Codes = append(c.Codes, c.Dict.Code(v))
			case float64:
				c.Numbers = append(c.Numbers, v)
			}
		}
		t.Columns = append(t.Columns, c)
	}
	return t
}

func input(name string, t tensor.Type) graph.Port {
	return graph.Port{Name: graph.Value(name), Type: graph.TensorOf(t)}
}

// fitted finds columns for inputs, y being the target.
func fitted(t *testing.T, tab *table.Table, o ForeignOptions, inputs ...graph.Port) *Foreign {
	t.Helper()
	o.Target = "y"
	f, err := FitForeign(t.Context(), inputs, tab, check.Profile(tab, check.Options{Target: "y"}), o)
	if err != nil {
		t.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	return f
}

// same checks that what training reads is what the nodes of the artifact make of raw inputs.
func same(t *testing.T, f *Foreign, tab *table.Table, rows []int32, raw map[string]*tensor.Tensor, inputs ...graph.Port) []*tensor.Tensor {
	t.Helper()
	r, err := f.prepare(t.Context(), tab, inputs)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]*tensor.Tensor, len(inputs))
	for i := range got {
		got[i] = new(tensor.Tensor)
	}
	if err := r.read(t.Context(), rows, 0, got); err != nil {
		t.Fatal(err)
	}
	b := graph.NewBuilder("prepared")
	values, err := f.Append(b, inputs)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		b.Graph().Outputs = append(b.Graph().Outputs, graph.Port{Name: v})
	}
	p, err := exec.Compile(b.Model(), exec.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	var in []*tensor.Tensor
	for _, port := range p.Inputs() {
		in = append(in, raw[string(port.Name)])
	}
	want, err := p.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	types := f.Types()
	for i := range want {
		if !types[string(inputs[i].Name)].Accepts(got[i].DType(), got[i].Shape()) {
			t.Errorf("%s is read as %v %v, said to be %s", inputs[i].Name, got[i].DType(), got[i].Shape(), types[string(inputs[i].Name)])
		}
		if fmt.Sprint(got[i].DType(), got[i].Shape()) != fmt.Sprint(want[i].DType(), want[i].Shape()) {
			t.Fatalf("%s is read as %v %v, the nodes make %v %v", inputs[i].Name, got[i].DType(), got[i].Shape(), want[i].DType(), want[i].Shape())
		}
		if got[i].DType() == tensor.Float32 {
			for k, v := range got[i].F32() {
				if math.Abs(float64(v-want[i].F32()[k])) > 1e-6 {
					t.Fatalf("%s: element %d is read as %v, the nodes make %v", inputs[i].Name, k, v, want[i].F32()[k])
				}
			}
		} else if string(got[i].Bytes()) != string(want[i].Bytes()) || fmt.Sprint(got[i].Str()) != fmt.Sprint(want[i].Str()) {
			t.Errorf("%s: read %v, the nodes make %v", inputs[i].Name, got[i], want[i])
		}
	}
	return got
}

// TestForeignValues: columns go to the inputs of their names, whatever their types, and the rest side by side to the one that is left.
func TestForeignValues(t *testing.T) {
	tab := columnsOf(map[string][]any{
		"a": {1.5, 2., 3.}, "b": {4., 5., 6.}, "count": {7., 8., 9.}, "kind": {"u", "v", "u"}, "y": {"no", "yes", "no"},
	}, "kind", "a", "count", "b", "y")
	inputs := []graph.Port{
		input("x", tensor.Rows(tensor.Float64, 2)), input("count", tensor.Rows(tensor.Int64)), input("kind", tensor.Rows(tensor.String, 1)),
	}
	f := fitted(t, tab, ForeignOptions{}, inputs...)
	raw := map[string]*tensor.Tensor{
		"a": tensor.Floats([]float32{3, 1.5}, 2, 1), "b": tensor.Floats([]float32{6, 4}, 2, 1), "count": tensor.Floats([]float32{9, 7}, 2, 1), "kind": tensor.Strings([]string{"u", "u"}, 2, 1),
	}
	got := same(t, f, tab, []int32{2, 0}, raw, inputs...)
	if x := tensor.Data[float64](got[0]); x[0] != 3 || x[1] != 6 || len(f.Columns()) != 4 || len(f.Notes) != 1 {
		t.Errorf("%v, %v, %v", x, f.Columns(), f.Notes)
	}
}

// TestForeignSequences: lists become rows of their length, padded with zeros where lengths differ, steps of several numbers, or whole numbers.
func TestForeignSequences(t *testing.T) {
	nan := float32(math.NaN())
	tab := columnsOf(map[string][]any{
		"wave": {"[1, 2, 3]", "[4, 5, 6]"}, "ragged": {"[7]", "[8, 9]"}, "steps": {"[[1, 2], [3, 4]]", "[[5, 6], [7, 8]]"}, "y": {"no", "yes"},
	}, "wave", "ragged", "steps", "y")
	free := tensor.TypeOf(tensor.Float32, tensor.Free, tensor.Free)
	inputs := []graph.Port{
		input("wave", tensor.TypeOf(tensor.Float32, tensor.Free, 1, tensor.Free)), input("ragged", tensor.TypeOf(tensor.Int64, tensor.Free, tensor.Free)), input("steps", tensor.TypeOf(tensor.Float32, tensor.Free, tensor.Free, 2)),
	}
	f := fitted(t, tab, ForeignOptions{}, inputs...)
	got := same(t, f, tab, []int32{1, 0}, map[string]*tensor.Tensor{
		"wave": tensor.Floats([]float32{4, 5, 6, 1, 2, 3}, 2, 3, 1), "ragged": tensor.Floats([]float32{8, 9, 7, nan}, 2, 2, 1), "steps": tensor.Floats([]float32{5, 6, 7, 8, 1, 2, 3, 4}, 2, 2, 2),
	}, inputs...)
	if r := got[1].I64(); r[0] != 8 || r[3] != 0 {
		t.Errorf("%v", r)
	}
	if d := f.Types()["wave"].Dims; d[2].Size != 3 {
		t.Errorf("the length is %v", d)
	}
	alone := columnsOf(map[string][]any{"sound": {"[1, 2]", "[3, 4]"}, "y": {"no", "yes"}}, "sound", "y")
	same(t, fitted(t, alone, ForeignOptions{}, input("input", free)), alone, []int32{0, 1}, map[string]*tensor.Tensor{"sound": tensor.Floats([]float32{1, 2, 3, 4}, 2, 2, 1)}, input("input", free))
}

// TestForeignPictures: pictures of any size become what the model says or what is asked for, in its layout and its scale.
func TestForeignPictures(t *testing.T) {
	var files [][]byte
	column := []any{}
	for i := range 4 {
		files = append(files, picture(60+40*i, 50+i, false, uint64(i)))
		column = append(column, base64.StdEncoding.EncodeToString(files[i]))
	}
	tab := columnsOf(map[string][]any{"photo": column, "y": {"a", "b", "a", "b"}}, "photo", "y")
	for name, c := range map[string]struct {
		in tensor.Type
		o  PictureOptions
		is []int
	}{
		"text lines":  {tensor.TypeOf(tensor.Float32, tensor.Free, 3, tensor.Free, tensor.Free), PictureOptions{Height: 12, Width: 48, Mean: []float64{.5}, Std: []float64{.5}}, []int{1, 3, 12, 48}},
		"as it says":  {tensor.TypeOf(tensor.Float32, tensor.Free, 3, 32, 32), PictureOptions{}, []int{1, 3, 32, 32}},
		"grey":        {tensor.TypeOf(tensor.Float32, tensor.Free, 1, 16, 24), PictureOptions{}, []int{1, 1, 16, 24}},
		"other order": {tensor.TypeOf(tensor.Float32, tensor.Free, 24, 16, 3), PictureOptions{}, []int{1, 24, 16, 3}},
		"bytes":       {tensor.TypeOf(tensor.Uint8, tensor.Free, tensor.Free, tensor.Free, 3), PictureOptions{Height: 20, Width: 20}, []int{1, 20, 20, 3}},
	} {
		f := fitted(t, tab, ForeignOptions{Pictures: c.o}, input("x", c.in))
		for i, file := range files {
			p, err := pixels.Decode(t.Context(), file, f.Columns()[0].Shape[2], 0)
			if err != nil {
				t.Fatal(err)
			}
			raw := map[string]*tensor.Tensor{"photo": tensor.FromSlice(tensor.Uint8, p.Pix, 1, p.Height, p.Width, p.Channels)}
			got := same(t, f, tab, []int32{int32(i)}, raw, input("x", c.in))
			if fmt.Sprint(got[0].Shape()) != fmt.Sprint(c.is) {
				t.Errorf("%s: %v", name, got[0].Shape())
			}
		}
		if len(f.Usable([]int{0, 2})) != 2 || len(f.Notes) == 0 {
			t.Errorf("%s: %v", name, f.Notes)
		}
	}
}

// TestForeignMisfits: what cannot be meant, or does not fit, is said with what there is.
func TestForeignMisfits(t *testing.T) {
	tab := columnsOf(map[string][]any{
		"a": {1.5, 2.}, "b": {4., math.NaN()}, "s": {"[1, 2]", "[3, 4]"}, "r": {"[1, 2]", "[3]"}, "word": {"u", "v"}, "y": {"no", "yes"},
	}, "a", "b", "s", "r", "word", "y")
	f32 := func(dims ...int) tensor.Type { return tensor.TypeOf(tensor.Float32, dims...) }
	for name, c := range map[string]struct {
		in   []graph.Port
		says string
	}{
		"nothing fits":     {[]graph.Port{input("x", f32(-1, 7)), input("state", f32(2, -1, 128))}, "x float32(?, 7), state float32(2, ?, 128)"},
		"two lists":        {[]graph.Port{input("x", f32(-1, -1))}, "which column"},
		"a value missing":  {[]graph.Port{input("b", f32(-1, 1))}, "row 2 has no value"},
		"a broken number":  {[]graph.Port{input("a", tensor.Rows(tensor.Int64, 1))}, "whole numbers"},
		"no number":        {[]graph.Port{input("word", f32(-1, 1))}, "not a number"},
		"other length":     {[]graph.Port{input("s", f32(-1, 512))}, "lists of 2"},
		"ragged":           {[]graph.Port{input("r", f32(-1, 2))}, "various lengths"},
		"one value":        {[]graph.Port{input("a", f32(-1, 5))}, "one value a row"},
		"halves":           {[]graph.Port{input("a", tensor.Rows(tensor.Float16, 1))}, "float16"},
		"a picture's size": {[]graph.Port{input("s", f32(-1, 3, 32, 32))}, "cannot be given"},
	} {
		_, err := FitForeign(t.Context(), c.in, tab, check.Profile(tab, check.Options{Target: "y"}), ForeignOptions{Target: "y"})
		if err == nil || !strings.Contains(err.Error(), c.says) || fault.CodeOf(err) == fault.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"", "x", "48x", "x48", "0", "-3x4", "big"} {
		if _, _, err := Size(text); err == nil {
			t.Errorf("%q is a size", text)
		}
	}
}
