// Command vector generates vector_amd64.s of package kernel: loops over float32 slices for AVX2 with FMA.
package main

import (
	"fmt"
	"os"
	"regexp"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("amd64")
	const cheap, dear = 4, 1 // vectors in a turn: long formulas fill the machine by themselves

	unary("vectorExp", dear, func(x, _, _ vec) vec { return exp(x) }, expConstants...)
	unary("vectorSigmoid", dear, func(x, _, _ vec) vec { return sigmoid(x, number(1)) }, expConstants...)
	unary("vectorSilu", dear, func(x, _, _ vec) vec { return sigmoid(x, x) }, expConstants...)
	unary("vectorTanh", dear, func(x, _, _ vec) vec { return tanh(x) })
	unary("vectorErf", dear, func(x, _, _ vec) vec { return erf(x) })
	unary("vectorGelu", dear, func(x, _, _ vec) vec { return gelu(x) })
	unary("vectorHardSwish", 2, func(x, _, _ vec) vec { return hardSwish(x) })
	unary("vectorHardSigmoid", 2, hardSigmoid)
	unary("vectorClip", cheap, clip)
	unary("vectorLeaky", cheap, func(x, a, _ vec) vec { return leaky(x, a) })
	unary("vectorLine", cheap, func(x, a, b vec) vec { return fma(x, a, b) })

	for _, p := range pairs {
		binary("vector"+p.name, false, false, p.f)
		binary("vector"+p.name+"Right", false, true, p.f)
		if p.left {
			binary("vector"+p.name+"Left", true, false, p.f)
		}
	}
	lineEach()
	normalize("vectorNormalize", true, true)
	normalize("vectorNormalizeScale", true, false)
	normalize("vectorNormalizeOnly", false, false)

	sum()
	squares()
	greatest()
	dot()
	expSum()
	column()

	slide("vectorSlide", true)
	slide("vectorPeaks", false)
	split()
	back()
	lstmCell()
	lstmBack()
	Generate()
	if made, err := os.ReadFile("../vector_amd64.s"); err != nil || regexp.MustCompile(`\b[XY](1[6-9]|[23]\d)\b`).Match(made) {
		fmt.Fprintln(os.Stderr, "a function needs more than the sixteen registers of AVX2", err)
		os.Exit(1)
	}
}
