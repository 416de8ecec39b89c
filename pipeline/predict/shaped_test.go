package predict_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// finish makes a file of a graph.
func finish(t testing.TB, b *graph.Builder, sig card.Signature) []byte {
	t.Helper()
	m := b.Model()
	meta, err := card.Card{Signature: sig}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m.Metadata = meta
	file, err := onnx.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func cast(b *graph.Builder, x graph.Value) graph.Value {
	return b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, x)
}

func mean(b *graph.Builder, x graph.Value, axes ...int64) graph.Value {
	return b.OpWith("ReduceMean", []graph.Attr{graph.IntsAttr("axes", axes...), graph.IntAttr("keepdims", 0)}, x)
}

// colours is a classifier of pictures: which of red, green and blue is strongest. A number beside the picture is added to red.
func colours(t testing.TB) []byte {
	t.Helper()
	b := graph.NewBuilder("colours")
	x := b.Input("photo", tensor.Rows(tensor.Uint8, tensor.Free, tensor.Free, 3))
	more := b.Input("more", tensor.Rows(tensor.Float32, 1))
	y := b.Op("Add", mean(b, cast(b, x), 1, 2), b.Op("Mul", more, b.Floats("red", []float32{1, 0, 0})))
	best := b.OpWith("ArgMax", []graph.Attr{graph.IntAttr("axis", 1), graph.IntAttr("keepdims", 0)}, y)
	classes := []string{"red", "green", "blue"}
	b.Output("label", b.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 0)}, b.Strings("classes", classes), best), tensor.Rows(tensor.String))
	b.Output("probabilities", y, tensor.Rows(tensor.Float32, 3))
	return finish(t, b, card.Signature{Task: "classification", Classes: classes, Inputs: []card.Input{
		{Name: "photo", Type: "uint8", Kind: card.Image, Shape: []int{-1, -1, 3}}, {Name: "more", Type: "float32", Kind: card.Number},
	}})
}

// sums is a regressor of sequences: the sum of all numbers, padding left out, and a thousand for each step that there is room for.
func sums(t testing.TB, width int) []byte {
	t.Helper()
	b := graph.NewBuilder("sums")
	x := b.Input("s", tensor.Rows(tensor.Float32, tensor.Free, width))
	there := b.Op("Where", b.Op("IsNaN", x), b.Scalar("none", 0), x)
	sum := b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, there, b.Ints("axes", []int64{1, 2}))
	b.Output("prediction", b.Op("Unsqueeze", sum, b.Ints("last", []int64{1})), tensor.Rows(tensor.Float32, 1))
	return finish(t, b, card.Signature{Task: "regression", Inputs: []card.Input{{Name: "s", Type: "float32", Kind: card.Sequence, Shape: []int{-1, width}}}})
}

// painted is a PNG of one colour.
func painted(w, h int, c color.Color) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		m.Set(i%w, i/w, c)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

var paints = []color.Color{color.NRGBA{200, 10, 20, 255}, color.NRGBA{10, 200, 20, 255}, color.NRGBA{10, 20, 200, 255}}

// A request with pictures of mixed sizes is answered in order, by every way in.
func TestPictures(t *testing.T) {
	ctx := context.Background()
	m := open(t, colours(t))
	var rows []map[string]any
	var values, want []string
	for i := range 150 { // more than a run takes
		file := painted(2+i%3, 3+i%2, paints[i%3])
		value := base64.StdEncoding.EncodeToString(file)
		if i%2 == 0 {
			value = "data:image/png;base64," + value
		}
		if values = append(values, value); i%5 == 0 {
			values[i] = string(file)
		}
		rows = append(rows, map[string]any{"photo": value, "more": 0})
		want = append(want, []string{"red", "green", "blue"}[i%3])
	}
	rows[4]["more"], want[4] = 500, "red"
	more := make([]float64, len(rows))
	more[4] = 500
	check := func(how string, r *predict.Result, err error) {
		t.Helper()
		if err != nil || !slices.Equal(r.Labels, want) || r.Probabilities[3*2+2] != 200 {
			t.Errorf("%s: %v", how, err)
		}
	}
	r, err := m.Rows(ctx, rows)
	check("Rows", r, err)
	body, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	r, err = m.RowsJSON(ctx, body)
	check("RowsJSON", r, err)
	b, n, err := m.AnswerJSON(ctx, body, nil)
	if err != nil || n != 150 || string(b) != string(r.AppendJSON(nil)) {
		t.Errorf("AnswerJSON: %v", err)
	}
	r, err = m.Table(ctx, table.New(table.Texts("photo", values), table.Numbers("more", more)))
	check("Table", r, err)
	rows[0]["photo"] = painted(1, 1, paints[0])
	r, err = m.Rows(ctx, rows)
	check("bytes", r, err)

	// Names of files are opened for tables alone, and only where somebody allowed it.
	names := table.New(table.Texts("photo", []string{"a.png", "b.png"}), table.Numbers("more", []float64{0, 0}))
	if _, err := m.Table(ctx, names); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "none may be opened") {
		t.Errorf("no opener: %v", err)
	}
	m.Files(func(_ context.Context, ref string) ([]byte, error) {
		if ref == "cut.png" {
			return painted(9, 9, paints[0])[:40], nil
		}
		return painted(1, 1, paints[ref[0]-'a']), nil
	})
	if r, err := m.Table(ctx, names); err != nil || !slices.Equal(r.Labels, []string{"red", "green"}) {
		t.Errorf("files: %v", err)
	}
	if _, err := m.Table(ctx, table.New(table.Texts("photo", []string{"a.png", "cut.png"}), table.Numbers("more", []float64{0, 0}))); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "cut.png") {
		t.Errorf("a broken file: %v", err)
	}
	if _, err := m.RowsJSON(ctx, []byte(`[{"photo":"a.png","more":0}]`)); !fault.Is(err, fault.Invalid) {
		t.Errorf("a name in a request: %v", err)
	}
}

