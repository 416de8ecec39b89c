package predict_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/feature"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// flowers is training data with every kind of column; "size" and "when" have missing values.
func flowers(rows int) *table.Table {
	size, petals := make([]float64, rows), make([]float64, rows)
	color, wild, when, name := make([]string, rows), make([]string, rows), make([]string, rows), make([]string, rows)
	for i := range rows {
		size[i], petals[i] = float64(i%17)/2, float64(i%5)
		color[i], wild[i] = []string{"red", "blue", "white"}[i%3], []string{"yes", "no"}[i%2]
		when[i], name[i] = fmt.Sprintf("2021-%02d-%02d", i%12+1, i%28+1), []string{"a", "b", "c"}[i%3]
		if i%10 == 7 {
			size[i], when[i] = math.NaN(), ""
		}
	}
	return table.New(table.Numbers("size", size), table.Numbers("petals", petals), table.Texts("color", color),
		table.Texts("wild", wild), table.Texts("when", when), table.Texts("name", name))
}

// artifact makes a model file of flowers with a fixed linear head.
func artifact(t testing.TB, task string) []byte {
	t.Helper()
	file, err := build(task)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func build(task string) ([]byte, error) {
	data := flowers(200)
	p, err := feature.Fit(data, check.Profile(data, check.Options{Target: "name"}), "name", feature.Options{})
	if err != nil {
		return nil, err
	}
	b := graph.NewBuilder("flowers")
	b.Reserve("label", "probabilities", "prediction")
	x, err := p.Append(b)
	if err != nil {
		return nil, err
	}
	sig := card.Signature{Task: task, Target: "name", Inputs: p.Inputs}
	k := 1
	if task == "classification" {
		sig.Classes = []string{"a", "b", "c"}
		k = 3
	}
	w := make([]float32, p.Width()*k)
	for i := range w {
		w[i] = float32(math.Sin(float64(i + 1)))
	}
	y := b.Op("MatMul", x, b.Floats("weight", w, p.Width(), k))
	if k == 1 {
		b.Output("prediction", y, tensor.Rows(tensor.Float32, 1))
	} else {
		y = b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, y)
		best := b.OpWith("ArgMax", []graph.Attr{graph.IntAttr("axis", 1), graph.IntAttr("keepdims", 0)}, y)
		b.Output("label", b.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 0)}, b.Strings("classes", sig.Classes), best), tensor.Rows(tensor.String))
		b.Output("probabilities", y, tensor.Rows(tensor.Float32, k))
	}
	m := b.Model()
	meta, err := card.Card{Signature: sig}.Encode()
	if err != nil {
		return nil, err
	}
	m.Metadata = meta
	return onnx.Encode(m)
}

func open(t testing.TB, file []byte) *predict.Model {
	t.Helper()
	m, err := predict.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// objects writes the rows of a table as JSON clients do: numbers, texts, true and false, null.
func objects(data *table.Table) []map[string]any {
	rows := make([]map[string]any, data.Rows)
	for i := range rows {
		rows[i] = map[string]any{}
		for j := range data.Columns {
			switch c := &data.Columns[j]; {
			case c.Name == "name":
			case c.Missing(i):
				rows[i][c.Name] = nil
			case c.Kind == table.Number:
				rows[i][c.Name] = c.Numbers[i]
			case c.Name == "wild":
				rows[i][c.Name] = c.Text(i) == "yes"
			default:
				rows[i][c.Name] = c.Text(i)
			}
		}
	}
	return rows
}

// One set of rows gives the same answers by every road.
func TestRoadsAgree(t *testing.T) {
	for _, task := range []string{"classification", "regression"} {
		m := open(t, artifact(t, task))
		data := flowers(10_000)
		want, err := m.Table(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		rows := objects(data)
		byRows, err := m.Rows(t.Context(), rows)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]any{"rows": rows})
		if err != nil {
			t.Fatal(err)
		}
		byJSON, err := m.RowsJSON(t.Context(), body)
		if err != nil {
			t.Fatal(err)
		}
		for road, r := range map[string]*predict.Result{"rows": byRows, "JSON": byJSON} {
			if r.Rows != want.Rows || !slices.Equal(r.Labels, want.Labels) || !slices.Equal(r.Probabilities, want.Probabilities) || !slices.Equal(r.Prediction, want.Prediction) {
				t.Errorf("%s, %s: other answers than the table's", task, road)
			}
		}
		if task == "classification" != (len(want.Labels) == 10_000) || task == "regression" != (len(want.Prediction) == 10_000) {
			t.Errorf("%s: %d labels, %d numbers", task, len(want.Labels), len(want.Prediction))
		}
	}
}

