package kernel

// LSTMCell ends a step of an LSTM of h units with the usual activations: from its gates i, o, f and g (4·h), after their activations, it makes
// c = f·c + i·g (h) and state = o·tanh(c) (h).
func LSTMCell(state, c, gates []float32) {
	n := len(c)
	state, gates = state[:n], gates[:4*n]
	if n == 0 || lstmCellMachine(state, c, gates) {
		return
	}
	Pair(Mul, state, gates[:n], gates[3*n:])
	LineEach(c, c, gates[2*n:3*n], state)
	Tanh(state, c)
	Pair(Mul, state, state, gates[n:2*n])
}

// LSTMBack goes back over that and over the activations of the gates: from the gradients of the new state and of c after the step, dh and dc (h), it
// writes those of the gates before their activations, dg (4·h), and of c before the step, dc. before and c (h) are c before and after the step.
func LSTMBack(dg, gates, before, c, dh, dc []float32) {
	n := len(dc)
	dg, gates, before, c, dh = dg[:4*n], gates[:4*n], before[:n], c[:n], dh[:n]
	if n == 0 || lstmBackMachine(dg, gates, before, c, dh, dc) {
		return
	}
	mul := func(dst, a, b []float32) { Pair(Mul, dst, a, b) }
	bend := func(dst, a []float32) { // 1 - a²
		mul(dst, a, a)
		Line(dst, dst, -1, 1)
	}
	di, do, df, dn := dg[:n], dg[n:2*n], dg[2*n:3*n], dg[3*n:]
	ai, ao, af, an := gates[:n], gates[n:2*n], gates[2*n:3*n], gates[3*n:]
	Line(dg[:3*n], gates[:3*n], -1, 1)
	mul(dg[:3*n], dg[:3*n], gates[:3*n]) // the slopes of i, o and f
	Tanh(dn, c)
	mul(do, do, dn)
	mul(do, do, dh)
	bend(dn, dn)
	mul(dn, dn, ao)
	LineEach(dc, dn, dh, dc)
	mul(df, df, before)
	mul(df, df, dc)
	mul(di, di, an)
	mul(di, di, dc)
	bend(dn, an)
	mul(dn, dn, ai)
	mul(dn, dn, dc)
	mul(dc, dc, af)
}