func TestPicturesRefused(t *testing.T) {
	m := open(t, colours(t))
	file := painted(50, 50, paints[0])
	for body, c := range map[string]struct{ says, hint string }{
		`{"photo":null,"more":1}`:   {"rows[0].photo: must have a value", "without"},
		`{"more":1}`:                {"rows[0].photo: must have a value", "without"},
		`{"photo":"","more":1}`:     {"rows[0].photo: must have a value", "without"},
		`{"photo":7,"more":1}`:      {"rows[0].photo: must be a picture, got the number 7", "base64"},
		`{"photo":[1,2],"more":1}`:  {"rows[0].photo: must be a picture, got a list", "base64"},
		`{"photo":true,"more":1}`:   {"rows[0].photo: must be a picture, got the truth value", "base64"},
		`{"photo":"!?","more":1}`:   {`rows[0].photo: must be a picture, got the text "!?"`, "base64"},
		`{"photo":"AAAA","more":1}`: {"rows[0].photo: must be a picture: not a picture", "JPEG"},
		`{"photo":"` + base64.StdEncoding.EncodeToString(file[:len(file)-30]) + `","more":1}`:                                    {"rows[0].photo: a broken picture", "again"},
		`{"photo":"` + base64.StdEncoding.EncodeToString([]byte("P6 9999999 9999999 255\n")) + `","more":1}`:                     {"rows[0].photo: must be a picture", "JPEG"},
		`{"photo":"` + base64.StdEncoding.EncodeToString([]byte("P6 90000 90000 255\n"+strings.Repeat("x", 90))) + `","more":1}`: {"rows[0].photo: a picture of 90000×90000 pixels", "smaller"},
	} {
		_, err := m.RowsJSON(context.Background(), []byte(`[`+body+`]`))
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%.60s: %v (%s)", body, err, fault.HintOf(err))
		}
	}
	large := base64.StdEncoding.EncodeToString([]byte("P6 8000 8000 255\n"))
	row := `{"photo":"` + large + `","more":1}`
	if _, err := m.RowsJSON(context.Background(), []byte("["+strings.Repeat(row+",", 9)+row+"]")); !fault.Is(err, fault.TooLarge) {
		t.Errorf("many large pictures: %v", err)
	}
}

