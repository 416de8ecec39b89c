package kernel

import "unsafe"

// The functions of descent.go and accumulate.go in assembly, where this process uses it. Slices are not empty, and as long as each other.

func descentMachine(r rule, s *Step, p, g, s0, s1, s2 []float32) bool {
	if path != avx2 {
		return false
	}
	c, w, d, n := &s.Scale, &p[0], &g[0], len(p)
	x, y, z := unsafe.SliceData(s0), unsafe.SliceData(s1), unsafe.SliceData(s2)
	if tall {
		descentWide(r, c, w, d, x, y, z, n)
		return true
	}
	switch r {
	case rulePlain:
		descentPlain(c, w, d, x, y, z, n, tail(n))
	case ruleMomentum:
		descentMomentum(c, w, d, x, y, z, n, tail(n))
	case ruleNesterov:
		descentNesterov(c, w, d, x, y, z, n, tail(n))
	case ruleAdam:
		descentAdam(c, w, d, x, y, z, n, tail(n))
	case ruleRMSProp:
		descentRMSProp(c, w, d, x, y, z, n, tail(n))
	case ruleCentered:
		descentCentered(c, w, d, x, y, z, n, tail(n))
	case ruleAdagrad:
		descentAdagrad(c, w, d, x, y, z, n, tail(n))
	case ruleLion:
		descentLion(c, w, d, x, y, z, n, tail(n))
	default:
		descentPenalty(c, w, d, x, y, z, n, tail(n))
	}
	return true
}

// wideTail selects the elements that n leaves after whole vectors of sixteen.
func wideTail(n int) uint32 { return 1<<(n%16) - 1 }

func descentWide(r rule, c, w, d, x, y, z *float32, n int) {
	switch r {
	case rulePlain:
		descentPlainWide(c, w, d, x, y, z, n, wideTail(n))
	case ruleMomentum:
		descentMomentumWide(c, w, d, x, y, z, n, wideTail(n))
	case ruleNesterov:
		descentNesterovWide(c, w, d, x, y, z, n, wideTail(n))
	case ruleAdam:
		descentAdamWide(c, w, d, x, y, z, n, wideTail(n))
	case ruleRMSProp:
		descentRMSPropWide(c, w, d, x, y, z, n, wideTail(n))
	case ruleCentered:
		descentCenteredWide(c, w, d, x, y, z, n, wideTail(n))
	case ruleAdagrad:
		descentAdagradWide(c, w, d, x, y, z, n, wideTail(n))
	case ruleLion:
		descentLionWide(c, w, d, x, y, z, n, wideTail(n))
	default:
		descentPenaltyWide(c, w, d, x, y, z, n, wideTail(n))
	}
}

func accumulateMachine(dst, src []float32, factor float32) bool {
	if path != avx2 {
		return false
	}
	if n := len(src); tall {
		descentAccumulateWide(&dst[0], &src[0], n, wideTail(n), factor)
	} else {
		descentAccumulate(&dst[0], &src[0], n, tail(n), factor)
	}
	return true
}

// energyMachine gets whole blocks.
func energyMachine(sums *[energyLanes]float64, x []float32) bool {
	if path != avx2 {
		return false
	}
	if tall {
		descentEnergyWide(&sums[0], &x[0], len(x)/energyLanes)
	} else {
		descentEnergy(&sums[0], &x[0], len(x)/energyLanes)
	}
	return true
}
