package kernel

// Which code the kernels run in is chosen once, at start: the best that the machine has, or what the environment variable JARVIS_KERNELS asks
// for: plain, avx2, avx512 or neon. A wish that the machine cannot fulfil gives plain Go.
const (
	plainGo = "plain"
	avx2    = "avx2"
	avx512  = "avx512"
	neon    = "neon"
)

// With AVX-512 the path is that of AVX2, except that tiles of the float32 product are tall: twelve rows high.
var path, tall = choose(wish(), machinePath(), machineTall())

// choose takes the best path of the machine, and how good AVX-512 is there.
func choose(wish, best string, t tallness) (path string, tall bool) {
	switch {
	case wish == "":
		return best, t == tallBest
	case wish == avx512 && t != tallNever:
		return best, true
	case wish == best:
		return best, false
	}
	return plainGo, false
}

// tallness says how good tall tiles are on a machine.
type tallness int

const (
	tallNever tallness = iota // it has no AVX-512
	tallMaybe                 // they may be slower
	tallBest
)

// tileHigh is the height of whole tiles.
func tileHigh() int {
	if tall {
		return tallRows
	}
	return tileRows
}

// Path tells which code the kernels run in: plain, avx2, avx512 or neon.
func Path() string {
	if tall {
		return avx512
	}
	return path
}
