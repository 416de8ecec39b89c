//go:build !lean

package op

// recurrentChunk is about the number of elements of the gates that are held at once: the products with W run over as many time steps.
const recurrentChunk = 1 << 19

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
	seen     bool // the state is not zero any more
}

// direction runs all time steps of direction d.
func (c *recurrentCall[T]) direction(d int) {
	row := c.gates * c.h
	l := recurrentLine[T]{recurrentCall: c, d: d, row: row, packed: c.weights[d]}
	if len(c.w) > 0 {
		l.w = c.w[d*row*c.width:][:row*c.width]
	}
	l.r = c.r[d*row*c.h:][:row*c.h]
	chunk := max(1, min(c.steps, recurrentChunk/(c.batch*row)))
	extra := 0
	if c.gates == 3 {
		extra = row
	}
	memory := c.memory.take(chunk*c.batch*row + 2*c.batch*c.h + c.batch*extra + row + c.h)
	defer c.memory.put(memory)
	free := *memory
	cut := func(n int) (part []T) {
		part, free = free[:n:n], free[n:]
		return part
	}
	l.gates, l.state, l.cell, l.extra, l.bias, l.biasNext = cut(chunk*c.batch*row), cut(c.batch*c.h), cut(c.batch*c.h), cut(c.batch*extra), cut(row), cut(c.h)
	l.setBias()
	if c.p != nil {
		l.peep = c.p[d*3*c.h:][:3*c.h]
	}
	l.seen = l.firstState(l.state, c.firstH)
	l.firstState(l.cell, c.firstC)
	if l.packed.r == nil && c.steps*c.batch > 3 {
		l.packed.r, l.packed.next = l.borrowState()
		defer c.gemm.giveBack(l.packed.r)
		defer c.gemm.giveBack(l.packed.next)
	}
	for done := 0; done < c.steps && c.ctx.Err() == nil; {
		n := min(chunk, c.steps-done)
		from := done
		if c.backwards[d] {
			from = c.steps - done - n
		}
		l.project(from, n)
		for i := range n {
			t := i
			if c.backwards[d] {
				t = n - 1 - i
			}
			l.step(from+t, l.gates[t*c.batch*row:][:c.batch*row])
			if i&15 == 0 && c.ctx.Err() != nil {
				return
			}
		}
		done += n
	}
	l.lastState(c.lastH, l.state)
	l.lastState(c.lastC, l.cell)
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
func (l *recurrentLine[T]) stateAt(b int) int {
	if l.batchFirst {
		return (b*len(l.backwards) + l.d) * l.h
	}
	return (l.d*l.batch + b) * l.h
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
	rows := n * l.batch
	for i := range rows {
		copy(l.gates[i*l.row:], l.bias)
	}
	if l.width == 0 {
		return
	}
	if !l.batchFirst || l.steps == 1 || l.batch == 1 { // the rows lie in order
		l.gemm.into(l.ctx, l.threads, rows, l.width, l.row, l.x[from*l.batch*l.width:], l.width, false, l.w, l.width, true, l.packed.w, l.gates, l.row, true)
		return
	}
	for b := range l.batch {
		l.gemm.into(l.ctx, l.threads, n, l.width, l.row, l.x[(b*l.steps+from)*l.width:], l.width, false, l.w, l.width, true, l.packed.w, l.gates[b*l.row:], l.batch*l.row, true)
	}
}

// step changes the states by the gates (batch, row) of time step t.
func (l *recurrentLine[T]) step(t int, gates []T) {
	switch {
	case l.recurrent.gates == 3 && l.linear:
		l.stepLinear(t, gates)
		return
	case l.recurrent.gates == 3:
		l.stepGRU(t, gates)
		return
	}
	if l.seen {
		l.gemm.into(l.ctx, l.threads, l.batch, l.h, l.row, l.state, l.h, false, l.r, l.h, true, l.packed.r, gates, l.row, true)
	}
	l.seen = true
	for b := range l.batch {
		if l.over(t, b) {
			continue
		}
		h, g := l.state[b*l.h:][:l.h], gates[b*l.row:][:l.row]
		if l.recurrent.gates == 1 {
			clipRow(g, l.clip)
			l.acts[l.d][0](g)
			copy(h, g)
		} else {
			l.lstm(h, l.cell[b*l.h:][:l.h], g)
		}
		l.put(t, b, h)
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
func (l *recurrentLine[T]) outputAt(t, b int) int {
	many := len(l.backwards)
	if l.batchFirst {
		return ((b*l.steps+t)*many + l.d) * l.h
	}
	return ((t*many+l.d)*l.batch + b) * l.h
}

// stepGRU: the third gate sees r·h.
func (l *recurrentLine[T]) stepGRU(t int, gates []T) {
	if l.seen {
		l.gemm.into(l.ctx, l.threads, l.batch, l.h, 2*l.h, l.state, l.h, false, l.r, l.h, true, l.packed.r, gates, l.row, true)
	}
	for b := range l.batch {
		zr := gates[b*l.row:][:2*l.h]
		clipRow(zr, l.clip)
		l.acts[l.d][0](zr)
		mulRow(l.extra[b*l.h:][:l.h], zr[l.h:], l.state[b*l.h:])
	}
	if l.seen {
		l.gemm.into(l.ctx, l.threads, l.batch, l.h, l.h, l.extra, l.h, false, l.r[2*l.h*l.h:], l.h, true, l.packed.next, gates[2*l.h:], l.row, true)
	}
	l.finishGRU(t, gates)
}

// stepLinear: the third gate sees r times what h gives.
func (l *recurrentLine[T]) stepLinear(t int, gates []T) {
	for b := range l.batch {
		e := l.extra[b*l.row:][:l.row]
		clear(e[:2*l.h])
		copy(e[2*l.h:], l.biasNext)
	}
	if l.seen {
		l.gemm.into(l.ctx, l.threads, l.batch, l.h, l.row, l.state, l.h, false, l.r, l.h, true, l.packed.r, l.extra, l.row, true)
	}
	for b := range l.batch {
		g, e := gates[b*l.row:][:l.row], l.extra[b*l.row:][:l.row]
		zr := g[:2*l.h]
		addRow(zr, e)
		clipRow(zr, l.clip)
		l.acts[l.d][0](zr)
		mulRow(e[2*l.h:], e[2*l.h:], zr[l.h:])
		addRow(g[2*l.h:], e[2*l.h:])
	}
	l.finishGRU(t, gates)
}

// finishGRU mixes the new state from z and the third gate.
func (l *recurrentLine[T]) finishGRU(t int, gates []T) {
	l.seen = true
	for b := range l.batch {
		if l.over(t, b) {
			continue
		}
		z, n, h := gates[b*l.row:][:l.h], gates[b*l.row+2*l.h:][:l.h], l.state[b*l.h:][:l.h]
		clipRow(n, l.clip)
		l.acts[l.d][1](n)
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
		acts[0](g[:3*n])
	} else {
		mulAddRow(i, l.peep[:n], c)
		mulAddRow(f, l.peep[2*n:], c)
		clipRow(i, l.clip)
		clipRow(f, l.clip)
		clipRow(next, l.clip)
		acts[0](i)
		acts[0](f)
	}
	acts[1](next)
	if l.coupled {
		for k, x := range i {
			f[k] = 1 - x
		}
	}
	lstmCell(c, i, f, next)
	if l.peep != nil {
		mulAddRow(o, l.peep[n:2*n], c)
		clipRow(o, l.clip)
		acts[0](o)
	}
	copy(h, c)
	acts[2](h)
	mulRow(h, h, o)
}

// lstmCell makes c = f·c + i·g.
func lstmCell[T float](c, i, f, g []T) {
	i, f, g = i[:len(c)], f[:len(c)], g[:len(c)]
	for k, x := range c {
		c[k] = f[k]*x + i[k]*g[k]
	}
}

// mulRow writes a·b.
func mulRow[T float](dst, a, b []T) {
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
