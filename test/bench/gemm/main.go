//go:build linux

// Command gemm times the float32 matrix product for gemm.py. It reads lines "M K N THREADS constant|changing REPEATS" and answers each with
// the seconds of every repeat. It runs on Linux.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jarvis-ml/jarvis/model/kernel"
)

func main() {
	if os.Getenv("GEMM_CLOCK") == "cpu" {
		runtime.LockOSThread()
		now = threadTime
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var m, k, n, threads, repeats int
		var kind string
		if _, err := fmt.Sscan(in.Text(), &m, &k, &n, &threads, &kind, &repeats); err != nil {
			fmt.Fprintln(os.Stderr, "gemm: "+in.Text()+":", err)
			os.Exit(2)
		}
		answer(m, k, n, threads, kind == "constant", repeats)
	}
}

// now is a clock in seconds: the time of day or, for one goroutine on a machine with other load, what this thread has used.
var now = func() float64 { return time.Since(begin).Seconds() }

var begin = time.Now()

func threadTime() float64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return float64(t.Nano()) / 1e9
}

// job is one shape: A (m, k), B (k, n), C (m, n).
type job struct {
	shape   [3]int
	a, b, c []float32
	packed  kernel.PackedF32
}

var last job

// answer times the repeats of one product. The operands are kept for the next question of the same shape.
func answer(m, k, n, threads int, constant bool, repeats int) {
	if last.shape != [3]int{m, k, n} {
		last = job{shape: [3]int{m, k, n}, a: numbers(m * k), b: numbers(k * n), c: make([]float32, m*n)}
		last.packed = kernel.PackF32(last.b, k, n, n, false, nil)
	}
	j := &last
	for i := range repeats {
		start := now()
		if constant {
			kernel.GemmF32(threads, m, j.a, k, false, &j.packed, j.c, n, nil)
		} else {
			kernel.ProductF32(threads, m, k, n, j.a, k, false, j.b, n, false, j.c, n, nil)
		}
		took := now() - start
		if i > 0 {
			fmt.Print(" ")
		}
		fmt.Print(took)
	}
	fmt.Println()
}

// numbers are small, different and never denormal.
func numbers(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i*2654435761%1000)/1000 - .5
	}
	return v
}
