package kernel

// TreeNode is one node of a flat tree: a row goes to Next[1] where its Feature is at most Value, to Next[0] elsewhere. A leaf leads to
// itself both ways, so that a walk of fixed length ends at it from any depth.
type TreeNode[T ~float32 | ~float64] struct {
	Value   T
	Feature int32
	Next    [2]int32
}

// Tree is one tree of a forest: where it begins in the nodes, and the most steps from there to a leaf.
type Tree struct {
	Root, Depth int32
}

// deepest is the depth up to which all rows walk the same number of steps, four at a time; deeper trees are walked until the leaf.
const deepest = 16

// Walk finds the leaf of a tree for each row of x (rows, features), rows stride apart: leaf[i] is its node. A row whose feature is NaN goes
// to Next[1] where missing[node] is set; otherwise, and where missing is nil, to Next[0].
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

// atMost is 1 where x <= v and 0 elsewhere, NaN included. It compiles to a flag, not to a jump: which way a row goes cannot be predicted.
func atMost[T ~float32 | ~float64](x, v T) int {
	yes := 0
	if x <= v {
		yes = 1
	}
	return yes
}

// walk4 takes four rows down together: their loads overlap.
func walk4[T ~float32 | ~float64](nodes []TreeNode[T], t Tree, x []T, stride int, leaf *[4]int32) {
	a, b, c, d := t.Root, t.Root, t.Root, t.Root
	xa, xb, xc, xd := x, x[stride:], x[2*stride:], x[3*stride:]
	for range t.Depth {
		na, nb, nc, nd := &nodes[a], &nodes[b], &nodes[c], &nodes[d]
		a = na.Next[atMost(xa[na.Feature], na.Value)&1]
		b = nb.Next[atMost(xb[nb.Feature], nb.Value)&1]
		c = nc.Next[atMost(xc[nc.Feature], nc.Value)&1]
		d = nd.Next[atMost(xd[nd.Feature], nd.Value)&1]
	}
	*leaf = [4]int32{a, b, c, d}
}

// WalkTrees finds the leaf of each tree for one row x (features): leaf[i] is that of trees[i]. Four trees go down together. missing is as for
// Walk.
func WalkTrees[T ~float32 | ~float64](nodes []TreeNode[T], missing []bool, trees []Tree, x []T, leaf []int32) {
	i := 0
	for ; missing == nil && i+4 <= len(trees); i += 4 {
		t := (*[4]Tree)(trees[i:])
		depth := max(t[0].Depth, t[1].Depth, t[2].Depth, t[3].Depth)
		if depth > deepest {
			break
		}
		a, b, c, d := t[0].Root, t[1].Root, t[2].Root, t[3].Root
		for range depth {
			na, nb, nc, nd := &nodes[a], &nodes[b], &nodes[c], &nodes[d]
			a = na.Next[atMost(x[na.Feature], na.Value)&1]
			b = nb.Next[atMost(x[nb.Feature], nb.Value)&1]
			c = nc.Next[atMost(x[nc.Feature], nc.Value)&1]
			d = nd.Next[atMost(x[nd.Feature], nd.Value)&1]
		}
		leaf[i], leaf[i+1], leaf[i+2], leaf[i+3] = a, b, c, d
	}
	for ; i < len(trees); i++ {
		if missing != nil {
			leaf[i] = walkMissing(nodes, missing, trees[i].Root, x)
		} else {
			leaf[i] = walk1(nodes, trees[i].Root, x)
		}
	}
}

func walk1[T ~float32 | ~float64](nodes []TreeNode[T], at int32, x []T) int32 {
	for {
		n := &nodes[at]
		next := n.Next[atMost(x[n.Feature], n.Value)&1]
		if next == at {
			return at
		}
		at = next
	}
}

func walkMissing[T ~float32 | ~float64](nodes []TreeNode[T], missing []bool, at int32, x []T) int32 {
	for {
		n := &nodes[at]
		v := x[n.Feature]
		yes := atMost(v, n.Value)
		if v != v && missing[at] {
			yes = 1
		}
		next := n.Next[yes&1]
		if next == at {
			return at
		}
		at = next
	}
}
