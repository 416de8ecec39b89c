package op_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

const forestFeatures = 3

// edges are values beside which the next number lies far away, or none.
var edges = []float32{float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32}

var says = map[string]func(x, value float32) bool{
	"BRANCH_LEQ": func(x, v float32) bool { return x <= v }, "BRANCH_LT": func(x, v float32) bool { return x < v },
	"BRANCH_GT": func(x, v float32) bool { return x > v }, "BRANCH_GTE": func(x, v float32) bool { return x >= v },
	"BRANCH_EQ": func(x, v float32) bool { return x == v }, "BRANCH_NEQ": func(x, v float32) bool { return x != v },
}

// thicket is a forest as the lists of a node, in any order, with the nodes of every tree for a walk that is written down
// as the standard says it.
type thicket struct {
	trees, ids, features, yes, no, missing []int64
	modes                                  []string
	values                                 []float32
	leafTrees, leafIDs, leafTargets        []int64
	leafWeights                            []float32
	at                                     map[[2]int64]int   // tree and id → place
	votes                                  map[[2]int64][]int // tree and id → places in the lists of leaves
	roots                                  [][2]int64
}

// grow makes one random tree and returns the id of its root. Ids are counted by next, or drawn where shuffled.
func (f *thicket) grow(r *rand.Rand, tree int64, depth int, id func() int64, targets int) int64 {
	me, i := id(), len(f.ids)
	f.at[[2]int64{tree, me}] = i
	f.trees, f.ids, f.features = append(f.trees, tree), append(f.ids, me), append(f.features, int64(r.IntN(forestFeatures)))
	f.values, f.missing = append(f.values, float32(r.IntN(5))), append(f.missing, int64(r.IntN(2)))
	f.yes, f.no, f.modes = append(f.yes, 0), append(f.no, 0), append(f.modes, "LEAF")
	if depth == 0 || r.IntN(8) == 0 {
		for range 1 + r.IntN(targets) {
			f.votes[[2]int64{tree, me}] = append(f.votes[[2]int64{tree, me}], len(f.leafIDs))
			f.leafTrees, f.leafIDs = append(f.leafTrees, tree), append(f.leafIDs, me)
			f.leafTargets, f.leafWeights = append(f.leafTargets, int64(r.IntN(targets))), append(f.leafWeights, float32(r.IntN(64)))
		}
		return me
	}
	f.modes[i] = "BRANCH"
	if r.IntN(6) == 0 {
		f.values[i] = edges[r.IntN(len(edges))]
	}
	f.yes[i] = f.grow(r, tree, depth-1, id, targets)
	if f.no[i] = f.yes[i]; r.IntN(20) > 0 {
		f.no[i] = f.grow(r, tree, depth-1, id, targets)
	}
	return me
}

// predict adds up the weights of the leaves that a row reaches, or finds the least or the greatest.
func (f *thicket) predict(x []float32, targets int, aggregate string) []float32 {
	out, has := make([]float32, targets), make([]bool, targets)
	for _, at := range f.roots {
		for i := f.at[at]; ; i = f.at[at] {
			if f.modes[i] == "LEAF" {
				break
			}
			v, c := x[f.features[i]], f.values[i]
			if at[1] = f.no[i]; says[f.modes[i]](v, c) || v != v && f.missing[i] != 0 {
				at[1] = f.yes[i]
			}
		}
		for _, k := range f.votes[at] {
			target, w := f.leafTargets[k], f.leafWeights[k]
			switch {
			case aggregate == "SUM" || !has[target]:
				out[target] += w
			case aggregate == "MIN":
				out[target] = min(out[target], w)
			default:
				out[target] = max(out[target], w)
			}
			has[target] = true
		}
	}
	return out
}

