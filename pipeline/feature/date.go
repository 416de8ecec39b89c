package feature

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
)

// date is one column of ISO dates, string (rows, 1), as year, month, day, weekday (Monday 0), day of the year and, where
// training had times, hour: as far as they varied in training. Times are taken as written, offsets are not applied.
//
// No text can make the graph fail, as Cast would on "n/a": the parts between the dashes are looked up by LabelEncoder, and
// a part that is not there makes the whole date missing. A missing date becomes the median date, with an indicator where
// training had missing ones. A day that a month does not have (February 31) is not noticed here.
//
// StringSplit makes as many parts as its longest text has, so a row that has every part is put below the others and
// taken off at the end: even of an empty batch, or one of garbage, part 2 can be taken.
type date struct {
	at    int
	name  string
	years [2]int     // first and last year that is known
	fill  [5]float32 // year, month, day, days before the month, hour of the median date
	parts []int      // which of partNames are features
	mean  []float32  // (parts)
	scale []float32  // (parts)
	flag  bool
	scaled,
	timed bool
}

// The parts in the order of features.
const (
	year = iota
	month
	day
	weekday
	yearDay
	hour
	partCount
)

var partNames = [partCount]string{"year", "month", "day", "weekday", "yearday", "hour"}

// model opset that has StringSplit.
const splitOpset = 20

// Years that every plan knows; training may widen them. Beyond them lie stand-ins such as 0001-01-01 and 9999-12-31.
const firstYear, lastYear = 1800, 2199

func fitDate(c column, o Options) block {
	k := &date{at: c.at, name: c.input.Name, years: [2]int{firstYear, lastYear}, scaled: o.Scale == Standard}
	counts, missing := check.Counts(c.data)
	moments := make([]check.Moment, len(counts))
	days := map[int]int{} // rows by day
	text := map[int]string{}
	rows := 0
	for code, n := range counts {
		s := c.data.Dict.Values[code]
		m, ok := check.ParseDate(s)
		if n == 0 || !ok {
			missing += n
			counts[code] = 0
			continue
		}
		moments[code] = m
		d := m.Days()
		if days[d] += n; text[d] == "" || s < text[d] {
			text[d] = s
		}
		rows += n
		k.timed = k.timed || m.Timed
		k.years[0], k.years[1] = min(k.years[0], m.Year), max(k.years[1], m.Year)
	}
	k.flag = missing > 0
	c.input.Missing = float64(missing) / float64(c.data.Len())
	if rows == 0 {
		return k
	}
	example := text[medianDay(days, rows)]
	c.input.Example = example
	median, _ := check.ParseDate(example)
	k.fill = [5]float32{float32(median.Year), float32(median.Month), float32(median.Day), float32(median.YearDay() - median.Day), float32(median.Hour)}
	k.measure(moments, counts, median, missing)
	k.flag = k.flag || len(k.parts) == 0 // dates that differ by minutes only: whether there is one is all that can be said
	return k
}

// medianDay is the lower median of days that stand for rows.
func medianDay(days map[int]int, rows int) int {
	seen := 0
	for _, d := range sortedKeys(days) {
		if seen += days[d]; 2*seen >= rows {
			return d
		}
	}
	return 0
}

// measure keeps the parts that vary over the rows, with their mean and deviation, missing dates being the median.
func (k *date) measure(moments []check.Moment, counts []int, median check.Moment, missing int) {
	values := func(m check.Moment) [partCount]float64 {
		wd := ((m.Days()+3)%7 + 7) % 7 // 1970-01-01 was a Thursday
		return [partCount]float64{float64(m.Year), float64(m.Month), float64(m.Day), float64(wd), float64(m.YearDay()), float64(m.Hour)}
	}
	first := values(median)
	var sum, squares, rows [partCount]float64
	add := func(m check.Moment, n int) {
		for p, v := range values(m) {
			d := v - first[p] // about the median, so that squares lose nothing
			sum[p] += d * float64(n)
			squares[p] += d * d * float64(n)
			rows[p] += float64(n)
		}
	}
	add(median, missing)
	for code, n := range counts {
		if n > 0 {
			add(moments[code], n)
		}
	}
	for p := range partCount {
		if squares[p] == 0 {
			continue
		}
		d := sum[p] / rows[p]
		mean, scale := standard(first[p]+d, squares[p]/rows[p]-d*d)
		k.parts, k.mean, k.scale = append(k.parts, p), append(k.mean, mean), append(k.scale, scale)
	}
}

func (k *date) inputs() []int { return []int{k.at} }

func (k *date) names() []string {
	var out []string
	for _, p := range k.parts {
		out = append(out, k.name+"."+partNames[p])
	}
	if k.flag {
		out = append(out, k.name+" missing")
	}
	return out
}

func (k *date) split() []block { return []block{k} }

func (k *date) append(b *graph.Builder, in []graph.Value) graph.Value {
	b.Require(splitOpset)
	read := k.read(b, in[0])                              // (rows, 4 or 5)
	bad := b.Op("IsNaN", b.OpWith("ReduceSum", nil, read, // NaN where any part is
		b.Ints("axis", []int64{1}))) // bool (rows, 1)
	var out []graph.Value
	if len(k.parts) > 0 {
		fill := k.fill[:4]
		if k.timed {
			fill = k.fill[:5]
		}
		x := k.calendar(b, b.Op("Where", bad, b.Floats("fill", fill, 1, len(fill)), read)) // (rows, parts)
		if k.scaled {
			x = standardise(b, x, k.mean, k.scale)
		}
		out = append(out, x)
	}
	if k.flag {
		out = append(out, toFloat(b, bad))
	}
	return join(b, out)
}

