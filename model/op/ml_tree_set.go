//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ai.onnx.ml TreeEnsemble: the sum (mean, least, greatest) of the weights of the leaves that a row reaches; a node compares a feature with a number, or
// asks whether it is one of a set. https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
func init() {
	ints, tens := graph.IntsAttr, graph.TensorAttr
	modes := func(v ...uint8) graph.Attr { return tens("nodes_modes", tensor.FromSlice(tensor.Uint8, v)) }
	one := func(more ...graph.Attr) []graph.Attr {
		return append([]graph.Attr{
			ints("tree_roots", 0), ints("nodes_featureids", 0), ints("nodes_truenodeids", 0), ints("nodes_trueleafs", 1), ints("nodes_falsenodeids", 1), ints("nodes_falseleafs", 1),
			ints("leaf_targetids", 0, 1), tens("leaf_weights", f64v(5, 7)), graph.IntAttr("n_targets", 2), tens("nodes_splits", f64v(2)),
		}, more...)
	}
	x := f64s([]int{3, 1}, 1, 2, math.NaN())
	register(&Spec{
		Domain: graph.ML, Name: "TreeEnsemble", Since: 5, In: Arity{1, 1}, Out: Arity{1, 1}, Half: true, Infer: inferTreeSet, Compile: compileTreeSet,
		Attrs: []string{
			"aggregate_function", "leaf_targetids", "leaf_weights", "membership_values", "n_targets", "nodes_falseleafs", "nodes_falsenodeids", "nodes_featureids", "nodes_hitrates",
			"nodes_missing_value_tracks_true", "nodes_modes", "nodes_splits", "nodes_trueleafs", "nodes_truenodeids", "post_transform", "tree_roots",
		}, Cases: []Case{
			{Attrs: one(modes(0)), In: in(x), Out: in(f64s([]int{3, 2}, 5, 0, 5, 0, 0, 7)), NoGrad: true},
			{Name: "less, missing is true", Attrs: one(modes(1), ints("nodes_missing_value_tracks_true", 1)), In: in(x), Out: in(f64s([]int{3, 2}, 5, 0, 0, 7, 5, 0)), NoGrad: true},
			{Name: "member", Attrs: one(modes(6), tens("membership_values", f64v(2, 9, math.NaN()))), In: in(x), Out: in(f64s([]int{3, 2}, 0, 7, 5, 0, 0, 7)), NoGrad: true},
			{Name: "unknown mode", Attrs: one(modes(9)), In: in(x), Err: "nodes_modes"},
			{Name: "narrow", Attrs: one(modes(0)), In: in(f64s([]int{1, 0})), Err: "features"},
		},
	})
}

// treeSet is a compiled node.
type treeSet struct {
	roots     []int64
	nodes     []treeSetNode
	weights   []float64
	targetOf  []int64
	targets   int
	features  int
	aggregate int64
	post      string
}

// treeSetNode goes on at next[0] where it holds, else at next[1]: a node, or leaf -1-next.
type treeSetNode struct {
	feature int
	mode    uint8
	missing bool
	split   float64
	members map[float64]bool
	next    [2]int
}

func inferTreeSet(n *graph.Node, site *Site) ([]tensor.Type, error) {
	t := site.Types[0]
	if err := oneOf(n, t, floats...); err != nil {
		return nil, err
	}
	targets := n.Int("n_targets", 0)
	if targets < 1 || targets > 1<<24 {
		return nil, bad(n, "n_targets must be positive")
	}
	return []tensor.Type{{DType: t.DType, Dims: []tensor.Dim{rowsDim(t), {Size: int(targets)}}}}, nil
}

// treeSetReals reads a tensor attribute as float64.
func treeSetReals(n *graph.Node, name string) ([]float64, error) {
	a := n.Attr(name)
	if a == nil {
		return nil, nil
	}
	if a.Kind != graph.AttrTensor || a.Tensor == nil {
		return nil, bad(n, "attribute "+name+" has the wrong kind")
	}
	t := tensor.New(tensor.Float64, a.Tensor.Len())
	if t.Len() == 0 {
		return nil, nil
	}
	return tensor.Data[float64](t), castInto(t, a.Tensor)
}

