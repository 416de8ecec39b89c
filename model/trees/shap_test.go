package trees_test

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/trees"
)

// TestContributions compares with pred_contribs of XGBoost and pred_contrib of LightGBM.
func TestContributions(t *testing.T) {
	compared := 0
	goldens(t, func(t *testing.T, _ string, g golden, e *trees.Ensemble) {
		if g.Contribs == nil {
			return
		}
		compared++
		compare(t, "contribution", explain(t, e, g.input()), g.Contribs, 1e-4)
	})
	if compared < 35 {
		t.Errorf("only %d models were compared", compared)
	}
}

func explain(t testing.TB, e *trees.Ensemble, x []float32) []float64 {
	t.Helper()
	s, err := trees.NewExplainer(e)
	if err != nil {
		t.Fatal(err)
	}
	one, err := s.Explain(context.Background(), x, 1)
	if err != nil {
		t.Fatal(err)
	}
	three, err := s.Explain(context.Background(), x, 3)
	if err != nil || !slices.Equal(one, three) {
		t.Fatalf("three threads explain otherwise than one (%v)", err)
	}
	return one
}

// TestImportance compares with get_score of XGBoost and feature_importance of LightGBM.
func TestImportance(t *testing.T) {
	goldens(t, func(t *testing.T, _ string, g golden, e *trees.Ensemble) {
		for kind, want := range g.Importance {
			for j, f := range e.Importance() {
				got := map[string]float64{"weight": float64(f.Weight), "gain": f.Gain, "total_gain": f.TotalGain, "cover": f.Cover, "total_cover": f.TotalCover}[kind]
				compare(t, kind, []float64{got}, []float64{want[e.Names[j]]}, 1e-5)
			}
		}
	})
}

// TestShapley compares with the definition: the mean, over all orders of the features, of what a feature changes when it becomes known.
func TestShapley(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 40 {
		features, outputs := 1+r.IntN(6), 1+r.IntN(2)
		e := random(r, features, outputs, 1+r.IntN(3), 1+r.IntN(9))
		x := table(r, 4, features)
		got := explain(t, e, x)
		for i := range 4 {
			for k := range outputs {
				want := append(shapley(e, x[i*features:][:features], k), known(e, x, 0, k))
				compare(t, fmt.Sprint("round ", round), got[(i*outputs+k)*(features+1):][:features+1], want, 1e-9)
			}
		}
	}
}

// shapley sums over all sets of features.
func shapley(e *trees.Ensemble, row []float32, k int) []float64 {
	n := e.Features
	factorial := func(n int) float64 { return math.Gamma(float64(n + 1)) }
	out := make([]float64, n)
	for set := range uint(1) << n {
		size := bits.OnesCount(set)
		for i := range n {
			if set>>i&1 == 0 {
				weight := factorial(size) * factorial(n-size-1) / factorial(n)
				out[i] += weight * (known(e, row, set|1<<i, k) - known(e, row, set, k))
			}
		}
	}
	return out
}

// known is the score when only the features of a set are known.
func known(e *trees.Ensemble, row []float32, set uint, k int) float64 {
	sum := e.Base[k]
	for i := range e.Trees {
		t := &e.Trees[i]
		var walk func(at int32) float64
		walk = func(at int32) float64 {
			n := &t.Nodes[at]
			switch {
			case n.Leaf() && t.Output == trees.Every:
				return float64(t.Values[int(n.Row)*e.Outputs+k])
			case n.Leaf() && t.Output == k:
				return n.Value
			case n.Leaf():
				return 0
			case set>>n.Feature&1 == 0:
				return (walk(n.Left)*t.Nodes[n.Left].Cover + walk(n.Right)*t.Nodes[n.Right].Cover) / n.Cover
			case n.GoesLeft(row[n.Feature]):
				return walk(n.Left)
			}
			return walk(n.Right)
		}
		sum += walk(0)
	}
	return sum
}

