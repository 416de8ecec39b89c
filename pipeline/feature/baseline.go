package feature

import (
	"maps"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

const (
	baselineBins   = 10 // of equal counts, as far as ties allow
	baselineValues = 50 // categories with a share of their own
)

// Baseline measures how each input is spread over t, for the comparison with what is seen later. Numbers have bins
// between their deciles; values beyond the outer edges belong to the outer bins. Texts have their most frequent values.
// Dates are numbers here: days since 1970-01-01.
func (p *Plan) Baseline(t *table.Table) []card.Distribution {
	out := make([]card.Distribution, len(p.Inputs))
	each(len(p.Inputs), func(i int) {
		in := p.Inputs[i]
		out[i] = card.Distribution{Name: in.Name, Shares: []float64{}, Missing: 1}
		c := t.Column(in.Name)
		if c == nil || t.Rows == 0 {
			return
		}
		switch {
		case c.Kind == table.Number:
			bins(&out[i], c.Numbers)
		case in.Kind == card.Date:
			bins(&out[i], dayNumbers(c))
		default:
			values(&out[i], c)
		}
	})
	return out
}

func dayNumbers(c *table.Column) []float64 {
	of := make([]float64, len(c.Dict.Values))
	for code, s := range c.Dict.Values {
		of[code] = math.NaN()
		if m, ok := check.ParseDate(s); ok {
			of[code] = float64(m.Days())
		}
	}
	out := make([]float64, len(c.Codes))
	for i, code := range c.Codes {
		out[i] = math.NaN()
		if code >= 0 {
			out[i] = of[code]
		}
	}
	return out
}

// bins fills a histogram of rows.
func bins(d *card.Distribution, rows []float64) {
	sorted := check.Sorted(rows)
	for i := range baselineBins + 1 {
		if edge := check.Quantile(sorted, float64(i)/baselineBins); !math.IsNaN(edge) && (len(d.Edges) == 0 || edge > d.Edges[len(d.Edges)-1]) {
			d.Edges = append(d.Edges, edge)
		}
	}
	if len(d.Edges) == 1 { // one value: a bin of no width would be no bin
		d.Edges = append(d.Edges, math.Nextafter(d.Edges[0], math.Inf(1)))
	}
	d.Shares = make([]float64, max(len(d.Edges)-1, 0))
	missing, share := 0.0, 1/float64(len(rows))
	counts := make([]int, len(d.Shares))
	for _, x := range rows {
		if math.IsNaN(x) || len(counts) == 0 {
			missing++
			continue
		}
		bin, exact := slices.BinarySearch(d.Edges, x)
		if !exact {
			bin--
		}
		counts[max(0, min(bin, len(counts)-1))]++
	}
	for i, n := range counts {
		d.Shares[i] = float64(n) * share
	}
	d.Missing = missing * share
}

// values fills the shares of the most frequent texts.
func values(d *card.Distribution, c *table.Column) {
	counts, missing := check.Counts(c)
	share := 1 / float64(len(c.Codes))
	rest := len(c.Codes) - missing
	order := ranked(c, counts)
	for _, code := range order[:min(len(order), baselineValues)] {
		d.Values, d.Shares = append(d.Values, c.Dict.Values[code]), append(d.Shares, float64(counts[code])*share)
		rest -= counts[code]
	}
	d.Other, d.Missing = float64(rest)*share, float64(missing)*share
}

func sortedKeys(m map[int]int) []int { return slices.Sorted(maps.Keys(m)) }
