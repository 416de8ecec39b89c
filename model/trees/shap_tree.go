package trees

import "math"

// lanes is how many points of the integral are passed at once: enough for 8 different features on a way.
const lanes = 4

type lane = [lanes]float64

// least keeps shares away from 0, by which the algorithm would divide.
const least = 1e-300

// How a row stands to the way that leads over an edge.
const (
	left   = iota // it left the way above, by the same feature
	leaves        // it leaves the way here
	keeps         // it keeps to the way, as far as this feature goes
)

// edge leads from a split to a child, and bears the child's number.
type edge struct {
	parent  int32
	before  int32 // the nearest edge above that asks for the same feature; 0, the root's, where there is none
	feature int32
	yes     uint8 // 1 for a left child

	share float64 // z of the feature down to here
	// By how the row stands: what the product is multiplied by, and what a sum over the leaves below adds to the feature's part.
	factor, gain [keeps + 1]lane
}

// ways is a tree made ready to be explained, for some points of the integral.
type ways struct {
	tree   *Tree
	splits []split // by node
	edges  []edge  // by node; the root's leads from nowhere

	points, weights []float64 // of the integral: lanes of them for each pass
}

// split is what the way down asks of a node: a Node in little room.
type split struct {
	node    int32
	feature int32
	cut     float32
	kind    uint8
	missing uint8 // 1 where missing values go left
}

// Kinds of split.
const (
	isLeaf uint8 = iota
	byCut
	bySet
)

// explainable is a tree that is made ready.
type explainable interface {
	// pass prepares a pass over the rows, 0, 1, …; it reports false when there are no more.
	pass(number int) bool
	// explain adds the parts that the tree gives to the features of a row; parts is (outputs, features + 1).
	explain(by *walker, row []float32, parts []float64)
}

// ready prepares a tree for that many rows: with tables where they pay.
func (e *Ensemble) ready(t *Tree, rows int) explainable {
	w, longest := trace(preorder(t))
	if longest <= maxBits {
		const most = 1 << 24 // numbers in the tables of a tree
		if b, entries, ok := w.cut(e.Outputs, e.Inputs == nil); ok && entries <= min(rows/2, 256)*len(t.Nodes) && entries <= most {
			b.fill(e.Outputs)
			return b
		}
	}
	w.points, w.weights = gauss(max(1, (longest+2*lanes-1)/(2*lanes)) * lanes)
	return w
}

// pass computes factors and gains at the next points of the integral.
func (w *ways) pass(number int) bool {
	if number*lanes >= len(w.points) {
		return false
	}
	w.weigh(w.points[number*lanes:], w.weights[number*lanes:])
	return true
}

// preorder is a tree with its nodes in the order of Arrange, which that of a learner need not be.
func preorder(t *Tree) *Tree {
	raw := append([]Node(nil), t.Nodes...)
	for i := range raw {
		if raw[i].Leaf() {
			raw[i].Left = -1
		}
	}
	nodes, err := Arrange(raw, 0)
	if err != nil {
		panic("trees: a tree that was checked is none: " + err.Error())
	}
	return &Tree{t.Output, nodes, t.Values}
}

// trace finds the edges of a tree, and how many different features the way to a leaf asks for at most.
func trace(t *Tree) (w *ways, longest int) {
	w = &ways{tree: t, splits: make([]split, len(t.Nodes)), edges: make([]edge, len(t.Nodes))}
	w.edges[0].share = 1
	distinct := make([]int, len(t.Nodes))
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if n.Leaf() {
			longest = max(longest, distinct[i])
			continue
		}
		w.splits[i] = split{node: int32(i), feature: n.Feature, cut: n.Cut, kind: byCut}
		if n.Set != nil {
			w.splits[i].kind = bySet
		}
		if n.MissingLeft {
			w.splits[i].missing = 1
		}
		before := int32(i) // the nearest edge of the node's feature, its own among them
		for before > 0 && w.edges[before].feature != n.Feature {
			before = w.edges[before].parent
		}
		for _, c := range []int32{n.Left, n.Right} {
			w.edges[c] = edge{parent: int32(i), before: before, feature: n.Feature, share: max(w.edges[before].share*keep(n, &t.Nodes[c]), least)}
			if distinct[c] = distinct[i]; before == 0 {
				distinct[c]++
			}
		}
		w.edges[n.Left].yes = 1
	}
	return w, longest
}

// weigh computes factors and gains at some points.
func (w *ways) weigh(points, weights []float64) {
	for i := 1; i < len(w.edges); i++ {
		e := &w.edges[i]
		z, above := e.share, w.edges[e.before].share
		for q := range lanes {
			t, weight := points[q], weights[q]
			f, fAbove := t+(1-t)*z, t+(1-t)*above
			gainAbove := (1 - above) / fAbove
			e.factor[left][q] = z / above
			e.factor[leaves][q] = (1 - t) * z / fAbove
			e.factor[keeps][q] = f / fAbove
			e.gain[leaves][q] = weight * (-1/(1-t) - gainAbove)
			e.gain[keeps][q] = weight * ((1-z)/f - gainAbove)
		}
	}
}

