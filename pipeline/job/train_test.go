package job

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/metric"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Every learner beats the baseline on every data set, and what it leaves is an artifact that opens, answers and says what
// it is.
func TestTrain(t *testing.T) {
	diamonds := every(load(t, "diamonds/diamonds.parquet"), 90)
	for _, set := range []struct {
		name, target, task string
		data               *table.Table
		least              float64 // accuracy or r2
	}{
		{"penguins", "species", "classification", every(load(t, "penguins/penguins.csv"), 2), 0.85},
		{"penguins-raw", "Species", "classification", every(load(t, "penguins/penguins-raw.csv"), 2), 0.85},
		{"penguins-raw", "Body Mass (g)", "regression", load(t, "penguins/penguins-raw.csv"), 0.6},
		{"diamonds", "price", "regression", diamonds, 0.7},
		{"diamonds", "cut", "classification", diamonds, 0.45},
	} {
		for _, model := range []string{"linear", "boost", "mlp"} {
			t.Run(set.name+"/"+set.task+"/"+model, func(t *testing.T) {
				t.Parallel()
				out := mustTrain(t, set.data, Spec{Target: set.target, Model: model, DataName: set.name, Version: "test", Dataset: "d/1"})
				c := out.Card
				score, main := "accuracy", "log_loss"
				if set.task == "regression" {
					score, main = "r2", "rmse"
				}
				if c.Signature.Task != set.task {
					t.Fatalf("it learned a %s", c.Signature.Task)
				}
				if got := c.Metrics.Holdout[score]; got < set.least || math.IsNaN(got) {
					t.Errorf("%s is %.3f, below %.2f", score, got, set.least)
				}
				if !metric.Better(main, c.Metrics.Holdout[main], c.Metrics.Baseline[main]) {
					t.Errorf("%s %.3f is not better than the baseline's %.3f", main, c.Metrics.Holdout[main], c.Metrics.Baseline[main])
				}
				checkArtifact(t, out, set.data)
			})
		}
	}
}

func checkArtifact(t *testing.T, out *Outcome, data *table.Table) {
	t.Helper()
	m, err := predict.Open(out.Artifact)
	if err != nil {
		t.Fatal(err)
	}
	if !m.HasCard || m.Card.Metrics.Rows != out.held.Rows || out.Rows != m.Card.Provenance.Rows+out.held.Rows {
		t.Errorf("the card of the artifact says %+v of %d rows", m.Card.Metrics, out.Rows)
	}
	p := m.Card.Provenance
	if p.DataSHA256 != Fingerprint(data) || p.Estimator == "" || p.Dataset != "d/1" || p.Versions["jarvis"] != "test" || !p.Created.Equal(created) || p.Config["holdout"] != 0.2 {
		t.Errorf("the provenance is %+v", p)
	}
	if len(m.Card.Baseline.Columns) != len(m.Card.Signature.Inputs) || math.Abs(total(m.Card.Baseline.Output.Shares)-1) > 1e-6 {
		t.Errorf("the drift baseline has %d columns of %d, and an output of %v", len(m.Card.Baseline.Columns), len(m.Card.Signature.Inputs), m.Card.Baseline.Output)
	}
	used := len(m.Card.Signature.Inputs) + len(p.Dropped) + 1
	if used != len(data.Columns) {
		t.Errorf("%d inputs, %d dropped and a target do not make %d columns", len(m.Card.Signature.Inputs), len(p.Dropped), len(data.Columns))
	}
	// The metrics are those of the artifact's own answers.
	again, _, err := score(t.Context(), m, out.held, out.truth)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range m.Card.Metrics.Holdout {
		if again[name] != v {
			t.Errorf("%s is %v by the artifact and %v by its card", name, again[name], v)
		}
	}
}

func total(shares []float64) float64 {
	sum := 0.0
	for _, s := range shares {
		sum += s
	}
	return sum
}

func TestSameSeedSameBytes(t *testing.T) {
	raw := every(load(t, "penguins/penguins-raw.csv"), 3)
	for _, model := range []string{"linear", "boost", "mlp"} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			s := Spec{Target: "Species", Model: model, Seed: 7}
			a := mustTrain(t, raw, s)
			s.Threads = 1
			b := mustTrain(t, raw, s)
			if !bytes.Equal(a.Artifact, b.Artifact) {
				t.Error("the same seed gives another file, on another number of threads")
			}
		})
	}
}

func TestAutoTakesTheBest(t *testing.T) {
	s := Spec{Target: "species", TimeLimit: time.Hour} // long enough for all
	out := mustTrain(t, every(load(t, "penguins/penguins.csv"), 3), s)
	if len(out.Candidates) != 3 || out.Candidates[0].Estimator != out.Card.Provenance.Estimator {
		t.Fatalf("of %+v it took %s", out.Candidates, out.Card.Provenance.Estimator)
	}
	for i, c := range out.Candidates {
		if c.Skipped != "" || c.Score <= 0 || i > 0 && c.Score < out.Candidates[i-1].Score {
			t.Errorf("candidate %d is %+v", i, c)
		}
	}
}

