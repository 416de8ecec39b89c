//go:build !lean

package op

import "github.com/jarvis-ml/jarvis/model/kernel"

// recurrentChunk is about the number of elements of the gates that are held at once: the products with W run over as many time steps.
const recurrentChunk = 1 << 19

// recurrentRows is how many sequences are worth a goroutine.
const recurrentRows = 6

// recurrentLine is the state of one direction in a run.
type recurrentLine[T float] struct {
	*recurrentCall[T]
	d        int
	row      int // elements of the gates of one sequence
	w, r     []T // of this direction
	packed   recurrentWeights[T]
	bias     []T  // (row): both halves of B together; of a linear GRU, the third gate's second half is in biasNext
	biasNext []T  // (h)
	gates    []T  // (steps of a chunk, batch, row)
	state    []T  // (batch, h)
	cell     []T  // (batch, h), of an LSTM
	extra    []T  // (batch, row) of a linear GRU, (batch, h) of another
	peep     []T  // (3·h), or nil
	given    bool // the first state is not zero
	from, n  int  // the chunk that runs, and its number of time steps
	inner    int  // threads of one time step
}

// direction runs all time steps of direction d.
func (c *recurrentCall[T]) direction(d int) {
	row := c.gates * c.h
	l := c.lines.take()
	defer c.lines.put(l)
	*l = recurrentLine[T]{recurrentCall: c, d: d, row: row, packed: c.weights[d], inner: c.threads}
	if len(c.w) > 0 {
		l.w = c.w[d*row*c.width:][:row*c.width]
	}
	l.r = c.r[d*row*c.h:][:row*c.h]
	chunk := max(1, min(c.steps, recurrentChunk/(c.batch*row)))
	if c.keptGates != nil {
		chunk = c.steps
	}
	extra, gates := 0, chunk*c.batch*row
	if c.gates == 3 {
		extra = row
	}
	if c.keptGates != nil {
		gates = 0
	}
	memory := c.memory.take(gates + 2*c.batch*c.h + c.batch*extra + row + c.h)
	defer c.memory.put(memory)
	free := *memory
	cut := func(n int) (part []T) {
		part, free = free[:n:n], free[n:]
		return part
	}
	l.gates, l.state, l.cell, l.extra, l.bias, l.biasNext = cut(gates), cut(c.batch*c.h), cut(c.batch*c.h), cut(c.batch*extra), cut(row), cut(c.h)
	if c.keptGates != nil {
		l.gates = c.keptGates[d*c.steps*c.batch*row:][:c.steps*c.batch*row]
	}
	l.setBias()
	if c.p != nil {
		l.peep = c.p[d*3*c.h:][:3*c.h]
	}
	l.given = l.firstState(l.state, c.firstH)
	l.firstState(l.cell, c.firstC)
	if l.packed.r == nil && c.steps*c.batch > 3 {
		l.packed.r, l.packed.next = l.borrowState()
		defer c.gemm.giveBack(l.packed.r)
		defer c.gemm.giveBack(l.packed.next)
	}
	for done := 0; done < c.steps && c.ctx.Err() == nil; done += l.n {
		l.n = min(chunk, c.steps-done)
		l.from = done
		if c.backwards[d] {
			l.from = c.steps - done - l.n
		}
		l.project(l.from, l.n)
		if grain := c.batch / c.threads; c.threads > 1 && grain >= recurrentRows { // sequences do not wait for each other
			l.inner = 1
			spread(c.ctx, c.threads, c.batch, grain, l)
		} else {
			l.Do(0, c.batch)
		}
		l.given = true
	}
	l.lastState(c.lastH, l.state)
	l.lastState(c.lastC, l.cell)
}

// Do runs the chunk's time steps for the sequences from lo to hi.
func (l *recurrentLine[T]) Do(lo, hi int) {
	for i := range l.n {
		t := i
		if l.backwards[l.d] {
			t = l.n - 1 - i
		}
		l.step(l.from+t, l.gates[t*l.batch*l.row:][:l.batch*l.row], l.given || i > 0, lo, hi)
		if i&15 == 0 && l.ctx.Err() != nil {
			return
		}
	}
}

