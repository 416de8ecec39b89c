// Read reads a file as `jarvis train` does, and prints the time and the peak of memory as one JSON object.
//
//	go run ./test/bench/csv/read [-chunks] [-cpuprofile FILE] FILE
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/jarvis-ml/jarvis/pipeline/source"
)

func main() {
	chunks := flag.Bool("chunks", false, "stream chunks (bounded memory) instead of building one table")
	profile := flag.String("cpuprofile", "", "write a CPU profile")
	flag.Parse()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	rows, columns, seconds, err := read(flag.Arg(0), *chunks)
	pprof.StopCPUProfile()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out, _ := json.Marshal(map[string]any{
		"reader": "jarvis", "rows": rows, "columns": columns, "seconds": seconds,
		"cpu_seconds": seconds64(use.Utime) + seconds64(use.Stime), "peak_mb": float64(use.Maxrss) / 1024,
	})
	fmt.Println(string(out))
}

func seconds64(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

func read(path string, chunks bool) (rows, columns int, seconds float64, err error) {
	ctx, start := context.Background(), time.Now()
	src, err := source.Open(ctx, path, source.Options{})
	if err != nil {
		return 0, 0, 0, err
	}
	if !chunks {
		t, err := source.ReadAll(ctx, src)
		if err != nil {
			return 0, 0, 0, err
		}
		return t.Rows, len(t.Columns), time.Since(start).Seconds(), nil
	}
	for t, err := range src.Chunks(ctx) {
		if err != nil {
			return 0, 0, 0, err
		}
		rows, columns = rows+t.Rows, len(t.Columns)
	}
	return rows, columns, time.Since(start).Seconds(), nil
}
