//go:build !lean

package op

// products adds what the gates of a chunk give to the gradients of X, W, R, B and P, over all its time steps at once.
func (l *recurrentGradLine[T]) products() {
	rows := l.n * l.batch
	if !l.batchFirst || l.steps == 1 || l.batch == 1 { // the rows of X lie in order
		l.inputs(rows, l.from*l.batch*l.width, l.dg, l.row)
	} else {
		for b := range l.batch {
			l.inputs(l.n, (b*l.steps+l.from)*l.width, l.dg[b*l.row:], l.batch*l.row)
		}
	}
	if l.dr != nil {
		l.recurrentWeights()
	}
	if l.db != nil {
		l.biases(rows)
	}
	if l.dp != nil {
		l.peepholes(l.dp[l.d*3*l.h:][:3*l.h])
	}
}

// inputs adds dX = dG·W and dW = dGᵀ·X for rows of X from at on; those of dg lie ld apart.
func (l *recurrentGradLine[T]) inputs(rows, at int, dg []T, ld int) {
	if l.width == 0 {
		return
	}
	if l.dx != nil {
		l.gemm.into(l.ctx, l.threads, rows, l.row, l.width, dg, ld, false, l.w, l.width, false, nil, l.dx[at:], l.width, l.d > 0)
	}
	if l.dw != nil {
		l.gemm.into(l.ctx, l.threads, l.row, rows, l.width, dg, ld, true, l.x[at:], l.width, false, nil, l.dw[l.d*l.row*l.width:], l.width, true)
	}
}

// recurrentWeights adds dR = dGᵀ·h, where h are the states before each step.
func (l *recurrentGradLine[T]) recurrentWeights() {
	if l.recurrent.gates == 3 && !l.linear { // the third gate saw r·h
		l.gemm.into(l.ctx, l.threads, l.h, l.n*l.batch, l.h, l.dg[2*l.h:], l.row, true, l.third, l.h, false, nil, l.dr[(l.d*l.row+2*l.h)*l.h:], l.h, true)
	}
	if !l.inOrder() {
		for t := range l.n {
			for b := range l.batch {
				copy(l.before[(t*l.batch+b)*l.h:][:l.h], l.stateBefore(l.from+t, b))
			}
		}
		l.states(0, l.n, l.before)
		return
	}
	first, from, n, y := 0, l.from, l.n, l.y // the first step of all saw the initial state, the others Y
	if l.backwards[l.d] {
		first = l.steps - 1
		y = l.y[min(l.from+1, l.steps)*l.batch*l.h:]
		if l.from+l.n == l.steps {
			n--
		}
	} else if from == 0 {
		from, n = 1, n-1
	} else {
		y = l.y[(l.from-1)*l.batch*l.h:]
	}
	l.states(from-l.from, n, y)
	if l.firstH != nil && first >= l.from && first < l.from+l.n {
		l.states(first-l.from, 1, l.firstH)
	}
}

// states does so for n time steps of the chunk, from at on; before (n, b, h) are their states.
func (l *recurrentGradLine[T]) states(at, n int, before []T) {
	if n == 0 {
		return
	}
	rows, high, dg, dr := n*l.batch, l.row, l.dg[at*l.batch*l.row:], l.dr[l.d*l.row*l.h:]
	if l.recurrent.gates == 3 {
		high = 2 * l.h
		if l.linear {
			l.gemm.into(l.ctx, l.threads, l.h, rows, l.h, l.third[at*l.batch*l.h:], l.h, true, before, l.h, false, nil, dr[2*l.h*l.h:], l.h, true)
		}
	}
	l.gemm.into(l.ctx, l.threads, high, rows, l.h, dg, l.row, true, before, l.h, false, nil, dr, l.h, true)
}

// biases adds the columns of dG; both halves of B get the same, but for the third gate of a GRU with linear_before_reset.
func (l *recurrentGradLine[T]) biases(rows int) {
	db := l.db[l.d*2*l.row:][:2*l.row]
	sum := func(from []T, width int, to []T) {
		l.gemm.into(l.ctx, l.threads, 1, rows, width, l.ones, rows, false, from, width, false, nil, to, width, true)
	}
	sum(l.dg, l.row, db)
	same := l.row
	if l.recurrent.gates == 3 && l.linear {
		same = 2 * l.h
		sum(l.third, l.h, db[l.row+same:])
	}
	if l.last {
		copy(db[l.row:][:same], db)
	}
}

// peepholes adds dP: the gates i and f saw the cell before, o the new one.
func (l *recurrentGradLine[T]) peepholes(dp []T) {
	h := l.h
	for t := range l.n {
		for b := range l.batch {
			if l.over(l.from+t, b) {
				continue
			}
			dg := l.dg[(t*l.batch+b)*l.row:][:l.row]
			before, c := l.cellBefore(l.from+t, b), l.kept[((l.from+t)*l.batch+b)*h:][:h]
			mulAddRow(dp[:h], dg[:h], before)
			mulAddRow(dp[h:2*h], dg[h:2*h], c)
			mulAddRow(dp[2*h:], dg[2*h:3*h], before)
		}
	}
}
