package feature_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/feature"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

func fitted(t testing.TB, data *table.Table, target string, o feature.Options) *feature.Plan {
	t.Helper()
	p, err := feature.Fit(data, check.Profile(data, check.Options{Target: target}), target, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// naive runs the whole graph over all rows at once.
func naive(t testing.TB, p *feature.Plan, data *table.Table) []float32 {
	t.Helper()
	b := graph.NewBuilder("plan")
	x, err := p.Append(b)
	if err != nil {
		t.Fatal(err)
	}
	b.Output("features of all", x, tensor.Rows(tensor.Float32, p.Width()))
	program, err := model.FromGraph(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	in, err := feature.Inputs(p.Inputs, data)
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out["features of all"].F32()
}

// random makes a table of every kind of column with every kind of trouble.
func random(r *rand.Rand, rows int) *table.Table {
	pick := func(some ...string) string { return some[r.IntN(len(some))] }
	number := func(f func() float64, missing float64) []float64 {
		out := make([]float64, rows)
		for i := range out {
			if out[i] = f(); r.Float64() < missing {
				out[i] = math.NaN()
			}
		}
		return out
	}
	text := func(f func() string) []string {
		out := make([]string, rows)
		for i := range out {
			out[i] = f()
		}
		return out
	}
	day := func() string {
		d := time.Date(1950, 1, 1, r.IntN(24), 0, 0, 0, time.UTC).AddDate(0, 0, r.IntN(30000))
		return pick(d.Format("2006-01-02"), d.Format("2006-01-02T15:04:05Z"), d.Format("2006-01-02 15:04"))
	}
	return table.New(
		table.Numbers("plain", number(r.NormFloat64, 0)),
		table.Texts("flag", text(func() string { return pick("yes", "no", "no", "") })),
		table.Numbers("holes", number(func() float64 { return 2000 + 10*r.NormFloat64() }, 0.3)),
		table.Texts("kind", text(func() string { return fmt.Sprint("k", int(r.ExpFloat64()*8)) })),
		table.Texts("few", text(func() string { return pick("a", "b", "") })),
		table.Texts("day", text(day)),
		table.Numbers("wild", number(func() float64 { return math.Pow(10, 20*r.NormFloat64()) }, 0.1)),
		table.Texts("stamp", text(func() string {
			if r.IntN(60) == 0 {
				return pick("", "soon", "2020-13-40", "T", "2020")
			}
			return day()[:10]
		})),
	)
}

func TestTransformEqualsTheGraph(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := feature.Options{MaxCategories: 1 + r.IntN(20), MinFrequency: float64(r.IntN(3)) / 100}
		if seed%2 == 1 {
			o.Scale = feature.Unscaled
		}
		train := random(r, 500)
		train.Columns[0].Numbers[3] = math.Inf(1)
		p := fitted(t, train, "", o)
		if len(p.Inputs) != 8 {
			t.Fatalf("%v, dropped %v", p.Inputs, p.Dropped)
		}
		for _, rows := range []int{500, 1, 20_000} {
			data := train
			if rows != 500 {
				data = random(r, rows)
			}
			got, err := p.Transform(t.Context(), data)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, naive(t, p, data))
			for i, x := range got {
				if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
					t.Fatalf("%s is %v", p.Names[i%p.Width()], x)
				}
			}
		}
	}
}

