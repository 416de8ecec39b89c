package dependence

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// column is a column of a table.
type column struct {
	table       *tensor.Tensor
	rows        int
	first, step int // elements first, first + step, …
}

func newColumn(f Feature, t *tensor.Tensor) (column, error) {
	if t.DType().Container() || t.DType() != tensor.String && t.DType().Bits()%8 != 0 || t.Rank() < 1 || t.Rank() > 2 {
		return column{}, invalid(f.Input, "the input is "+t.Type().String()+", not a column or a table")
	}
	c := column{table: t, rows: t.Shape()[0], first: f.Column, step: 1}
	if t.Rank() == 2 {
		c.step = t.Shape()[1]
	}
	if f.Column < 0 || f.Column >= c.step {
		return c, invalid(f.Input, "there is no column "+strconv.Itoa(f.Column)+" among "+strconv.Itoa(c.step))
	}
	return c, nil
}

// fill gives all rows element i of values.
func (c column) fill(values *tensor.Tensor, i int) {
	if c.table.DType() == tensor.String {
		for r := range c.rows {
			c.table.Str()[c.first+r*c.step] = values.Str()[i]
		}
		return
	}
	size := c.table.DType().Size()
	value := values.Bytes()[i*size:][:size]
	for r := range c.rows {
		copy(c.table.Bytes()[(c.first+r*c.step)*size:], value)
	}
}

// grid chooses values: all that there are, where these are fewer than the points asked for, or else, for numbers, points at equal
// distances between two percentiles. Missing values are not among them.
func (c column) grid(o Options) (*tensor.Tensor, error) {
	points := o.Points
	if points == 0 {
		points = 100
	}
	low, high := o.Percentiles[0], o.Percentiles[1]
	if low == 0 && high == 0 {
		low, high = .05, .95
	}
	if points < 2 || points > maxPoints {
		return nil, invalid("points", "the grid must have 2 … "+strconv.Itoa(maxPoints)+" points")
	}
	if !(low >= 0 && low < high && high <= 1) {
		return nil, invalid("percentiles", "the ends must be shares of the rows, 0 … 1, the first the smaller one")
	}
	switch c.table.DType() {
	case tensor.Float32:
		return numbers[float32](c, points, low, high)
	case tensor.Float64:
		return numbers[float64](c, points, low, high)
	case tensor.Int64:
		return numbers[int64](c, points, low, high)
	case tensor.Int32:
		return numbers[int32](c, points, low, high)
	}
	return c.kinds(points)
}

// numbers is grid for numbers. Percentiles are interpolated as scikit-learn does it.
func numbers[T float32 | float64 | int64 | int32](c column, points int, low, high float64) (*tensor.Tensor, error) {
	all := make([]T, 0, c.rows)
	for r := range c.rows {
		if v := tensor.Data[T](c.table)[c.first+r*c.step]; v-v == 0 {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Invalid, "the feature has no finite value to make a grid of").At("grid").Try("give a grid")
	}
	slices.Sort(all)
	from, to := percentile(all, low), percentile(all, high)
	if all = slices.Compact(all); len(all) < points {
		return tensor.FromSlice(c.table.DType(), all), nil
	}
	grid := make([]T, 0, points)
	for i := range points {
		v := T(from + (to-from)*float64(i)/float64(points-1))
		if len(grid) == 0 || v > grid[len(grid)-1] {
			grid = append(grid, v)
		}
	}
	return tensor.FromSlice(c.table.DType(), grid), nil
}

// percentile is the value below which a share of sorted values lies, by the plotting positions of Cunnane (0.4, 0.4).
func percentile[T float32 | float64 | int64 | int32](sorted []T, share float64) float64 {
	n := float64(len(sorted))
	at := n*share + .4 + share*.2
	k := math.Floor(min(max(at, 1), n-1))
	if n == 1 {
		return float64(sorted[0])
	}
	rest := min(max(at-k, 0), 1)
	return (1-rest)*float64(sorted[int(k)-1]) + rest*float64(sorted[int(k)])
}

// kinds is grid for what is no number: all values that there are, in rising order, or the most frequent ones.
func (c column) kinds(points int) (*tensor.Tensor, error) {
	count := map[string]int{}
	size := c.table.DType().Size()
	for r := range c.rows {
		at := c.first + r*c.step
		if c.table.DType() == tensor.String {
			count[c.table.Str()[at]]++
		} else {
			count[string(c.table.Bytes()[at*size:][:size])]++
		}
	}
	values := make([]string, 0, len(count))
	for v := range count {
		values = append(values, v)
	}
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b)) })
	values = values[:min(len(values), points)]
	slices.Sort(values)
	if c.table.DType() == tensor.String {
		return tensor.Strings(values), nil
	}
	var raw bytes.Buffer
	for _, v := range values {
		raw.WriteString(v)
	}
	return tensor.FromBytes(c.table.DType(), raw.Bytes(), len(values))
}