func TestSequences(t *testing.T) {
	ctx := context.Background()
	one, two := open(t, sums(t, 1)), open(t, sums(t, 2))
	for name, c := range map[string]struct {
		m    *predict.Model
		rows string
		want []float32
	}{
		"numbers":      {one, `[{"s":[1,2.5,-1]},{"s":[4]},{"s":[[1],[2]]}]`, []float32{2.5, 4, 3}},
		"steps":        {two, `[{"s":[[1,2],[3,4]]},{"s":[[5, 6]]}]`, []float32{10, 11}},
		"a hundred":    {one, `[` + strings.Repeat(`{"s":[1,1]},`, 99) + `{"s":[1]}]`, slices.Concat(slices.Repeat([]float32{2}, 99), []float32{1})},
		"long":         {one, `[{"s":[` + strings.Repeat("1,", 99_999) + `1]},{"s":[2]}]`, []float32{100_000, 2}},
		"other spaces": {two, "[{\"s\": [ [ 1 , 2 ] ,\n[3,4] ] }]", []float32{10}},
	} {
		for how, answer := range map[string]func() (*predict.Result, error){
			"JSON": func() (*predict.Result, error) { return c.m.RowsJSON(ctx, []byte(c.rows)) },
			"rows": func() (*predict.Result, error) {
				var rows []map[string]any
				if err := json.Unmarshal([]byte(c.rows), &rows); err != nil {
					return nil, err
				}
				return c.m.Rows(ctx, rows)
			},
			"table": func() (*predict.Result, error) {
				var rows []map[string]json.RawMessage
				if err := json.Unmarshal([]byte(c.rows), &rows); err != nil {
					return nil, err
				}
				var texts []string
				for _, r := range rows {
					texts = append(texts, string(r["s"]))
				}
				return c.m.Table(ctx, table.New(table.Texts("s", texts)))
			},
		} {
			if r, err := answer(); err != nil || !slices.Equal(r.Prediction, c.want) {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
	}
	if r, err := one.Table(ctx, table.New(table.Numbers("s", []float64{3, 4}))); err != nil || !slices.Equal(r.Prediction, []float32{3, 4}) {
		t.Errorf("numbers as sequences of one step: %v", err)
	}
	if r, err := two.Rows(ctx, []map[string]any{{"s": []any{[]any{1, 2.5}}}}); err != nil || r.Prediction[0] != 3.5 {
		t.Errorf("Go's numbers: %v", err)
	}
	if r, err := one.Rows(ctx, []map[string]any{{"s": []float64{1, 2.5}}}); err != nil || r.Prediction[0] != 3.5 {
		t.Errorf("a list of floats: %v", err)
	}
}

func TestSequencesRefused(t *testing.T) {
	ctx := context.Background()
	one, two := open(t, sums(t, 1)), open(t, sums(t, 2))
	for _, c := range []struct {
		m           *predict.Model
		value, says string
	}{
		{one, `null`, "must have a value"},
		{one, `[]`, "a sequence of no steps"},
		{one, `[1,null]`, "a number is missing"},
		{one, `["1"]`, "must be a list of numbers"},
		{one, `[[1,2]]`, "a step of 2 numbers, the model takes 1"},
		{one, `[1e300]`, "not in the range"},
		{one, `[true]`, "must be a list of numbers"},
		{one, `{"a":1}`, "must be a list of numbers"},
		{one, `5`, "must be a list of numbers, got the number 5"},
		{one, `"[1,2]"`, "must be a list of numbers, got the text"},
		{one, `[` + strings.Repeat("1,", 100_000) + `1]`, "more than 100000 steps"},
		{two, `[1,2]`, "must be a list of steps of 2 numbers"},
		{two, `[[1,2],[3]]`, "a step of 1 numbers, the model takes 2"},
		{two, `[[1,2,3]]`, "a step of 3 numbers, the model takes 2"},
		{two, `[[]]`, "a step of 0 numbers, the model takes 2"},
		{two, `[[1,null]]`, "a number is missing"},
		{two, `[[[1,2]]]`, "must be a list of steps of 2 numbers"},
	} {
		_, err := c.m.RowsJSON(ctx, []byte(`[{"s":`+c.value+`}]`))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "rows[0].s: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.40s: %v", c.value, err)
		}
		var v any
		if err := json.Unmarshal([]byte(c.value), &v); err != nil {
			t.Fatal(err)
		}
		if _, err := c.m.Rows(ctx, []map[string]any{{"s": v}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%.40s in rows: %v", c.value, err)
		}
	}
	for _, broken := range []string{`[{"s":[1`, `[{"s":[1,`, `[{"s":[1 2]}]`, `[{"s":[[1,2}]`, `[{"s":[[1,`} {
		if _, err := two.RowsJSON(ctx, []byte(broken)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", broken, err)
		}
		if _, err := one.RowsJSON(ctx, []byte(broken)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", broken, err)
		}
	}
	for value, says := range map[string]string{"": "row 1 has no sequence", "[]": "no steps", "[1,null]": "missing or infinite", "[[1,2]]": "steps of 2 numbers", "[x]": `row 1 holds "x"`} {
		if _, err := one.Table(ctx, table.New(table.Texts("s", []string{value}))); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q in a table: %v", value, err)
		}
	}
	// A few long sequences among many short ones are not all filled up to the longest.
	long := "[" + strings.Repeat("1,", 99_999) + "1]"
	rows := fmt.Sprintf(`{"s":%s},{"s":%s}`, long, long) + strings.Repeat(`,{"s":[1]}`, 3000)
	if r, err := one.RowsJSON(ctx, []byte("["+rows+"]")); err != nil || r.Prediction[1] != 100_000 || r.Prediction[3001] != 1 {
		t.Errorf("mixed lengths: %v", err)
	}
}

// A signature that does not fit the graph is refused when the file is opened.
func TestShapedSignatures(t *testing.T) {
	for name, in := range map[string]card.Input{
		"no shape":     {Name: "s", Type: "float32", Kind: card.Sequence},
		"other width":  {Name: "s", Type: "float32", Kind: card.Sequence, Shape: []int{-1, 2}},
		"free width":   {Name: "s", Type: "float32", Kind: card.Sequence, Shape: []int{-1, -1}},
		"zero":         {Name: "s", Type: "float32", Kind: card.Sequence, Shape: []int{0, 1}},
		"another type": {Name: "s", Type: "string", Kind: card.Sequence, Shape: []int{-1, 1}},
		"image":        {Name: "s", Type: "uint8", Kind: card.Image, Shape: []int{-1, -1, 1}},
	} {
		b := graph.NewBuilder("x")
		x := b.Input("s", tensor.Rows(tensor.Float32, tensor.Free, 1))
		b.Output("prediction", mean(b, x, 1), tensor.Rows(tensor.Float32, 1))
		if _, err := predict.Open(finish(t, b, card.Signature{Task: "regression", Inputs: []card.Input{in}})); !fault.Is(err, fault.BadModel) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