// borrowState lays out R of this direction for the length of a run, as packState does for good.
func (l *recurrentLine[T]) borrowState() (first, next *panels[T]) {
	if l.recurrent.gates != 3 || l.linear {
		return l.gemm.borrow(l.r, l.h, l.row, l.h, true), nil
	}
	return l.gemm.borrow(l.r, l.h, 2*l.h, l.h, true), l.gemm.borrow(l.r[2*l.h*l.h:], l.h, l.h, l.h, true)
}

// setBias adds up the halves of B.
func (l *recurrentLine[T]) setBias() {
	clear(l.bias)
	clear(l.biasNext)
	if l.b == nil {
		return
	}
	b := l.b[l.d*2*l.row:][:2*l.row]
	for i := range l.bias {
		l.bias[i] = b[i] + b[l.row+i]
	}
	if l.recurrent.gates == 3 && l.linear {
		copy(l.bias[2*l.h:], b[2*l.h:3*l.h])
		copy(l.biasNext, b[5*l.h:])
	}
}

// firstState reads an initial state, zeros where there is none.
func (l *recurrentLine[T]) firstState(state, first []T) bool {
	if first == nil {
		clear(state)
		return false
	}
	for b := range l.batch {
		copy(state[b*l.h:][:l.h], first[l.stateAt(b):])
	}
	return true
}

// stateAt is the place of sequence b in a tensor of states.
func (l *recurrentLine[T]) stateAt(b int) int { return l.stateOf(l.d, b) }

// stateOf is the same for direction d.
func (c *recurrentCall[T]) stateOf(d, b int) int {
	if c.batchFirst {
		return (b*len(c.backwards) + d) * c.h
	}
	return (d*c.batch + b) * c.h
}

// lastState writes a final state.
func (l *recurrentLine[T]) lastState(last, state []T) {
	if last == nil {
		return
	}
	for b := range l.batch {
		copy(last[l.stateAt(b):][:l.h], state[b*l.h:])
	}
}

// project fills the gates of the time steps from … from+n-1 with x·Wᵀ + bias.
func (l *recurrentLine[T]) project(from, n int) {
	if !l.batchFirst || l.steps == 1 || l.batch == 1 { // the rows lie in order
		l.rows(n*l.batch, l.x[from*l.batch*l.width:], l.gates, l.row)
		return
	}
	for b := range l.batch {
		l.rows(n, l.x[(b*l.steps+from)*l.width:], l.gates[b*l.row:], l.batch*l.row)
	}
}

// rows writes x·Wᵀ + bias for n rows of x to gates, ld apart.
func (l *recurrentLine[T]) rows(n int, x, gates []T, ld int) {
	if g32, ok := asSingle(gates); ok && l.width > 0 {
		x32, _ := asSingle(x)
		w32, _ := asSingle(l.w)
		b32, _ := asSingle(l.bias)
		e := kernel.Epilogue{ColBias: b32, Done: l.ctx.Done()}
		if l.packed.w != nil {
			kernel.GemmF32(l.threads, n, x32, l.width, false, &l.packed.w.single, g32, ld, &e)
		} else {
			kernel.ProductF32(l.threads, n, l.width, l.row, x32, l.width, false, w32, l.width, true, g32, ld, &e)
		}
		return
	}
	for i := range n {
		copy(gates[i*ld:][:l.row], l.bias)
	}
	if l.width > 0 {
		l.gemm.into(l.ctx, l.threads, n, l.width, l.row, x, l.width, false, l.w, l.width, true, l.packed.w, gates, ld, true)
	}
}

