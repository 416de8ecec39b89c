package svm

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// machine is what was learned, by rows kept: outs decisions, one for each pair of classes or one for numbers.
type machine struct {
	*space
	support []int32     // rows kept that any decision needs
	coef    [][]float64 // (outs, support)
	bias    []float64   // (outs)
	odds    []line      // classification: (outs), from decisions to log odds of the pair's first class
	pairs   [][2]int    // classification: (outs)

	center, unit float64 // the target is center + unit * decision; 0 and 1 for classes
}

// folds is the number of parts that the decisions for probabilities come from.
const folds = 5

// job is one machine to train: a pair of classes without one fold (-1: with all rows).
type job struct {
	pair, fold int
}

// classes learns a machine for each pair of classes, and for each its probabilities.
func (p SVM) classes(s *space, w *watch) *machine {
	m := &machine{space: s, unit: 1}
	fold := s.folded()
	var jobs []job
	for a := range s.Classes {
		for b := a + 1; b < s.Classes; b++ {
			for f := -1; f < folds; f++ {
				jobs = append(jobs, job{len(m.pairs), f})
			}
			m.pairs = append(m.pairs, [2]int{a, b})
		}
	}
	beta := make([][]float64, len(m.pairs)) // of all rows kept
	m.bias, m.odds = make([]float64, len(m.pairs)), make([]line, len(m.pairs))
	decision := make([][]float64, len(m.pairs)) // of all rows kept, by the machines that have not seen them
	for i := range m.pairs {
		beta[i], decision[i] = make([]float64, len(s.from)), make([]float64, len(s.from))
	}
	share := max(1, s.Workers()/len(jobs))
	fit.Parallel(s.Workers(), len(jobs), func(i int) {
		if w.ended() {
			return
		}
		j := jobs[i]
		rows, held := s.members(m.pairs[j.pair], j.fold, fold)
		out := p.pair(s, rows, m.pairs[j.pair][0], min(len(jobs), s.Workers()), share, w)
		if j.fold < 0 {
			m.bias[j.pair] = -out.rho
			for v, r := range rows {
				beta[j.pair][r] = out.beta[v]
			}
			return
		}
		s.decide(rows, out, held, decision[j.pair])
	})
	for i, pair := range m.pairs {
		if !w.ended() {
			m.odds[i] = s.odds(pair, decision[i], fold)
		}
	}
	m.keep(beta)
	return m
}

// members are the rows of a pair of classes without a fold, and those of the fold.
func (s *space) members(pair [2]int, without int, fold []int) (rows, held []int32) {
	for r, i := range s.from {
		k := int(s.Class[i])
		switch {
		case k != pair[0] && k != pair[1]:
		case fold[r] == without:
			held = append(held, int32(r))
		default:
			rows = append(rows, int32(r))
		}
	}
	return rows, held
}

// folded deals the rows of each class to folds, in an order drawn from the seed.
func (s *space) folded() []int {
	out, next := make([]int, len(s.from)), make([]int, s.Classes)
	for _, r := range s.Rand(0x5f01d).Perm(len(s.from)) {
		k := s.Class[s.from[r]]
		out[r] = next[k] % folds
		next[k]++
	}
	return out
}

// pair trains one machine, whose decision is positive for the class first. Rows of one class only give a constant.
func (p SVM) pair(s *space, rows []int32, first, share, workers int, w *watch) solution {
	q := &problem{linear: make([]float64, len(rows)), low: make([]float64, len(rows)), high: make([]float64, len(rows))}
	var seen [2]bool
	for v, r := range rows {
		is := int(s.Class[s.from[r]]) == first
		seen[index(is)] = true
		if is {
			q.linear[v], q.high[v] = -1, s.limit[r]
		} else {
			q.linear[v], q.low[v] = 1, -s.limit[r]
		}
	}
	switch {
	case seen[0] && seen[1]:
		q.cache = newCache(s.kernels(rows, workers), p.CacheSize<<20/share)
		return q.solve(p.Tol, p.MaxIter, w)
	case seen[0]:
		return solution{beta: make([]float64, len(rows)), rho: -1}
	case seen[1]:
		return solution{beta: make([]float64, len(rows)), rho: 1}
	}
	return solution{}
}

// decide writes the decisions of held rows by a machine of others.
func (s *space) decide(rows []int32, by solution, held []int32, out []float64) {
	var support []int32
	var beta []float64
	for v, b := range by.beta {
		if b != 0 {
			support, beta = append(support, rows[v]), append(beta, b)
		}
	}
	k := s.kernels(support, 1)
	line := make([]float32, len(support))
	for _, r := range held {
		k.row(s.z[int(r)*s.Cols:(int(r)+1)*s.Cols], line)
		out[r] = -by.rho
		for v, b := range beta {
			out[r] += b * float64(line[v])
		}
	}
}

// odds fits the line of a pair. A class without rows is next to impossible beside one with rows.
func (s *space) odds(pair [2]int, decision []float64, fold []int) line {
	rows, _ := s.members(pair, -1, fold)
	var top float64
	var seen [2]bool
	for _, r := range rows {
		top = max(top, s.limit[r])
		seen[index(int(s.Class[s.from[r]]) == pair[0])] = true
	}
	switch {
	case !seen[0] && !seen[1]:
		return line{}
	case !seen[1]:
		return line{0, certain}
	case !seen[0]:
		return line{0, -certain}
	}
	values, first, weight := make([]float64, len(rows)), make([]bool, len(rows)), make([]float64, len(rows))
	for v, r := range rows {
		values[v], first[v], weight[v] = decision[r], int(s.Class[s.from[r]]) == pair[0], s.limit[r]/top
	}
	return platt(values, first, weight)
}

// keep takes over the rows that have a coefficient in any decision.
func (m *machine) keep(beta [][]float64) {
	m.coef = make([][]float64, len(beta))
	for r := range m.from {
		if !slices.ContainsFunc(beta, func(b []float64) bool { return b[r] != 0 }) {
			continue
		}
		m.support = append(m.support, int32(r))
		for k, b := range beta {
			m.coef[k] = append(m.coef[k], b[r])
		}
	}
}

// decisions of a row, in float64.
func (m *machine) decisions(row []float32) []float64 {
	out := append([]float64(nil), m.bias...)
	line := make([]float32, len(m.support))
	m.kernels(m.support, 1).row(m.mapped(row), line)
	for k, coef := range m.coef {
		for v, c := range coef {
			out[k] += c * float64(line[v])
		}
	}
	return out
}
