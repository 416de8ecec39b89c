package kernel

// Accumulate adds factor·src to dst, as long as src; the product is rounded first, so that all paths and machines come to the same bits. dst may be
// src, but may not overlap it otherwise.
func Accumulate(dst, src []float32, factor float32) {
	dst = dst[:len(src)]
	if len(src) == 0 || accumulateMachine(dst, src, factor) {
		return
	}
	for i, v := range src {
		dst[i] += float32(factor * v)
	}
}

// energyLanes is how many sums Energy adds up side by side; package gen knows it too.
const energyLanes = 32

// Energy is Σx², in float64: squares of finite numbers neither overflow nor vanish, and are exact, so that only the order of the sum counts, which is
// the same in all paths and on all machines.
func Energy(x []float32) float64 {
	var sums [energyLanes]float64
	blocks := len(x) / energyLanes
	if whole := x[:blocks*energyLanes]; blocks > 0 && !energyMachine(&sums, whole) {
		for ; len(whole) > 0; whole = whole[energyLanes:] {
			for i, v := range (*[energyLanes]float32)(whole) {
				sums[i] += float64(v) * float64(v)
			}
		}
	}
	for i, v := range x[blocks*energyLanes:] {
		sums[i] += float64(v) * float64(v)
	}
	for n := energyLanes / 2; n > 0; n /= 2 {
		for i := range n {
			sums[i] += sums[n+i]
		}
	}
	return sums[0]
}
