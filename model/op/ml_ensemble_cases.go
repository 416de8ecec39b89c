package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// smallForest is four trees with every mode but BRANCH_NEQ and nine leaves, whose weights are for ids; positive makes all weights so.
func smallForest(side string, positive bool, ids []int64, more ...graph.Attr) []graph.Attr {
	weights := []float32{.1, .4, -.2, .3, -.6, .5, .2, -.3, .7}
	if positive {
		for i, w := range weights {
			weights[i] = float32(math.Abs(float64(w))) / 3
		}
	}
	return append([]graph.Attr{
		graph.IntsAttr("nodes_treeids", 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3),
		graph.IntsAttr("nodes_nodeids", 0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 0, 1, 2),
		graph.IntsAttr("nodes_featureids", 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0),
		graph.FloatsAttr("nodes_values", []float32{0, 0, .5, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0}),
		graph.StringsAttr("nodes_modes", []string{"BRANCH_LEQ", "LEAF", "BRANCH_GT", "LEAF", "LEAF", "BRANCH_EQ", "LEAF", "LEAF", "BRANCH_LT", "LEAF", "LEAF", "BRANCH_GTE", "LEAF", "LEAF"}),
		graph.IntsAttr("nodes_truenodeids", 1, 0, 3, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0),
		graph.IntsAttr("nodes_falsenodeids", 2, 0, 4, 0, 0, 2, 0, 0, 2, 0, 0, 2, 0, 0),
		graph.IntsAttr("nodes_missing_value_tracks_true", 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0),
		graph.IntsAttr(side+"_treeids", 0, 0, 0, 1, 1, 2, 2, 3, 3),
		graph.IntsAttr(side+"_nodeids", 1, 3, 4, 1, 2, 1, 2, 1, 2),
		graph.IntsAttr(side+"_ids", ids...),
		graph.FloatsAttr(side+"_weights", weights),
	}, more...)
}

func forestInput() *tensor.Tensor {
	nan := float32(math.NaN())
	return f32s([]int{5, 2}, -1, 1, 1, 0, .5, 2, nan, nan, 2, -1)
}

// Which of nine leaves votes for which target.
var (
	allFirst  = []int64{0, 0, 0, 0, 0, 0, 0, 0, 0}
	allSecond = []int64{1, 1, 1, 1, 1, 1, 1, 1, 1}
	inTurn    = []int64{0, 1, 0, 1, 0, 1, 0, 1, 0}
	ofThree   = []int64{0, 1, 2, 0, 1, 2, 0, 1, 2}
)

// regressorCases hold what onnxruntime 1.32 gives.
func regressorCases() []Case {
	one := func(aggregate string, base []float32, y ...float32) Case {
		attrs := []graph.Attr{graph.StringAttr("aggregate_function", aggregate)}
		if base != nil {
			attrs = append(attrs, graph.FloatsAttr("base_values", base))
		}
		return Case{Name: aggregate, Attrs: smallForest("target", false, allFirst, attrs...), In: in(forestInput()), Out: in(f32s([]int{5, 1}, y...))}
	}
	wrongChild := smallForest("target", false, allFirst)
	wrongChild[5] = graph.IntsAttr("nodes_truenodeids", 9, 0, 3, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0)
	cycle := smallForest("target", false, allFirst)
	cycle[5] = graph.IntsAttr("nodes_truenodeids", 1, 0, 3, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0)
	return []Case{
		one("SUM", nil, .6, -.9, 0, 1, .1), one("SUM", []float32{.25}, .85, -.65, .25, 1.25, .35),
		one("AVERAGE", []float32{.25}, .4, .025, .25, .5, .275), one("MIN", nil, -.3, -.6, -.6, -.6, -.6), one("MAX", []float32{.25}, .75, .45, .75, .95, .95),
		{
			Name: "two targets", Attrs: smallForest("target", false, inTurn, graph.IntAttr("n_targets", 2), graph.StringAttr("post_transform", "SOFTMAX"), graph.FloatsAttr("base_values", []float32{.5, -.5})),
			In: in(forestInput()), Out: in(f32s([]int{5, 2}, .64565629, .35434368, .66818774, .3318122, .45016599, .54983395, .54983395, .45016599, .64565629, .35434371)),
		},
		{Name: "float64", Attrs: smallForest("target", false, allFirst), In: in(f64s([]int{1, 2}, -1, 1)), Out: in(f32s([]int{1, 1}, .6))},
		{Name: "missing child", Attrs: wrongChild, In: in(forestInput()), Err: "child"},
		{Name: "cycle", Attrs: cycle, In: in(forestInput()), Err: "cycle"},
		{Name: "too few features", Attrs: smallForest("target", false, allFirst), In: in(f32s([]int{1, 1}, 1)), Err: "features"},
	}
}

// classifierCases hold what onnxruntime 1.32 gives.
func classifierCases() []Case {
	two := func(name string, ids []int64, positive bool, post string, labels []string, scores ...float32) Case {
		classes := []string{"a", "b", "c"}[:len(scores)/5]
		attrs := smallForest("class", positive, ids, graph.StringAttr("post_transform", post), graph.StringsAttr("classlabels_strings", classes))
		return Case{Name: name + " " + post, Attrs: attrs, In: in(forestInput()), Out: in(tensor.Strings(labels), f32s([]int{5, len(classes)}, scores...))}
	}
	mixed, positive := []string{"b", "a", "a", "b", "b"}, []string{"a", "a", "b", "b", "b"}
	cases := []Case{
		two("first, mixed", allFirst, false, "NONE", mixed, -.6, .6, .9, -.9, 0, 0, -1, 1, -.1, .1),
		two("first, mixed", allFirst, false, "LOGISTIC", mixed, .35434371, .64565629, .71094948, .28905052, .5, .5, .2689414, .7310586, .47502083, .52497917),
		two("first, positive", allFirst, true, "SOFTMAX", positive, .6, .4, .56666666, .43333334, .4, .6, .26666665, .73333335, .43333334, .56666666),
		two("first, positive", allFirst, true, "LOGISTIC", positive, .40131235, .59868765, .39333063, .60666937, .35434371, .64565629, .32446367, .67553633, .36200637, .63799363),
		two("second, mixed", allSecond, false, "LOGISTIC", mixed, .5, .64565629, .5, .28905052, .5, .5, .5, .7310586, .5, .52497917),
		two("second, positive", allSecond, true, "NONE", positive, 0, .4, 0, .43333334, 0, .6, 0, .73333335, 0, .56666666),
		two("both", inTurn, false, "SOFTMAX", []string{"b", "a", "b", "b", "b"}, .40131232, .59868765, .42555746, .57444251, .2314752, .76852483, .31002554, .68997449, -.1, .1),
		two("three", ofThree, false, "NONE", []string{"c", "a", "c", "c", "c"}, .4, -.3, .5, .2, -.9, -.2, 0, -.5, .5, 0, -.2, 1.2, .2, -.6, .5),
		two("three", ofThree, true, "SOFTMAX", []string{"c", "b", "b", "c", "c"}, .3332099, .32228601, .34450409, .306485, .38703001, .306485, .26854646, .41420344, .31725016, .25723886, .35900578, .38375533, .29364839, .33553171, .37081987),
	}
	return append(cases, Case{Name: "probit", Attrs: smallForest("class", true, allFirst, graph.StringAttr("post_transform", "PROBIT"), graph.IntsAttr("classlabels_int64s", 0, 1)), In: in(forestInput()), Err: "PROBIT"})
}
