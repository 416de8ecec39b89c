package check

import (
	"hash/maphash"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// duplicates finds rows and columns that repeat others.
func duplicates(t *table.Table, r *Report) []Problem {
	if t.Rows < 2 || len(t.Columns) == 0 {
		return nil
	}
	s := sampleOf(t.Rows)
	var out []Problem
	if n := duplicateRows(t, s); n > 0 {
		severity, hint := Info, "rows that stand in training and holdout alike make the metrics look better than they are"
		if n*10 > s.n {
			severity = Warning
		}
		out = append(out, Problem{DuplicateRows, severity, "", strconv.Itoa(n) + " of " + strconv.Itoa(s.n) + " rows repeat another row", hint})
	}
	return append(out, duplicateColumns(t, r, s)...)
}

// duplicateRows counts rows of the sample whose 64-bit hash was seen before.
func duplicateRows(t *table.Table, s sample) int {
	hashes := make([]uint64, s.n)
	for i := range t.Columns {
		c := &t.Columns[i]
		for j := range s.n {
			hashes[j] = mix(hashes[j] ^ cell(c, s.row(j)))
		}
	}
	seen := make(map[uint64]struct{}, s.n)
	for _, h := range hashes {
		seen[h] = struct{}{}
	}
	return s.n - len(seen)
}

// cell is a number that is equal for equal values of one column.
func cell(c *table.Column, row int) uint64 {
	if c.Kind == table.Text {
		return uint64(uint32(c.Codes[row]))
	}
	if x := c.Numbers[row]; x == x { // all NaNs are one
		return math.Float64bits(x + 0)
	}
	return math.Float64bits(math.NaN())
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014, figure 16).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// duplicateColumns names each column that equals an earlier one in every row. Constant and empty ones have been named.
func duplicateColumns(t *table.Table, r *Report, s sample) []Problem {
	seed := maphash.MakeSeed()
	hashes := make([]uint64, len(t.Columns))
	each(len(t.Columns), func(i int) { hashes[i] = hashColumn(&t.Columns[i], s, seed) })
	first := map[uint64]int{}
	var out []Problem
	for i, h := range hashes {
		if k := r.Columns[i].Kind; k == Constant || k == Empty {
			continue
		}
		j, ok := first[h]
		if !ok {
			first[h] = i
			continue
		}
		a, b := &t.Columns[j], &t.Columns[i]
		if equal(a, b) {
			out = append(out, Problem{DuplicateColumn, Warning, b.Name, "equals " + a.Name + " in every row", "leave one of them out"})
		}
	}
	return out
}

func hashColumn(c *table.Column, s sample, seed maphash.Seed) uint64 {
	c.Ahead()
	h := uint64(c.Kind)
	if c.Kind == table.Number {
		for i := range s.n {
			h = mix(h ^ cell(c, s.row(i)))
		}
		return h
	}
	values := make([]uint64, len(c.Dict.Values))
	for i, v := range c.Dict.Values {
		values[i] = maphash.String(seed, v)
	}
	for i := range s.n {
		v := uint64(0)
		if code := c.Codes[s.row(i)]; code >= 0 {
			v = values[code]
		}
		h = mix(h ^ v)
	}
	return h
}

func equal(a, b *table.Column) bool {
	if a.Kind != b.Kind || a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if a.Kind == table.Number {
			if cell(a, i) != cell(b, i) {
				return false
			}
		} else if a.Text(i) != b.Text(i) {
			return false
		}
	}
	return true
}