func newTreeSet(n *graph.Node) (*treeSet, error) {
	t := &treeSet{roots: n.Ints("tree_roots"), targetOf: n.Ints("leaf_targetids"), targets: int(n.Int("n_targets", 1)), aggregate: n.Int("aggregate_function", 1)}
	posts := []string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}
	if p := n.Int("post_transform", 0); p < 0 || p >= int64(len(posts)) {
		return nil, refuseAttr(n, "post_transform", itoa(p))
	} else if t.post = posts[p]; t.aggregate < 0 || t.aggregate > 3 {
		return nil, refuseAttr(n, "aggregate_function", itoa(t.aggregate))
	}
	reals := map[string][]float64{}
	for _, name := range []string{"nodes_splits", "nodes_modes", "leaf_weights", "membership_values"} {
		v, err := treeSetReals(n, name)
		if err != nil {
			return nil, err
		}
		reals[name] = v
	}
	modes, splits, members := reals["nodes_modes"], reals["nodes_splits"], reals["membership_values"]
	t.weights = reals["leaf_weights"]
	count := len(modes)
	if len(splits) != count || len(t.weights) != len(t.targetOf) {
		return nil, bad(n, "lists of nodes or leaves of different length")
	}
	lists := make([][]int64, 6)
	for i, name := range []string{"nodes_featureids", "nodes_truenodeids", "nodes_trueleafs", "nodes_falsenodeids", "nodes_falseleafs", "nodes_missing_value_tracks_true"} {
		if lists[i] = n.Ints(name); i == 5 && len(lists[i]) == 0 {
			lists[i] = make([]int64, count)
		}
		if len(lists[i]) != count {
			return nil, bad(n, "lists of nodes of different length")
		}
	}
	for _, target := range t.targetOf {
		if target < 0 || target >= int64(t.targets) {
			return nil, bad(n, "a leaf of a target that is not there")
		}
	}
	t.nodes = make([]treeSetNode, count)
	for i := range t.nodes {
		f := lists[0][i]
		if modes[i] > 6 || f < 0 || f > 1<<30 {
			return nil, bad(n, "nodes_modes or nodes_featureids out of range")
		}
		node := treeSetNode{feature: int(f), mode: uint8(modes[i]), split: splits[i], missing: lists[5][i] != 0}
		t.features = max(t.features, node.feature+1)
		if node.mode == 6 {
			node.members = map[float64]bool{}
			for len(members) > 0 && members[0] == members[0] {
				node.members[members[0]] = true
				members = members[1:]
			}
			members = members[min(1, len(members)):]
		}
		for k := range 2 {
			at, leaf := lists[1+2*k][i], lists[2+2*k][i] != 0
			if at < 0 || leaf && at >= int64(len(t.weights)) || !leaf && at >= int64(count) {
				return nil, bad(n, "a node whose children are not there")
			}
			if node.next[k] = int(at); leaf {
				node.next[k] = -1 - int(at)
			}
		}
		t.nodes[i] = node
	}
	return t, t.checkTrees(n)
}

// checkTrees finds nodes that are reached twice: there might be a circle.
func (t *treeSet) checkTrees(n *graph.Node) error {
	seen := make([]bool, len(t.nodes))
	var stack []int
	for _, r := range t.roots {
		if r < 0 || r >= int64(len(t.nodes)) {
			return bad(n, "a root that is not there")
		}
		stack = append(stack, int(r))
	}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		if stack = stack[:len(stack)-1]; seen[at] {
			return bad(n, "a node with two parents")
		}
		seen[at] = true
		for _, next := range t.nodes[at].next {
			if next >= 0 {
				stack = append(stack, next)
			}
		}
	}
	return nil
}

// leaf walks one tree.
func (t *treeSet) leaf(root int64, row func(int) float64) int {
	at := int(root)
	for at >= 0 {
		n := &t.nodes[at]
		x := row(n.feature)
		var holds bool
		switch n.mode {
		case 0:
			holds = x <= n.split
		case 1:
			holds = x < n.split
		case 2:
			holds = x >= n.split
		case 3:
			holds = x > n.split
		case 4:
			holds = x == n.split
		case 5:
			holds = x != n.split
		default:
			holds = n.members[x]
		}
		if x != x && n.missing {
			holds = true
		}
		if at = n.next[1]; holds {
			at = n.next[0]
		}
	}
	return -1 - at
}

func compileTreeSet(n *graph.Node, site *Site) (Kernel, error) {
	t, err := newTreeSet(n)
	if err != nil {
		return nil, err
	}
	if site.Types[0].DType == tensor.Float32 {
		return treeSetKernel[float32](t), nil
	}
	return treeSetKernel[float64](t), nil
}

// treeTotal is what the trees add up to for one target; any tells whether one has.
type treeTotal struct {
	sum float64
	any bool
}

func treeSetKernel[T float](t *treeSet) Kernel {
	var totals scratch[treeTotal]
	var memory scratch[float32]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		rows, features, err := tableShape("TreeEnsemble", in[0].Shape())
		if err != nil {
			return err
		}
		if features < t.features {
			return misfit("TreeEnsemble", "the input has "+itoa(int64(features))+" features, the trees ask for "+itoa(int64(t.features)))
		}
		if err := Reset(ctx, out[0], in[0].DType(), rows, t.targets); err != nil {
			return err
		}
		y, x := tensor.Data[T](out[0]), tensor.Data[T](in[0])
		clear(y)
		held, marks := totals.take(t.targets), memory.take(t.targets)
		defer totals.put(held)
		defer memory.put(marks)
		sums, scores := *held, *marks
		for r := range rows {
			if r%64 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			clear(sums)
			row := x[r*features:][:features]
			for _, root := range t.roots {
				l := t.leaf(root, func(f int) float64 { return float64(row[f]) })
				k, w := t.targetOf[l], t.weights[l]
				switch {
				case t.aggregate < 2 || !sums[k].any:
					sums[k].sum += w
				case t.aggregate == 2:
					sums[k].sum = min(sums[k].sum, w)
				default:
					sums[k].sum = max(sums[k].sum, w)
				}
				sums[k].any = true
			}
			for k, total := range sums {
				s := total.sum
				if t.aggregate == 0 && len(t.roots) > 0 {
					s /= float64(len(t.roots))
				}
				y[r*t.targets+k], scores[k] = T(s), float32(s)
			}
			if t.post != "NONE" {
				postTransform(scores, t.post)
				for k, s := range scores {
					y[r*t.targets+k] = T(s)
				}
			}
		}
		return nil
	}
}
