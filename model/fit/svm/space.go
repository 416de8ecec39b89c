package svm

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// space is the data as kernels see it: z = (x - mean) * scale, the root of gamma within scale, so that kernels are
// functions of z alone.
type space struct {
	SVM
	fit.Data
	standard fit.Standard // numbers that float32 holds
	z        []float64    // (kept, cols)
	from     []int        // row of the data of each row kept: those that have a weight
	limit    []float64    // C of each row kept
}

func newSpace(p SVM, d fit.Data) *space {
	s := &space{SVM: p, Data: d, standard: fit.Standardize(d)}
	if p.Unscaled {
		for j := range d.Cols {
			s.standard.Scale[j] = 1
			if p.Kernel == "poly" { // the only kernel that a shift changes, but for a constant
				s.standard.Mean[j] = 0
			}
		}
	}
	root := 1.0
	if p.Kernel != "linear" {
		root = math.Sqrt(s.gamma())
	}
	for j := range d.Cols {
		s.standard.Scale[j] *= root
	}
	s.standard = s.standard.Rounded()
	for i := range d.Rows {
		if w := d.W(i); w > 0 {
			s.from = append(s.from, i)
			s.limit = append(s.limit, min(p.C*w, mostC))
			s.z = append(s.z, s.mapped(d.Row(i))...)
		}
	}
	return s
}

// gamma is its value, or that of "scale" or "auto".
func (s *space) gamma() float64 {
	if s.Gamma > 0 {
		return s.Gamma
	}
	if s.Gamma < 0 {
		return 1 / float64(s.Cols)
	}
	var n, mean, square float64
	each := func(f func(v float64)) {
		for i := range s.Rows {
			if s.W(i) == 0 {
				continue
			}
			for j, v := range s.Row(i) {
				center := s.standard.Mean[j]
				if s.Unscaled { // then the variance is that of all features together, whose means differ
					center = 0
				}
				f((float64(v) - center) * s.standard.Scale[j])
			}
		}
	}
	each(func(v float64) { mean += v; n++ })
	mean /= n
	each(func(v float64) { square += (v - mean) * (v - mean) / n })
	if !(square > 0) {
		return 1 / float64(s.Cols)
	}
	return 1 / (float64(s.Cols) * square)
}

func (s *space) mapped(row []float32) []float64 {
	z := make([]float64, len(row))
	for j, v := range row {
		z[j] = (float64(v) - s.standard.Mean[j]) * s.standard.Scale[j]
	}
	return z
}

// kernels computes rows of the kernel between points.
type kernels struct {
	kind    string
	degree  int
	coef0   float64
	points  blas64.General // (points, cols)
	squares []float64      // squared lengths
	workers int
}

// kernels of some of the rows kept.
func (s *space) kernels(rows []int32, workers int) *kernels {
	k := &kernels{kind: s.Kernel, degree: s.Degree, coef0: s.Coef0, workers: workers}
	k.points = blas64.General{Rows: len(rows), Cols: s.Cols, Stride: s.Cols, Data: make([]float64, 0, len(rows)*s.Cols)}
	for _, r := range rows {
		point := s.z[int(r)*s.Cols : (int(r)+1)*s.Cols]
		k.points.Data = append(k.points.Data, point...)
		k.squares = append(k.squares, square(point))
	}
	return k
}

func square(z []float64) float64 {
	v := blas64.Vector{N: len(z), Inc: 1, Data: z}
	return blas64.Dot(v, v)
}

// block is the number of points that one goroutine takes.
const block = 1024

// row writes the kernel between z and all points.
func (k *kernels) row(z []float64, out []float32) {
	own := square(z)
	n := k.points.Rows
	workers := k.workers
	if n*len(z) < 1<<16 {
		workers = 1
	}
	fit.Parallel(workers, (n+block-1)/block, func(part int) {
		from, to := part*block, min(n, (part+1)*block)
		var dots [block]float64
		some := blas64.General{Rows: to - from, Cols: len(z), Stride: len(z), Data: k.points.Data[from*len(z) : to*len(z)]}
		blas64.Gemv(blas.NoTrans, 1, some, blas64.Vector{N: len(z), Inc: 1, Data: z}, 0, blas64.Vector{N: to - from, Inc: 1, Data: dots[:]})
		for i := from; i < to; i++ {
			out[i] = float32(k.of(dots[i-from], own+k.squares[i]))
		}
	})
}

// of is the kernel of two points, from their product and the sum of their squares.
func (k *kernels) of(dot, squares float64) float64 {
	switch k.kind {
	case "linear":
		return dot
	case "poly":
		v := 1.0
		for range k.degree {
			v *= dot + k.coef0
		}
		return v
	}
	return math.Exp(-max(0, squares-2*dot))
}

// self is the kernel of a point with itself.
func (k *kernels) self(i int) float64 { return k.of(k.squares[i], 2*k.squares[i]) }