const good = `{"size":1.5,"petals":3,"color":"red","wild":true,"when":"2021-01-31"}`

func TestWrongRows(t *testing.T) {
	m := open(t, artifact(t, "classification"))
	for _, c := range []struct{ row, field, message string }{
		{`{"size":1.5,"color":"red","wild":true,"when":"2021-01-31"}`, "rows[1].petals", "the field is missing"},
		{`{"petals":1,"size":1.5,"color":"red","wild":true,"more":1}`, "rows[1].more", "the model has no such field"},
		{`{"petals":"1","size":1.5,"color":"red","wild":true}`, "rows[1].petals", `must be a number, got the text "1"`},
		{`{"petals":true,"size":1.5,"color":"red","wild":true}`, "rows[1].petals", "must be a number, got the truth value true"},
		{`{"petals":[1],"size":1.5,"color":"red","wild":true}`, "rows[1].petals", "must be a number, got a list or an object"},
		{`{"petals":1,"size":1.5,"color":7,"wild":true}`, "rows[1].color", "must be a text, got the number 7"},
		{`{"petals":1,"size":1.5,"color":"red","wild":"perhaps"}`, "rows[1].wild", `must be true or false, got the text "perhaps"`},
		{`{"petals":1,"size":1.5,"color":"red","wild":1}`, "rows[1].wild", "must be true or false, got the number 1"},
		{`{"petals":1,"size":1.5,"color":"red","wild":true,"when":"31.1.2021"}`, "rows[1].when", `must be an ISO date, got the text "31.1.2021"`},
		{`{"petals":1e999,"size":1.5,"color":"red","wild":true}`, "rows[1].petals", "must be finite"},
		{`{"petals":NaN,"size":1.5,"color":"red","wild":true}`, "rows[1].petals", "NaN and Infinity are not JSON"},
		{`{"petals":1,"petals":2,"size":1.5,"color":"red","wild":true}`, "rows[1].petals", "the field stands twice"},
		{`[1]`, "rows[1]", "must be an object of fields"},
	} {
		body := `{"rows":[` + good + `,` + c.row + `]}`
		_, err := m.RowsJSON(t.Context(), []byte(body))
		if !fault.Is(err, fault.Invalid) || err.Error() != c.field+": "+c.message {
			t.Errorf("%s:\n\t%v", c.row, err)
		}
		var rows struct{ Rows []map[string]any }
		if json.Unmarshal([]byte(body), &rows) != nil || strings.Count(c.row, "petals") > 1 {
			continue // not for encoding/json
		}
		if _, err := m.Rows(t.Context(), rows.Rows); err == nil || err.Error() != c.field+": "+c.message {
			t.Errorf("Rows %s:\n\t%v", c.row, err)
		}
	}
	for _, body := range []string{
		``, `{}`, `[]`, `{"rows":[]}`, `{"rows":{}}`, `null`, `[` + good, `[` + good + `,]`, `[` + good + `] x`,
		`{"instances":[]}`, `{"rows":[` + good + `],"rows":[]}`, `{"rows":[` + good + `],}`, `[{"color":"\ud800"}`, "[{\"color\":\"\xff\"}]", `[{"petals":01}]`, `[{"petals":1.}]`, `[{"petals":-}]`, `[{"petals"`, `[{"petals":"`, `[{"color":"\`,
	} {
		if _, err := m.RowsJSON(t.Context(), []byte(body)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", body, err)
		}
	}
	for name, rows := range map[string][]map[string]any{"none": nil, "infinite": {{"petals": math.Inf(1), "color": "", "wild": ""}}, "odd type": {{"petals": struct{}{}}}} {
		if _, err := m.Rows(t.Context(), rows); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Missing by null, by "", by NaN and by absence are one thing.
func TestMissing(t *testing.T) {
	m := open(t, artifact(t, "regression"))
	var want []float32
	for _, row := range []string{
		`{"petals":null,"color":"red","wild":"no"}`, `{"when":"","size":null,"petals":null,"color":"red","wild":"NO"}`,
		"{ \"when\" : null,\n\"petals\":null,\t\"color\":\"r\\u0065d\",\"wild\":false}",
	} {
		r, err := m.RowsJSON(t.Context(), []byte(`[`+row+`]`))
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = r.Prediction
		}
		if r.Prediction[0] != want[0] {
			t.Errorf("%s: %v, want %v", row, r.Prediction, want)
		}
	}
	r, err := m.Rows(t.Context(), []map[string]any{{"petals": math.NaN(), "color": "red", "wild": false, "size": json.Number("NaN")}})
	if err == nil {
		t.Error("NaN in a json.Number", r)
	}
	r, err = m.Rows(t.Context(), []map[string]any{{"petals": math.NaN(), "color": "red", "wild": false}})
	if err != nil || r.Prediction[0] != want[0] {
		t.Error(r, err)
	}
}

func TestTable(t *testing.T) {
	m := open(t, artifact(t, "classification"))
	if r, err := m.Table(t.Context(), flowers(0)); err != nil || r.Rows != 0 || r.Table().Rows != 0 || len(r.Table().Columns) != 4 {
		t.Errorf("%+v %v", r, err)
	}
	gone := flowers(10)
	gone.Columns = slices.Delete(gone.Columns, 1, 2)
	if _, err := m.Table(t.Context(), gone); !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "petals: ") {
		t.Error(err)
	}
	bad := flowers(9000)
	bad.Columns[1] = table.Texts("petals", append(slices.Repeat([]string{"3"}, 8999), "three"))
	if _, err := m.Table(t.Context(), bad); !fault.Is(err, fault.Invalid) || err.Error() != `petals: row 9000 holds "three", which is not a number` {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Table(ctx, flowers(10)); !fault.Is(err, fault.Canceled) {
		t.Error(err)
	}
	r, err := m.Table(t.Context(), flowers(3))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.Table().Schema() {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"label", "probability_a", "probability_b", "probability_c"}) {
		t.Error(names)
	}
}

func TestAppendJSON(t *testing.T) {
	r := predict.Result{Rows: 2, Classes: []string{`a"b`, "<c>"}, Labels: []string{"<c>", "new"}, Probabilities: []float32{0.1, 0.9, 1e-9, float32(math.NaN())}}
	var got []struct {
		Label         string
		Probabilities map[string]*float64
	}
	if err := json.Unmarshal(r.AppendJSON(nil), &got); err != nil {
		t.Fatal(err)
	}
	if got[0].Label != "<c>" || got[1].Label != "new" || *got[0].Probabilities[`a"b`] != 0.1 || *got[1].Probabilities[`a"b`] != 1e-9 || got[1].Probabilities["<c>"] != nil {
		t.Errorf("%+v", got)
	}
	r = predict.Result{Rows: 1, Prediction: []float32{3.25}}
	if s := string(r.AppendJSON(nil)); s != `[{"prediction":3.25}]` {
		t.Error(s)
	}
}

// Files of scikit-learn and of others, which have no card.
func TestForeign(t *testing.T) {
	b := graph.NewBuilder("sum")
	x := b.Input("X", tensor.Rows(tensor.Float32, 3))
	n := b.Input("n", tensor.Rows(tensor.Int64))
	y := b.Op("MatMul", x, b.Floats("w", []float32{1, 10, 100}, 3, 1))
	n = b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, b.Op("Unsqueeze", n, b.Ints("axis", []int64{1})))
	b.Output("variable", b.Op("Add", y, n), tensor.Rows(tensor.Float32, 1))
	file, err := onnx.Encode(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	m := open(t, file)
	if m.HasCard || m.Columns() != nil || m.Card.Signature.Task != "regression" || len(m.Card.Signature.Inputs) != 4 {
		t.Fatalf("%+v %v", m.Card, m.Columns())
	}
	r, err := m.RowsJSON(t.Context(), []byte(`[{"X[0]":1,"X[1]":2,"X[2]":3,"n":1000},{"X[0]":0,"X[1]":0,"X[2]":1,"n":-7}]`))
	if err != nil || !slices.Equal(r.Prediction, []float32{1321, 93}) {
		t.Errorf("%+v %v", r, err)
	}
	r, err = m.Table(t.Context(), table.New(table.Numbers("X[0]", []float64{1, 0}), table.Texts("X[1]", []string{"2", "0"}),
		table.Numbers("X[2]", []float64{3, 1}), table.Texts("n", []string{"1000", "-7"})))
	if err != nil || !slices.Equal(r.Prediction, []float32{1321, 93}) {
		t.Errorf("%+v %v", r, err)
	}
	for _, body := range []string{`[{"X[0]":1,"X[1]":2,"X[2]":3,"n":1.5}]`, `[{"X[0]":1,"X[1]":2,"X[2]":3,"n":null}]`, `[{"X[0]":1,"X[1]":2,"n":1}]`} {
		if _, err := m.RowsJSON(t.Context(), []byte(body)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestTensorsOnly(t *testing.T) {
	b := graph.NewBuilder("image")
	x := b.Input("image", tensor.TypeOf(tensor.Float32, 1, 3, 8, 8))
	b.Output("out", b.Op("Relu", x), tensor.TypeOf(tensor.Float32, 1, 3, 8, 8))
	file, err := onnx.Encode(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	m := open(t, file)
	_, err = m.RowsJSON(t.Context(), []byte(`[{"image":1}]`))
	if !fault.Is(m.Columns(), fault.Unsupported) || !fault.Is(err, fault.Unsupported) {
		t.Error(err)
	}
}

// A card that does not fit its graph is refused at once, not at the first request.
func TestBrokenCards(t *testing.T) {
	file := artifact(t, "classification")
	for name, spoil := range map[string]func(*card.Signature){
		"task":    func(s *card.Signature) { s.Task = "ranking" },
		"classes": func(s *card.Signature) { s.Classes = s.Classes[:2] },
		"inputs":  func(s *card.Signature) { s.Inputs = s.Inputs[1:] },
		"name":    func(s *card.Signature) { s.Inputs[0].Name = "other" },
		"type":    func(s *card.Signature) { s.Inputs[0].Type = "string" },
		"kind":    func(s *card.Signature) { s.Inputs[0].Kind = card.Date },
		"twice":   func(s *card.Signature) { s.Inputs[0] = s.Inputs[1] },
	} {
		m, err := onnx.Decode(file, onnx.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := card.Decode(m.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		spoil(&c.Signature)
		meta, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		m.Metadata = maps.Clone(meta)
		spoiled, err := onnx.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := predict.Open(spoiled); !fault.Is(err, fault.BadModel) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := predict.Open(file[:len(file)/2]); !fault.Is(err, fault.BadModel) {
		t.Error(err)
	}
}

// Every body that RowsJSON takes, encoding/json and Rows take with the same answers.
func FuzzRowsJSON(f *testing.F) {
	m, sequences := open(f, artifact(f, "regression")), []*predict.Model{open(f, sums(f, 1)), open(f, sums(f, 2))}
	for _, s := range []string{`[{"s":[1,-2.5e3]}]`, `[{"s":[[1,2],[3,4]]},{"s":[[1 , 2]]}]`, `[{"s":[[1],[2]]}]`, `[{"s":[]}]`, `[{"s":[null]}]`} {
		f.Add([]byte(s))
	}
	for _, s := range []string{`[` + good + `]`, `{"rows":[` + good + `,` + good + `]}`, `[{"petals":-1.5e3,"color":"\u00e9\n","wild":"no","when":null}]`, `[{}]`, `{"rows":null}`, `[{"petals":0`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 10_000 {
			return
		}
		m := m
		switch { // which model a body was meant for
		case bytes.Contains(body, []byte("[[")):
			m = sequences[1]
		case bytes.Contains(body, []byte(`"s"`)):
			m = sequences[0]
		}
		r, err := m.RowsJSON(t.Context(), body)
		if err != nil {
			if c := fault.CodeOf(err); c != fault.Invalid {
				t.Fatalf("%q: %s %v", body, c, err)
			}
			return
		}
		var rows []map[string]any
		if json.Unmarshal(body, &rows) != nil {
			var whole struct {
				Rows []map[string]any `json:"rows"`
			}
			if err := json.Unmarshal(body, &whole); err != nil {
				t.Fatalf("%q: RowsJSON takes what is no JSON: %v", body, err)
			}
			rows = whole.Rows
		}
		want, err := m.Rows(t.Context(), rows)
		if err != nil || !slices.Equal(want.Prediction, r.Prediction) {
			t.Fatalf("%q: %v, Rows gives %+v %v", body, r.Prediction, want, err)
		}
	})
}

func BenchmarkRowsJSON(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := open(b, artifact(b, "classification"))
			body := []byte(`{"rows":[` + strings.Join(slices.Repeat([]string{good}, n), ",") + `]}`)
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				r, err := m.RowsJSON(b.Context(), body)
				if err != nil {
					b.Fatal(err)
				}
				out = r.AppendJSON(out[:0])
			}
		})
	}
}

func Example() {
	file, err := build("classification") // in earnest: os.ReadFile("flowers.onnx")
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := predict.Open(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := m.RowsJSON(context.Background(), []byte(`{"rows":[{"petals":3,"color":"red","wild":true}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Labels[0])
	_, err = m.RowsJSON(context.Background(), []byte(`{"rows":[{"petals":"three","color":"red","wild":true}]}`))
	fmt.Println(err)
	// Output:
	// a
	// rows[0].petals: must be a number, got the text "three"
}

// Categories that look like numbers must be read as text: the caller's source asks for it.
func TestTextColumns(t *testing.T) {
	got := open(t, artifact(t, "regression")).TextColumns()
	if want := map[string]table.Kind{"color": table.Text, "wild": table.Text, "when": table.Text}; !maps.Equal(got, want) {
		t.Error(got)
	}
}
