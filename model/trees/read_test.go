package trees_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/model/trees"
)

// TestReadBack: what was emitted is read again as the same trees, covers among them.
func TestReadBack(t *testing.T) {
	goldens(t, func(t *testing.T, _ string, g golden, e *trees.Ensemble) {
		m, err := e.Model("model")
		if err != nil {
			t.Fatal(err)
		}
		nodes := trees.Find(m.Graph)
		if len(nodes) != 1 {
			t.Fatalf("%d tree operators", len(nodes))
		}
		back, err := trees.Read(nodes[0])
		if err != nil {
			t.Fatal(err)
		}
		sets := nodes[0].Op == "TreeEnsemble"
		if back.Covered() != (e.Covered() && !sets) {
			t.Errorf("covers are known: %v, were: %v", back.Covered(), e.Covered())
		}
		plain := *e
		plain.Inputs = nil
		x := g.input()
		for r := range g.Rows {
			row := x[r*e.Features:][:e.Features]
			got, want := back.Scores(row), plain.Scores(row)
			if sets {
				for k := range got {
					got[k] += e.Base[k] // stands behind the operator
				}
			}
			compare(t, "scores", got, want, 1e-6)
		}
	})
}

// TestForeign: trees of skl2onnx and onnxmltools are read, and predict what onnxruntime says of their files.
func TestForeign(t *testing.T) {
	paths, _ := filepath.Glob("testdata/foreign/*.onnx")
	if len(paths) < 7 {
		t.Fatalf("%d files", len(paths))
	}
	for _, path := range paths {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := onnx.Decode(file, onnx.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(strings.TrimSuffix(path, ".onnx") + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var g golden
		if err := json.Unmarshal(text, &g); err != nil {
			t.Fatal(err)
		}
		e, err := trees.Read(trees.Find(m.Graph)[0])
		if err != nil {
			t.Fatal(err)
		}
		x, cols := g.input(), len(g.X)/g.Rows
		var got []float64
		for r := range g.Rows {
			p := e.Predict(x[r*cols:][:cols])
			if strings.Contains(path, "skl_two") && len(p) == 1 { // a share of the second class, which a classifier gives both of
				p = []float64{1 - p[0], p[0]}
			}
			got = append(got, p...)
		}
		compare(t, path, got, g.Y, 1e-5)
	}
}

// random makes an ensemble of every kind of node.
func random(r *rand.Rand, features, outputs, count, depth int) *trees.Ensemble {
	e := &trees.Ensemble{Task: fit.Regression, Features: features, Outputs: outputs, Base: make([]float64, outputs)}
	for range count {
		t := trees.Tree{Output: r.IntN(outputs+1) - 1}
		grow(r, &t, features, outputs, depth, float64(20+r.IntN(100)))
		e.Trees = append(e.Trees, t)
	}
	for k := range e.Base {
		e.Base[k] = r.NormFloat64()
	}
	return e
}

func grow(r *rand.Rand, t *trees.Tree, features, outputs, depth int, cover float64) int32 {
	at := int32(len(t.Nodes))
	n := trees.Node{Cover: cover}
	if t.Nodes = append(t.Nodes, n); depth == 0 || cover < 2 || r.IntN(8) == 0 {
		if t.Output == trees.Every {
			n.Row = int32(len(t.Values) / outputs)
			for range outputs {
				t.Values = append(t.Values, float32(r.NormFloat64()))
			}
		} else {
			n.Value = float64(float32(r.NormFloat64()))
		}
		t.Nodes[at] = n
		return at
	}
	n.Feature, n.MissingLeft, n.Gain = int32(r.IntN(features)), r.IntN(2) == 0, r.Float64()
	if n.Cut = float32(r.IntN(7)) - 3; r.IntN(4) == 0 {
		for v := range 5 {
			if r.IntN(2) == 0 || v == 4 {
				n.Set = append(n.Set, float32(v))
			}
		}
	}
	left := math.Round(cover * (.1 + .8*r.Float64()))
	n.Left = grow(r, t, features, outputs, depth-1, left)
	n.Right = grow(r, t, features, outputs, depth-1, cover-left)
	t.Nodes[at] = n
	return at
}

// table makes rows of whole numbers, of which one in eight is missing.
func table(r *rand.Rand, rows, features int) []float32 {
	x := make([]float32, rows*features)
	for i := range x {
		if x[i] = float32(r.IntN(9) - 4); r.IntN(8) == 0 {
			x[i] = float32(math.NaN())
		}
	}
	return x
}

// TestRandom: ensembles of every kind of node score the same walked here, run as a graph, and read back.
func TestRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		outputs := 1 + r.IntN(3)
		e := random(r, 1+r.IntN(5), outputs, r.IntN(6), r.IntN(5))
		if round%4 == 0 && outputs > 2 {
			e.Link = trees.Softmax
		}
		if err := e.Check(); err != nil {
			t.Fatal(err)
		}
		m, err := e.Model("model")
		if err != nil {
			t.Fatal(err)
		}
		back, err := trees.Read(trees.Find(m.Graph)[0])
		if err != nil {
			t.Fatal(err)
		}
		x := table(r, 20, e.Features)
		var want []float64
		for i := range 20 {
			row := x[i*e.Features:][:e.Features]
			want = append(want, e.Predict(row)...)
			got := back.Scores(row)
			if trees.Find(m.Graph)[0].Op == "TreeEnsemble" {
				for k := range got {
					got[k] += e.Base[k]
				}
			}
			compare(t, fmt.Sprint("round ", round, ", read back"), got, e.Scores(row), 1e-5)
		}
		compare(t, fmt.Sprint("round ", round, ", run"), run(t, m, x, e.Features), want, 1e-5)
	}
}

