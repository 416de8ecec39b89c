package trees

// For many rows, a tree is cut into blocks: subtrees small enough that the parts of the features can be written down for everything that
// a row may do there, one row of a table for each pattern of bits (compare Yang 2021, "Fast TreeSHAP", version 2, which has a table for
// each leaf). A bit tells for a split of the block whether the row goes left, or for a feature that is asked above it whether the row
// has kept to the way so far. A full tree of depth 6 is 16 blocks of 7 bits, and a row takes 16 look-ups instead of 126 edges twice.

// maxBits bounds the bits of a pattern, and so the features on a way: the integral has 2·lanes of them.
const maxBits = 2 * lanes

// blocks is a tree that is cut into blocks.
type blocks struct {
	way    *ways
	inner  []split // those of all nodes
	plain  bool    // all of them compare numbers as they are
	uppers []int32 // edges above the blocks, parents first
	blocks []block
}

// block is a subtree and its table.
type block struct {
	root     int32
	end      int32   // nodes root … end-1 are the block's
	bits     []int32 // by bit, where in walker.flags it is: that of a split of the block, or of an edge above, the last one of its feature
	features []int32
	table    []float64 // (patterns, outputs, features); one output where the tree has one
}

// cut cuts a tree into blocks; it reports false when a way has too many features. With plain,
// features are read as they are. entries is how many numbers the tables will have.
func (w *ways) cut(outputs int, plain bool) (b *blocks, entries int, ok bool) {
	if w.tree.Output != Every {
		outputs = 1
	}
	ends := make([]int32, len(w.edges)) // by node: behind the last one below it
	for i := len(ends) - 1; i >= 0; i-- {
		if ends[i] = int32(i) + 1; w.splits[i].kind != isLeaf {
			ends[i] = max(ends[w.tree.Nodes[i].Left], ends[w.tree.Nodes[i].Right])
		}
	}
	b = &blocks{way: w, plain: plain}
	for i := range w.splits {
		if w.splits[i].kind != isLeaf {
			b.inner = append(b.inner, w.splits[i])
			b.plain = b.plain && w.splits[i].kind == byCut
		}
	}
	for i := int32(0); int(i) < len(ends); {
		if i > 0 {
			b.uppers = append(b.uppers, i)
		}
		above := w.above(i)
		if len(above)+int(ends[i]-i)/2 > maxBits { // half of a subtree's nodes are splits
			if w.splits[i].kind == isLeaf {
				return nil, 0, false
			}
			i++ // to the left child
			continue
		}
		k := block{root: i, end: ends[i]}
		for _, e := range above {
			k.bits, k.features = append(k.bits, int32(len(w.edges))+e), append(k.features, w.edges[e].feature)
		}
		k.collect(w)
		entries += len(k.features) * outputs << len(k.bits)
		b.blocks = append(b.blocks, k)
		i = ends[i]
	}
	return b, entries, true
}

// above lists the edges on the way to a node that are the last ones of their features.
func (w *ways) above(node int32) []int32 {
	var last []int32
next:
	for e := node; e > 0; e = w.edges[e].parent {
		for _, l := range last {
			if w.edges[l].feature == w.edges[e].feature {
				continue next
			}
		}
		last = append(last, e)
	}
	return last
}

// collect takes in the splits of a block, and their features.
func (k *block) collect(w *ways) {
	for i := k.root; i < k.end; i++ {
		if w.splits[i].kind == isLeaf {
			continue
		}
		k.bits = append(k.bits, i)
		if k.slot(w.splits[i].feature) < 0 {
			k.features = append(k.features, w.splits[i].feature)
		}
	}
}

// slot is the place of a feature, -1 for none.
func (k *block) slot(feature int32) int {
	for j, f := range k.features {
		if f == feature {
			return j
		}
	}
	return -1
}

// fill computes the tables.
func (b *blocks) fill(outputs int) {
	t := b.way.tree
	if t.Output != Every {
		outputs = 1
	}
	points, weights := gauss(lanes)
	for i := range b.blocks {
		k := &b.blocks[i]
		k.table = make([]float64, len(k.features)*outputs<<len(k.bits))
		for leaf := k.root; leaf < k.end; leaf++ {
			if b.way.splits[leaf].kind != isLeaf {
				continue
			}
			values := []float32(nil)
			if t.Output == Every {
				values = t.Values[int(t.Nodes[leaf].Row)*outputs:][:outputs]
			}
			k.add(b.way.conditions(leaf, k), points, weights, t.Nodes[leaf].Value, values)
		}
	}
}

// condition is what a feature must do on the way to a leaf.
type condition struct {
	slot       int
	share      float64 // z
	care, want uint    // the row keeps to the way if the bits of its pattern that are cared for are those that are wanted
}

