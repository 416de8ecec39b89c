package exec

import (
	"context"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

func noise(shape ...int) *tensor.Tensor {
	r := rand.New(rand.NewPCG(1, 2))
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(r.NormFloat64())
	}
	return t
}

func benchmark(b *testing.B, m *graph.Model, threads int, in ...*tensor.Tensor) {
	p, err := Compile(m, Options{Threads: threads})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	for b.Loop() {
		if _, err := p.Run(ctx, in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPipeline is a table of 6 numbers and 2 categories, imputed, scaled, one-hot, logistic: one row.
func BenchmarkPipeline(b *testing.B) {
	g := graph.NewBuilder("pipeline")
	var in []*tensor.Tensor
	var parts []graph.Value
	for i := range 6 {
		x := g.Input("n"+strconv.Itoa(i), tensor.Rows(tensor.Float32, 1))
		in = append(in, noise(1, 1))
		missing := g.Op("IsNaN", x)
		filled := g.Op("Where", missing, g.Scalar("median", 3), x)
		parts = append(parts, g.Op("Div", g.Op("Sub", filled, g.Scalar("mean", 1)), g.Scalar("scale", 2)))
	}
	for i := range 2 {
		x := g.Input("c"+strconv.Itoa(i), tensor.Rows(tensor.String, 1))
		in = append(in, tensor.Strings([]string{"b"}, 1, 1))
		hot := g.Op("Equal", x, g.Strings("cats", []string{"a", "b", "c"}))
		parts = append(parts, g.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(tensor.Float32))}, hot))
	}
	x := g.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 1)}, parts...)
	z := g.OpWith("Gemm", nil, x, g.Init("w", noise(12, 3)), g.Floats("b", []float32{1, 2, 3}))
	g.Output("probabilities", g.Op("Softmax", z), tensor.Rows(tensor.Float32, 3))
	best := g.OpWith("ArgMax", []graph.Attr{graph.IntAttr("axis", 1), graph.IntAttr("keepdims", 0)}, z)
	g.Output("label", g.Op("Gather", g.Strings("classes", []string{"x", "y", "z"}), best), tensor.Rows(tensor.String))
	b.ReportAllocs()
	benchmark(b, g.Model(), 1, in...)
}

func BenchmarkMLP(b *testing.B) {
	for _, rows := range []int{1, 256} {
		b.Run(strconv.Itoa(rows), func(b *testing.B) {
			g := graph.NewBuilder("mlp")
			x := g.Input("x", tensor.Rows(tensor.Float32, 30))
			h := g.Op("Relu", g.Op("Gemm", x, g.Init("w", noise(30, 64)), g.Init("b", noise(64))))
			h = g.Op("Relu", g.Op("Gemm", h, g.Init("w", noise(64, 32)), g.Init("b", noise(32))))
			g.Output("y", g.Op("Softmax", g.Op("Gemm", h, g.Init("w", noise(32, 2)), g.Init("b", noise(2)))), tensor.Rows(tensor.Float32, 2))
			benchmark(b, g.Model(), 1, noise(rows, 30))
		})
	}
}

func BenchmarkMatMul(b *testing.B) {
	for _, n := range []int{128, 512} {
		for _, threads := range []int{1, 2} {
			b.Run(strconv.Itoa(n)+"/threads="+strconv.Itoa(threads), func(b *testing.B) {
				g := graph.NewBuilder("matmul")
				g.Output("y", g.Op("MatMul", g.Input("x", tensor.Rows(tensor.Float32, n)), g.Init("w", noise(n, n))), tensor.Rows(tensor.Float32, n))
				benchmark(b, g.Model(), threads, noise(n, n))
				b.ReportMetric(2*float64(n*n*n)/float64(b.Elapsed().Nanoseconds())*float64(b.N), "GFLOP/s")
			})
		}
	}
}

// BenchmarkTrees is 500 complete trees of depth 6 over 30 features.
func BenchmarkTrees(b *testing.B) {
	m := forest(500, 6, 30)
	for _, rows := range []int{1, 10000} {
		b.Run(strconv.Itoa(rows), func(b *testing.B) { benchmark(b, m, 2, noise(rows, 30)) })
	}
}

func forest(trees, depth, features int) *graph.Model {
	r := rand.New(rand.NewPCG(3, 4))
	var tree, id, feature, yes, no, leafTree, leafNode []int64
	var value, weight []float32
	var modes []string
	inner := int64(1)<<depth - 1
	for t := range int64(trees) {
		for i := range 2*inner + 1 {
			tree, id = append(tree, t), append(id, i)
			if i >= inner {
				feature, value, modes = append(feature, 0), append(value, 0), append(modes, "LEAF")
				yes, no = append(yes, 0), append(no, 0)
				leafTree, leafNode, weight = append(leafTree, t), append(leafNode, i), append(weight, float32(r.NormFloat64()))
				continue
			}
			feature, value, modes = append(feature, r.Int64N(int64(features))), append(value, float32(r.NormFloat64())), append(modes, "BRANCH_LEQ")
			yes, no = append(yes, 2*i+1), append(no, 2*i+2)
		}
	}
	g := graph.NewBuilder("forest")
	x := g.Input("x", tensor.Rows(tensor.Float32, features))
	y := g.Node(graph.ML, "TreeEnsembleRegressor", []graph.Value{x}, 1, graph.IntAttr("n_targets", 1), graph.IntsAttr("nodes_treeids", tree...), graph.IntsAttr("nodes_nodeids", id...),
		graph.IntsAttr("nodes_featureids", feature...), graph.FloatsAttr("nodes_values", value), graph.StringsAttr("nodes_modes", modes), graph.IntsAttr("nodes_truenodeids", yes...),
		graph.IntsAttr("nodes_falsenodeids", no...), graph.IntsAttr("target_treeids", leafTree...), graph.IntsAttr("target_nodeids", leafNode...),
		graph.IntsAttr("target_ids", make([]int64, len(weight))...), graph.FloatsAttr("target_weights", weight))
	g.Output("y", y[0], tensor.Rows(tensor.Float32, 1))
	return g.Model()
}
