package feature_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/feature"
	"github.com/jarvis-ml/jarvis/pipeline/source"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

var update = flag.Bool("update", false, "write testdata/*.onnx; test/goldens/make_feature_plans.py then makes the outputs")

// The cases: a plan of real data with a fixed linear head, answered by onnxruntime for the data and for rows that are odd
// on purpose (unseen categories, missing everywhere, malformed dates).
var goldens = []struct {
	name, data, target string
	options            feature.Options
}{
	{"penguins", "../../testdata/penguins/penguins.csv", "species", feature.Options{}},
	{"penguins-raw", "../../testdata/penguins/penguins-raw.csv", "Species", feature.Options{MaxCategories: 4}},
	{"diamonds", "testdata/diamonds.csv", "price", feature.Options{MinFrequency: 0.05}},
}

func read(t testing.TB, path string) *table.Table {
	t.Helper()
	s, err := source.Open(context.Background(), path, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := source.ReadAll(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// head appends a fixed linear model: labels and probabilities of a classifier, the prediction of a regressor.
func head(b *graph.Builder, p *feature.Plan, x graph.Value, classes []string) {
	k := max(len(classes), 1)
	w := make([]float32, p.Width()*k)
	for i := range w {
		w[i] = float32(math.Round(math.Sin(float64(i+1))*64) / 64)
	}
	y := b.Op("MatMul", x, b.Floats("weight", w, p.Width(), k))
	if classes == nil {
		b.Output("prediction", y, tensor.Rows(tensor.Float32, 1))
	} else {
		y = b.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, y)
		best := b.OpWith("ArgMax", []graph.Attr{graph.IntAttr("axis", 1), graph.IntAttr("keepdims", 0)}, y)
		b.Output("label", b.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 0)}, b.Strings("classes", classes), best), tensor.Rows(tensor.String))
		b.Output("probabilities", y, tensor.Rows(tensor.Float32, k))
	}
	b.Output("features", x, tensor.Rows(tensor.Float32, p.Width()))
}

func TestGoldens(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			data, odd := read(t, g.data), read(t, "testdata/"+g.name+".odd.csv")
			report := check.Profile(data, check.Options{Target: g.target})
			plan, err := feature.Fit(data, report, g.target, g.options)
			if err != nil {
				t.Fatal(err)
			}
			b := graph.NewBuilder(g.name)
			b.Reserve("label", "probabilities", "prediction", "features")
			x, err := plan.Append(b)
			if err != nil {
				t.Fatal(err)
			}
			var classes []string
			if report.Task == fit.Classification {
				classes, _ = check.Classes(data.Column(g.target))
			}
			head(b, plan, x, classes)
			file, err := onnx.Encode(b.Model())
			if err != nil {
				t.Fatal(err)
			}
			path := "testdata/" + g.name + ".onnx"
			if *update {
				if err := os.WriteFile(path, file, 0o644); err != nil {
					t.Fatal(err)
				}
				t.Skip("written; now run test/goldens/make_feature_plans.py")
			}
			if was, err := os.ReadFile(path); err != nil || !bytes.Equal(was, file) {
				t.Fatalf("%s is not what the plan gives today (%v): remake the goldens", path, err)
			}
			compare(t, plan, file, classes, g.name, data, odd)
		})
	}
}

// compare runs the file here and holds the outputs against onnxruntime's, and Transform against the file's features.
func compare(t *testing.T, plan *feature.Plan, file []byte, classes []string, name string, tables ...*table.Table) {
	program, err := model.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/" + name + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	k := max(len(classes), 1)
	for _, data := range tables {
		in, err := feature.Inputs(plan.Inputs, data)
		if err != nil {
			t.Fatal(err)
		}
		out, err := program.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		features := out["features"].F32()
		want = near(t, "features", features, want, plan.Names)
		if classes == nil {
			want = near(t, "prediction", out["prediction"].F32(), want, []string{""})
		} else {
			for i, label := range out["label"].Str() {
				if best := int(want[i]); label != classes[best] {
					t.Errorf("row %d is %s, onnxruntime says %s", i, label, classes[best])
				}
			}
			want = near(t, "probabilities", out["probabilities"].F32(), want[data.Rows:], classes[:k])
		}
		fast, err := plan.Transform(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fast, features)
	}
	if len(want) != 0 {
		t.Errorf("%d bytes are left: the golden has more rows", len(want))
	}
}

// near compares with float32 values at the head of want, relative to their size, and returns what follows them.
func near(t *testing.T, what string, got []float32, want []byte, names []string) []byte {
	t.Helper()
	if len(want) < 4*len(got) {
		t.Fatalf("the golden has %d bytes left, want %d %s", len(want), len(got), what)
	}
	bad := 0
	for i, x := range got {
		w := math.Float32frombits(binary.LittleEndian.Uint32(want[4*i:]))
		if !(math.Abs(float64(x-w)) <= 1e-5*max(1, math.Abs(float64(w)))) {
			if bad++; bad < 10 {
				t.Errorf("%s of row %d, %s: %v, onnxruntime gives %v", what, i/len(names), names[i%len(names)], x, w)
			}
		}
	}
	return want[4*len(got):]
}

// same compares bit for bit.
func same(t *testing.T, got, want []float32) {
	t.Helper()
	bits := func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }
	if !slices.EqualFunc(got, want, bits) {
		for i := range want {
			if !bits(got[i], want[i]) {
				t.Fatalf("feature %d of %d: Transform gives %v, the graph %v", i, len(want), got[i], want[i])
			}
		}
		t.Fatalf("%d features, want %d", len(got), len(want))
	}
}

// What the plans are made of, so that a change of judgement is seen.
func TestNamesOfPenguins(t *testing.T) {
	data := read(t, goldens[1].data)
	plan, err := feature.Fit(data, check.Profile(data, check.Options{}), "Species", feature.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := "Sample Number|Culmen Length (mm)|Culmen Depth (mm)|Flipper Length (mm)|Body Mass (g)|Delta 15 N (o/oo)|Delta 13 C (o/oo)|" +
		"Culmen Length (mm) missing|Culmen Depth (mm) missing|Flipper Length (mm) missing|Body Mass (g) missing|Delta 15 N (o/oo) missing|Delta 13 C (o/oo) missing|" +
		"Clutch Completion|studyName=PAL0910|studyName=PAL0809|studyName=PAL0708|Island=Biscoe|Island=Dream|Island=Torgersen|Sex=MALE|Sex=FEMALE|Sex missing|"
	got := strings.Join(plan.Names, "|")
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "|Date Egg.year|Date Egg.month|Date Egg.day|Date Egg.weekday|Date Egg.yearday") {
		t.Error(got)
	}
	var dropped []string
	for _, d := range plan.Dropped {
		dropped = append(dropped, d.Column)
	}
	if !slices.Equal(dropped, []string{"Region", "Stage", "Individual ID"}) {
		t.Error(dropped)
	}
}
