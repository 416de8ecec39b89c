package trees

import (
	"context"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
)

// Covered reports whether covers are known: those of two children make up their parent's, and no root has none.
func (e *Ensemble) Covered() bool {
	for i := range e.Trees {
		nodes := e.Trees[i].Nodes
		if !(nodes[0].Cover > 0) {
			return false
		}
		for j := range nodes {
			n := &nodes[j]
			if sum := nodes[n.Left].Cover + nodes[n.Right].Cover; !n.Leaf() && !(math.Abs(sum-n.Cover) <= 1e-2*n.Cover+1e-6*nodes[0].Cover) {
				return false
			}
		}
	}
	return true
}

// Weigh returns a copy of the ensemble whose covers are how many of the rows x (rows, features) come to each node: for trees that
// came without covers, or to explain predictions beside other data than those of the training.
func (e *Ensemble) Weigh(ctx context.Context, x []float32, rows int) (*Ensemble, error) {
	if rows < 1 || len(x) != rows*e.Features {
		return nil, fault.New(fault.Invalid, strconv.Itoa(len(x))+" values are not rows of "+strconv.Itoa(e.Features)+" features").At("x")
	}
	out := *e
	out.Trees = make([]Tree, len(e.Trees))
	for i := range e.Trees {
		if err := fit.Stopped(ctx); err != nil {
			return nil, err
		}
		t := e.Trees[i]
		t.Nodes = append([]Node(nil), t.Nodes...)
		for j := range t.Nodes {
			t.Nodes[j].Cover = 0
		}
		for r := range rows {
			row := x[r*e.Features:][:e.Features]
			n := &t.Nodes[0]
			for n.Cover++; !n.Leaf(); n.Cover++ {
				if n.GoesLeft(e.read(row, n.Feature)) {
					n = &t.Nodes[n.Left]
				} else {
					n = &t.Nodes[n.Right]
				}
			}
		}
		out.Trees[i] = t
	}
	return &out, nil
}
