package kernel

import (
	"math"
	"math/bits"
	"unsafe"
)

// Grove is trees of few levels in a form that walks fast: complete binary trees, eight of them side by side in one heap, where place i has the
// children 2i and 2i+1 and the roots have the places 8 to 15. A step reads no address, and eight of them have nothing to wait for in each other.
// Numbers are compared as ranks, integers of the same order, so that the borrow of a subtraction is the way to go.
type Grove struct {
	features int // of a row
	twice    bool
	nodes    []groveNode
	groups   []groveGroup
}

// groveNode sends a row to the second child where the row's rank of a feature is above the node's.
type groveNode struct {
	rank, feature uint32
}

// groveGroup is eight trees of so many levels: where place 0 of their heap is in the nodes, and where, counted in leaves, place 0 of its
// leaves is.
type groveGroup struct {
	nodes, leaves, depth int32
}

const (
	// GroveSide is how many trees of a Grove lie side by side. The last group is filled up with trees of one leaf.
	GroveSide = 8
	// GroveDepth is the most levels that a tree may have.
	GroveDepth = 12
	// groveSmall is how many leaves a Grove may always have: a hundred kilobytes.
	groveSmall = 1 << 13
	// topRank is above all numbers, and the rank of NaN where that is to go the way of x > value.
	topRank = math.MaxUint32
)

// rank maps numbers to integers of the same order, from 1 on; both zeros are one.
func rank(x float32) uint32 {
	b := math.Float32bits(x + 0)
	r := b ^ (uint32(int32(b)>>31) | 1<<31)
	if x != x {
		r = topRank
	}
	return r
}

// NewGrove is an empty Grove for trees over so many features, which Plant fills; twice says that NaN goes either way. It gives nil for trees that are
// too deep, or so uneven that they would take more memory than their nodes do.
func NewGrove(trees []Tree, nodes, features int, twice bool) *Grove {
	g := &Grove{features: features, twice: twice}
	size, leaves := g.measure(trees)
	if size < 0 || leaves > max(nodes*3/2, groveSmall) || features > math.MaxInt32/2 {
		return nil
	}
	g.nodes = make([]groveNode, size+1) // walk looks one place further at last
	return g
}

// Plant fills the Grove with the trees that NewGrove was told of. tracks tells of a node that is no leaf whether NaN goes where x <= value goes, which only
// a Grove of twice can. Each leaf gets a place among those of the Grove; one that lies higher than the deepest of its group gets the first of those that
// would be below it. Its value goes to values, by place, or leaf, where it is not nil, is called with its node. Other places are never reached, but for
// those of the trees that fill the last group: their value is -0, which changes no sum.
func (g *Grove) Plant(nodes []TreeNode[float32], tracks func(node int32) bool, trees []Tree, values []float32, leaf func(place int, node int32)) {
	for i, group := range g.groups {
		p := planting{g, nodes, tracks, values, leaf, group}
		for t := range GroveSide {
			if k := i*GroveSide + t; k < len(trees) {
				p.plant(trees[k].Root, GroveSide+t, 0)
			} else {
				p.end(-1, GroveSide+t, 0)
			}
		}
	}
}

// measure divides the trees into groups, and counts nodes and leaves; size is -1 where a tree is too deep.
func (g *Grove) measure(trees []Tree) (size, leaves int) {
	g.groups = make([]groveGroup, 0, (len(trees)+GroveSide-1)/GroveSide)
	for from := 0; from < len(trees); from += GroveSide {
		var depth int32
		for _, t := range trees[from:min(from+GroveSide, len(trees))] {
			depth = max(depth, t.Depth)
		}
		if depth > GroveDepth || leaves > math.MaxInt32/2 {
			return -1, 0
		}
		g.groups = append(g.groups, groveGroup{int32(size - GroveSide), int32(leaves - GroveSide<<depth), depth})
		size += GroveSide<<depth - GroveSide
		leaves += GroveSide << depth
	}
	return size, leaves
}

// planting puts trees into one group of a Grove.
type planting struct {
	grove  *Grove
	nodes  []TreeNode[float32]
	tracks func(node int32) bool
	values []float32
	leaf   func(place int, node int32)
	group  groveGroup
}

// plant puts a node and all below it into place i, so many levels below the root.
func (p *planting) plant(node int32, i int, level int32) {
	n := &p.nodes[node]
	if n.Next[0] == node {
		p.end(node, i, level)
		return
	}
	to := groveNode{rank: rank(n.Value), feature: uint32(n.Feature)}
	if n.Value != n.Value {
		to.rank = 0 // nothing is at most NaN
	}
	if p.grove.twice && p.tracks(node) {
		to.feature += uint32(p.grove.features)
	}
	p.grove.nodes[int(p.group.nodes)+i] = to
	p.plant(n.Next[1], 2*i, level+1)
	p.plant(n.Next[0], 2*i+1, level+1)
}