// walker explains rows one by one, and keeps its memory.
type walker struct {
	ensemble *Ensemble
	state    []uint8 // by edge: how the row stands
	goes     []uint8 // by node: 1 where the row goes left
	product  []lane  // by edge
	sum      []lane  // by edge: over the leaves below
	flags    []uint8 // of blocks
}

func (w *ways) explain(by *walker, row []float32, parts []float64) {
	if n := len(w.edges); len(by.state) < n {
		by.state, by.goes, by.product, by.sum = make([]uint8, n), make([]uint8, n), make([]lane, n), make([]lane, n)
	}
	by.down(w, row)
	t, outputs, width := w.tree, by.ensemble.Outputs, by.ensemble.Features+1
	if t.Output != Every {
		for i := range t.Nodes {
			if w.splits[i].kind == isLeaf {
				by.leaf(i, t.Nodes[i].Value)
			}
		}
		by.up(w, parts[t.Output*width:][:width])
		return
	}
	for k := range outputs {
		for i := range t.Nodes {
			if w.splits[i].kind == isLeaf {
				by.leaf(i, float64(t.Values[int(t.Nodes[i].Row)*outputs+k]))
			}
		}
		by.up(w, parts[k*width:][:width])
	}
}

// down multiplies along the ways. Lanes are written out: a lane that is copied as a whole costs more than the arithmetic.
func (w *walker) down(way *ways, row []float32) {
	edges := way.edges
	splits, state, goes, product := way.splits[:len(edges)], w.state[:len(edges)], w.goes[:len(edges)], w.product[:len(edges)]
	goes[0], state[0], product[0] = w.goesLeft(way, 0, row), keeps, lane{1, 1, 1, 1}
	for i := 1; i < len(edges); i++ {
		e := &edges[i]
		var on uint8
		if goes[e.parent] == e.yes {
			on = 1
		}
		s := (on + leaves) * (state[e.before] >> 1) // 0 where the feature left before
		state[i] = s
		f, p, to := &e.factor[s], &product[e.parent], &product[i]
		to[0] = p[0] * f[0]
		to[1] = p[1] * f[1]
		to[2] = p[2] * f[2]
		to[3] = p[3] * f[3]
		if splits[i].kind != isLeaf {
			goes[i] = w.goesLeft(way, i, row)
		}
	}
}

// goesLeft is 1 where a row goes left. It has no branch that depends on the row, unless a value is missing.
func (w *walker) goesLeft(way *ways, i int, row []float32) uint8 {
	var yes uint8
	s := &way.splits[i]
	if s.kind == isLeaf {
		return 0
	}
	v := w.ensemble.read(row, s.feature)
	switch {
	case v != v:
		return s.missing
	case s.kind == bySet:
		if way.tree.Nodes[i].GoesLeft(v) {
			yes = 1
		}
	case v <= s.cut:
		yes = 1
	}
	return yes
}

// leaf weighs a leaf's value by the product of its way.
func (w *walker) leaf(i int, value float64) {
	p, to := &w.product[i], &w.sum[i]
	to[0] = value * p[0]
	to[1] = value * p[1]
	to[2] = value * p[2]
	to[3] = value * p[3]
}

// up sums over the leaves below each edge, and gives the edge's feature its part.
func (w *walker) up(way *ways, parts []float64) {
	edges := way.edges
	sum, state := w.sum[:len(edges)], w.state[:len(edges)]
	for i, s := range way.splits {
		if s.kind != isLeaf {
			sum[i] = lane{}
		}
	}
	for i := len(edges) - 1; i > 0; i-- {
		e, s := &edges[i], &sum[i]
		s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
		to := &sum[e.parent]
		to[0] += s0
		to[1] += s1
		to[2] += s2
		to[3] += s3
		g := &e.gain[state[i]]
		parts[e.feature] += (s0*g[0] + s1*g[1]) + (s2*g[2] + s3*g[3])
	}
}

// gauss gives the points and weights of the Gauss-Legendre rule of n points on 0 … 1, exact for polynomials up to degree 2n-1.
func gauss(n int) (points, weights []float64) {
	points, weights = make([]float64, n), make([]float64, n)
	for i := range n {
		x := math.Cos(math.Pi * (float64(i) + .75) / (float64(n) + .5))
		var slope float64
		for range 100 { // Newton's method on the Legendre polynomial
			last, p := 1., x
			for k := 2; k <= n; k++ {
				last, p = p, (float64(2*k-1)*x*p-float64(k-1)*last)/float64(k)
			}
			slope = float64(n) * (x*p - last) / (x*x - 1)
			step := p / slope
			if x -= step; math.Abs(step) < 1e-16 {
				break
			}
		}
		points[i], weights[i] = (1-x)/2, 1/((1-x*x)*slope*slope)
	}
	return points, weights
}