// TestTables: many rows, for which tables are made, have the parts that each of them has alone, whatever the order of the nodes.
func TestTables(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for round, depth := range []int{0, 1, 3, 5, 6, 8, 12} {
		e := random(r, 9, 1+round%3, 4, depth)
		for i := range e.Trees {
			e.Trees[i].Nodes = breadthFirst(e.Trees[i].Nodes)
		}
		const rows = 700
		x := table(r, rows, e.Features)
		many := explain(t, e, x)
		width := len(many) / rows
		for i := 0; i < rows; i += 13 {
			compare(t, fmt.Sprint("depth ", depth, " row ", i), many[i*width:][:width], explain(t, e, x[i*e.Features:][:e.Features]), 1e-12)
		}
	}
}

// breadthFirst brings nodes into the order in which learners make them: level by level.
func breadthFirst(nodes []trees.Node) []trees.Node {
	order := []int32{0}
	place := make([]int32, len(nodes))
	for i := 0; i < len(order); i++ {
		place[order[i]] = int32(i)
		if n := nodes[order[i]]; !n.Leaf() {
			order = append(order, n.Left, n.Right)
		}
	}
	out := make([]trees.Node, len(nodes))
	for i, at := range order {
		if out[i] = nodes[at]; !out[i].Leaf() {
			out[i].Left, out[i].Right = place[out[i].Left], place[out[i].Right]
		}
	}
	return out
}

// TestAdditive: parts make up the score, whatever the depth, and a feature that no split asks for has none.
func TestAdditive(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, depth := range []int{0, 1, 6, 9, 17, 40} {
		e := random(r, 60, 2, 3, depth)
		for i := range e.Trees { // the last feature stays without a split
			for j := range e.Trees[i].Nodes {
				e.Trees[i].Nodes[j].Feature = min(e.Trees[i].Nodes[j].Feature, 58)
			}
		}
		x := table(r, 70, 60)
		parts := explain(t, e, x)
		for i := range 70 {
			want := e.Scores(x[i*60:][:60])
			for k := range 2 {
				p := parts[(i*2+k)*61:][:61]
				var sum float64
				for _, v := range p {
					sum += v
				}
				compare(t, fmt.Sprint("depth ", depth), []float64{sum}, []float64{want[k]}, 1e-9)
				if p[59] != 0 {
					t.Errorf("depth %d: a feature without a split has the part %v", depth, p[59])
				}
			}
		}
	}
}

// TestWeigh: covers counted from rows make a foreign model explainable.
func TestWeigh(t *testing.T) {
	e := load(t, "testdata/models/lgb_regression.txt")
	r := rand.New(rand.NewPCG(7, 8))
	x := table(r, 100, e.Features)
	for i := range e.Trees {
		for j := range e.Trees[i].Nodes {
			e.Trees[i].Nodes[j].Cover = 0
		}
	}
	if _, err := trees.NewExplainer(e); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("without covers: %v", err)
	}
	w, err := e.Weigh(context.Background(), x, 100)
	if err != nil || e.Covered() || w.Trees[0].Nodes[0].Cover != 100 {
		t.Fatalf("covers: %v, %v (%v)", e.Covered(), w.Trees[0].Nodes[0].Cover, err)
	}
	s, err := trees.NewExplainer(w)
	if err != nil {
		t.Fatal(err)
	}
	var mean float64
	for i := range 100 {
		mean += e.Scores(x[i*e.Features:][:e.Features])[0] / 100
	}
	compare(t, "expected score", s.Expected(), []float64{mean}, 1e-9) // each leaf weighs what its rows are
}

// TestLimits: what would take too much is refused.
func TestLimits(t *testing.T) {
	chain := trees.Tree{}
	for i := range int32(2000) {
		chain.Nodes = append(chain.Nodes, trees.Node{Left: 2*i + 1, Right: 2*i + 2, Cover: 1}, trees.Node{})
	}
	chain.Nodes = append(chain.Nodes, trees.Node{Cover: 1})
	e := &trees.Ensemble{Features: 1, Outputs: 1, Base: []float64{0}, Trees: []trees.Tree{chain}}
	if _, err := trees.NewExplainer(e); !fault.Is(err, fault.TooLarge) {
		t.Errorf("2000 levels: %v", err)
	}
	s, err := trees.NewExplainer(load(t, "testdata/models/lgb_regression.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Explain(context.Background(), make([]float32, 7), 1); !fault.Is(err, fault.Invalid) {
		t.Errorf("7 values: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := s.Explain(ctx, make([]float32, 6), 1); !fault.Is(err, fault.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
