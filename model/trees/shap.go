package trees

import (
	"context"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
)

// Explainer tells how much each feature had a part in a score: its Shapley value in the game where a feature that is not known takes
// both branches of a split, in proportion to their covers (Lundberg et al. 2020, "From local explanations to global understanding
// with explainable AI for trees", algorithm "path dependent"; XGBoost's pred_contribs, LightGBM's pred_contrib).
//
// For a leaf of value v let z be, for each feature that is asked on the way to it, the product of the shares of cover that the way
// keeps, and o 1 where the row keeps to the way and 0 where it leaves it. By Owen's multilinear extension (1972) the part of feature i is
//
//	v · (oᵢ - zᵢ) · ∫₀¹ ∏_{j≠i} (t·oⱼ + (1-t)·zⱼ) dt
//
// whose integrand is a polynomial in t: a Gauss rule of d/2 points is exact for d features. So every edge is passed twice for a point,
// down with the product and up with the sum over the leaves, and a tree of n nodes takes O(n·d) operations, where the algorithm of
// the paper takes O(n·d²). All products are of positive numbers, so nothing is lost to rounding; compare Yu et al. 2022, "Linear TreeShap",
// whose polynomials are the same and are kept by their values at Chebyshev points.
type Explainer struct {
	ensemble *Ensemble
	expected []float64
}

// maxDepth bounds the splits on a way, by which the work grows.
const maxDepth = 1 << 10

// NewExplainer returns an Explainer of scores, before the link. Errors: Check's; fault.Invalid when covers are not known; fault.TooLarge
// for a tree of more than 1024 levels.
func NewExplainer(e *Ensemble) (*Explainer, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	if !e.Covered() {
		return nil, uncovered()
	}
	x := &Explainer{ensemble: e, expected: append([]float64(nil), e.Base...)}
	for i := range e.Trees {
		if d := e.Trees[i].depth(); d > maxDepth {
			return nil, fault.New(fault.TooLarge, "leaves below "+strconv.Itoa(d)+" splits, more than "+strconv.Itoa(maxDepth)).At("tree " + strconv.Itoa(i))
		}
		x.expect(&e.Trees[i])
	}
	return x, nil
}

// expect adds the mean value of a tree's leaves, weighed by their covers.
func (x *Explainer) expect(t *Tree) {
	share := make([]float64, len(t.Nodes))
	share[0] = 1
	for i := range t.Nodes {
		n := &t.Nodes[i]
		switch {
		case !n.Leaf():
			share[n.Left] = share[i] * keep(n, &t.Nodes[n.Left])
			share[n.Right] = share[i] * keep(n, &t.Nodes[n.Right])
		case t.Output != Every:
			x.expected[t.Output] += share[i] * n.Value
		default:
			for k, v := range t.Values[int(n.Row)*x.ensemble.Outputs:][:x.ensemble.Outputs] {
				x.expected[k] += share[i] * float64(v)
			}
		}
	}
}

// depth is how many splits stand above a leaf at most.
func (t *Tree) depth() int {
	depth, most := make([]int, len(t.Nodes)), 0
	for i := range t.Nodes {
		if n := &t.Nodes[i]; !n.Leaf() {
			depth[n.Left], depth[n.Right] = depth[i]+1, depth[i]+1
			most = max(most, depth[i]+1)
		}
	}
	return most
}

// keep is the share of a node's cover that a child has: a tiny one instead of none, which the algorithm could not divide by.
func keep(n, child *Node) float64 {
	if !(n.Cover > 0) {
		return .5
	}
	return min(max(child.Cover/n.Cover, 1e-12), 1)
}

// Expected is the mean score, which the parts of a row and this make up the row's score (outputs).
func (x *Explainer) Expected() []float64 { return append([]float64(nil), x.expected...) }

// maxParts bounds the numbers that Explain gives at once.
const maxParts = 1 << 30

// Explain gives the parts of the features in the scores of rows (rows, features): (rows, outputs, features + 1), the expected score
// last. The numbers do not depend on threads, of which 0 counts as 1; sums are rounded otherwise for many rows than for few, in the last digits.
// Errors: fault.Invalid for values that are no rows, fault.TooLarge, fault.Canceled.
func (x *Explainer) Explain(ctx context.Context, rows []float32, threads int) ([]float64, error) {
	e := x.ensemble
	n := len(rows) / e.Features
	if n*e.Features != len(rows) {
		return nil, fault.New(fault.Invalid, strconv.Itoa(len(rows))+" values are not rows of "+strconv.Itoa(e.Features)+" features").At("x")
	}
	width := e.Features + 1
	if n > maxParts/(width*e.Outputs) {
		return nil, fault.New(fault.TooLarge, strconv.Itoa(n)+" rows have more parts than "+strconv.Itoa(maxParts)).At("x").Try("explain fewer rows at once")
	}
	parts := make([]float64, n*e.Outputs*width)
	for i := range n * e.Outputs {
		parts[i*width+e.Features] = x.expected[i%e.Outputs]
	}
	const group, block = 1 << 14, 256 // nodes whose trees are prepared at once, and rows that pass a tree before the next
	for from := 0; from < len(e.Trees); {
		to, nodes := from, 0
		for to < len(e.Trees) && (to == from || nodes+len(e.Trees[to].Nodes) <= group) {
			nodes += len(e.Trees[to].Nodes)
			to++
		}
		ready := make([]explainable, to-from)
		fit.Parallel(threads, to-from, func(i int) { ready[i] = e.ready(&e.Trees[from+i], n) })
		for pass := 0; len(ready) > 0; pass++ {
			left := make([]bool, len(ready))
			fit.Parallel(threads, len(ready), func(i int) { left[i] = ready[i].pass(pass) })
			ready = filter(ready, left)
			fit.Parallel(threads, (n+block-1)/block, func(b int) {
				if ctx.Err() != nil {
					return
				}
				w := walker{ensemble: e}
				for _, tree := range ready {
					for r := b * block; r < min(n, (b+1)*block); r++ {
						tree.explain(&w, rows[r*e.Features:][:e.Features], parts[r*e.Outputs*width:][:e.Outputs*width])
					}
				}
			})
			if err := fit.Stopped(ctx); err != nil {
				return nil, err
			}
		}
		from = to
	}
	return parts, nil
}

// filter keeps the trees that are marked.
func filter(trees []explainable, keep []bool) []explainable {
	var out []explainable
	for i, t := range trees {
		if keep[i] {
			out = append(out, t)
		}
	}
	return out
}
