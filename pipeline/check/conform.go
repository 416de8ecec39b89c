package check

import (
	"math"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/pipeline/pixels"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Codes of Conform's problems, and of its row-level failures.
const (
	MissingColumn = "missing_column" // the model needs it
	ExtraColumn   = "extra_column"   // nobody needs it
	NewValues     = "new_values"     // categories that the model has not seen
	NotNumber     = "not_a_number"
	NotBoolean    = "not_a_boolean"
	NotDate       = "not_a_date"
	NotPicture    = "not_a_picture"
	NotSequence   = "not_a_sequence"
	InfiniteValue = "infinite"
	MissingTarget = "missing_target"
)

// maxFailures is how many failures a Conformity lists; all are counted.
const maxFailures = 100

// Failure is one cell that does not fit. Rows count from 1, the header not counted.
type Failure struct {
	Row    int    `json:"row"`
	Column string `json:"column"`
	Code   string `json:"code"`
	Value  string `json:"value,omitempty"`
	Why    string `json:"why"`
}

// Count is how many cells of a column failed for one reason.
type Count struct {
	Column string `json:"column"`
	Code   string `json:"code"`
	Cells  int    `json:"cells"`
}

// Conformity says how far new data fits a model's schema.
type Conformity struct {
	Rows     int       `json:"rows"`
	BadRows  int       `json:"bad_rows"` // rows with at least one failure
	Problems []Problem `json:"problems"` // of whole columns
	Counts   []Count   `json:"counts"`
	Failures []Failure `json:"failures"` // the first of them, by row
	bad      []bool
}

// OK reports whether every column is there and every cell fits.
func (c *Conformity) OK() bool {
	return c.BadRows == 0 && !slices.ContainsFunc(c.Problems, func(p Problem) bool { return p.Severity == Error })
}

// Good returns the rows without a failure, counted from 0, for a table.Take that leaves the others out.
func (c *Conformity) Good() []int {
	rows := make([]int, 0, c.Rows-c.BadRows)
	for i, bad := range c.bad {
		if !bad {
			rows = append(rows, i)
		}
	}
	return rows
}

// Conform checks data against the schema of a model: columns that are missing or extra, cells that cannot be what the
// column was, holes in the target. target "" means that none is expected. Missing values are no failures here: models
// impute them, but for pictures and sequences.
func Conform(t *table.Table, inputs []card.Input, target string) *Conformity {
	c := &Conformity{Rows: t.Rows, bad: make([]bool, t.Rows), Problems: []Problem{}, Counts: []Count{}, Failures: []Failure{}}
	if t.Rows == 0 {
		c.Problems = append(c.Problems, Problem{NoRows, Error, "", "there are no rows", "look whether the file holds more than its header"})
	}
	known := map[string]bool{}
	for _, in := range inputs {
		known[in.Name] = true
		col := t.Column(in.Name)
		if col == nil {
			c.Problems = append(c.Problems, Problem{
				MissingColumn, Error, in.Name, "the model was trained on this column, and the data has none of it",
				"the columns are " + names(t),
			})
			continue
		}
		c.column(col, in)
	}
	if target != "" {
		known[target] = true
		c.target(t, target)
	}
	for i := range t.Columns {
		if name := t.Columns[i].Name; !known[name] {
			c.Problems = append(c.Problems, Problem{ExtraColumn, Info, name, "the model does not use this column", ""})
		}
	}
	slices.SortStableFunc(c.Failures, func(a, b Failure) int { return a.Row - b.Row })
	c.Failures = c.Failures[:min(len(c.Failures), maxFailures)]
	return c
}

func (c *Conformity) target(t *table.Table, target string) {
	col := t.Column(target)
	if col == nil {
		c.Problems = append(c.Problems, Problem{TargetAbsent, Error, target, "the target column is not in the data", "the columns are " + names(t)})
		return
	}
	holes := Count{target, MissingTarget, 0}
	for i := range t.Rows {
		if col.Missing(i) {
			c.fail(&holes, i, "", "the target has no value")
		}
	}
	c.add(holes)
}

// column checks the cells of one input.
func (c *Conformity) column(col *table.Column, in card.Input) {
	if col.Kind == table.Number {
		if in.Kind != card.Number {
			c.numbersAsTexts(col, in)
			return
		}
		n := Count{in.Name, InfiniteValue, 0}
		for i, x := range col.Numbers {
			if math.IsInf(x, 0) {
				c.fail(&n, i, FormatNumber(x), "must be finite")
			}
		}
		c.add(n)
		return
	}
	code, why := fits(in.Kind)
	if code == "" {
		c.categories(col, in)
		return
	}
	bad := make([]bool, len(col.Dict.Values))
	for k, s := range col.Dict.Values {
		bad[k] = !valid(in.Kind, s)
	}
	n := Count{in.Name, code, 0}
	for i, k := range col.Codes {
		if k >= 0 && bad[k] {
			c.fail(&n, i, col.Dict.Values[k], why)
		}
	}
	c.add(n)
}

// numbersAsTexts checks numbers where the model takes texts: fine for categories (they are written out) and for the
// booleans 0 and 1, wrong for dates.
func (c *Conformity) numbersAsTexts(col *table.Column, in card.Input) {
	code, why := fits(in.Kind)
	if code == "" {
		return
	}
	n := Count{in.Name, code, 0}
	for i, x := range col.Numbers {
		if !math.IsNaN(x) && !valid(in.Kind, FormatNumber(x)) {
			c.fail(&n, i, FormatNumber(x), why)
		}
	}
	c.add(n)
}

// fits gives the failure of a text that is not what the kind of an input wants; "" where every text will do.
func fits(kind string) (code, why string) {
	switch kind {
	case card.Number:
		return NotNumber, "must be a number"
	case card.Boolean:
		return NotBoolean, "must be true or false, yes or no, 1 or 0"
	case card.Date:
		return NotDate, "must be an ISO date such as 2026-01-31"
	case card.Image:
		return NotPicture, "must be a picture, in base64 or a data: URL too, or the name of its file"
	case card.Sequence:
		return NotSequence, "must be a list of numbers, such as [1, 2.5], or of equally long lists"
	}
	return "", ""
}

func valid(kind, s string) (ok bool) {
	switch kind {
	case card.Number:
		_, ok = ParseNumber(s)
	case card.Boolean:
		_, ok = ParseBoolean(s)
	case card.Date:
		_, ok = ParseDate(s)
	case card.Image:
		ok = pixels.Holds(s) || pixels.Reference(s)
	case card.Sequence:
		_, _, err := ParseSequence(s, nil)
		if _, ok = ParseNumber(s); !ok { // a sequence of one step
			ok = err == nil
		}
	default:
		ok = true
	}
	return ok
}

// categories tells of values that the model has not seen. It cannot know where the signature lists only the first 200.
func (c *Conformity) categories(col *table.Column, in card.Input) {
	const listed = 200
	if len(in.Values) == 0 || len(in.Values) >= listed {
		return
	}
	counts, _ := Counts(col)
	values, rows, example := 0, 0, ""
	for k, n := range counts {
		if n > 0 && !slices.Contains(in.Values, col.Dict.Values[k]) {
			values, rows = values+1, rows+n
			if example == "" {
				example = col.Dict.Values[k]
			}
		}
	}
	if values > 0 {
		c.Problems = append(c.Problems, Problem{NewValues, Info, in.Name, strconv.Itoa(values) + " new categories in " + strconv.Itoa(rows) +
			" rows, " + quote(example) + " among them", "the model treats them as unknown until it is trained on them"})
	}
}

// fail notes a failure; a column lists at most maxFailures.
func (c *Conformity) fail(n *Count, row int, value, why string) {
	if !c.bad[row] {
		c.bad[row] = true
		c.BadRows++
	}
	if n.Cells++; n.Cells > maxFailures {
		return
	}
	if len(value) > 80 {
		value = value[:80] + "…"
	}
	c.Failures = append(c.Failures, Failure{Row: row + 1, Column: n.Column, Code: n.Code, Value: value, Why: why})
	if len(c.Failures) > 100*maxFailures {
		slices.SortStableFunc(c.Failures, func(a, b Failure) int { return a.Row - b.Row })
		c.Failures = c.Failures[:maxFailures]
	}
}

func (c *Conformity) add(n Count) {
	if n.Cells > 0 {
		c.Counts = append(c.Counts, n)
	}
}
