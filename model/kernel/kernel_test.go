package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestGemm compares with the definition at sizes around the tiles' edges, from both layouts of B.
func TestGemm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	fill := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = float64(r.IntN(9) - 4)
		}
		return v
	}
	for _, m := range []int{1, 2, 3, 8} {
		for _, n := range []int{1, 3, 4, 5, 9} {
			for _, k := range []int{1, 2, 7} {
				a, b, start := fill(m*k), fill(k*n), fill(m*n)
				want := slices.Clone(start)
				for i := range m {
					for j := range n {
						for p := range k {
							want[i*n+j] += a[i*k+p] * b[p*n+j]
						}
					}
				}
				turned := make([]float64, k*n)
				Transpose(turned, b, k, n, n)
				for name, packed := range map[string]Packed[float64]{"plain": Pack(b, k, n, n, false, nil), "turned": Pack(turned, k, n, k, true, nil)} {
					c := slices.Clone(start)
					Gemm(m, a, k, &packed, c, n)
					if !slices.Equal(c, want) {
						t.Errorf("%s %d×%d×%d: got %v, want %v", name, m, k, n, c, want)
					}
				}
				c := slices.Clone(start[:n])
				Axpy(a[:k], b, n, c)
				if !slices.Equal(c, want[:n]) {
					t.Errorf("axpy %d×%d: got %v, want %v", k, n, c, want[:n])
				}
			}
		}
	}
}

// TestWalk: all ways through a forest end at the leaf that going down step by step finds, NaN included.
func TestWalk(t *testing.T) {
	const features, depth, count = 3, 5, 6
	r := rand.New(rand.NewPCG(3, 4))
	var nodes []TreeNode[float32]
	var trees []Tree
	for range count {
		root := int32(len(nodes))
		trees = append(trees, Tree{root, depth})
		for i := range int32(1<<(depth+1) - 1) {
			at := root + i
			n := TreeNode[float32]{Value: float32(r.NormFloat64()), Feature: r.Int32N(features), Next: [2]int32{root + 2*i + 2, root + 2*i + 1}}
			if i >= 1<<depth-1 {
				n = TreeNode[float32]{Next: [2]int32{at, at}}
			}
			nodes = append(nodes, n)
		}
	}
	missing := make([]bool, len(nodes))
	for i := range missing {
		missing[i] = r.IntN(2) == 0
	}
	const rows = 11
	x := make([]float32, rows*features)
	for i := range x {
		if x[i] = float32(r.NormFloat64()); r.IntN(4) == 0 {
			x[i] = float32(math.NaN())
		}
	}
	down := func(tree Tree, row []float32, missing []bool) int32 {
		at := tree.Root
		for nodes[at].Next[0] != at {
			v, yes := row[nodes[at].Feature], 0
			if v <= nodes[at].Value || v != v && missing != nil && missing[at] {
				yes = 1
			}
			at = nodes[at].Next[yes]
		}
		return at
	}
	for _, miss := range [][]bool{nil, missing} {
		leaf := make([]int32, rows)
		for _, tree := range trees {
			Walk(nodes, miss, tree, x, features, leaf)
			for i, got := range leaf {
				if want := down(tree, x[i*features:], miss); got != want {
					t.Fatalf("row %d: got leaf %d, want %d", i, got, want)
				}
			}
		}
		all := make([]int32, count)
		WalkTrees(nodes, miss, trees, x, all)
		for i, got := range all {
			if want := down(trees[i], x, miss); got != want {
				t.Fatalf("tree %d: got leaf %d, want %d", i, got, want)
			}
		}
	}
}
