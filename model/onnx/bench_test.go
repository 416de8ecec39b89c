package onnx

import (
	"testing"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// BenchmarkDecode reads the shapes of files that cost most: attributes of a large forest (63,500 nodes of trees), many
// small nodes, and weights.
func BenchmarkDecode(b *testing.B) {
	forest := graph.NewBuilder("forest")
	x := forest.Input("x", tensor.Rows(tensor.Float32, 30))
	const nodes = 63_500
	ints, floats, modes := make([]int64, nodes), make([]float32, nodes), make([]string, nodes)
	for i := range nodes {
		ints[i], floats[i], modes[i] = int64(i%200), float32(i), "BRANCH_LEQ"
	}
	y := forest.Node(graph.ML, "TreeEnsembleRegressor", []graph.Value{x}, 1, graph.IntsAttr("nodes_nodeids", ints...), graph.IntsAttr("nodes_treeids", ints...),
		graph.IntsAttr("nodes_featureids", ints...), graph.FloatsAttr("nodes_values", floats), graph.StringsAttr("nodes_modes", modes))
	forest.Output("y", y[0], tensor.Rows(tensor.Float32, 1))
	chain := graph.NewBuilder("chain")
	v := chain.Input("x", tensor.Rows(tensor.Float32, 30))
	for range 2000 {
		v = chain.OpWith("Softmax", []graph.Attr{graph.IntAttr("axis", 1)}, v)
	}
	chain.Output("y", v, tensor.Rows(tensor.Float32, 30))
	weights := graph.NewBuilder("weights")
	w := weights.Op("MatMul", weights.Input("x", tensor.Rows(tensor.Float32, 4096)), weights.Floats("w", make([]float32, 4096*4096), 4096, 4096))
	weights.Output("y", w, tensor.Rows(tensor.Float32, 4096))
	for _, m := range []*graph.Model{forest.Model(), chain.Model(), weights.Model()} {
		file, err := Encode(m)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(m.Graph.Name, func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(file, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
