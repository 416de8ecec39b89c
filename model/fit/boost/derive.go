package boost

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// deriveRows is the length of a block of rows that an objective gets: its numbers stay in the second-level cache.
const deriveRows = 1 << 12

// measuredRows is of how many rows about the training loss is reported.
const measuredRows = 1 << 16

// derive writes the derivatives of the loss of rows, each by its weight. It returns the mean loss of about measuredRows of them, NaN where it is not asked for.
func (t *trainer) derive(rows []int32, measure bool) float64 {
	if o, ok := t.loss.(joint); ok {
		return o.deriveAll(t, rows, true)
	}
	blocks := (len(rows) + deriveRows - 1) / deriveRows
	every := blocks + 1
	if measure {
		every = max(1, blocks*deriveRows/measuredRows)
	}
	return t.blocks(rows, func(b int) bool { return b%every == 0 && measure }, true)
}

// measure returns the mean loss of rows.
func (t *trainer) measure(rows []int32) float64 {
	if o, ok := t.loss.(joint); ok {
		return o.deriveAll(t, rows, false)
	}
	return t.blocks(rows, func(int) bool { return true }, false)
}

// blocks goes through rows, and returns the mean loss of the blocks that are measured.
func (t *trainer) blocks(rows []int32, measured func(int) bool, keep bool) float64 {
	parts := (len(rows) + deriveRows - 1) / deriveRows
	losses, weights := make([]float64, parts), make([]float64, parts)
	fit.Parallel(t.data.Workers(), parts, func(p int) {
		if !keep && !measured(p) {
			return
		}
		s := t.scratch.Take()
		defer t.scratch.Put(s)
		losses[p], weights[p] = t.one(s, rows[p*deriveRows:min(len(rows), (p+1)*deriveRows)], measured(p), keep)
	})
	var loss, weight float64
	for p := range losses {
		loss += losses[p]
		weight += weights[p]
	}
	if weight == 0 {
		return math.NaN()
	}
	return loss / weight
}

// scratch is the memory of one block.
type scratch struct {
	block
	y     []float32
	class []int32
	parts [3][][]float32
	loss  []float64
}

// one derives one block of rows.
func (t *trainer) one(c *scratch, rows []int32, measured, keep bool) (loss, weight float64) {
	if c.loss == nil {
		c.y, c.class, c.loss = make([]float32, deriveRows), make([]int32, deriveRows), make([]float64, deriveRows)
		for i := range c.parts {
			for range t.outs {
				c.parts[i] = append(c.parts[i], make([]float32, deriveRows))
			}
		}
	}
	n, together := len(rows), int(rows[len(rows)-1]-rows[0]) == len(rows)-1
	b := &c.block
	b.base, b.s, b.g, b.h, b.loss = t.base, b.s[:0], b.g[:0], b.h[:0], nil
	if measured {
		b.loss = c.loss[:n]
	}
	b.y, b.class = pick(c.y, t.data.Y, rows, together), pick(c.class, t.data.Class, rows, together)
	for k := range t.outs {
		b.s = append(b.s, pick(c.parts[0][k], t.score[k], rows, together))
		if together && keep {
			b.g, b.h = append(b.g, t.g[k][rows[0]:][:n]), append(b.h, t.h[k][rows[0]:][:n])
		} else {
			b.g, b.h = append(b.g, c.parts[1][k][:n]), append(b.h, c.parts[2][k][:n])
		}
	}
	t.loss.derive(b)
	for i := range b.loss {
		w := t.data.W(int(rows[i]))
		loss += w * b.loss[i]
		weight += w
	}
	if keep {
		t.put(b, rows, together)
	}
	return loss, weight
}

// put writes the derivatives of a block to where they belong, times the weights of the rows.
func (t *trainer) put(b *block, rows []int32, together bool) {
	if together && t.data.Weight == nil {
		return
	}
	for k := range b.g {
		for i, r := range rows {
			w := float32(t.data.W(int(r)))
			t.g[k][r], t.h[k][r] = bounded(w*b.g[k][i]), bounded(w*b.h[k][i])
		}
	}
}

// narrow is float32(v), but finite where v is.
func narrow(v float64) float32 { return float32(min(max(v, -math.MaxFloat32), math.MaxFloat32)) }

// bounded keeps a derivative finite; NaN stays.
func bounded(v float32) float32 { return min(max(v, -math.MaxFloat32), math.MaxFloat32) }

// pick are the elements of rows, where they lie if rows lie together. There may be none.
func pick[T any](to, from []T, rows []int32, together bool) []T {
	if from == nil {
		return nil
	}
	if together {
		return from[rows[0]:][:len(rows)]
	}
	for i, r := range rows {
		to[i] = from[r]
	}
	return to[:len(rows)]
}
