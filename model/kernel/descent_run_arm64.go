package kernel

import "unsafe"

// The functions of descent.go and accumulate.go in assembly, where this process uses it. Slices are not empty, and as long as each other.

func descentMachine(r rule, s *Step, p, g, s0, s1, s2 []float32) bool {
	if path != neon {
		return false
	}
	c, w, d, n := &s.Scale, &p[0], &g[0], len(p)
	x, y, z := unsafe.SliceData(s0), unsafe.SliceData(s1), unsafe.SliceData(s2)
	switch r {
	case rulePlain:
		descentPlain(c, w, d, x, y, z, n)
	case ruleMomentum:
		descentMomentum(c, w, d, x, y, z, n)
	case ruleNesterov:
		descentNesterov(c, w, d, x, y, z, n)
	case ruleAdam:
		descentAdam(c, w, d, x, y, z, n)
	case ruleRMSProp:
		descentRMSProp(c, w, d, x, y, z, n)
	case ruleCentered:
		descentCentered(c, w, d, x, y, z, n)
	case ruleAdagrad:
		descentAdagrad(c, w, d, x, y, z, n)
	case ruleLion:
		descentLion(c, w, d, x, y, z, n)
	default:
		descentPenalty(c, w, d, x, y, z, n)
	}
	return true
}

func accumulateMachine(dst, src []float32, factor float32) bool {
	if path != neon {
		return false
	}
	descentAccumulate(&dst[0], &src[0], len(src), factor)
	return true
}

// energyMachine gets whole blocks.
func energyMachine(sums *[energyLanes]float64, x []float32) bool {
	if path != neon {
		return false
	}
	descentEnergy(&sums[0], &x[0], len(x)/energyLanes)
	return true
}
