// Command descent generates descent_amd64.s of package kernel: loops that move parameters against their gradients, for AVX2 and for AVX-512.
package main

import (
	"fmt"
	"os"
	"regexp"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("amd64")
	for _, m := range []*machine{{bytes: 32}, {bytes: 64, suffix: "Wide"}} {
		m.rule("descentPlain", "p grad", "Scale Decay Rate", m.plain)
		m.rule("descentMomentum", "p grad s0", "Scale Decay Rate Mean MeanNew", func() { m.momentum(false) })
		m.rule("descentNesterov", "p grad s0", "Scale Decay Rate Mean MeanNew", func() { m.momentum(true) })
		m.rule("descentAdam", "p grad s0 s1", "Scale Decay Keep Rate MeanNew Square SquareNew Root Eps", m.adam)
		m.rule("descentRMSProp", "p grad s0 s1", "Scale Decay Rate Mean Square SquareNew Eps", func() { m.rmsProp(false) })
		m.rule("descentCentered", "p grad s0 s1 s2", "Scale Decay Rate Mean Square SquareNew Eps", func() { m.rmsProp(true) })
		m.rule("descentAdagrad", "p grad s0", "Scale Decay Rate Eps", m.adagrad)
		m.rule("descentLion", "p grad s0", "Scale Keep Rate Mean MeanNew Square SquareNew", m.lion)
		m.rule("descentPenalty", "p grad", "Scale Decay", m.penalty)
		m.accumulate()
		m.energy()
	}
	Generate()
	made, err := os.ReadFile("../descent_amd64.s")
	if err != nil || regexp.MustCompile(`\b(Y(1[6-9]|[23]\d)|X(1[6-9]|[23]\d))\b`).Match(made) {
		fmt.Fprintln(os.Stderr, "a function needs more than the sixteen registers of AVX2", err)
		os.Exit(1)
	}
}
