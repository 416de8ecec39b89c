package linear

import "github.com/jarvis-ml/jarvis/model/fit"

// gramian descends on products of the features: a change of one coefficient costs as much as there are features.
type gramian struct {
	*second
	slopes []float64 // Xᵀ W r
}

func newGramian(s *second) *gramian { return &gramian{s, append([]float64(nil), s.right...)} }

func (g *gramian) features() int           { return len(g.right) }
func (g *gramian) target() float64         { return g.square }
func (g *gramian) curvature(j int) float64 { return g.gram[j*(len(g.right)+1)] }
func (g *gramian) slope(j int) float64     { return g.slopes[j] }

func (g *gramian) move(j int, by float64) {
	n := len(g.right)
	add(g.slopes, -by, g.gram[j*n:(j+1)*n])
}

func (g *gramian) residual(coef []float64) (slopes []float64, squares, along float64) {
	along = g.square - dot(coef, g.right)
	return g.slopes, max(0, along-dot(coef, g.slopes)), along
}

// columns descends on the features themselves, scaled, by columns: a change costs as much as there are rows.
type columns struct {
	rows         int
	x            []float32 // (cols, rows), centred
	y, w, r      []float64 // (rows)
	curves       []float64 // (cols)
	squareTarget float64
}

func newColumns(d fit.Data, s fit.Standard, mean float64) *columns {
	c := &columns{rows: d.Rows, x: make([]float32, len(d.X)), curves: make([]float64, d.Cols)}
	for i := range d.Rows {
		w, y := d.W(i), float64(d.Y[i])-mean
		c.y, c.w, c.r = append(c.y, y), append(c.w, w), append(c.r, y)
		c.squareTarget += w * y * y
	}
	fit.Parallel(d.Workers(), d.Cols, func(j int) {
		if s.Scale[j] == 0 {
			return
		}
		for i := range d.Rows {
			v := float32(float64(d.X[i*d.Cols+j]) - s.Mean[j])
			c.x[j*d.Rows+i] = v
			c.curves[j] += c.w[i] * float64(v) * float64(v)
		}
	})
	return c
}

func (c *columns) features() int           { return len(c.curves) }
func (c *columns) target() float64         { return c.squareTarget }
func (c *columns) curvature(j int) float64 { return c.curves[j] }

func (c *columns) slope(j int) (s float64) {
	for i, v := range c.x[j*c.rows : (j+1)*c.rows] {
		s += float64(v) * c.w[i] * c.r[i]
	}
	return s
}

func (c *columns) move(j int, by float64) {
	for i, v := range c.x[j*c.rows : (j+1)*c.rows] {
		c.r[i] -= by * float64(v)
	}
}

func (c *columns) residual([]float64) (slopes []float64, squares, along float64) {
	slopes = make([]float64, len(c.curves))
	for j := range slopes {
		if c.curves[j] > 0 {
			slopes[j] = c.slope(j)
		}
	}
	for i, r := range c.r {
		squares += c.w[i] * r * r
		along += c.w[i] * r * c.y[i]
	}
	return slopes, squares, along
}
