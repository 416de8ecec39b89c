package main

import (
	"math"
	"runtime/debug"
	"strconv"
)

// delayCollection puts off garbage collection until collect is called: an init allocates what stays, and looking through
// it several times took a fifth of a cold start. It is called when the first answer is out, which would else wait for the
// collection that is due right after the init. Memory is still bounded, now and later, by what the function has (unless
// GOMEMLIMIT says otherwise): above three quarters of it garbage is collected.
func delayCollection(getenv func(string) string) (collect func()) {
	mb, err := strconv.ParseInt(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 32)
	if err != nil || mb <= 0 { // not on Lambda
		return func() {}
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(mb << 20 / 4 * 3)
	}
	before := debug.SetGCPercent(-1)
	return func() { debug.SetGCPercent(before) }
}