// step changes the states of the sequences from lo to hi by the gates (batch, row) of time step t; unless seen, the states are zero.
func (l *recurrentLine[T]) step(t int, gates []T, seen bool, lo, hi int) {
	switch {
	case l.recurrent.gates == 3 && l.linear:
		l.stepLinear(t, gates, seen, lo, hi)
		return
	case l.recurrent.gates == 3:
		l.stepGRU(t, gates, seen, lo, hi)
		return
	}
	if seen {
		l.gemm.into(l.ctx, l.inner, hi-lo, l.h, l.row, l.state[lo*l.h:], l.h, false, l.r, l.h, true, l.packed.r, gates[lo*l.row:], l.row, true)
	}
	for b := lo; b < hi; b++ {
		if l.over(t, b) {
			continue
		}
		h, g := l.state[b*l.h:][:l.h], gates[b*l.row:][:l.row]
		if l.recurrent.gates == 1 {
			clipRow(g, l.clip)
			l.acts[l.d][0].run(g)
			copy(h, g)
		} else {
			c := l.cell[b*l.h:][:l.h]
			l.lstm(h, c, g)
			l.keep(t, b, c)
		}
		l.put(t, b, h)
	}
}

// keep has what a training run wants to see again of sequence b at time step t.
func (l *recurrentLine[T]) keep(t, b int, row []T) {
	if l.kept != nil {
		copy(l.kept[((l.d*l.steps+t)*l.batch+b)*l.h:], row)
	}
}

// over reports whether sequence b has ended before time step t; its output is zero then.
func (l *recurrentLine[T]) over(t, b int) bool {
	if l.lengths == nil || t < int(l.lengths[b]) {
		return false
	}
	if l.y != nil {
		clear(l.y[l.outputAt(t, b):][:l.h])
	}
	return true
}

// put writes h to Y.
func (l *recurrentLine[T]) put(t, b int, h []T) {
	if l.y != nil {
		copy(l.y[l.outputAt(t, b):], h)
	}
}

// outputAt is the place of h in Y.
func (l *recurrentLine[T]) outputAt(t, b int) int { return l.outputOf(l.d, t, b) }

// outputOf is the same for direction d.
func (c *recurrentCall[T]) outputOf(d, t, b int) int {
	many := len(c.backwards)
	if c.batchFirst {
		return ((b*c.steps+t)*many + d) * c.h
	}
	return ((t*many+d)*c.batch + b) * c.h
}

// stepGRU: the third gate sees r·h.
func (l *recurrentLine[T]) stepGRU(t int, gates []T, seen bool, lo, hi int) {
	if seen {
		l.gemm.into(l.ctx, l.inner, hi-lo, l.h, 2*l.h, l.state[lo*l.h:], l.h, false, l.r, l.h, true, l.packed.r, gates[lo*l.row:], l.row, true)
	}
	for b := lo; b < hi; b++ {
		zr := gates[b*l.row:][:2*l.h]
		clipRow(zr, l.clip)
		l.acts[l.d][0].run(zr)
		mulRow(l.extra[b*l.h:][:l.h], zr[l.h:], l.state[b*l.h:])
	}
	if seen {
		l.gemm.into(l.ctx, l.inner, hi-lo, l.h, l.h, l.extra[lo*l.h:], l.h, false, l.r[2*l.h*l.h:], l.h, true, l.packed.next, gates[lo*l.row+2*l.h:], l.row, true)
	}
	l.finishGRU(t, gates, lo, hi)
}

// stepLinear: the third gate sees r times what h gives.
func (l *recurrentLine[T]) stepLinear(t int, gates []T, seen bool, lo, hi int) {
	for b := lo; b < hi; b++ {
		e := l.extra[b*l.row:][:l.row]
		clear(e[:2*l.h])
		copy(e[2*l.h:], l.biasNext)
	}
	if seen {
		l.gemm.into(l.ctx, l.inner, hi-lo, l.h, l.row, l.state[lo*l.h:], l.h, false, l.r, l.h, true, l.packed.r, l.extra[lo*l.row:], l.row, true)
	}
	for b := lo; b < hi; b++ {
		g, e := gates[b*l.row:][:l.row], l.extra[b*l.row:][:l.row]
		zr := g[:2*l.h]
		addRow(zr, e)
		clipRow(zr, l.clip)
		l.acts[l.d][0].run(zr)
		l.keep(t, b, e[2*l.h:])
		mulRow(e[2*l.h:], e[2*l.h:], zr[l.h:])
		addRow(g[2*l.h:], e[2*l.h:])
	}
	l.finishGRU(t, gates, lo, hi)
}

