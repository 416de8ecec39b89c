//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// recurrentGrad goes back through time (Werbos, "Backpropagation through time", 1990): from the last step to the first, the gradients of the gates
// before their activations, dG (b, gates·h), come from those of the states, and dh = dG·R. What does not depend on the step before, dX = dG·W,
// dW = dGᵀ·X, dR = dGᵀ·h and the sums of dB, is done over many steps at once.
type recurrentGrad[T float] struct {
	*recurrent[T]
	calls kept[recurrentGradCall[T]]
	lines kept[recurrentGradLine[T]]
}

func newRecurrentGrad[T float](r *recurrent[T]) *recurrentGrad[T] {
	for _, list := range r.acts {
		for i := range list[:min(2, len(list))] { // the last one of an LSTM is not bounded
			list[i].clip(r.clip)
		}
	}
	return &recurrentGrad[T]{recurrent: r}
}

// clip has the way back end where the forward one was bounded. All activations with a way back are monotone: there they have reached what they
// make of the bound.
func (act *recurrentAct[T]) clip(limit T) {
	if limit == 0 {
		return
	}
	ends := []T{-limit, limit}
	act.run(ends)
	lo, hi, back := min(ends[0], ends[1]), max(ends[0], ends[1]), act.back
	act.kind, act.back = recurrentOther, func(d, a []T) {
		back(d, a)
		for i, y := range a[:len(d)] {
			if y <= lo || y >= hi {
				d[i] = 0
			}
		}
	}
}

// recurrentGradCall is one run.
type recurrentGradCall[T float] struct {
	recurrentCall[T]
	g                    *recurrentGrad[T]
	y, gates, kept       []T // as the forward run left them
	dy, dLastH, dLastC   []T // nil where no gradient flows
	dx, dw, dr, db       []T // nil where nobody wants them
	dFirstH, dFirstC, dp []T
}

// run checks the shapes and does each direction.
func (g *recurrentGrad[T]) run(ctx context.Context, in, out []*tensor.Tensor) error {
	c := g.calls.take()
	defer g.calls.put(c)
	*c = recurrentGradCall[T]{recurrentCall: recurrentCall[T]{recurrent: g.recurrent, ctx: ctx, threads: g.threads}, g: g}
	if err := c.take(in[:min(8, len(in))]); err != nil {
		return err
	}
	if err := c.takeKept(in); err != nil {
		return err
	}
	for i, to := range [...]*[]T{&c.dx, &c.dw, &c.dr, &c.db, &c.dFirstH, &c.dFirstC, &c.dp} {
		if i >= len(out) || out[i] == nil {
			continue
		}
		like := in[[...]int{0, 1, 2, 3, 5, 6, 7}[i]]
		if err := Reset(ctx, out[i], g.dtype, like.Shape()...); err != nil {
			return err
		}
		*to = g.data(out[i])
		clear(*to)
	}
	if c.batch == 0 || c.h == 0 {
		return nil
	}
	if err := recurrentBound(g.op, c.batch, g.gates*c.h); err != nil {
		return err
	}
	for d := range g.backwards {
		c.direction(d)
	}
	return ctx.Err()
}

// takeKept reads Y, what the forward run kept, and the gradients of the outputs.
func (c *recurrentGradCall[T]) takeKept(in []*tensor.Tensor) error {
	many, states := len(c.backwards), c.batch*c.h
	kept := 0
	if c.recurrent.gates == 4 || c.recurrent.gates == 3 && c.linear {
		kept = many * c.steps * states
	}
	sizes := [...]int{many * c.steps * states, many * c.steps * states * c.recurrent.gates, kept, many * c.steps * states, many * states, many * states}
	for i, to := range [...]*[]T{&c.y, &c.gates, &c.kept, &c.dy, &c.dLastH, &c.dLastC} {
		var t *tensor.Tensor
		if 8+i < len(in) {
			t = in[8+i]
		}
		wanted := i == 0 || i == 1 && c.recurrent.gates > 1 || i == 2 && kept > 0
		switch {
		case t == nil && wanted, t != nil && t.Len() != sizes[i]:
			return misfit(c.op+"Grad", "input "+itoa(int64(8+i))+" does not fit the forward run")
		case t != nil:
			*to = c.data(t)
		}
	}
	return nil
}

