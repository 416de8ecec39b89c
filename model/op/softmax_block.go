//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

// softmaxBlock is how many places that lie side by side are done at a time.
const softmaxBlock = 256

func init() { softmaxBeside = softmaxBlocks }

// softmaxBlocks normalises src (length, inner) along length, in vectors of places.
func softmaxBlocks(dst, src []float32, length, inner int, log bool) {
	var tops, sums, buf [softmaxBlock]float32
	for from := 0; from < inner; from += softmaxBlock {
		width := min(softmaxBlock, inner-from)
		top, sum, e := tops[:width], sums[:width], buf[:width]
		copy(top, src[from:])
		for k := 1; k < length; k++ {
			kernel.Pair(kernel.Greater, top, top, src[from+k*inner:][:width])
		}
		clear(sum)
		for k := range length {
			y := dst[from+k*inner:][:width]
			kernel.Pair(kernel.Sub, y, src[from+k*inner:][:width], top)
			if log {
				kernel.Exp(e, y)
				kernel.Pair(kernel.Add, sum, sum, e)
			} else {
				kernel.Exp(y, y)
				kernel.Pair(kernel.Add, sum, sum, y)
			}
		}
		for i, s := range sum {
			if log {
				sum[i] = float32(math.Log(float64(s)))
			} else {
				sum[i] = 1 / s
			}
		}
		last := kernel.Mul
		if log {
			last = kernel.Sub
		}
		for k := range length {
			y := dst[from+k*inner:][:width]
			kernel.Pair(last, y, y, sum)
		}
	}
}