// read takes x, string (rows, 1), apart into year, month, day, days before the month and, if timed, hour: (rows, 4 or 5),
// NaN where the text has none. A date without a time has the hour 0.
func (k *date) read(b *graph.Builder, x graph.Value) graph.Value {
	whole := b.Strings("row_of_all_parts", []string{"1970-01-01T00:00 00:00"}, 1, 1)
	x = b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 0)}, x, whole) // (rows+1, 1)
	byT := split(b, x, "T", 1)                                               // (rows+1, 1, 2)
	bySpace := split(b, part(b, byT, 0), " ", 1)                             // (rows+1, 1, 1 or 2)
	dashed := split(b, part(b, bySpace, 0), "-", 2)                          // (rows+1, 1, 3)
	m := part(b, dashed, 1)
	columns := []graph.Value{
		lookup(b, part(b, dashed, 0), numerals(k.years[0], k.years[1], 4), counting(k.years[0], k.years[1])),
		lookup(b, m, numerals(1, 12, 2), counting(1, 12)),
		lookup(b, part(b, dashed, 2), numerals(1, 31, 2), counting(1, 31)),
		lookup(b, m, numerals(1, 12, 2), []float32{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334}),
	}
	if k.timed {
		hours := func(clock graph.Value) graph.Value {
			return lookup(b, part(b, split(b, clock, ":", 1), 0), numerals(0, 23, 2), counting(0, 23))
		}
		h := hours(part(b, byT, 1))
		h = b.Op("Where", b.Op("IsNaN", h), hours(part(b, split(b, x, " ", 1), 1)), h)
		h = b.Op("Where", b.Op("IsNaN", h), b.Scalar("midnight", 0), h)
		columns = append(columns, h)
	}
	return b.Op("Slice", join(b, columns), b.Ints("from", []int64{0}), b.Ints("to", []int64{-1}), b.Ints("axis", []int64{0}))
}

// calendar computes the parts that are features from read's columns, none of them NaN: (rows, parts). Every number is a
// whole one far below 2^24, so float32 is exact.
func (k *date) calendar(b *graph.Builder, x graph.Value) graph.Value {
	y, m, d := pick(b, x, 0), pick(b, x, 1), pick(b, x, 2) // (rows, 1) each
	one := b.Scalar("one", 1)
	// leaps(y) is the number of leap days in the years 1 … y: ⌊y/4⌋ - ⌊y/100⌋ + ⌊y/400⌋.
	leaps := func(y graph.Value) graph.Value {
		over := func(n float32) graph.Value { return b.Op("Floor", b.Op("Div", y, b.Scalar("years", n))) }
		return b.Op("Add", b.Op("Sub", over(4), over(100)), over(400))
	}
	var nth, ofWeek graph.Value
	if k.uses(yearDay) || k.uses(weekday) {
		before := b.Op("Sub", y, one) // whole years since year 1
		past := leaps(before)
		leap := b.Op("Sub", leaps(y), past) // 1 in a leap year
		afterFebruary := toFloat(b, b.Op("Greater", m, b.Scalar("february", 2)))
		nth = b.Op("Add", b.Op("Add", pick(b, x, 3), d), b.Op("Mul", leap, afterFebruary))
		// 0001-01-01 was a Monday, and 365 is 1 modulo 7.
		since := b.Op("Sub", b.Op("Add", b.Op("Add", before, past), nth), one)
		seven := b.Scalar("week", 7)
		ofWeek = b.Op("Sub", since, b.Op("Mul", seven, b.Op("Floor", b.Op("Div", since, seven))))
	}
	var out []graph.Value
	for _, p := range k.parts {
		switch p {
		case year:
			out = append(out, y)
		case month:
			out = append(out, m)
		case day:
			out = append(out, d)
		case weekday:
			out = append(out, ofWeek)
		case yearDay:
			out = append(out, nth)
		case hour:
			out = append(out, pick(b, x, 4))
		}
	}
	return join(b, out)
}

func (k *date) uses(part int) bool {
	for _, p := range k.parts {
		if p == part {
			return true
		}
	}
	return false
}

// split appends StringSplit, which gives x a last axis of parts, "" where a text has fewer.
func split(b *graph.Builder, x graph.Value, by string, most int64) graph.Value {
	return b.Node("", "StringSplit", []graph.Value{x}, 2, graph.StringAttr("delimiter", by), graph.IntAttr("maxsplit", most))[0]
}

// part takes part i of x (rows, 1, parts): (rows, 1).
func part(b *graph.Builder, x graph.Value, i int64) graph.Value {
	return b.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 2)}, x, b.Init("part", scalar(i)))
}

func scalar(i int64) *tensor.Tensor {
	t := tensor.New(tensor.Int64)
	t.I64()[0] = i
	return t
}

// numerals writes the numbers from … to with at least that many digits.
func numerals(from, to, width int) []string {
	var out []string
	for n := from; n <= to; n++ {
		s := strconv.Itoa(n)
		for len(s) < width {
			s = "0" + s
		}
		out = append(out, s)
	}
	return out
}

func counting(from, to int) []float32 {
	var out []float32
	for n := from; n <= to; n++ {
		out = append(out, float32(n))
	}
	return out
}
