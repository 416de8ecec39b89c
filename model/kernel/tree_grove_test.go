package kernel

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// hard are numbers at which comparisons part.
var hard = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, math.MaxFloat32, -math.MaxFloat32,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
}

// woods makes random trees of up to depth levels, uneven ones and such whose two ways lead to the same node among them.
func woods(r *rand.Rand, count, depth, features int) (nodes []TreeNode[float32], missing []bool, trees []Tree) {
	var grow func(level int) (at, deepest int32)
	grow = func(level int) (at, deepest int32) {
		at = int32(len(nodes))
		nodes, missing = append(nodes, TreeNode[float32]{Value: r.Float32() - .5, Next: [2]int32{at, at}}), append(missing, false)
		if level == depth || r.IntN(8) == 0 {
			return at, int32(level)
		}
		value := float32(r.NormFloat64())
		if r.IntN(2) == 0 {
			value = hard[r.IntN(len(hard))]
		}
		no, deep := grow(level + 1)
		yes, deeper := no, deep
		if r.IntN(10) > 0 {
			yes, deeper = grow(level + 1)
		}
		nodes[at] = TreeNode[float32]{Value: value, Feature: int32(r.IntN(features)), Next: [2]int32{no, yes}}
		missing[at] = r.IntN(2) == 0
		return at, max(deep, deeper)
	}
	for range count {
		root, deepest := grow(0)
		trees = append(trees, Tree{root, deepest})
	}
	return nodes, missing, trees
}

// A row reaches the same leaves in a Grove as in the trees that it was made of, and their values add up in the same order.
func TestGrove(t *testing.T) {
	const features = 5
	r := rand.New(rand.NewPCG(7, 7))
	for _, count := range []int{1, 3, 8, 9, 40} {
		for depth := range 8 {
			nodes, missing, trees := woods(r, count, depth, features)
			for _, miss := range [][]bool{nil, missing} {
				name := strconv.Itoa(count) + " trees of depth " + strconv.Itoa(depth) + ", missing " + strconv.FormatBool(miss != nil)
				for _, rows := range []int{0, 1, 2, 7} {
					x := make([]float32, rows*(features+1))
					for i := range x {
						if x[i] = float32(r.NormFloat64()); r.IntN(2) == 0 {
							x[i] = hard[r.IntN(len(hard))]
						}
					}
					checkGrove(t, name, nodes, miss, trees, features, x, rows)
				}
			}
		}
	}
}

func checkGrove(t *testing.T, name string, nodes []TreeNode[float32], missing []bool, trees []Tree, features int, x []float32, rows int) {
	leaves := map[int]int32{}
	g := NewGrove(trees, len(nodes), features, missing != nil)
	values, tracks := make([]float32, g.Leaves()), func(node int32) bool { return missing[node] }
	g.Plant(nodes, tracks, trees, values, nil)
	g.Plant(nodes, tracks, trees, nil, func(place int, node int32) {
		if _, twice := leaves[place]; twice {
			t.Fatalf("%s: two leaves in place %d", name, place)
		}
		leaves[place] = node
	})
	stride := features + 1
	ranks := make([]uint32, rows*g.Ranks())
	g.Rank(ranks, x, stride)
	sums, found := make([]float32, rows), make([]int32, rows*GroveSide)
	for i := range sums {
		sums[i] = float32(math.Copysign(0, -1))
	}
	g.Sum(ranks, values, sums)
	want := make([]int32, 1)
	for row := range rows {
		sum := float32(math.Copysign(0, -1))
		for i, tree := range trees {
			Walk(nodes, missing, tree, x[row*stride:], stride, want)
			sum += nodes[want[0]].Value
			g.Find(i/GroveSide, ranks, found)
			if node, ok := leaves[int(found[row*GroveSide+i%GroveSide])]; !ok || node != want[0] {
				t.Fatalf("%s: row %v ends at node %d of tree %d, want %d", name, x[row*stride:][:features], node, i, want[0])
			}
		}
		if math.Float32bits(sums[row]) != math.Float32bits(sum) {
			t.Fatalf("%s: row %d sums to %v, want %v", name, row, sums[row], sum)
		}
	}
}

// Trees that would take much more memory as complete ones are left as they are.
func TestGroveRefuses(t *testing.T) {
	var nodes []TreeNode[float32]
	for i := range int32(40) { // a list, not a tree
		nodes = append(nodes, TreeNode[float32]{Next: [2]int32{2*i + 1, 2*i + 2}}, TreeNode[float32]{Next: [2]int32{2*i + 1, 2*i + 1}})
		nodes[2*i].Next = [2]int32{2*i + 1, 2 * (i + 1)}
	}
	nodes = append(nodes, TreeNode[float32]{Next: [2]int32{80, 80}})
	for _, trees := range [][]Tree{{{0, 40}}, {{56, 12}, {80, 0}}} {
		if g := NewGrove(trees, len(nodes), 1, false); g != nil {
			t.Errorf("%v: %d leaves for %d nodes", trees, g.Leaves(), len(nodes))
		}
	}
	if g := NewGrove([]Tree{{62, 9}, {80, 0}}, len(nodes), 1, false); g == nil {
		t.Errorf("a small grove was refused")
	}
}

func BenchmarkGrove(b *testing.B) {
	const features, count = 30, 500
	r := rand.New(rand.NewPCG(7, 7))
	var nodes []TreeNode[float32]
	var trees []Tree
	for range count {
		root := int32(len(nodes))
		trees = append(trees, Tree{root, 6})
		for i := range int32(127) {
			n := TreeNode[float32]{Value: float32(r.NormFloat64()), Feature: r.Int32N(features), Next: [2]int32{root + 2*i + 2, root + 2*i + 1}}
			if i >= 63 {
				n.Next = [2]int32{root + i, root + i}
			}
			nodes = append(nodes, n)
		}
	}
	g := NewGrove(trees, len(nodes), features, false)
	values := make([]float32, g.Leaves())
	g.Plant(nodes, nil, trees, values, nil)
	for _, rows := range []int{1, 64} {
		x := make([]float32, rows*features)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		ranks, sums := make([]uint32, rows*g.Ranks()), make([]float32, rows)
		b.Run("rank "+strconv.Itoa(rows), func(b *testing.B) {
			for b.Loop() {
				g.Rank(ranks, x, features)
			}
		})
		b.Run("sum "+strconv.Itoa(rows), func(b *testing.B) {
			for b.Loop() {
				g.Sum(ranks, values, sums)
			}
		})
	}
	b.Run("plant", func(b *testing.B) {
		for b.Loop() {
			NewGrove(trees, len(nodes), features, false).Plant(nodes, nil, trees, values, nil)
		}
	})
}