// recurrentGradLine is the way back of one direction.
type recurrentGradLine[T float] struct {
	*recurrentGradCall[T]
	d, row      int
	w, r, peep  []T
	packed      recurrentWeights[T] // R for dG·R; of a GRU, next is that of the third gate
	gates, kept []T                 // (s, b, row) and (s, b, h) of this direction
	dg          []T                 // (steps of a chunk, b, row): gradients of the gates, before their activations
	third       []T                 // (steps of a chunk, b, h) of a GRU: what Rn is multiplied with, or with linear_before_reset its gradient
	before      []T                 // (steps of a chunk, b, h): the states before each step, where they do not lie in Y in order
	dh, dc      []T                 // (b, h)
	spare       []T                 // (b, h)
	none        []T                 // (h) zeros
	ones        []T                 // (steps of a chunk · b)
	from, n     int                 // the chunk that runs, and its number of time steps
	inner       int                 // threads of one time step
	last        bool                // the chunk holds the first step of all
}

// direction goes back over all time steps of direction d.
func (c *recurrentGradCall[T]) direction(d int) {
	row, states := c.recurrent.gates*c.h, c.batch*c.h
	l := c.g.lines.take()
	defer c.g.lines.put(l)
	*l = recurrentGradLine[T]{recurrentGradCall: c, d: d, row: row, inner: c.threads}
	l.w, l.r = c.w[d*row*c.width:][:row*c.width], c.r[d*row*c.h:][:row*c.h]
	if c.p != nil {
		l.peep = c.p[d*3*c.h:][:3*c.h]
	}
	if c.gates != nil {
		l.gates = c.gates[d*c.steps*c.batch*row:][:c.steps*c.batch*row]
	}
	if c.kept != nil {
		l.kept = c.kept[d*c.steps*states:][:c.steps*states]
	}
	chunk := max(1, min(c.steps, recurrentChunk/(c.batch*row)))
	third, before := 0, 0
	if c.recurrent.gates == 3 {
		third = chunk * states
	}
	if !l.inOrder() {
		before = chunk * states
	}
	memory := c.memory.take(chunk*c.batch*(row+1) + third + before + 3*states + c.h)
	defer c.memory.put(memory)
	free := *memory
	cut := func(n int) (part []T) {
		part, free = free[:n:n], free[n:]
		return part
	}
	l.dg, l.ones, l.third, l.before = cut(chunk*c.batch*row), cut(chunk*c.batch), cut(third), cut(before)
	l.dh, l.dc, l.spare, l.none = cut(states), cut(states), cut(states), cut(c.h)
	clear(l.none)
	for i := range l.ones {
		l.ones[i] = 1
	}
	l.lastGradient(l.dh, c.dLastH)
	l.lastGradient(l.dc, c.dLastC)
	if gates := c.recurrent.gates; gates == 3 {
		l.packed.r = c.gemm.borrow(l.r, 2*c.h, c.h, c.h, false)
		l.packed.next = c.gemm.borrow(l.r[2*c.h*c.h:], c.h, c.h, c.h, false)
	} else {
		l.packed.r = c.gemm.borrow(l.r, row, c.h, c.h, false)
	}
	defer c.gemm.giveBack(l.packed.r)
	defer c.gemm.giveBack(l.packed.next)
	for left := c.steps; left > 0 && c.ctx.Err() == nil; left -= l.n {
		l.n = min(chunk, left)
		l.from = left - l.n
		l.last = l.from == 0
		if c.backwards[d] {
			l.from = c.steps - left
		}
		if grain := c.batch / c.threads; c.threads > 1 && grain >= recurrentRows { // sequences do not wait for each other
			l.inner = 1
			spread(c.ctx, c.threads, c.batch, grain, l)
		} else {
			l.Do(0, c.batch)
		}
		l.products()
	}
	l.firstGradient(c.dFirstH, l.dh)
	l.firstGradient(c.dFirstC, l.dc)
}

