package op

import (
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestBytePeaks holds MaxPool of bytes to that of the same numbers as float64.
func TestBytePeaks(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, attrs := range [][]graph.Attr{
		{graph.IntsAttr("kernel_shape", 3, 3), graph.IntsAttr("strides", 2, 2), graph.IntsAttr("pads", 1, 1, 1, 1)},
		{graph.IntsAttr("kernel_shape", 2, 2)},
		{graph.IntsAttr("kernel_shape", 1, 5), graph.IntsAttr("pads", 0, 4, 0, 0), graph.IntsAttr("dilations", 1, 2)},
	} {
		for _, d := range byteTypes {
			x := drawBytes(rng, d, 2, 3, 13, 37)
			wide := tensor.New(tensor.Float64, x.Shape()...)
			for i := range x.Len() {
				tensor.Data[float64](wide)[i] = float64(byteAt(x, i))
			}
			y, want := runOp(t, "MaxPool", 2, attrs, x), runOp(t, "MaxPool", 1, attrs, wide)
			for i, w := range tensor.Data[float64](want) {
				if float64(byteAt(y, i)) != w {
					t.Fatalf("%v, %v: element %d is %v, want %v", attrs, d, i, byteAt(y, i), w)
				}
			}
		}
	}
}
