//go:build !lean

package op

import "github.com/jarvis-ml/jarvis/model/kernel"

// bytePeaks gives MaxPool of a plane of bytes by the kernel for float32, which holds them exactly. An empty window has the least byte.
func bytePeaks[T int8 | uint8](least, most float32) func(plan *windowPlan, x, y, _ []T) {
	var wide scratch[float32]
	return func(plan *windowPlan, x, y, _ []T) {
		held := wide.take(len(x) + len(y) + plan.window.Len())
		defer wide.put(held)
		from, to, memory := (*held)[:len(x)], (*held)[len(x):][:len(y)], (*held)[len(x)+len(y):]
		kernel.RealBytes(from, x, 0, 1)
		plan.window.Peaks(to, from, memory)
		kernel.QuantizeBytes(y, to, 1, least, most, 0)
	}
}