// conditions lists what the way from a tree's root to a leaf of a block asks for.
func (w *ways) conditions(leaf int32, k *block) []condition {
	var list []condition
	find := func(feature int32, share float64) *condition {
		slot := k.slot(feature)
		for i := range list {
			if list[i].slot == slot {
				return &list[i]
			}
		}
		list = append(list, condition{slot: slot, share: share}) // the last edge of a feature has the share of all
		return &list[len(list)-1]
	}
	for e := leaf; e > 0; e = w.edges[e].parent {
		c := find(w.edges[e].feature, w.edges[e].share)
		for bit, source := range k.bits {
			switch {
			case source == int32(len(w.edges))+e:
				c.want |= 1 << bit
			case e <= k.root || source != w.edges[e].parent:
				continue
			case w.edges[e].yes == 1:
				c.want |= 1 << bit
			}
			c.care |= 1 << bit
		}
	}
	return list
}

// add adds the parts of one leaf to the table: one value, or one for each output.
func (k *block) add(conditions []condition, points, weights []float64, value float64, values []float32) {
	var factor, gain [maxBits][2]lane
	for j, c := range conditions {
		for q, t := range points[:lanes] {
			off, on := (1-t)*c.share, t+(1-t)*c.share
			factor[j][0][q], factor[j][1][q] = off, on
			gain[j][0][q], gain[j][1][q] = -c.share/off, (1-c.share)/on
		}
	}
	parts := make([]float64, len(conditions)<<len(conditions)) // by what the row does with each condition
	for m := range uint(1) << len(conditions) {
		p := lane{weights[0], weights[1], weights[2], weights[3]}
		for j := range conditions {
			f := &factor[j][m>>j&1]
			p[0] *= f[0]
			p[1] *= f[1]
			p[2] *= f[2]
			p[3] *= f[3]
		}
		for j := range conditions {
			g := &gain[j][m>>j&1]
			parts[int(m)*len(conditions)+j] = (p[0]*g[0] + p[1]*g[1]) + (p[2]*g[2] + p[3]*g[3])
		}
	}
	width := len(k.features)
	for pattern := range uint(1) << len(k.bits) {
		var m int
		for j, c := range conditions {
			if pattern&c.care == c.want {
				m |= 1 << j
			}
		}
		mine := parts[m*len(conditions):][:len(conditions)]
		if values == nil {
			to := k.table[int(pattern)*width:][:width]
			for j, c := range conditions {
				to[c.slot] += value * mine[j]
			}
			continue
		}
		for o, v := range values {
			to := k.table[(int(pattern)*len(values)+o)*width:][:width]
			for j, c := range conditions {
				to[c.slot] += float64(v) * mine[j]
			}
		}
	}
}

// pass is for the tables: one pass does it.
func (b *blocks) pass(number int) bool { return number == 0 }

// explain looks the parts up. The flags are, by node, whether
// the row goes left, and behind them, by edge, whether the row has kept to the way as far as the edge's feature goes.
func (b *blocks) explain(by *walker, row []float32, parts []float64) {
	edges := b.way.edges
	if len(by.flags) < 2*len(edges) {
		by.flags = make([]uint8, 2*len(edges))
	}
	goes, keep := by.flags[:len(edges)], by.flags[len(edges):2*len(edges)]
	b.decide(by, row, goes)
	keep[0] = 1
	for _, i := range b.uppers {
		e := &edges[i]
		keep[i] = (1 ^ goes[e.parent] ^ e.yes) & keep[e.before]
	}
	outputs, width := by.ensemble.Outputs, by.ensemble.Features+1
	if k := b.way.tree.Output; k != Every {
		outputs, parts = 1, parts[k*width:][:width]
	}
	flags := by.flags[:2*len(edges)]
	for i := range b.blocks {
		k := &b.blocks[i]
		pattern, n := 0, len(k.features)
		for bit, at := range k.bits {
			pattern |= int(flags[at]) << (bit & (maxBits - 1))
		}
		values := k.table[pattern*outputs*n:][:outputs*n]
		for o := 0; len(values) > 0; o++ {
			to := parts[o*width:][:width]
			for j, f := range k.features {
				to[f] += values[j]
			}
			values = values[n:]
		}
	}
}

// decide finds out for every split whether the row goes left.
func (b *blocks) decide(by *walker, row []float32, goes []uint8) {
	if !b.plain {
		for _, s := range b.inner {
			goes[s.node] = by.goesLeft(b.way, int(s.node), row)
		}
		return
	}
	for i := range b.inner {
		s := &b.inner[i]
		v := row[s.feature]
		var yes uint8
		if v <= s.cut {
			yes = 1
		}
		if v != v {
			yes = s.missing
		}
		goes[s.node] = yes
	}
}