// Forests of every shape answer as the standard's own walk does, whether their lists are in memory or, where they are long,
// read from the file.
func TestForestWalks(t *testing.T) {
	all := []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE", "BRANCH_EQ", "BRANCH_NEQ"}
	for _, c := range []struct {
		name           string
		trees, targets int
		shuffled       bool // ids without order
		modes          []string
	}{
		{"as exporters write", 6, 1, false, all[:1]},
		{"all modes", 6, 2, false, all},
		{"in order", 19, 1, false, all[:4]},
		{"in order, targets", 19, 3, false, all[:4]},
		{"ids in no order", 6, 1, true, all[:1]},
		{"long lists", 500, 1, false, all[:1]},
		{"long lists, all modes", 300, 2, false, all},
		{"long lists in no order", 300, 2, true, all[:4]},
	} {
		for _, aggregate := range []string{"SUM", "MIN", "MAX"} {
			t.Run(c.name+", "+aggregate, func(t *testing.T) { walkForest(t, c.trees, c.targets, c.shuffled, c.modes, aggregate) })
		}
	}
}

func walkForest(t *testing.T, trees, targets int, shuffled bool, modes []string, aggregate string) {
	r := rand.New(rand.NewPCG(uint64(trees), uint64(targets)))
	f := &thicket{at: map[[2]int64]int{}, votes: map[[2]int64][]int{}}
	for tree := range int64(trees) {
		next, ids := 0, r.Perm(1<<9)
		id := func() int64 {
			if next++; shuffled {
				return int64(ids[next])
			}
			return int64(next)
		}
		f.roots = append(f.roots, [2]int64{tree, f.grow(r, tree, 5, id, targets)})
	}
	for i, m := range f.modes {
		if m != "LEAF" {
			f.modes[i] = modes[r.IntN(len(modes))]
		}
	}
	b := graph.NewBuilder("forest")
	x := b.Input("x", tensor.TypeOf(tensor.Float32, -1, forestFeatures))
	y := b.Node(graph.ML, "TreeEnsembleRegressor", []graph.Value{x}, 1,
		graph.IntsAttr("nodes_treeids", f.trees...), graph.IntsAttr("nodes_nodeids", f.ids...), graph.IntsAttr("nodes_featureids", f.features...),
		graph.FloatsAttr("nodes_values", f.values), graph.StringsAttr("nodes_modes", f.modes), graph.IntsAttr("nodes_truenodeids", f.yes...),
		graph.IntsAttr("nodes_falsenodeids", f.no...), graph.IntsAttr("nodes_missing_value_tracks_true", f.missing...), graph.IntAttr("n_targets", int64(targets)),
		graph.IntsAttr("target_treeids", f.leafTrees...), graph.IntsAttr("target_nodeids", f.leafIDs...), graph.IntsAttr("target_ids", f.leafTargets...),
		graph.FloatsAttr("target_weights", f.leafWeights), graph.StringAttr("aggregate_function", aggregate))[0]
	b.Output("y", y, tensor.TypeOf(tensor.Float32, -1, targets))
	m := &graph.Model{IRVersion: 8, Opsets: map[string]int64{"": 17, graph.ML: 3}, Graph: b.Graph()}
	const rows = 70 // more than a block
	in := make([]float32, rows*forestFeatures)
	for i := range in {
		if in[i] = float32(r.IntN(10)) / 2; r.IntN(6) == 0 {
			in[i] = float32(math.NaN())
		} else if r.IntN(6) == 0 {
			in[i] = edges[r.IntN(len(edges))]
		}
	}
	file, err := onnx.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := onnx.Decode(file, onnx.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*graph.Model{"in memory": m, "decoded": decoded} {
		p, err := model.FromGraph(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, rows} {
			out, err := p.Run(t.Context(), map[string]*tensor.Tensor{"x": tensor.Floats(in[:n*forestFeatures], n, forestFeatures)})
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				want, got := f.predict(in[i*forestFeatures:][:forestFeatures], targets, aggregate), out["y"].F32()[i*targets:][:targets]
				for k := range want {
					if got[k] != want[k] {
						t.Fatalf("%s, %d rows: row %d is %v, want %v", name, n, i, got, want)
					}
				}
			}
		}
	}
}
