package kernel

// TreeNode is one node of a flat tree: a row goes to Yes where its Feature is at most Value, to No elsewhere. A leaf leads to itself both
// ways, so that a walk of fixed length ends at it from any depth.
type TreeNode[T ~float32 | ~float64] struct {
	Value   T
	Feature int32
	Yes, No int32
}

// Tree is one tree of a forest: where it begins in the nodes, and the most steps from there to a leaf.
type Tree struct {
	Root, Depth int32
}

// deepest is the depth up to which all rows walk the same number of steps, four at a time; deeper trees are walked until the leaf.
const deepest = 16

// Walk finds the leaf of a tree for each row of x (rows, features), rows stride apart: leaf[i] is its node.
// nan says that rows whose feature is NaN go to Yes where missing[node] is set; otherwise they go to No.
func Walk[T ~float32 | ~float64](nodes []TreeNode[T], missing []bool, t Tree, x []T, stride int, leaf []int32) {
	if missing != nil {
		for i := range leaf {
			leaf[i] = walkMissing(nodes, missing, t.Root, x[i*stride:])
		}
		return
	}
	i := 0
	if t.Depth <= deepest {
		for ; i+4 <= len(leaf); i += 4 {
			walk4(nodes, t, x[i*stride:], stride, (*[4]int32)(leaf[i:]))
		}
	}
	for ; i < len(leaf); i++ {
		leaf[i] = walk1(nodes, t.Root, x[i*stride:])
	}
}

// walk4 takes four rows down together: their loads overlap.
func walk4[T ~float32 | ~float64](nodes []TreeNode[T], t Tree, x []T, stride int, leaf *[4]int32) {
	a, b, c, d := t.Root, t.Root, t.Root, t.Root
	xa, xb, xc, xd := x, x[stride:], x[2*stride:], x[3*stride:]
	for range t.Depth {
		na, nb, nc, nd := &nodes[a], &nodes[b], &nodes[c], &nodes[d]
		a, b, c, d = na.No, nb.No, nc.No, nd.No
		if xa[na.Feature] <= na.Value {
			a = na.Yes
		}
		if xb[nb.Feature] <= nb.Value {
			b = nb.Yes
		}
		if xc[nc.Feature] <= nc.Value {
			c = nc.Yes
		}
		if xd[nd.Feature] <= nd.Value {
			d = nd.Yes
		}
	}
	*leaf = [4]int32{a, b, c, d}
}

func walk1[T ~float32 | ~float64](nodes []TreeNode[T], at int32, x []T) int32 {
	for {
		n := &nodes[at]
		next := n.No
		if x[n.Feature] <= n.Value {
			next = n.Yes
		}
		if next == at {
			return at
		}
		at = next
	}
}

func walkMissing[T ~float32 | ~float64](nodes []TreeNode[T], missing []bool, at int32, x []T) int32 {
	for {
		n := &nodes[at]
		next := n.No
		if v := x[n.Feature]; v <= n.Value || v != v && missing[at] {
			next = n.Yes
		}
		if next == at {
			return at
		}
		at = next
	}
}
