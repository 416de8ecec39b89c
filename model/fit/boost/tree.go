package boost

import (
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// node is a node of a finished or growing tree. Its rows are rows[lo:hi] of the grower.
type node struct {
	split
	cut         float32 // goes left: x <= cut
	left, right int     // children, 0 in a leaf (the root is nobody's child)
	value       float32 // of a leaf, learning rate included
	cover       float64 // sum of second derivatives

	lo, hi int
	depth  int
	sum    uint64   // packed sums of gradients
	hist   []uint64 // while the node waits to be split
	path   []int32  // features on the way from the root, where constraints ask for them
	bounds
}

// tree is a list of nodes, the root first, children behind their parents.
type tree []node

// grower grows one tree at a time, and keeps its memory.
type grower struct {
	Boost
	ctx     context.Context
	bins    *binned
	workers int
	limits

	packed
	data       fit.Data
	stream     int   // which tree of the training it is
	least      int64 // MinChildWeight as an integer
	features   []int32
	rows, rest []int32 // rows in the order of nodes, and scratch of the same length
	free       [][]uint64
	open       []int // nodes that have a split and wait for it
	nodes      tree
}

// grow grows a tree from the gradients that were packed.
func (t *grower) grow() (tree, error) {
	rows := t.rows
	t.nodes, t.open = nil, t.open[:0]
	t.least = max(1, int64(math.Ceil(t.MinChildWeight*t.scaleH)))
	if len(t.rest) < len(rows) {
		t.rest = make([]int32, len(rows))
	}
	root := node{hi: len(rows), bounds: t.whole()}
	for _, r := range rows {
		root.sum += t.gh[r]
	}
	if t.splittable(&root) {
		root.hist = t.histogram(rows, root.sum)
	}
	t.add(root)
	for leaves := 1; len(t.open) > 0 && (t.MaxLeaves == 0 || leaves < t.MaxLeaves); leaves++ {
		if err := fit.Stopped(t.ctx); err != nil {
			return nil, err
		}
		t.divide(t.next())
	}
	for _, i := range t.open {
		t.release(t.nodes[i].hist)
		t.nodes[i].hist = nil
	}
	t.prune()
	return t.nodes, nil
}

// splittable reports whether a node may be split at all: deep or light nodes need no histogram.
func (t *grower) splittable(n *node) bool {
	_, h := unpack(n.sum)
	return n.depth < t.MaxDepth && n.hi-n.lo > 1 && h >= 2*t.least
}

// add appends a node, and queues it when a split lowers the loss.
func (t *grower) add(n node) {
	_, h := unpack(n.sum)
	n.cover = float64(h) * t.unitH
	if n.hist != nil {
		n.split = t.best(t.candidates(len(t.nodes), &n), &n)
		if n.gain > 0 {
			t.open = append(t.open, len(t.nodes))
		} else {
			t.release(n.hist)
			n.hist = nil
		}
	}
	t.nodes = append(t.nodes, n)
}

// next takes a node from the queue. Without a limit on leaves the order does not change the tree: the last one keeps
// the fewest histograms alive.
func (t *grower) next() int {
	at := len(t.open) - 1
	switch {
	case t.MaxLeaves == 0:
	case t.GrowPolicy == "lossguide":
		for i, n := range t.open {
			if best := t.open[at]; t.nodes[n].gain > t.nodes[best].gain || (t.nodes[n].gain == t.nodes[best].gain && n < best) {
				at = i
			}
		}
	default:
		at = 0 // nodes are queued level by level
	}
	n := t.open[at]
	t.open = append(t.open[:at], t.open[at+1:]...)
	return n
}

// divide gives node i its children.
func (t *grower) divide(i int) {
	n := t.nodes[i]
	middle := n.lo + t.partition(n)
	left := node{lo: n.lo, hi: middle, depth: n.depth + 1, sum: n.split.left}
	right := node{lo: middle, hi: n.hi, depth: n.depth + 1, sum: n.sum - n.split.left}
	left.bounds, right.bounds = n.bounds, n.bounds
	if t.bounding() {
		left.bounds, right.bounds = t.inherit(&n)
	}
	if len(t.together) > 0 {
		left.path = append(slices.Clone(n.path), n.feature)
		right.path = left.path
	}
	small, large := &left, &right
	if right.hi-right.lo < left.hi-left.lo {
		small, large = large, small
	}
	if t.splittable(large) || t.splittable(small) {
		small.hist = t.histogram(t.rows[small.lo:small.hi], small.sum)
		large.hist = n.hist
		for b, v := range small.hist { // the larger sibling is the parent without the smaller
			large.hist[b] -= v
		}
	} else {
		t.release(n.hist)
	}
	for _, c := range []*node{&left, &right} {
		if c.hist != nil && !t.splittable(c) {
			t.release(c.hist)
			c.hist = nil
		}
	}
	p := &t.nodes[i]
	p.hist, p.left, p.right = nil, len(t.nodes), len(t.nodes)+1
	p.cut = math.MaxFloat32 // behind the last bin: only missing values go right
	if cuts := t.bins.cuts[n.feature]; int(n.bin) < len(cuts) {
		p.cut = cuts[n.bin]
	}
	t.add(left)
	t.add(right)
}

// partition reorders a node's rows, those that go left first, each side in its old order; it returns their number.
func (t *grower) partition(n node) int {
	rows, rest := t.rows[n.lo:n.hi], t.rest[n.lo:n.hi]
	column := t.bins.byCol[int(n.feature)*t.bins.rows : (int(n.feature)+1)*t.bins.rows]
	var right [256]uint8 // 1 where a bin goes right: no branch to mispredict
	for b := range right {
		if !n.goesLeft(uint8(b), t.bins) {
			right[b] = 1
		}
	}
	parts := 1
	if len(rows) > 1<<16 {
		parts = min(t.workers, 16)
	}
	ends := make([]int, parts) // rows that go left, of each part
	bounds := func(p int) (int, int) { return p * len(rows) / parts, (p + 1) * len(rows) / parts }
	fit.Parallel(t.workers, parts, func(p int) {
		from, to := bounds(p)
		l, r := from, from
		for _, row := range rows[from:to] {
			rows[l], rest[r] = row, row
			goes := int(right[column[row]])
			r += goes
			l += 1 - goes
		}
		copy(rows[l:to], rest[from:r])
		ends[p] = l
	})
	if parts == 1 {
		return ends[0]
	}
	// Join the parts: all left rows, then all right rows.
	at := 0
	for p, end := range ends {
		from, _ := bounds(p)
		at += copy(rest[at:], rows[from:end])
	}
	middle := at
	for p, end := range ends {
		_, to := bounds(p)
		at += copy(rest[at:], rows[end:to])
	}
	copy(rows, rest)
	return middle
}

// goesLeft reports whether a node sends that bin to its left child.
func (n *node) goesLeft(bin uint8, m *binned) bool {
	if int(bin) >= m.values(int(n.feature)) {
		return n.missingLeft
	}
	return bin <= n.bin
}

// prune turns splits whose gain is below Gamma into leaves, from the leaves up, as XGBoost does.
func (t *grower) prune() {
	for i := len(t.nodes) - 1; i >= 0 && t.Gamma > 0; i-- {
		n := &t.nodes[i]
		if n.left > 0 && t.nodes[n.left].left == 0 && t.nodes[n.right].left == 0 && n.gain < t.Gamma {
			n.left, n.right = 0, 0
		}
	}
}

// leaves returns the indices of the leaves that the root reaches.
func (t tree) leaves() []int {
	var out []int
	stack := []int{0}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if t[i].left == 0 {
			out = append(out, i)
		} else {
			stack = append(stack, t[i].right, t[i].left)
		}
	}
	return out
}

// apply adds the tree's values, so many times, to the scores of rows that it was not grown from.
func (t tree) apply(workers int, m *binned, rows []int32, score []float32, times float32) {
	const block = 1 << 12
	fit.Parallel(workers, (len(rows)+block-1)/block, func(p int) {
		for _, r := range rows[p*block : min(len(rows), (p+1)*block)] {
			i := 0
			for t[i].left > 0 {
				if t[i].goesLeft(m.byCol[int(t[i].feature)*m.rows+int(r)], m) {
					i = t[i].left
				} else {
					i = t[i].right
				}
			}
			score[r] += times * t[i].value
		}
	})
}