// finishGRU mixes the new state from z and the third gate.
func (l *recurrentLine[T]) finishGRU(t int, gates []T, lo, hi int) {
	for b := lo; b < hi; b++ {
		if l.over(t, b) {
			continue
		}
		z, n, h := gates[b*l.row:][:l.h], gates[b*l.row+2*l.h:][:l.h], l.state[b*l.h:][:l.h]
		clipRow(n, l.clip)
		l.acts[l.d][1].run(n)
		for i, u := range z {
			h[i] = (1-u)*n[i] + u*h[i]
		}
		l.put(t, b, h)
	}
}

// lstm changes h and c (h) by the gates i, o, f and c (4·h).
func (l *recurrentLine[T]) lstm(h, c, g []T) {
	n := l.h
	i, o, f, next := g[:n], g[n:2*n], g[2*n:3*n], g[3*n:]
	acts := l.acts[l.d]
	if l.peep == nil {
		clipRow(g, l.clip)
		acts[0].run(g[:3*n])
	} else {
		mulAddRow(i, l.peep[:n], c)
		mulAddRow(f, l.peep[2*n:], c)
		clipRow(i, l.clip)
		clipRow(f, l.clip)
		clipRow(next, l.clip)
		acts[0].run(i)
		acts[0].run(f)
	}
	acts[1].run(next)
	if l.coupled {
		for k, x := range i {
			f[k] = 1 - x
		}
	}
	if l.usual(l.d) && lstmCell(h, c, g) {
		return
	}
	for k, x := range c {
		c[k] = f[k]*x + i[k]*next[k]
	}
	if l.peep != nil {
		mulAddRow(o, l.peep[n:2*n], c)
		clipRow(o, l.clip)
		acts[0].run(o)
	}
	copy(h, c)
	acts[2].run(h)
	mulRow(h, h, o)
}

// lstmCell ends a step of an LSTM with the usual activations, for float32.
func lstmCell[T float](h, c, g []T) bool {
	h32, ok := asSingle(h)
	if ok {
		c32, _ := asSingle(c)
		g32, _ := asSingle(g)
		kernel.LSTMCell(h32, c32, g32)
	}
	return ok
}

// mulRow writes a·b.
func mulRow[T float](dst, a, b []T) {
	if d32, ok := asSingle(dst); ok {
		a32, _ := asSingle(a)
		b32, _ := asSingle(b)
		kernel.Pair(kernel.Mul, d32, a32[:len(dst)], b32[:len(dst)])
		return
	}
	a, b = a[:len(dst)], b[:len(dst)]
	for i, x := range a {
		dst[i] = x * b[i]
	}
}

// mulAddRow adds a·b.
func mulAddRow[T float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, x := range a {
		dst[i] += x * b[i]
	}
}

// addRow adds a.
func addRow[T float](dst, a []T) {
	if d32, ok := asSingle(dst); ok {
		a32, _ := asSingle(a)
		kernel.Pair(kernel.Add, d32, d32, a32[:len(dst)])
		return
	}
	a = a[:len(dst)]
	for i, x := range a {
		dst[i] += x
	}
}

// clipRow bounds x to [-limit, limit]; 0 is no bound.
func clipRow[T float](x []T, limit T) {
	if limit == 0 {
		return
	}
	for i, v := range x {
		x[i] = min(max(v, -limit), limit)
	}
}
