// Prepare reads a file and makes features of it as `jarvis train` does before it learns: read, profile, plan, transform.
// The features are handed on in chunks of rows, or as one matrix with -whole. It prints times and the peak of memory as one
// JSON object.
//
//	go run ./test/bench/csv/prepare [-whole] [-names] [-cpuprofile FILE] FILE
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

	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/feature"
	"github.com/jarvis-ml/jarvis/pipeline/source"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// chunk is how many rows are made features of at a time.
const chunk = 1 << 16

func main() {
	var o options
	flag.BoolVar(&o.whole, "whole", false, "make one matrix of all rows")
	names := flag.Bool("names", false, "print the features' names too")
	profile := flag.String("cpuprofile", "", "write a CPU profile")
	flag.Parse()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		exit(err)
	}
	out, err := prepare(context.Background(), flag.Arg(0), o)
	pprof.StopCPUProfile()
	exit(err)
	var use syscall.Rusage
	exit(syscall.Getrusage(syscall.RUSAGE_SELF, &use))
	out["cpu_seconds"] = seconds(use.Utime) + seconds(use.Stime)
	out["peak_mb"] = float64(use.Maxrss) / 1024
	if !*names {
		delete(out, "names")
	}
	text, err := json.Marshal(out)
	exit(err)
	fmt.Println(string(text))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
		os.Exit(1)
	}
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

type options struct{ whole bool }

func prepare(ctx context.Context, path string, o options) (map[string]any, error) {
	start := time.Now()
	src, err := source.Open(ctx, path, source.Options{})
	if err != nil {
		return nil, err
	}
	t, err := source.ReadAll(ctx, src)
	if err != nil {
		return nil, err
	}
	read := time.Since(start)
	report := check.Profile(t, check.Options{})
	profiled := time.Since(start)
	plan, err := feature.Fit(t, report, "", feature.Options{})
	if err != nil {
		return nil, err
	}
	planned := time.Since(start)
	sums, err := transform(ctx, plan, t, o)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"reader": "jarvis", "rows": t.Rows, "features": plan.Width(), "names": plan.Names, "sums": sums, "dropped": plan.Dropped,
		"seconds": time.Since(start).Seconds(), "read_seconds": read.Seconds(), "profile_seconds": (profiled - read).Seconds(),
		"plan_seconds": (planned - profiled).Seconds(), "transform_seconds": (time.Since(start) - planned).Seconds(),
	}, nil
}

// transform makes the features, and the sum of every column of them: whoever takes chunks looks at each number.
func transform(ctx context.Context, plan *feature.Plan, t *table.Table, o options) ([]float64, error) {
	step := chunk
	if o.whole {
		step = t.Rows
	}
	sums, width := make([]float64, plan.Width()), plan.Width()
	x := make([]float32, min(step, t.Rows)*width)
	for from := 0; from < t.Rows; from += step {
		part := rows(t, from, min(from+step, t.Rows))
		out := x[:part.Rows*width] // (rows, width)
		if err := plan.TransformInto(ctx, part, out); err != nil {
			return nil, err
		}
		for i := 0; i < len(out); i += width {
			for j, v := range out[i : i+width] {
				sums[j] += float64(v)
			}
		}
	}
	return sums, nil
}

// rows is the rows from … to of a table, sharing its memory.
func rows(t *table.Table, from, to int) *table.Table {
	out := &table.Table{Rows: to - from, Columns: append([]table.Column(nil), t.Columns...)}
	for i := range out.Columns {
		if c := &out.Columns[i]; c.Kind == table.Number {
			c.Numbers = c.Numbers[from:to]
		} else {
			c.Codes = c.Codes[from:to]
		}
	}
	return out
}
