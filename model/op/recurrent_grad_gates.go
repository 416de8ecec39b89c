//go:build !lean

package op

import "github.com/jarvis-ml/jarvis/model/kernel"

// gatesBack writes the gradients of the gates of sequence b at time step t, at of the chunk, before their activations, to dg (row), and changes dh
// and dc from those after the step to what reaches the states before it other than through R.
func (l *recurrentGradLine[T]) gatesBack(t, at, b int, dh, dg []T) {
	acts, h := l.acts[l.d], l.h
	switch l.recurrent.gates {
	case 1:
		copy(dg, dh)
		acts[0].back(dg, l.y[l.outputAt(t, b):][:h])
	case 3:
		l.gruBack(t, at, b, dh, dg)
	default:
		a, c := l.gates[(t*l.batch+b)*l.row:][:l.row], l.kept[(t*l.batch+b)*h:][:h]
		dc, before := l.dc[b*h:][:h], l.cellBefore(t, b)
		if l.usual(l.d) && lstmSlopes(dg, a, before, c, dh, dc) {
			return
		}
		squashed := l.spare[b*h:][:h]
		copy(squashed, c)
		acts[2].run(squashed)
		l.lstmBack(dg, a, c, before, squashed, dh, dc)
	}
}

// lstmSlopes is lstmBack for the usual activations and float32, in one go: dg and a (4·h) are i, o, f and g.
func lstmSlopes[T float](dg, a, before, c, dh, dc []T) bool {
	d32, ok := asSingle(dg)
	if ok {
		lists := [...][]T{a, before, c, dh, dc}
		var single [len(lists)][]float32
		for i, v := range lists {
			single[i], _ = asSingle(v)
		}
		kernel.LSTMBack(d32, single[0], single[1], single[2], single[3], single[4])
	}
	return ok
}

// lstmBack does an LSTM with any activations, peepholes and input_forget.
func (l *recurrentGradLine[T]) lstmBack(dg, a, c, before, squashed, dh, dc []T) {
	n, acts := l.h, l.acts[l.d]
	di, do, df, dn := dg[:n], dg[n:2*n], dg[2*n:3*n], dg[3*n:]
	ai, ao, af, an := a[:n], a[n:2*n], a[2*n:3*n], a[3*n:]
	mulRow(do, dh, squashed)
	acts[0].back(do, ao)
	mulRow(di, dh, ao)
	acts[2].back(di, squashed)
	addRow(dc, di)
	if l.peep != nil {
		mulAddRow(dc, do, l.peep[n:2*n])
	}
	mulRow(di, dc, an)
	mulRow(df, dc, before)
	mulRow(dn, dc, ai)
	if l.coupled { // f = 1-i
		for k, s := range df {
			di[k] -= s
		}
		clear(df)
	} else {
		acts[0].back(df, af)
	}
	acts[0].back(di, ai)
	acts[1].back(dn, an)
	mulRow(dc, dc, af)
	if l.peep != nil {
		mulAddRow(dc, di, l.peep[:n])
		mulAddRow(dc, df, l.peep[2*n:])
	}
}

// gruBack does a GRU as far as it goes without products: h = (1-z)·n + z·h.
func (l *recurrentGradLine[T]) gruBack(t, at, b int, dh, dg []T) {
	n, acts := l.h, l.acts[l.d]
	a, before := l.gates[(t*l.batch+b)*l.row:][:l.row], l.stateBefore(t, b)
	z, r, next := a[:n], a[n:2*n], a[2*n:]
	dz, dr, dn := dg[:n], dg[n:2*n], dg[2*n:]
	for k, e := range dh {
		dz[k], dn[k], dh[k] = e*(before[k]-next[k]), e*(1-z[k]), e*z[k]
	}
	acts[0].back(dz, z)
	acts[1].back(dn, next)
	third := l.third[(at*l.batch+b)*n:][:n]
	if !l.linear {
		mulRow(third, r, before)
		return
	}
	mulRow(dr, dn, l.kept[(t*l.batch+b)*n:])
	acts[0].back(dr, r)
	mulRow(third, dn, r)
}

// finishGRU takes the gradients through R, which the third gate saw with r·h, or with linear_before_reset before r.
func (l *recurrentGradLine[T]) finishGRU(t, at, lo, hi int, further bool) {
	n, m := l.h, hi-lo
	dg, dh, next := l.dg[(at*l.batch+lo)*l.row:], l.dh[lo*n:], l.r[2*n*n:]
	if !l.linear {
		l.gemm.into(l.ctx, l.inner, m, n, n, dg[2*n:], l.row, false, next, n, false, l.packed.next, l.spare[lo*n:], n, false)
		for b := lo; b < hi; b++ {
			if l.over(t, b) {
				continue
			}
			r, dr, s := l.gates[(t*l.batch+b)*l.row+n:][:n], dg[(b-lo)*l.row+n:][:n], l.spare[b*n:][:n]
			mulRow(dr, s, l.stateBefore(t, b))
			l.acts[l.d][0].back(dr, r)
			mulAddRow(dh[(b-lo)*n:][:n], s, r)
		}
	} else if further {
		l.gemm.into(l.ctx, l.inner, m, n, n, l.third[(at*l.batch+lo)*n:], n, false, next, n, false, l.packed.next, dh, n, true)
	}
	if further {
		l.gemm.into(l.ctx, l.inner, m, 2*n, n, dg, l.row, false, l.r, n, false, l.packed.r, dh, n, true)
	}
}
