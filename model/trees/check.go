package trees

import (
	"math"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Bounds of what an ensemble may be, whoever made it.
const (
	maxFeatures = 1 << 24
	maxOutputs  = 1 << 20
	maxValues   = 1 << 27 // of the leaves of all trees with Every
)

// Check reports whether the ensemble is what its fields promise: every index leads somewhere, every number is finite. Errors:
// fault.BadModel, which names the tree and the node.
func (e *Ensemble) Check() error {
	bad := func(field, message string) error { return fault.New(fault.BadModel, message).At(field) }
	single := e.Link == Logistic || e.Link == Step
	switch {
	case e.Features < 1 || e.Features > maxFeatures:
		return bad("features", "an ensemble of "+strconv.Itoa(e.Features)+" features")
	case e.Outputs < 1 || e.Outputs > maxOutputs || len(e.Base) != e.Outputs:
		return bad("outputs", strconv.Itoa(e.Outputs)+" outputs with "+strconv.Itoa(len(e.Base))+" base scores")
	case e.Link >= links || single && e.Outputs != 1 || e.Link == Softmax && e.Outputs < 2:
		return bad("link", "the link does not fit "+strconv.Itoa(e.Outputs)+" outputs")
	case !finite(e.Slope) || e.Slope < 0:
		return bad("slope", "the slope of the link is not a positive number")
	case e.Names != nil && len(e.Names) != e.Features:
		return bad("names", strconv.Itoa(len(e.Names))+" names for "+strconv.Itoa(e.Features)+" features")
	case e.Inputs != nil && (len(e.Inputs) != e.Features || slices.Max(e.Inputs) >= inputs):
		return bad("inputs", "the ways of reading features do not fit their number, or one is not known")
	case slices.ContainsFunc(e.Base, func(v float64) bool { return !float(v) }):
		return bad("base", "a base score is not a finite float32")
	}
	for i := range e.Trees {
		if at, err := e.Trees[i].check(e); err != "" {
			return bad("tree "+strconv.Itoa(i)+", node "+strconv.Itoa(at), err)
		}
	}
	return nil
}

// check returns the first node that is wrong, and what is wrong with it.
func (t *Tree) check(e *Ensemble) (at int, err string) {
	rows := 0
	switch {
	case len(t.Nodes) == 0:
		return 0, "a tree without nodes"
	case t.Output != Every && (t.Output < 0 || t.Output >= e.Outputs):
		return 0, "an output that does not exist"
	case t.Output == Every:
		if rows = len(t.Values) / e.Outputs; rows*e.Outputs != len(t.Values) {
			return 0, "values of leaves that do not fit the number of outputs"
		}
		if slices.ContainsFunc(t.Values, func(v float32) bool { return !finite(float64(v)) }) {
			return 0, "a value of a leaf is not a finite number"
		}
	}
	parents := make([]bool, len(t.Nodes))
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if i > 0 && !parents[i] {
			return i, "a node that the root does not reach: Arrange leaves such nodes out"
		}
		if !finite(n.Gain) || !finite(n.Cover) || n.Cover < 0 {
			return i, "gain or cover is not a finite number, or the cover is negative"
		}
		if n.Leaf() {
			if !float(n.Value) || t.Output == Every && (n.Row < 0 || int(n.Row) >= rows) {
				return i, "a leaf whose value is not there, or not a finite float32"
			}
			continue
		}
		for _, c := range []int32{n.Left, n.Right} {
			if int(c) <= i || int(c) >= len(t.Nodes) || parents[c] {
				return i, "a child that is not there, stands before its parent, or has another"
			}
			parents[c] = true
		}
		if n.Feature < 0 || int(n.Feature) >= e.Features {
			return i, "a feature that does not exist"
		}
		if n.Set == nil && n.Cut != n.Cut || n.Set != nil && len(n.Set) == 0 || !rising(n.Set) {
			return i, "a cut that is not a number, or a set that is empty or not in rising order"
		}
	}
	return 0, ""
}

func finite(v float64) bool { return v-v == 0 }

// float reports whether a number can be written as a float32.
func float(v float64) bool { return math.Abs(v) <= math.MaxFloat32 }

func rising(set []float32) bool {
	for i, v := range set {
		if v != v || i > 0 && !(set[i-1] < v) {
			return false
		}
	}
	return true
}

// Arrange brings nodes into the order that a Tree has: those that the root reaches, parents first, the left child right behind
// its parent. In nodes a leaf has Left -1. Errors: fault.BadModel for a child that is not there or is reached twice.
func Arrange(nodes []Node, root int) ([]Node, error) {
	if root < 0 || root >= len(nodes) {
		return nil, fault.New(fault.BadModel, "the root is not there")
	}
	return arrange(nodes, root, make([]bool, len(nodes)), make([]Node, 0, len(nodes)))
}

// arrange is Arrange for one of several roots: seen are the nodes that others reached. It appends to out, which is empty.
func arrange(nodes []Node, root int, seen []bool, out []Node) ([]Node, error) {
	type step struct{ source, parent int32 }
	seen[root] = true
	for stack := []step{{int32(root), -1}}; len(stack) > 0; {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		here, n := int32(len(out)), nodes[at.source]
		if at.parent >= 0 && here != at.parent+1 { // the first child was placed long before
			out[at.parent].Right = here
		} else if at.parent >= 0 {
			out[at.parent].Left = here
		}
		if n.Left < 0 {
			n.Left, n.Right = 0, 0
			out = append(out, n)
			continue
		}
		for _, c := range []int32{n.Right, n.Left} {
			if c < 0 || int(c) >= len(nodes) || seen[c] || n.Left == n.Right {
				return nil, fault.New(fault.BadModel, "child "+strconv.Itoa(int(c))+" is not there, or is reached twice").At("node " + strconv.Itoa(int(at.source)))
			}
			seen[c] = true
			stack = append(stack, step{c, here})
		}
		out = append(out, n)
	}
	return out, nil
}

// Below is the greatest float32 that a number, wider perhaps, is not below: for a float32 x, x ≤ v and x ≤ Below(v) say the same.
func Below(v float64) float32 {
	f := float32(v)
	if float64(f) > v {
		f = math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return f
}

// Before is the greatest float32 that is less than v: for a float32 x, x < v and x ≤ Before(v) say the same.
func Before(v float32) float32 { return math.Nextafter32(v, float32(math.Inf(-1))) }