// end makes place i a leaf, of a node or of none (-1): every row goes to the first of the leaves below.
func (p *planting) end(node int32, i int, level int32) {
	for ; level < p.group.depth; level++ {
		p.grove.nodes[int(p.group.nodes)+i].rank = topRank
		i *= 2
	}
	switch place := int(p.group.leaves) + i; {
	case p.leaf != nil && node >= 0:
		p.leaf(place, node)
	case p.leaf != nil:
	case node >= 0:
		p.values[place] = p.nodes[node].Value
	default:
		p.values[place] = float32(math.Copysign(0, -1))
	}
}

// Leaves is how many places for leaves there are.
func (g *Grove) Leaves() int {
	last := g.groups[len(g.groups)-1]
	return int(last.leaves) + 2*GroveSide<<last.depth
}

// Groups is how many groups of GroveSide trees there are.
func (g *Grove) Groups() int { return len(g.groups) }

// Ranks is how many ranks stand for a row.
func (g *Grove) Ranks() int {
	if g.twice {
		return 2 * g.features
	}
	return g.features
}

// Rank writes the ranks of the rows of x, which lie stride apart: for each row those of the features with NaN on top and then, where some node wants it,
// with NaN below all numbers.
func (g *Grove) Rank(ranks []uint32, x []float32, stride int) {
	step := g.Ranks()
	for ; len(ranks) >= step && step > 0; ranks = ranks[step:] {
		row := x[:g.features]
		for i, v := range row {
			ranks[i] = rank(v)
		}
		if g.twice {
			low := ranks[g.features:step]
			for i, v := range row {
				low[i] = rank(v)
				if v != v {
					low[i] = 0
				}
			}
		}
		if len(ranks) > step {
			x = x[stride:]
		}
	}
}

// Sum adds the values of the leaves that rows reach, tree after tree, to sums (rows). values are by place; ranks are those of the rows.
func (g *Grove) Sum(ranks []uint32, values, sums []float32) {
	step := g.Ranks()
	if len(sums) == 0 {
		return
	}
	values, ranks = values[:g.Leaves()], ranks[:len(sums)*step]
	if g.sumMachine(ranks, values, sums) {
		return
	}
	var at [GroveSide]uint32
	for i := range g.groups {
		leaves := values[g.groups[i].leaves+GroveSide<<g.groups[i].depth:]
		for r := range sums {
			g.walk(i, ranks[r*step:][:step], &at)
			s := sums[r]
			for _, place := range at {
				s += leaves[place]
			}
			sums[r] = s
		}
	}
}

// Find writes the places of the leaves that rows reach in a group: leaves (rows, GroveSide).
func (g *Grove) Find(group int, ranks []uint32, leaves []int32) {
	step, rows := g.Ranks(), len(leaves)/GroveSide
	if rows == 0 {
		return
	}
	ranks = ranks[:rows*step]
	if g.findMachine(group, ranks, leaves) {
		return
	}
	first := g.groups[group].leaves + GroveSide<<g.groups[group].depth
	var at [GroveSide]uint32
	for r := range rows {
		g.walk(group, ranks[r*step:][:step], &at)
		for t, place := range at {
			leaves[r*GroveSide+t] = first + int32(place)
		}
	}
}

// walk takes a row through a group: at are the places of the leaves, from 0 on. NewGrove has seen to it that no place and no feature lies outside.
func (g *Grove) walk(group int, ranks []uint32, at *[GroveSide]uint32) {
	nodes, depth := unsafe.Pointer(unsafe.SliceData(g.nodes[g.groups[group].nodes+GroveSide:])), g.groups[group].depth
	row := unsafe.Pointer(unsafe.SliceData(ranks))
	for t := uint32(0); t < GroveSide; t += 4 {
		a, b, c, d := t, t+1, t+2, t+3
		level := nodes
		for width := uintptr(GroveSide); width < GroveSide<<depth; width *= 2 {
			na, nb := (*groveNode)(unsafe.Add(level, uintptr(a)*8)), (*groveNode)(unsafe.Add(level, uintptr(b)*8))
			nc, nd := (*groveNode)(unsafe.Add(level, uintptr(c)*8)), (*groveNode)(unsafe.Add(level, uintptr(d)*8))
			a = 2*a + na.above(row)
			b = 2*b + nb.above(row)
			c = 2*c + nc.above(row)
			d = 2*d + nd.above(row)
			level = unsafe.Add(level, width*8)
		}
		at[t], at[t+1], at[t+2], at[t+3] = a, b, c, d
	}
}

// above is 1 where the row's rank is above the node's. It compiles to a flag, not to a jump: which way a row goes cannot be predicted.
func (n *groveNode) above(row unsafe.Pointer) uint32 {
	x := *(*uint32)(unsafe.Add(row, uintptr(n.feature)*4))
	_, borrow := bits.Sub32(n.rank, x, 0)
	return borrow
}