// A limit that has passed leaves the first candidate, and tells of the others.
func TestTimeLimit(t *testing.T) {
	var told, skipped int
	out, err := Train(t.Context(), load(t, "penguins/penguins.csv"), Spec{Target: "species", TimeLimit: time.Nanosecond}, func(e Event) {
		if e.Candidate != nil {
			told++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range out.Candidates {
		if c.Skipped != "" {
			skipped++
		}
	}
	if skipped != 2 || told != 3 {
		t.Errorf("%d candidates were skipped and %d told: %+v", skipped, told, out.Candidates)
	}
}

// Ctrl-C in any stage ends the training with one code.
func TestCancel(t *testing.T) {
	penguins := load(t, "penguins/penguins.csv")
	for _, stage := range []Stage{Understand, Prepare, Compare, Fit} {
		ctx, cancel := context.WithCancel(t.Context())
		s := Spec{Target: "species", Model: "mlp"}
		if stage == Compare {
			s.Model = "auto"
		}
		var begun time.Time
		out, err := Train(ctx, penguins, s, func(e Event) {
			if e.Stage == stage && begun.IsZero() {
				begun = time.Now()
				cancel()
			}
		})
		cancel()
		if out != nil || !fault.Is(err, fault.Canceled) {
			t.Errorf("cancelled in %s: %v", stage, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("cancelled in %s it took %v", stage, took)
		}
	}
}

// Keep is called once there is a model, and what it says stands in the artifact; its error fails the training.
func TestKeep(t *testing.T) {
	penguins := load(t, "penguins/penguins.csv")
	kept := 0
	s := Spec{Target: "species", Model: "linear", Keep: func(context.Context) (string, error) { kept++; return "penguins/3", nil }}
	m, err := predict.Open(mustTrain(t, penguins, s).Artifact)
	if err != nil || kept != 1 || m.Card.Provenance.Dataset != "penguins/3" {
		t.Errorf("kept %d times, as %q: %v", kept, m.Card.Provenance.Dataset, err)
	}
	s.Target = "nowhere"
	if _, err := Train(t.Context(), penguins, s, nil); err == nil || kept != 1 {
		t.Errorf("data was kept of which nothing was learned: %v", err)
	}
	s.Target, s.Keep = "species", func(context.Context) (string, error) { return "", fault.New(fault.Unavailable, "away") }
	if _, err := Train(t.Context(), penguins, s, nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("data that could not be kept: %v", err)
	}
}

// numbered is CSV with a header and n rows.
func numbered(header string, n int, row func(i int) string) string {
	var b strings.Builder
	fmt.Fprintln(&b, header)
	for i := range n {
		fmt.Fprintln(&b, row(i))
	}
	return b.String()
}

func TestBadData(t *testing.T) {
	xy := func(n int, y string) string {
		return numbered("x,y", n, func(i int) string { return fmt.Sprintf("%d,%s", i, y) })
	}
	for _, c := range []struct {
		name, csv string
		spec      Spec
		code      fault.Code
		says      string
	}{
		{"no target named", xy(20, "1"), Spec{}, fault.Invalid, "no target"},
		{"target not there", xy(20, "1"), Spec{Target: "z"}, fault.Invalid, `no column "z"`},
		{"target constant", xy(20, "1"), Spec{Target: "y"}, fault.BadData, "every row"},
		{"target constant text", xy(20, "a"), Spec{Target: "y"}, fault.BadData, `"a" in every row`},
		{"target empty", xy(20, ""), Spec{Target: "y"}, fault.BadData, "no values"},
		{"text as number", numbered("x,y", 20, func(i int) string { return fmt.Sprintf("%d,%c", i, 'a'+i%2) }), Spec{Target: "y", Task: "regression"}, fault.BadData, "holds text"},
		{"too many classes", numbered("x,y", 2002, func(i int) string { return fmt.Sprintf("%d,c%d", i, i/2) }), Spec{Target: "y"}, fault.BadData, "1001 classes"},
		{"number beyond float32", numbered("x,y", 30, func(i int) string { return fmt.Sprintf("%d,%de300", i, i+1) }), Spec{Target: "y", Task: "regression"}, fault.BadData, "32-bit"},
		{"one column", numbered("y", 20, func(i int) string { return fmt.Sprint(i % 2) }), Spec{Target: "y"}, fault.BadData, "column"},
		{"nothing but empty columns", numbered("a,b,y", 20, func(i int) string { return fmt.Sprintf(",,%d", i%2) }), Spec{Target: "y"}, fault.BadData, "column"},
		{"nothing but constants", numbered("a,y", 20, func(i int) string { return fmt.Sprintf("k,%d", i%2) }), Spec{Target: "y"}, fault.BadData, "column"},
		{"too few rows", xy(9, "1"), Spec{Target: "y"}, fault.BadData, ""},
		{"all rows equal but for the target", numbered("x,y", 30, func(i int) string { return fmt.Sprintf("5,%d", i%2) }), Spec{Target: "y"}, fault.BadData, ""},
		{"no such estimator", xy(20, "1"), Spec{Target: "y", Model: "oracle"}, fault.Invalid, "oracle"},
		{"no such task", xy(20, "1"), Spec{Target: "y", Task: "divination"}, fault.Invalid, "divination"},
		{"holdout", xy(20, "1"), Spec{Target: "y", Holdout: math.NaN()}, fault.Invalid, "holdout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := Train(t.Context(), parse(t, c.csv), c.spec, nil)
			if out != nil || !fault.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v (%s), want %s with %q", err, fault.CodeOf(err), c.code, c.says)
			}
		})
	}
}

// What is odd but can be learned from is learned from, by every learner.
func TestOddData(t *testing.T) {
	for name, csv := range map[string]string{
		"ten rows": numbered("x,y", 10, func(i int) string { return fmt.Sprintf("%d.5,%c", i, 'a'+i/5) }),
		"lone classes": numbered("x,z,y", 60, func(i int) string {
			return fmt.Sprintf("%d,%d,%s", i, i*i%7, []string{"a", "b", "lone1", "lone2"}[max(i%2, i-56)])
		}),
		"target with holes": numbered("x,z,y", 60, func(i int) string { return fmt.Sprintf("%d,%d,%s", i, i%7, []string{"a", "", "b"}[i%3]) }),
		"duplicates":        numbered("x,z,y", 90, func(i int) string { return fmt.Sprintf("%d,%d,%c", i%9, i%3, 'a'+i%2) }),
		"an empty column":   numbered("x,e,y", 60, func(i int) string { return fmt.Sprintf("%d.5,,%c", i, 'a'+i/30) }),
		"a label target":    numbered("x,label", 60, func(i int) string { return fmt.Sprintf("%d.5,%c", i, 'a'+i/30) }),
		"extremes":          numbered("x,z,y", 60, func(i int) string { return fmt.Sprintf("%de37,%d,%c", i%4, i%7, 'a'+i%2) }),
	} {
		models := []string{"linear", "boost", "mlp"}
		if name == "ten rows" { // fewer rows than folds, some without a class
			models = append(models, "auto")
		}
		for _, model := range models {
			t.Run(name+"/"+model, func(t *testing.T) {
				t.Parallel()
				data := parse(t, csv)
				target := data.Columns[len(data.Columns)-1].Name
				out := mustTrain(t, data, Spec{Target: target, Model: model, Task: "classification"})
				m, err := predict.Open(out.Artifact)
				if err != nil {
					t.Fatal(err)
				}
				result, err := m.Table(t.Context(), data)
				if err != nil || len(result.Labels) != data.Rows {
					t.Fatalf("%d answers for %d rows: %v", len(result.Labels), data.Rows, err)
				}
				for i, p := range result.Probabilities {
					if !(p >= 0 && p <= 1) {
						t.Fatalf("probability %d is %v", i, p)
					}
				}
			})
		}
	}
}

// A graph holds a name once: columns that are named like its outputs are refused, those that are named like its nodes
// and in any script are not.
func TestColumnNames(t *testing.T) {
	build := func(name string) *table.Table {
		x, y := make([]float64, 60), make([]string, 60)
		for i := range x {
			x[i], y[i] = float64(i)+0.5, []string{"a", "b"}[i/30]
		}
		return table.New(table.Numbers(name, x), table.Texts("kind of thing", y), table.Texts("target", y))
	}
	for _, name := range []string{"MatMul", "features", "classes", "jarvis", "prediction", "x", "Gather_1", "naïve Größe 体重", `a "b" 'c'`, "a/b\\c", "probability_a", " ", "a\tb", "%s", "constant", "Concat", "output"} {
		models := []string{"linear"}
		if name == "MatMul" || name == "output" {
			models = []string{"linear", "boost", "mlp"}
		}
		for _, model := range models {
			out := mustTrain(t, build(name), Spec{Target: "target", Model: model})
			m, err := predict.Open(out.Artifact)
			if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			if !slices.ContainsFunc(m.Card.Signature.Inputs, func(in card.Input) bool { return in.Name == name }) {
				t.Errorf("%q is no input", name)
			}
			if _, err := m.Rows(t.Context(), []map[string]any{{name: 3.5, "kind of thing": "a"}}); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	for name, task := range map[string]string{"label": "classification", "probabilities": "classification"} {
		_, err := Train(t.Context(), build(name), Spec{Target: "target", Task: task}, nil)
		if !fault.Is(err, fault.BadData) || !strings.Contains(err.Error(), name) || fault.HintOf(err) == "" {
			t.Errorf("a column %q: %v", name, err)
		}
	}
	d := build("prediction")
	if _, err := Train(t.Context(), table.New(d.Columns[0], table.Numbers("t", d.Columns[0].Numbers)), Spec{Target: "t", Task: "regression"}, nil); !fault.Is(err, fault.BadData) {
		t.Errorf("a column prediction: %v", err)
	}
}