// TestModes: every mode of the two operators means in a tree that was read what it means in the engine, for missing values too.
func TestModes(t *testing.T) {
	x := []float32{1, 2, 3, float32(math.NaN()), float32(math.Inf(-1)), float32(math.Inf(1))}
	for k, mode := range []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"} {
		for _, missing := range []int64{0, 1} {
			b := graph.NewBuilder("modes")
			in := b.Input("x", tensor.Rows(tensor.Float32, 1))
			old := b.Node(graph.ML, "TreeEnsembleRegressor", []graph.Value{in}, 1, graph.IntAttr("n_targets", 1), graph.StringAttr("aggregate_function", "AVERAGE"),
				graph.IntsAttr("nodes_treeids", 4, 4, 4), graph.IntsAttr("nodes_nodeids", 7, 8, 9), graph.IntsAttr("nodes_featureids", 0, 0, 0),
				graph.FloatsAttr("nodes_values", []float32{2, 0, 0}), graph.StringsAttr("nodes_modes", []string{mode, "LEAF", "LEAF"}),
				graph.IntsAttr("nodes_truenodeids", 9, 0, 0), graph.IntsAttr("nodes_falsenodeids", 8, 0, 0), graph.IntsAttr("nodes_missing_value_tracks_true", missing, 0, 0),
				graph.IntsAttr("target_treeids", 4, 4), graph.IntsAttr("target_nodeids", 8, 9), graph.IntsAttr("target_ids", 0, 0), graph.FloatsAttr("target_weights", []float32{5, 7}))[0]
			b.Output("y", old, tensor.Rows(tensor.Float32, 1))
			same(t, fmt.Sprint(mode, missing), b.Model(), x)

			b = graph.NewBuilder("modes")
			in = b.Input("x", tensor.Rows(tensor.Float32, 1))
			young := b.Node(graph.ML, "TreeEnsemble", []graph.Value{in}, 1, graph.IntAttr("n_targets", 1), graph.IntsAttr("tree_roots", 0), graph.IntsAttr("nodes_featureids", 0),
				graph.TensorAttr("nodes_splits", tensor.Floats([]float32{2})), graph.TensorAttr("nodes_modes", tensor.FromSlice(tensor.Uint8, []uint8{uint8(k)})),
				graph.IntsAttr("nodes_truenodeids", 1), graph.IntsAttr("nodes_trueleafs", 1), graph.IntsAttr("nodes_falsenodeids", 0), graph.IntsAttr("nodes_falseleafs", 1),
				graph.IntsAttr("nodes_missing_value_tracks_true", missing), graph.IntsAttr("leaf_targetids", 0, 0), graph.TensorAttr("leaf_weights", tensor.Floats([]float32{5, 7})))[0]
			b.Output("y", young, tensor.Rows(tensor.Float32, 1))
			same(t, fmt.Sprint(k, missing), b.Model(), x)
		}
	}
}

func same(t *testing.T, what string, m *graph.Model, x []float32) {
	t.Helper()
	e, err := trees.Read(trees.Find(m.Graph)[0])
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for i := range x {
		got = append(got, e.Scores(x[i:i+1])...)
	}
	compare(t, what, got, run(t, m, x, 1), 0)
}

