package check

import (
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Severity says what a problem stops.
type Severity string

// The severities, worst first.
const (
	Error   Severity = "error"   // training cannot go on
	Warning Severity = "warning" // it can, but somebody should look
	Info    Severity = "info"    // what will be done, and why
)

// Codes of problems: stable, for programs to switch on.
const (
	NoRows          = "no_rows"
	EmptyColumn     = "empty_column"
	ConstantColumn  = "constant_column"
	IDLike          = "id_like"
	FreeText        = "free_text"
	Pictures        = "pictures"
	Sequences       = "sequences"
	HighCardinality = "high_cardinality"
	MostlyMissing   = "mostly_missing"
	Infinities      = "infinities"
	MixedTypes      = "mixed_types"
	BadDates        = "bad_dates"
	DuplicateRows   = "duplicate_rows"
	DuplicateColumn = "duplicate_column"
	TargetAbsent    = "target_absent"
	TargetEmpty     = "target_empty"
	TargetConstant  = "target_constant"
	TargetHoles     = "target_holes"
	TargetKind      = "target_kind"
	SmallClass      = "small_class"
	Leakage         = "leakage"
)

// Problem is one thing that is wrong, or worth knowing.
type Problem struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Column   string   `json:"column,omitempty"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`
}

const (
	manyCategories = 100
	missingShare   = 0.5
)

// problems lists what is wrong, columns in order, then the table as a whole, then the target.
func problems(t *table.Table, r *Report) []Problem {
	var out []Problem
	if t.Rows == 0 {
		out = append(out, Problem{NoRows, Error, "", "there are no rows", "look whether the file holds more than its header"})
	}
	for i := range r.Columns {
		if c := &r.Columns[i]; t.Rows > 0 && c.Name != r.Target {
			out = append(out, c.problems()...)
		}
	}
	out = append(out, duplicates(t, r)...)
	if r.Target != "" {
		out = append(out, targetProblems(t, r)...)
	}
	return out
}

func (c *Column) problems() []Problem {
	var out []Problem
	add := func(code string, s Severity, message, hint string) {
		out = append(out, Problem{code, s, c.Name, message, hint})
	}
	switch c.Kind {
	case Empty:
		add(EmptyColumn, Warning, "no row has a value", "it is left out")
		return out
	case Constant:
		add(ConstantColumn, Info, "every row has the value "+quote(c.Top[0].Value), "it is left out")
		return out
	case ID:
		add(IDLike, Info, "looks like an identifier: "+c.Why, "it is left out: an identifier says nothing about new rows")
	case Text:
		add(FreeText, Info, "free text: "+c.Why, "nets look at it (--model rnn); other models leave the column out")
	case Image:
		add(Pictures, Info, c.Why, "nets look at them; other models leave the column out")
	case Sequence:
		add(Sequences, Info, c.Why, "nets look at them; other models leave the column out")
	case Category:
		if c.Unique > manyCategories {
			add(HighCardinality, Warning, strconv.Itoa(c.Unique)+" categories", "rare ones share one feature; group them to keep what they say")
		}
	}
	if rows := c.Count + c.Missing; float64(c.Missing) > missingShare*float64(rows) {
		add(MostlyMissing, Warning, percent(c.Missing, rows)+" of the values are missing", "leave the column out, or find out why they are missing")
	}
	if c.Infinite > 0 {
		add(Infinities, Warning, strconv.Itoa(c.Infinite)+" values are infinite", "they are clipped; a division by zero is the usual cause")
	}
	if c.Type == "text" && c.numeric < c.Count && float64(c.numeric) > mixedNumeric*float64(c.Count) {
		add(MixedTypes, Warning, percent(c.numeric, c.Count)+" of the values are numbers, but not "+quote(c.notNumeric),
			"the column is read as text; mend those values, or leave them empty, to have numbers")
	}
	if c.BadDates > 0 {
		add(BadDates, Warning, strconv.Itoa(c.BadDates)+" values are not ISO dates", "they count as missing")
	}
	return out
}

func targetProblems(t *table.Table, r *Report) []Problem {
	var out []Problem
	add := func(code string, s Severity, message, hint string) {
		out = append(out, Problem{code, s, r.Target, message, hint})
	}
	c := r.Column(r.Target)
	if c == nil {
		add(TargetAbsent, Error, "there is no column of this name", "the columns are "+names(t))
		return out
	}
	if t.Rows == 0 {
		return out
	}
	switch {
	case c.Count == 0:
		add(TargetEmpty, Error, "no row has a value for the target", "choose another column")
		return out
	case c.Unique == 1:
		add(TargetConstant, Error, "every row has the same target", "there is nothing to learn; choose another column")
		return out
	case r.Task == fit.Regression && c.Type == "text":
		add(TargetKind, Error, "the target of a regression must be numbers, not texts such as "+quote(c.notNumeric), "learn a classification, or mend those values")
		return out
	}
	if holes := c.Missing; holes > 0 {
		add(TargetHoles, Warning, strconv.Itoa(holes)+" rows have no target", "they are left out of training")
	}
	if c.Infinite > 0 && r.Task == fit.Regression {
		add(Infinities, Error, strconv.Itoa(c.Infinite)+" targets are infinite", "mend or remove those rows")
	}
	if r.Task == fit.Classification {
		out = append(out, classProblems(t, r, c)...)
	}
	return append(out, leaks(t, r)...)
}

// classProblems names classes that are too small to be learned and tested.
func classProblems(t *table.Table, r *Report, c *Column) []Problem {
	labels, class := Classes(t.Column(r.Target))
	counts := make([]int, len(labels))
	for _, k := range class {
		if k >= 0 {
			counts[k]++
		}
	}
	small, example := 0, ""
	for k, n := range counts {
		if n < 2 {
			if small++; example == "" {
				example = labels[k]
			}
		}
	}
	if small == 0 {
		return nil
	}
	p := Problem{SmallClass, Warning, c.Name, "class " + quote(example) + " has fewer than 2 rows", "add rows of it, or merge it with another class"}
	if small > 1 {
		p.Message = strconv.Itoa(small) + " classes have fewer than 2 rows, " + quote(example) + " among them"
	}
	if small == len(labels) {
		p.Severity, p.Hint = Error, "the target looks like an identifier; choose another column"
	}
	return []Problem{p}
}

// names lists at most ten column names.
func names(t *table.Table) string {
	s := ""
	for i := range t.Columns {
		if i == 10 {
			return s + " …"
		}
		if i > 0 {
			s += ", "
		}
		s += t.Columns[i].Name
	}
	return s
}

// quote shows a value from outside: quoted, and cut when it is long.
func quote(s string) string {
	const limit = 40
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	return strconv.Quote(s)
}

func percent(n, of int) string {
	p := 100 * float64(n) / float64(of)
	if p > 99 && p < 100 {
		return strconv.FormatFloat(math.Floor(p*100)/100, 'f', -1, 64) + " %"
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + " %"
}
