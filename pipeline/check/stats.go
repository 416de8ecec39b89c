package check

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/jarvis-ml/jarvis/pipeline/pixels"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

const topValues = 10

// quantiles that a report shows.
var quantiles = []float64{0.05, 0.25, 0.5, 0.75, 0.95}

func profile(c *table.Column) Column {
	out := Column{Name: c.Name, Type: c.Kind.String()}
	var t texts
	c.Ahead()
	if c.Kind == table.Number {
		out.numbers(c.Numbers)
	} else {
		t = out.texts(c)
	}
	out.Kind, out.Why = out.kindOf(t)
	if out.Kind == Image || out.Kind == Sequence { // values that nobody wants to see
		out.Top = nil
	}
	if out.Kind == Date {
		out.BadDates = out.Count - t.dates
		out.Earliest, out.Latest = t.earliest, t.latest
	}
	return out
}

// numbers fills the statistics of numeric rows (rows).
func (c *Column) numbers(rows []float64) {
	lo, hi, sum := math.Inf(1), math.Inf(-1), 0.0
	c.integral, c.sequential = true, true
	for i, x := range rows {
		switch {
		case math.IsNaN(x):
			c.Missing++
			continue
		case math.IsInf(x, 0):
			c.Infinite++
			continue
		}
		lo, hi, sum = min(lo, x), max(hi, x), sum+x
		c.integral = c.integral && x == math.Trunc(x)
		c.sequential = c.sequential && (i == 0 || x == rows[i-1]+1)
	}
	c.Count = len(rows) - c.Missing
	finite := c.Count - c.Infinite
	if finite == 0 {
		c.Unique = min(c.Infinite, 1)
		return
	}
	mean := sum / float64(finite)
	if math.IsInf(sum, 0) {
		mean = lo/2 + hi/2
	}
	std := spread(rows, mean, finite)
	c.Min, c.Max, c.Mean, c.Std = &lo, &hi, &mean, &std
	sorted := Sorted(rows)
	for _, q := range quantiles {
		c.Quantiles = append(c.Quantiles, Quantile(sorted, q))
	}
	c.runs(sorted)
	if c.Infinite > 0 {
		c.Unique++
	}
}

// spread is the population standard deviation of the finite rows; the largest number where it overflows.
func spread(rows []float64, mean float64, finite int) float64 {
	sum := 0.0
	for _, x := range rows {
		if d := x - mean; !math.IsNaN(d) && !math.IsInf(d, 0) {
			sum += d * d
		}
	}
	return min(math.Sqrt(sum/float64(finite)), math.MaxFloat64)
}

// Sorted returns the finite numbers of at most SampleRows rows in order.
func Sorted(rows []float64) []float64 {
	s := sampleOf(len(rows))
	out := make([]float64, 0, s.n)
	for i := range s.n {
		if x := rows[s.row(i)]; !math.IsNaN(x) && !math.IsInf(x, 0) {
			out = append(out, x)
		}
	}
	slices.Sort(out)
	return out
}

// Quantile returns the q-quantile of sorted numbers with linear interpolation (type 7 of Hyndman and Fan 1996, as numpy
// has it), NaN for none.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	f := at - float64(i)
	if f == 0 {
		return sorted[i]
	}
	return sorted[i]*(1-f) + sorted[i+1]*f
}

// runs counts distinct values of sorted numbers, and keeps the most frequent where they are few.
func (c *Column) runs(sorted []float64) {
	const few = 20
	var values []Value
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		c.Unique++
		if c.Unique <= few {
			values = append(values, Value{FormatNumber(sorted[i]), j - i})
		}
		i = j
	}
	if c.Unique <= few {
		c.Top = top(values)
	}
}

// top orders values by count, then by text, and keeps the first.
func top(values []Value) []Value {
	slices.SortFunc(values, func(a, b Value) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	return values[:min(len(values), topValues)]
}

// texts is what is counted over the rows of a text column.
type texts struct {
	dates, booleans  int // rows whose text is one
	pictures, named  int // rows whose text is a picture, and the name of one's file
	lists, steps     int // rows whose text is a list of numbers, and the length of the longest
	bytes, words     int
	earliest, latest string
}

// Counts returns how many rows of a text column hold each value of its dictionary, and how many are missing.
func Counts(c *table.Column) (counts []int, missing int) {
	counts = make([]int, len(c.Dict.Values))
	for _, code := range c.Codes {
		if code < 0 {
			missing++
		} else {
			counts[code]++
		}
	}
	return counts, missing
}

func (c *Column) texts(col *table.Column) texts {
	var t texts
	counts, missing := Counts(col)
	c.Missing = missing
	c.Count = len(col.Codes) - missing
	truths := map[bool]string{}
	var numbers []float32
	plain := true // no truth value has two spellings that differ by more than case
	var values []Value
	for code, n := range counts {
		if n == 0 {
			continue
		}
		s := col.Dict.Values[code]
		c.Unique++
		values = append(values, Value{s, n})
		t.bytes += n * len(s)
		t.words += n * len(strings.Fields(s[:min(len(s), 4*longText)]))
		switch {
		case pixels.Holds(s):
			t.pictures += n
		case pixels.Reference(s):
			t.named += n
		case isList(s):
			if x, width, err := ParseSequence(s, numbers[:0]); err == nil {
				t.lists, t.steps, numbers = t.lists+n, max(t.steps, len(x)/width), x
			}
		}
		if _, ok := ParseDate(s); ok {
			t.dates += n
			t.extend(s)
		}
		if v, ok := ParseBoolean(s); ok {
			t.booleans += n
			low := strings.ToLower(s)
			plain = plain && (truths[v] == "" || truths[v] == low)
			truths[v] = low
		}
		if _, ok := ParseNumber(s); ok {
			c.numeric += n
		} else if c.notNumeric == "" {
			c.notNumeric = s
		}
	}
	if !plain {
		t.booleans = 0 // "no" and "n" beside each other are categories
	}
	c.Top = top(values)
	return t
}

// isList reports whether a text begins as a list does.
func isList(s string) bool {
	s = strings.TrimLeft(s[:min(len(s), 64)], " \t\r\n")
	return s != "" && s[0] == '['
}

// extend widens the range of dates; ISO texts of one form sort as the calendar does.
func (t *texts) extend(s string) {
	if t.earliest == "" || s < t.earliest {
		t.earliest = s
	}
	if s > t.latest {
		t.latest = s
	}
}
