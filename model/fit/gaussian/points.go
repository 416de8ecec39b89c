package gaussian

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// points are the rows that have a weight, as the kernel sees them: z = (x - mean) * scale.
type points struct {
	Process
	fit.Data
	standard fit.Standard
	from     []int      // row of the data of each point
	z        *mat.Dense // (points, cols)
	weight   []float64  // (points), of mean 1
}

func newPoints(p Process, d fit.Data) *points {
	s := &points{Process: p, Data: d, standard: fit.Standardize(d)}
	if p.Unscaled {
		for j := range d.Cols { // distances do not see the shift
			s.standard.Scale[j] = 1
		}
	}
	var total float64
	for i := range d.Rows {
		if w := d.W(i); w > 0 {
			s.from = append(s.from, i)
			s.weight = append(s.weight, w)
			total += w
		}
	}
	for i := range s.weight {
		s.weight[i] *= float64(len(s.weight)) / total
	}
	s.z = mat.NewDense(len(s.from), d.Cols, nil)
	for r, i := range s.from {
		s.mapped(d.Row(i), s.z.RawRowView(r))
	}
	return s
}

func (s *points) mapped(row []float32, z []float64) {
	for j, v := range row {
		z[j] = (float64(v) - s.standard.Mean[j]) * s.standard.Scale[j]
	}
}

// processes is the number of latent functions of the classes.
func (s *points) processes() int {
	if s.Classes == 2 {
		return 1
	}
	return s.Classes
}

// every is all points, and drawn those on which values are chosen.
func (s *points) every() []int {
	out := make([]int, len(s.from))
	for i := range out {
		out[i] = i
	}
	return out
}

func (s *points) drawn() []int {
	all := s.every()
	if len(all) <= s.OptimizeRows {
		return all
	}
	some := s.Rand(0x6a55).Perm(len(all))[:s.OptimizeRows]
	slices.Sort(some)
	return some
}

// distances are the squared distances between some of the points.
func (s *points) distances(some []int) *mat.SymDense {
	n := len(some)
	part := blas64.General{Rows: n, Cols: s.Cols, Stride: s.Cols, Data: make([]float64, 0, n*s.Cols)}
	for _, i := range some {
		part.Data = append(part.Data, s.z.RawRowView(i)...)
	}
	product := blas64.Symmetric{N: n, Stride: n, Uplo: blas.Upper, Data: make([]float64, n*n)}
	blas64.Syrk(blas.NoTrans, 1, part, 0, product)
	squares := make([]float64, n)
	for i := range squares {
		squares[i] = product.Data[i*n+i]
	}
	for i := range n {
		row := product.Data[i*n : (i+1)*n]
		for j := i; j < n; j++ {
			row[j] = max(0, squares[i]+squares[j]-2*row[j])
		}
		row[i] = 0
	}
	return mat.NewSymDense(n, product.Data)
}

// kernel is constant · exp(-distance / (2·length²)) of squared distances.
func kernel(distance *mat.SymDense, constant, length float64) *mat.SymDense {
	n := distance.SymmetricDim()
	out := mat.NewSymDense(n, nil)
	to, from := out.RawSymmetric(), distance.RawSymmetric()
	for i := range n {
		for j := i; j < n; j++ {
			to.Data[i*n+j] = constant * math.Exp(-from.Data[i*n+j]/(2*length*length))
		}
	}
	return out
}

// against writes the kernel between a row and all points.
func (s *points) against(row []float32, constant, length float64) *mat.VecDense {
	z := make([]float64, s.Cols)
	s.mapped(row, z)
	out := mat.NewVecDense(len(s.from), nil)
	for i := range s.from {
		var square float64
		for j, v := range s.z.RawRowView(i) {
			square += (v - z[j]) * (v - z[j])
		}
		out.SetVec(i, constant*math.Exp(-square/(2*length*length)))
	}
	return out
}