// lastGradient reads the gradient of a final state, zeros where there is none.
func (l *recurrentGradLine[T]) lastGradient(d, last []T) {
	if last == nil {
		clear(d)
		return
	}
	for b := range l.batch {
		copy(d[b*l.h:][:l.h], last[l.stateAt(b):])
	}
}

// firstGradient writes the gradient of an initial state.
func (l *recurrentGradLine[T]) firstGradient(first, d []T) {
	if first == nil {
		return
	}
	for b := range l.batch {
		copy(first[l.stateAt(b):][:l.h], d[b*l.h:])
	}
}

// stateAt is the place of sequence b in a tensor of states.
func (l *recurrentGradLine[T]) stateAt(b int) int { return l.stateOf(l.d, b) }

// outputAt is the place of h in Y.
func (l *recurrentGradLine[T]) outputAt(t, b int) int { return l.outputOf(l.d, t, b) }

// over reports whether sequence b has ended before time step t.
func (l *recurrentGradLine[T]) over(t, b int) bool { return l.lengths != nil && t >= int(l.lengths[b]) }

// begins reports whether time step t is the first that the net sees of sequence b.
func (l *recurrentGradLine[T]) begins(t, b int) bool {
	if !l.backwards[l.d] {
		return t == 0
	}
	return t == l.steps-1 || l.over(t+1, b)
}

// prior is the time step before t in the order of the direction.
func (l *recurrentGradLine[T]) prior(t int) int {
	if l.backwards[l.d] {
		return t + 1
	}
	return t - 1
}

// stateBefore is h (h) of sequence b before time step t.
func (l *recurrentGradLine[T]) stateBefore(t, b int) []T {
	switch {
	case !l.begins(t, b):
		return l.y[l.outputAt(l.prior(t), b):][:l.h]
	case l.firstH != nil:
		return l.firstH[l.stateAt(b):][:l.h]
	}
	return l.none
}

// cellBefore is c (h) of sequence b before time step t.
func (l *recurrentGradLine[T]) cellBefore(t, b int) []T {
	switch {
	case !l.begins(t, b):
		return l.kept[(l.prior(t)*l.batch+b)*l.h:][:l.h]
	case l.firstC != nil:
		return l.firstC[l.stateAt(b):][:l.h]
	}
	return l.none
}

// Do goes back over the chunk's time steps for the sequences from lo to hi.
func (l *recurrentGradLine[T]) Do(lo, hi int) {
	for i := l.n - 1; i >= 0; i-- {
		t := i
		if l.backwards[l.d] {
			t = l.n - 1 - i
		}
		l.step(l.from+t, t, lo, hi, !l.last || i > 0 || l.dFirstH != nil)
		if i&15 == 0 && l.ctx.Err() != nil {
			return
		}
	}
}

// step goes back over time step t, at of the chunk. further: the gradient of the state before is wanted.
func (l *recurrentGradLine[T]) step(t, at, lo, hi int, further bool) {
	dg := l.dg[at*l.batch*l.row:][:l.batch*l.row]
	for b := lo; b < hi; b++ {
		if l.over(t, b) {
			clear(dg[b*l.row:][:l.row])
			if l.recurrent.gates == 3 {
				clear(l.third[(at*l.batch+b)*l.h:][:l.h])
			}
			continue
		}
		dh := l.dh[b*l.h:][:l.h]
		if l.dy != nil {
			addRow(dh, l.dy[l.outputAt(t, b):])
		}
		l.gatesBack(t, at, b, dh, dg[b*l.row:][:l.row])
		if l.recurrent.gates != 3 && l.lengths != nil {
			clear(dh)
		}
	}
	if l.recurrent.gates == 3 {
		l.finishGRU(t, at, lo, hi, further)
	} else if further {
		l.gemm.into(l.ctx, l.inner, hi-lo, l.row, l.h, dg[lo*l.row:], l.row, false, l.r, l.h, false, l.packed.r, l.dh[lo*l.h:], l.h, l.lengths != nil)
	}
}

// inOrder reports whether the states before each step lie in Y as the rows of a matrix.
func (l *recurrentGradLine[T]) inOrder() bool {
	return len(l.backwards) == 1 && !l.batchFirst && (l.lengths == nil || !l.backwards[l.d] || l.firstH == nil)
}
