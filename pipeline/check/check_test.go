package check

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// parse makes a table of CSV text: columns of which every value is a number are numbers; "" and NA are missing.
func parse(t testing.TB, text string) *table.Table {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := &table.Table{Rows: len(records) - 1}
	for j, name := range records[0] {
		c := table.Column{Field: table.Field{Name: name}}
		dict := table.NewDict()
		for _, r := range records[1:] {
			s := r[j]
			if s == "NA" {
				s = ""
			}
			x, ok := ParseNumber(s)
			if s == "inf" {
				x, ok = math.Inf(1), true
			}
			if !ok {
				x = math.NaN()
				if s != "" {
					c.Kind = table.Text
				}
			}
			c.Numbers, c.Codes = append(c.Numbers, x), append(c.Codes, dict.Code(s))
		}
		if c.Kind == table.Text {
			c.Numbers, c.Dict = nil, dict
		} else {
			c.Codes = nil
		}
		out.Columns = append(out.Columns, c)
	}
	return out
}

func load(t testing.TB, name string) *table.Table {
	t.Helper()
	b, err := os.ReadFile("../../testdata/penguins/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(b))
}

func TestKindsOfPenguins(t *testing.T) {
	want := map[string]map[string]Kind{
		"penguins.csv": {
			"species": Category, "island": Category, "bill_length_mm": Number, "bill_depth_mm": Number,
			"flipper_length_mm": Number, "body_mass_g": Number, "sex": Category, "year": Number,
		},
		"penguins-raw.csv": {
			"studyName": Category, "Sample Number": Number, "Species": Category, "Region": Constant, "Island": Category,
			"Stage": Constant, "Individual ID": ID, "Clutch Completion": Boolean, "Date Egg": Date, "Culmen Length (mm)": Number,
			"Culmen Depth (mm)": Number, "Flipper Length (mm)": Number, "Body Mass (g)": Number, "Sex": Category,
			"Delta 15 N (o/oo)": Number, "Delta 13 C (o/oo)": Number, "Comments": Category,
		},
	}
	for file, kinds := range want {
		r := Profile(load(t, file), Options{})
		for name, kind := range kinds {
			if c := r.Column(name); c == nil || c.Kind != kind {
				t.Errorf("%s: %s is %+v, want %s", file, name, c, kind)
			}
		}
		if len(r.Columns) != len(kinds) {
			t.Errorf("%s: %d columns", file, len(r.Columns))
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	}
}

// Numbers from pandas: describe() of bill_length_mm.
func TestStatistics(t *testing.T) {
	r := Profile(load(t, "penguins.csv"), Options{Target: "species"})
	c := r.Column("bill_length_mm")
	if c.Count != 342 || c.Missing != 2 || c.Unique != 164 || *c.Min != 32.1 || *c.Max != 59.6 {
		t.Errorf("%+v", c)
	}
	near := func(got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	near(*c.Mean, 43.92192982456140)
	near(*c.Std, 5.451596023161820)
	for i, want := range []float64{35.7, 39.225, 44.45, 48.5, 51.995} {
		near(c.Quantiles[i], want)
	}
	if s := r.Column("sex"); s.Missing != 11 || s.Unique != 2 || s.Top[0] != (Value{"male", 168}) {
		t.Errorf("%+v", s)
	}
	if r.Task != fit.Classification || len(r.Failed()) != 0 {
		t.Errorf("%s %v", r.Task, r.Failed())
	}
}

func rows(n int, header string, f func(i int) string) string {
	var b strings.Builder
	b.WriteString(header + "\n")
	for i := range n {
		b.WriteString(f(i) + "\n")
	}
	return b.String()
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		name string
		cell func(i int) string
		want Kind
	}{
		{"flag", func(i int) string { return []string{"yes", "no"}[i%2] }, Boolean},
		{"flag", func(i int) string { return []string{"TRUE", "FALSE", ""}[i%3] }, Boolean},
		{"flag", func(i int) string { return []string{"n", "no", "yes"}[i%3] }, Category},
		{"flag", func(i int) string { return fmt.Sprint(i % 2) }, Number},
		{"when", func(i int) string { return fmt.Sprintf("2020-%02d-%02dT10:00:00Z", i%12+1, i%28+1) }, Date},
		{"when", func(i int) string { return fmt.Sprintf("%02d/%02d/2020", i%12+1, 3) }, Category},
		{"row", func(i int) string { return fmt.Sprint(i + 1) }, ID},
		{"user_id", func(i int) string { return fmt.Sprint(i * 7) }, ID},
		{"price", func(i int) string { return fmt.Sprint(i * 7) }, Number},
		{"code", func(i int) string { return fmt.Sprintf("x%05d", i) }, ID},
		{"note", func(i int) string { return fmt.Sprintf("the quick fox number %d", i) }, Text},
		{"void", func(i int) string { return "" }, Empty},
		{"same", func(i int) string { return "a" }, Constant},
		{"rarely", func(i int) string { return []string{"", "", "a"}[i%3] }, Category},
	} {
		r := Profile(parse(t, rows(120, "x,"+c.name, func(i int) string { return "1," + c.cell(i) })), Options{})
		if got := r.Columns[1].Kind; got != c.want {
			t.Errorf("%s %q…: %s, want %s", c.name, c.cell(0), got, c.want)
		}
	}
}

func TestProblems(t *testing.T) {
	class := func(i int) string { return []string{"a", "b", "c"}[i%3] }
	for _, c := range []struct {
		name, target string
		text         string
		code, column string
		severity     Severity
	}{
		{"constant", "", rows(30, "a,b", func(i int) string { return "1," + fmt.Sprint(i*i) }), ConstantColumn, "a", Info},
		{"empty", "", rows(30, "a,b", func(i int) string { return "," + fmt.Sprint(i*i) }), EmptyColumn, "a", Warning},
		{"id", "", rows(90, "a", func(i int) string { return fmt.Sprintf("k%d", i) }), IDLike, "a", Info},
		{"text", "", rows(90, "a", func(i int) string { return fmt.Sprintf("one two three %d", i) }), FreeText, "a", Info},
		{"many categories", "", rows(900, "a", func(i int) string { return fmt.Sprintf("k%d", i%200) }), HighCardinality, "a", Warning},
		{"mostly missing", "", rows(30, "a,b", func(i int) string { return []string{"", "", "1", "2"}[i%4] + ",x" }), MostlyMissing, "a", Warning},
		{"infinite", "", rows(30, "a,b", func(i int) string { return []string{"inf", "2", "1"}[i%3] + ",x" }), Infinities, "a", Warning},
		{"mixed", "", rows(30, "a", func(i int) string { return []string{"1", "2", "unknown", "4.5"}[i%4] }), MixedTypes, "a", Warning},
		{"bad dates", "", rows(100, "a", func(i int) string { return []string{"2020-01-01", "soon"}[min(1, i/98)] }), BadDates, "a", Warning},
		{"duplicate rows", "", rows(30, "a,b", func(i int) string { return "1," + fmt.Sprint(i%10) }), DuplicateRows, "", Warning},
		{"duplicate columns", "", rows(30, "a,b", func(i int) string { return fmt.Sprintf("%d,%d", i*i, i*i) }), DuplicateColumn, "b", Warning},
		{"no rows", "", "a,b\n", NoRows, "", Error},
		{"target absent", "z", rows(30, "a,b", func(i int) string { return "1,2" }), TargetAbsent, "z", Error},
		{"target empty", "b", rows(30, "a,b", func(i int) string { return "1," }), TargetEmpty, "b", Error},
		{"target constant", "b", rows(30, "a,b", func(i int) string { return "1,x" }), TargetConstant, "b", Error},
		{"target with holes", "b", rows(30, "a,b", func(i int) string { return "1," + []string{"x", "y", ""}[i%3] }), TargetHoles, "b", Warning},
		{"small class", "b", rows(30, "a,b", func(i int) string { return "1," + []string{"x", "y", "z"}[min(2, i%2+i/29*5)] }), SmallClass, "b", Warning},
		{"identifier as target", "b", rows(30, "a,b", func(i int) string { return fmt.Sprintf("1,k%d", i) }), SmallClass, "b", Error},
		{"leaking category", "b", rows(60, "a,b", func(i int) string { return "v" + class(i) + "," + class(i) }), Leakage, "a", Warning},
		{"leaking number", "b", rows(60, "a,b", func(i int) string { return fmt.Sprintf("%d,%s", i%3*100+i, class(i)) }), Leakage, "a", Warning},
		{"leaking copy", "b", rows(60, "a,b", func(i int) string { return fmt.Sprintf("%d.5,%d.25", i*3, i) }), Leakage, "a", Warning},
	} {
		r := Profile(parse(t, c.text), Options{Target: c.target})
		i := slices.IndexFunc(r.Problems, func(p Problem) bool { return p.Code == c.code && p.Column == c.column })
		if i < 0 || r.Problems[i].Severity != c.severity || r.Problems[i].Message == "" {
			t.Errorf("%s: want %s of %q as %s, got %+v", c.name, c.code, c.column, c.severity, r.Problems)
		}
	}
}

// Real columns that nearly part the classes must not be called leaks.
func TestNoFalseLeak(t *testing.T) {
	for file, target := range map[string]string{"penguins.csv": "species", "penguins-raw.csv": "Species"} {
		for _, p := range Profile(load(t, file), Options{Target: target}).Problems {
			if p.Code == Leakage {
				t.Errorf("%s: %+v", file, p)
			}
		}
	}
}

func TestTextRegressionTarget(t *testing.T) {
	r := Profile(load(t, "penguins.csv"), Options{Target: "species", Task: fit.Regression})
	if f := r.Failed(); len(f) != 1 || f[0].Code != TargetKind {
		t.Errorf("%+v", f)
	}
}

func TestInferTask(t *testing.T) {
	for _, c := range []struct {
		cell func(i int) string
		want fit.Task
	}{
		{func(i int) string { return []string{"a", "b"}[i%2] }, fit.Classification},
		{func(i int) string { return fmt.Sprint(i % 2) }, fit.Classification},
		{func(i int) string { return fmt.Sprint(i % 5) }, fit.Classification},
		{func(i int) string { return fmt.Sprint(i % 90) }, fit.Regression},
		{func(i int) string { return fmt.Sprintf("%d.5", i%2) }, fit.Regression},
	} {
		task, why := InferTask(&parse(t, rows(100, "y", c.cell)).Columns[0])
		if task != c.want || why == "" {
			t.Errorf("%s…: %s because %s", c.cell(1), task, why)
		}
	}
}

func TestClasses(t *testing.T) {
	labels, class := Classes(&parse(t, "y\nb\n\na\nb\n").Columns[0])
	if len(class) == 4 { // a blank line is a missing value to some readers
		if !slices.Equal(labels, []string{"a", "b"}) || !slices.Equal(class, []int32{1, -1, 0, 1}) {
			t.Errorf("%v %v", labels, class)
		}
	}
	labels, class = Classes(&parse(t, "y,z\n10,a\n2,a\nNA,a\n2,a\n").Columns[0])
	if !slices.Equal(labels, []string{"2", "10"}) || !slices.Equal(class, []int32{1, 0, -1, 0}) {
		t.Errorf("%v %v", labels, class)
	}
}

func TestParseDate(t *testing.T) {
	for day := time.Date(1899, 12, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2101; day = day.AddDate(0, 0, 17) {
		m, ok := ParseDate(day.Format(time.DateOnly))
		if !ok || m.YearDay() != day.YearDay() || int64(m.Days())*86400 != day.Unix() {
			t.Fatalf("%s: %+v %v, day %d, %d days", day, m, ok, m.YearDay(), m.Days())
		}
	}
	for _, s := range []string{"2007-11-11T12:30:00", "2007-11-11 12:30", "2007-11-11T12:30:00.25Z", "2007-11-11T12:30:00+02:00", "2007-11-11T12:30-0800"} {
		if m, ok := ParseDate(s); !ok || !m.Timed || m.Hour != 12 {
			t.Errorf("%s: %+v %v", s, m, ok)
		}
	}
	for _, s := range []string{"", "2007", "2007-11", "2007-1-1", "2007-13-01", "2007-02-29", "2007-11-11T", "2007-11-11x", "2007-11-11T25:00", "2007-11-11T12:30:00+2", "11.11.2007"} {
		if _, ok := ParseDate(s); ok {
			t.Errorf("%s is a date", s)
		}
	}
}

func TestConform(t *testing.T) {
	inputs := []card.Input{
		{Name: "n", Kind: card.Number},
		{Name: "b", Kind: card.Boolean},
		{Name: "d", Kind: card.Date},
		{Name: "c", Kind: card.Category, Values: []string{"x"}},
		{Name: "p", Kind: card.Image},
		{Name: "s", Kind: card.Sequence},
		{Name: "gone", Kind: card.Number},
	}
	data := parse(t, "n,b,d,c,p,s,more,y\n1,yes,2020-01-01,x,a.jpg,[1],1,a\nfoo,maybe,1.2.2020,z,a.doc,[x],1,\n,,,,,,1,b\n")
	c := Conform(data, inputs, "y")
	if c.OK() || c.BadRows != 1 || !slices.Equal(c.Good(), []int{0, 2}) || len(c.Failures) != 6 {
		t.Fatalf("%+v", c)
	}
	want := map[string]string{"n": NotNumber, "b": NotBoolean, "d": NotDate, "p": NotPicture, "s": NotSequence, "y": MissingTarget}
	for _, f := range c.Failures {
		if f.Row != 2 || want[f.Column] != f.Code {
			t.Errorf("%+v", f)
		}
	}
	codes := map[string]string{}
	for _, p := range c.Problems {
		codes[p.Column] = p.Code
	}
	if codes["gone"] != MissingColumn || codes["more"] != ExtraColumn || codes["c"] != NewValues || len(codes) != 3 {
		t.Errorf("%+v", c.Problems)
	}
	if ok := Conform(data.Take([]int{0, 2}), inputs[:6], "y"); !ok.OK() {
		t.Errorf("%+v", ok)
	}
}

// A file that is wrong in every row gives a bounded report with full counts.
func TestConformIsBounded(t *testing.T) {
	data := parse(t, rows(20_000, "n,m", func(i int) string { return "x,y" }))
	c := Conform(data, []card.Input{{Name: "n", Kind: card.Number}, {Name: "m", Kind: card.Number}}, "")
	if len(c.Failures) != maxFailures || c.BadRows != 20_000 || c.Counts[0].Cells != 20_000 || c.Failures[99].Row != 50 {
		t.Errorf("%d failures, %d bad rows, %+v", len(c.Failures), c.BadRows, c.Counts)
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2007-11-11", "2007-11-11T12:30:00.5+02:00", "2007-11-11 ", "----------"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, ok := ParseDate(s)
		if ok && (m.Month < 1 || m.Month > 12 || m.YearDay() < 1 || m.YearDay() > 366 || m.Hour > 23) {
			t.Errorf("%q: %+v", s, m)
		}
	})
}

func BenchmarkProfile(b *testing.B) {
	const n = 1_000_000
	x := make([]float64, n)
	codes := make([]int32, n)
	dict := table.NewDict()
	for i := range x {
		x[i] = math.Sin(float64(i)) * 100
		codes[i] = dict.Code(string(rune('a' + i%26)))
	}
	t := &table.Table{Rows: n}
	for i := range 10 {
		c := table.Column{Field: table.Field{Name: fmt.Sprint("c", i)}, Numbers: x}
		if i%2 == 1 {
			c.Kind, c.Numbers, c.Codes, c.Dict = table.Text, nil, codes, dict
		}
		t.Columns = append(t.Columns, c)
	}
	for b.Loop() {
		Profile(t, Options{Target: "c1"})
	}
}

// Pictures and sequences are told from texts that look a little like them.
func TestKindsThatNetsLookAt(t *testing.T) {
	many := func(of func(i int) string) []string {
		v := make([]string, 100)
		for i := range v {
			v[i] = of(i)
		}
		return v
	}
	png := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	for name, c := range map[string]struct {
		values []string
		kind   Kind
		why    string
	}{
		"names":       {many(func(i int) string { return "cat/" + fmt.Sprint(i) + ".jpg" }), Image, "names of picture files"},
		"some texts":  {many(func(i int) string { return []string{"cat/" + fmt.Sprint(i) + ".jpg", "none"}[i%25/24] }), Image, ""},
		"more texts":  {many(func(i int) string { return []string{"cat/" + fmt.Sprint(i) + ".jpg", "none"}[i%10/9] }), ID, ""},
		"icons":       {many(func(i int) string { return []string{"a.png", "b.png"}[i%2] }), Category, ""},
		"files":       {many(func(i int) string { return png + fmt.Sprint(i%2) }), Image, "pictures"},
		"data URLs":   {many(func(i int) string { return "data:image/png;base64,iVBORw0KGgo" + fmt.Sprint(i) }), Image, "pictures"},
		"lists":       {many(func(i int) string { return "[1,2," + fmt.Sprint(i) + "]" }), Sequence, "lists of numbers, the longest of 3 steps"},
		"steps":       {many(func(i int) string { return []string{"[[1, 2]]", " [[1,2],[3,4]]", "[]"}[i%3] }), Sequence, "2 steps"},
		"empty lists": {many(func(i int) string { return []string{"[]", "[ ]"}[i%2] }), Category, ""},
		"ragged":      {many(func(i int) string { return "[[1],[2,3],[" + fmt.Sprint(i) + "]]" }), ID, ""},
		"brackets":    {many(func(i int) string { return "[note] of " + fmt.Sprint(i) + " words" }), Text, ""},
	} {
		r := Profile(table.New(table.Texts("x", c.values)), Options{})
		if got := r.Columns[0]; got.Kind != c.kind || !strings.Contains(got.Why, c.why) || (c.kind == Image || c.kind == Sequence) && (got.Top != nil || len(r.Problems) == 0) {
			t.Errorf("%s: %s (%s), want %s", name, got.Kind, got.Why, c.kind)
		}
	}
}
