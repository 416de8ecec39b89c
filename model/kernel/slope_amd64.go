package kernel

// The loops of the way back in assembly, where this process uses it. Slices are not empty, and as long as each other.

func slopeMachine(s Slope, dst, v, dy []float32, a, b, c float32) bool {
	if path != avx2 {
		return false
	}
	d, x, g, n := &dst[0], &v[0], &dy[0], len(v)
	switch s {
	case SlopeWithin:
		slopeWithin(d, x, g, n, tail(n), a, b, c)
	case SlopeLeaky:
		slopeLeaky(d, x, g, n, tail(n), a, b, c)
	case SlopeSigmoid:
		slopeSigmoid(d, x, g, n, tail(n), a, b, c)
	case SlopeTanh:
		slopeTanh(d, x, g, n, tail(n), a, b, c)
	case SlopeSilu:
		slopeSilu(d, x, g, n, tail(n), a, b, c)
	case SlopeGelu:
		slopeGelu(d, x, g, n, tail(n), a, b, c)
	case SlopeGeluTanh:
		slopeGeluTanh(d, x, g, n, tail(n), a, b, c)
	default:
		slopeHardSwish(d, x, g, n, tail(n), a, b, c)
	}
	return true
}

func momentsMachine(dy, x, scale []float32, mean float32) (sum, with float32, ok bool) {
	if path != avx2 {
		return 0, 0, false
	}
	n := len(x)
	if scale == nil {
		sum, with = vectorMoments(&dy[0], &x[0], n, tail(n), mean)
	} else {
		sum, with = vectorMomentsScale(&dy[0], &x[0], &scale[0], n, tail(n), mean)
	}
	return sum, with, true
}

func blendMachine(dst, x, y []float32, a, b, c float32) bool {
	if path != avx2 {
		return false
	}
	vectorBlend(&dst[0], &x[0], &y[0], len(x), tail(len(x)), a, b, c)
	return true
}

func columnsMachine(sum, with, dy, x, mean []float32) bool {
	if path != avx2 {
		return false
	}
	vectorColumns(&sum[0], &with[0], &dy[0], &x[0], &mean[0], len(x), tail(len(x)))
	return true
}

func layerBackMachine(dx, dscale, dbias, dy, x, scale []float32, mean, inverse, a, b float32) bool {
	if path != avx2 {
		return false
	}
	vectorLayerBack(&dx[0], &dscale[0], &dbias[0], &dy[0], &x[0], &scale[0], len(x), tail(len(x)), mean, inverse, a, b)
	return true
}

func lstmCellMachine(state, c, gates []float32) bool {
	if path != avx2 {
		return false
	}
	vectorLSTMCell(&state[0], &c[0], &gates[0], len(c), tail(len(c)))
	return true
}

func lstmBackMachine(dg, gates, before, c, dh, dc []float32) bool {
	if path != avx2 {
		return false
	}
	vectorLSTMBack(&dg[0], &gates[0], &before[0], &c[0], &dh[0], &dc[0], len(dc), tail(len(dc)))
	return true
}

func dropMachine(p *Philox, dst, src []float32, kept []byte, groups, group int, threshold uint32, scale float32) bool {
	if path != avx2 {
		return false
	}
	counter := p.counter
	counter[0] = uint32(group) * 8
	vectorDrop(&dst[0], &src[0], &kept[0], groups, &p.keys[0], &counter[0], threshold, scale)
	return true
}

func keepMachine(dst, src []float32, kept []byte, groups int, scale float32) bool {
	if path != avx2 {
		return false
	}
	vectorKeep(&dst[0], &src[0], &kept[0], groups, scale)
	return true
}
