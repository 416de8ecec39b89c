//go:build !race

package op

import (
	"context"
	"testing"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// allocating are the operators whose steady runs may allocate, and why.
var allocating = map[string]string{
	"Cast":             "texts that it writes are new, and so are errors of numbers that it cannot read",
	"ImageDecoder":     "what the decoders of pictures build",
	"StringConcat":     "its strings are new",
	"StringNormalizer": "its strings are new where their case changes",
	"Tokenizer":        "lists of what package regexp and separators match; what Jarvis writes takes another way",
}

// TestSteadyRuns holds kernels to allocating nothing when a run of the same shapes went before: with inputs that all vary, and with all but the
// first known, as weights are; on one goroutine and on two. (Not under the race
// detector: it empties sync.Pool, where package regexp keeps its machines.)
func TestSteadyRuns(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range All() {
		for i := range s.Cases {
			if c := &s.Cases[i]; c.Err == "" {
				t.Run(s.Name+"/"+c.Name, func(t *testing.T) {
					for _, known := range []bool{false, true} {
						for _, threads := range []int{1, 2} {
							if got := allocations(t, s, c, known, threads); got > 0 {
								seen[s.Name] = true
								if allocating[s.Name] == "" {
									t.Errorf("weights known: %v, %d threads: %v allocations a run", known, threads, got)
								}
							}
						}
					}
				})
			}
		}
	}
	for name, why := range allocating {
		if !seen[name] {
			t.Errorf("%s does not allocate, though it is listed as one that does: %s", name, why)
		}
	}
}

// allocations counts those of one run of a case, after another.
func allocations(t *testing.T, s *Spec, c *Case, known bool, threads int) float64 {
	n, site := s.Node(c), siteOf(s, c, "all")
	site.Threads = threads
	for i := range site.Constant {
		if i == 0 || !known {
			site.Constant[i] = nil
		}
	}
	if _, err := s.Infer(n, site); err != nil {
		t.Fatal(err)
	}
	k, err := s.Compile(n, site)
	if err != nil {
		return 0 // some must know an input that this run lets vary
	}
	out := make([]*tensor.Tensor, len(n.Outputs))
	for i := range out {
		out[i] = new(tensor.Tensor)
	}
	return testing.AllocsPerRun(20, func() {
		if err := k(context.Background(), c.In, out); err != nil {
			t.Fatal(err)
		}
	})
}
