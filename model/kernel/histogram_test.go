package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestHistogram compares with the definition, for numbers of features around the width of a turn, rows in any order and some of them twice.
func TestHistogram(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for features := 1; features < 40; features++ {
		stride, n := features+random.IntN(3), 1+random.IntN(300)
		offset, bins, values := make([]uint32, features), make([]uint8, n*stride), make([]uint64, n)
		sizes := make([]int, features)
		total := 0
		for f := range offset {
			sizes[f] = 1 + random.IntN(256)
			offset[f] = uint32(total)
			total += sizes[f]
		}
		for r := range n {
			values[r] = random.Uint64()
			for f := range features {
				bins[r*stride+f] = uint8(random.IntN(sizes[f]))
			}
		}
		rows := make([]int32, random.IntN(2*n))
		for i := range rows {
			rows[i] = int32(random.IntN(n))
		}
		got, want := make([]uint64, total), make([]uint64, total)
		for _, r := range rows {
			for f := range features {
				want[offset[f]+uint32(bins[int(r)*stride+f])] += values[r]
			}
		}
		Histogram(got, offset, bins, stride, values, rows)
		if !slices.Equal(got, want) {
			t.Fatalf("%d features, %d of %d rows: other sums", features, len(rows), n)
		}
	}
}

// TestHistogramLists compares with the definition, for lists around the width of a turn, empty ones among them.
func TestHistogramLists(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		n, bins := 1+random.IntN(700), 1+random.IntN(500)
		start, lists, values := []int{0}, []uint32(nil), make([]uint64, n)
		for r := range n {
			values[r] = random.Uint64()
			for range random.IntN(11) {
				lists = append(lists, uint32(random.IntN(bins)))
			}
			start = append(start, len(lists))
		}
		rows := make([]int32, random.IntN(2*n))
		for i := range rows {
			rows[i] = int32(random.IntN(n))
		}
		got, want := make([]uint64, bins), make([]uint64, bins)
		for _, r := range rows {
			for _, b := range lists[start[r]:start[r+1]] {
				want[b] += values[r]
			}
		}
		HistogramLists(got, start, lists, values, rows)
		if !slices.Equal(got, want) {
			t.Fatalf("%d rows of %d: other sums", len(rows), n)
		}
	}
}

func BenchmarkHistogram(b *testing.B) {
	const rows, features = 1 << 20, 28
	random := rand.New(rand.NewPCG(1, 2))
	bins, values, offset := make([]uint8, rows*features), make([]uint64, rows), make([]uint32, features)
	for i := range bins {
		bins[i] = uint8(random.Uint32())
	}
	for f := range offset {
		offset[f] = uint32(256 * f)
	}
	hist := make([]uint64, 256*features)
	var all, some []int32
	for r := range int32(rows) {
		if all = append(all, r); random.IntN(8) == 0 {
			some = append(some, r)
		}
	}
	for name, rows := range map[string][]int32{"all": all, "an eighth": some} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Histogram(hist, offset, bins, features, values, rows)
			}
			b.ReportMetric(float64(b.N)*float64(len(rows)*features)/b.Elapsed().Seconds()/1e9, "Gadd/s")
		})
	}
}