// Columns of other physical kinds than in training give the same features: numbers as texts, categories as numbers.
func TestTransformConverts(t *testing.T) {
	train := table.New(
		table.Numbers("n", []float64{1, 2.5, math.NaN(), 4}),
		table.Texts("c", []string{"1", "2.5", "x", "1"}))
	p := fitted(t, train, "", feature.Options{})
	want, err := p.Transform(t.Context(), train.Slice(0, 2))
	if err != nil {
		t.Fatal(err)
	}
	other := table.New(table.Texts("n", []string{"1", "2.50"}), table.Numbers("c", []float64{1, 2.5}))
	got, err := p.Transform(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	same(t, naive(t, p, other), want)
}

// The calendar against package time.
func TestDateParts(t *testing.T) {
	var texts []string
	var days []time.Time
	for d := time.Date(1799, 12, 30, 5, 0, 0, 0, time.UTC); d.Year() < 2230; d = d.Add(59*24*time.Hour + 7*time.Hour) {
		days = append(days, d)
		texts = append(texts, d.Format([]string{"2006-01-02T15:04:05", "2006-01-02 15:04Z", "2006-01-02T15:04:05.25+02:00"}[len(texts)%3]))
	}
	data := table.New(table.Texts("d", texts))
	data.Rows = len(texts)
	report := check.Profile(data, check.Options{})
	report.Columns[0].Kind = check.Date // so many different texts that they could be an identifier
	p, err := feature.Fit(data, report, "", feature.Options{Scale: feature.Unscaled})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Names, []string{"d.year", "d.month", "d.day", "d.weekday", "d.yearday", "d.hour"}) {
		t.Fatal(p.Names)
	}
	got, err := p.Transform(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range days {
		want := []float32{float32(d.Year()), float32(d.Month()), float32(d.Day()), float32((d.Weekday() + 6) % 7), float32(d.YearDay()), float32(d.Hour())}
		if !slices.Equal(got[6*i:6*i+6], want) {
			t.Fatalf("%s: %v, want %v", texts[i], got[6*i:6*i+6], want)
		}
	}
}

func TestImputeAndUnknown(t *testing.T) {
	train := table.New(
		table.Numbers("n", []float64{1, 3, 5, math.NaN()}),
		table.Texts("b", []string{"yes", "yes", "no", ""}),
		table.Texts("c", []string{"a", "a", "b", ""}),
		table.Texts("r", []string{"a", "a", "b", "c"}),
		table.Texts("d", []string{"2020-01-01", "2020-01-03", "2020-01-05", ""}))
	p := fitted(t, train, "", feature.Options{Scale: feature.Unscaled, MaxCategories: 2})
	odd := table.New(
		table.Numbers("n", []float64{math.NaN(), math.Inf(-1)}),
		table.Texts("b", []string{"", "TRUE"}),
		table.Texts("c", []string{"", "new"}),
		table.Texts("r", []string{"", "new"}),
		table.Texts("d", []string{"", "3.1.2020"}))
	got, err := p.Transform(t.Context(), odd)
	if err != nil {
		t.Fatal(err)
	}
	names := "n|n missing|b|b missing|c=a|c=b|c missing|r=a|r=b|r other|d.day|d.weekday|d.yearday|d missing"
	if s := strings.Join(p.Names, "|"); s != names {
		t.Fatal(s)
	}
	want := []float32{3, 1, 1, 1, 0, 0, 1, 0, 0, 0, 3, 4, 3, 1, -math.MaxFloat32, 0, 1, 0, 0, 0, 0, 0, 0, 1, 3, 4, 3, 1}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestStandardised(t *testing.T) {
	p := fitted(t, table.New(table.Numbers("n", []float64{1, 2, 3, 4, math.NaN(), math.Inf(1)})), "", feature.Options{})
	got, err := p.Transform(t.Context(), table.New(table.Numbers("n", []float64{2.5, math.Inf(1), math.Inf(-1)})))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []float32{0, 0, 1e4, 0, -1e4, 0}) {
		t.Error(got)
	}
}

func TestFitErrors(t *testing.T) {
	data := table.New(table.Texts("a", []string{"x", "x"}), table.Texts("y", []string{"x", "z"}))
	report := check.Profile(data, check.Options{})
	if _, err := feature.Fit(data, report, "y", feature.Options{}); !fault.Is(err, fault.BadData) {
		t.Error(err)
	}
	for _, o := range []feature.Options{{MaxCategories: -1}, {MinFrequency: 1}, {MinFrequency: math.NaN()}, {Scale: "log"}} {
		if _, err := feature.Fit(data, report, "", o); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	p := fitted(t, data, "a", feature.Options{})
	b := graph.NewBuilder("taken")
	b.Reserve("y")
	if _, err := p.Append(b); !fault.Is(err, fault.BadData) {
		t.Error(err)
	}
}

func TestInputErrors(t *testing.T) {
	sig := []card.Input{{Name: "n", Type: "float32", Kind: card.Number}, {Name: "m", Type: "float32", Kind: card.Number, Missing: 0.1}}
	if _, err := feature.Inputs(sig, table.New(table.Texts("n", []string{"1", "", "seven"}))); !fault.Is(err, fault.Invalid) ||
		err.Error() != `n: row 3 holds "seven", which is not a number` {
		t.Error(err)
	}
	if _, err := feature.Inputs(sig, table.New(table.Numbers("m", []float64{1}))); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	in, err := feature.Inputs(sig, table.New(table.Numbers("n", []float64{1})))
	if err != nil || !math.IsNaN(float64(in["m"].F32()[0])) {
		t.Error(in, err)
	}
}

func TestTransformCanceled(t *testing.T) {
	data := random(rand.New(rand.NewPCG(1, 1)), 100)
	p := fitted(t, data, "", feature.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Transform(ctx, data); !fault.Is(err, fault.Canceled) {
		t.Error(err)
	}
}

func TestBaseline(t *testing.T) {
	data := random(rand.New(rand.NewPCG(1, 1)), 1000)
	p := fitted(t, data, "", feature.Options{})
	for i, d := range p.Baseline(data) {
		sum := d.Other + d.Missing
		for _, s := range d.Shares {
			sum += s
		}
		if d.Name != p.Inputs[i].Name || math.Abs(sum-1) > 1e-9 || len(d.Shares) == 0 {
			t.Errorf("%s: shares sum to %v: %+v", p.Inputs[i].Name, sum, d)
		}
		if number := p.Inputs[i].Kind == card.Number || p.Inputs[i].Kind == card.Date; number != (len(d.Edges) == len(d.Shares)+1) || !slices.IsSorted(d.Edges) {
			t.Errorf("%s: %+v", d.Name, d)
		}
	}
}

func BenchmarkTransform(b *testing.B) {
	data := random(rand.New(rand.NewPCG(1, 1)), 200_000)
	p := fitted(b, data, "", feature.Options{})
	out := make([]float32, data.Rows*p.Width())
	for b.Loop() {
		if err := p.TransformInto(b.Context(), data, out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(data.Rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