// TestBroken: lists that do not fit are refused, and say where.
func TestBroken(t *testing.T) {
	file, err := os.ReadFile("testdata/xgb_softprob.onnx")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"nodes_treeids": "lengths", "nodes_nodeids": "lengths", "nodes_values": "lengths", "nodes_modes": "lengths", "nodes_truenodeids": "lengths",
		"class_ids": "lengths", "class_weights": "lengths", "base_values": "base values",
	} {
		m, err := onnx.Decode(file, onnx.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		n := trees.Find(m.Graph)[0]
		a := n.Attr(name)
		a.Unpack()
		a.Ints, a.Floats, a.Strs = a.Ints[:len(a.Ints)/2], a.Floats[:len(a.Floats)/2], a.Strs[:len(a.Strs)/2]
		if _, err := trees.Read(n); !fault.Is(err, fault.BadModel) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s cut in half: %v", name, err)
		}
	}
	for name, value := range map[string]int64{"nodes_truenodeids": 99, "nodes_falsenodeids": 0, "nodes_featureids": -1, "class_treeids": 77, "class_nodeids": 78, "class_ids": 3} {
		m, err := onnx.Decode(file, onnx.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		n := trees.Find(m.Graph)[0]
		a := n.Attr(name)
		a.Unpack()
		a.Ints = slices.Clone(a.Ints)
		a.Ints[0] = value
		if _, err := trees.Read(n); !fault.Is(err, fault.BadModel) || !strings.Contains(err.Error(), "tree") {
			t.Errorf("%s = %d: %v", name, value, err)
		}
	}
}

// TestCheck: an ensemble that is not what it promises to be is refused with its place.
func TestCheck(t *testing.T) {
	stump := func() *trees.Ensemble {
		return &trees.Ensemble{Features: 2, Outputs: 1, Base: []float64{0}, Trees: []trees.Tree{{Nodes: []trees.Node{{Left: 1, Right: 2}, {Value: 1}, {Value: 2}}}}}
	}
	if err := stump().Check(); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(e *trees.Ensemble){
		"features": func(e *trees.Ensemble) { e.Features = 0 }, "base": func(e *trees.Ensemble) { e.Base[0] = math.Inf(1) },
		"outputs": func(e *trees.Ensemble) { e.Outputs = 2 }, "link": func(e *trees.Ensemble) { e.Link = trees.Softmax },
		"names": func(e *trees.Ensemble) { e.Names = []string{"a"} }, "inputs": func(e *trees.Ensemble) { e.Inputs = []trees.Input{9, 0} },
		"slope":          func(e *trees.Ensemble) { e.Slope = -1 },
		"tree 0, node ":  func(e *trees.Ensemble) { e.Trees[0].Nodes[0].Right = 1 },
		"tree 0, node 0": func(e *trees.Ensemble) { e.Trees[0].Nodes[0].Feature = 2 },
		"node 0":         func(e *trees.Ensemble) { e.Trees[0].Nodes[0].Set = []float32{2, 1} },
		"node 2":         func(e *trees.Ensemble) { e.Trees[0].Nodes[2].Value = math.NaN() },
		"node 1":         func(e *trees.Ensemble) { e.Trees[0].Nodes[1].Cover = -1 },
		"output":         func(e *trees.Ensemble) { e.Trees[0].Output = 1 },
		"without nodes":  func(e *trees.Ensemble) { e.Trees[0].Nodes = nil },
		"node 3":         func(e *trees.Ensemble) { e.Trees[0].Nodes = append(e.Trees[0].Nodes, trees.Node{}) },
		"a leaf":         func(e *trees.Ensemble) { e.Trees[0].Output = trees.Every },
	} {
		e := stump()
		spoil(e)
		if err := e.Check(); !fault.Is(err, fault.BadModel) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestManyRoots: nodes that are each a tree of their own, under one number, are read in time.
func TestManyRoots(t *testing.T) {
	const n = 1 << 16
	zeros, ids, modes := make([]int64, n), make([]int64, n), make([]string, n)
	for i := range ids {
		ids[i], modes[i] = int64(i), "LEAF"
	}
	e, err := trees.Read(&graph.Node{Domain: graph.ML, Op: "TreeEnsembleRegressor", Attrs: []graph.Attr{
		graph.IntsAttr("nodes_treeids", zeros...), graph.IntsAttr("nodes_nodeids", ids...), graph.IntsAttr("nodes_featureids", zeros...),
		graph.FloatsAttr("nodes_values", make([]float32, n)), graph.StringsAttr("nodes_modes", modes),
		graph.IntsAttr("nodes_truenodeids", zeros...), graph.IntsAttr("nodes_falsenodeids", zeros...),
		graph.IntsAttr("target_treeids", 0), graph.IntsAttr("target_nodeids", 7), graph.IntsAttr("target_ids", 0), graph.FloatsAttr("target_weights", []float32{3}),
	}})
	if err != nil || len(e.Trees) != n || e.Scores([]float32{0})[0] != 3 {
		t.Fatal(err)
	}
}
