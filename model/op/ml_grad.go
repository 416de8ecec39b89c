package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Gradients of ai.onnx.ml operators that stand before or behind what is trained. Their outputs are float32 whatever x is, so that dx is brought to
// the type of x.

// dx = dy·scale.
func gradScaler(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx := b.Op("Mul", dy[0], b.Floats("scale", n.Floats("scale")))
	return []graph.Value{b.Op("CastLike", dx, n.Inputs[0])}, nil
}

// dx = dy but where a value was imputed.
func gradImputer(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	hole := n.Float("replaced_value_float", 0)
	var holes graph.Value
	if hole != hole {
		holes = b.Op("IsNaN", n.Inputs[0])
	} else {
		holes = b.Op("Equal", n.Inputs[0], b.Op("CastLike", b.Scalar("hole", hole), n.Inputs[0]))
	}
	return []graph.Value{b.Op("Where", holes, scalarLike(b, 0, dy[0]), dy[0])}, nil
}

// y = x/s: dx = (dy - ds·Σ dy·y)/s, where ds is what s changes with x: its sign for the sum of absolutes (L1), y for the length (L2), 1 for the
// greatest (MAX). A row of norm 0 is 0, whatever it was.
func gradNormalizer(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	x, y := b.Op("CastLike", n.Inputs[0], dy[0]), n.Outputs[0]
	last := []graph.Attr{graph.IntsAttr("axes", -1)}
	var s, ds graph.Value
	switch n.Str("norm", "MAX") {
	case "L1":
		s, ds = b.OpWith("ReduceL1", last, x), b.Op("Sign", x)
	case "L2":
		s, ds = b.OpWith("ReduceL2", last, x), y
	default:
		s = b.OpWith("ReduceMax", last, x)
		ds = b.Op("CastLike", b.Op("Equal", x, s), dy[0])
	}
	dot := b.Op("ReduceSum", b.Op("Mul", dy[0], y), b.Ints("axis", []int64{-1}))
	dx := b.Op("Div", b.Op("Sub", dy[0], b.Op("Mul", ds, dot)), s)
	zero := scalarLike(b, 0, dy[0])
	dx = b.Op("Where", b.Op("Equal", s, zero), zero, dx)
	return []graph.Value{b.Op("CastLike", dx, n.Inputs[0])}, nil
}

func gradLinearRegressor(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	post, targets := n.Str("post_transform", "NONE"), int(n.Int("targets", 1))
	if targets == 1 && post != "PROBIT" { // forward, too, leaves it as it is
		post = "NONE"
	}
	ds, err := gradPost(b, n, post, n.Outputs[0], dy[0])
	if err != nil {
		return nil, err
	}
	return gradLinear(b, n, ds, targets)
}

func gradLinearClassifier(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	if len(dy) < 2 || dy[1] == "" { // the label changes in steps
		return []graph.Value{""}, nil
	}
	classes := max(len(n.Ints("classlabels_ints")), len(n.Strs("classlabels_strings")))
	targets, post := len(n.Floats("intercepts")), n.Str("post_transform", "NONE")
	if targets == 0 {
		targets = classes
	}
	second := targets == 1 && classes == 2
	if second && post != "LOGISTIC" {
		post = "NONE"
	}
	ds, err := gradPost(b, n, post, n.Outputs[1], dy[1])
	if err != nil {
		return nil, err
	}
	if second { // the scores of the classes are those of 1-v and v, or -v and v
		ds = b.Op("MatMul", ds, b.Floats("sides", []float32{-1, 1}, 2, 1))
	}
	return gradLinear(b, n, ds, targets)
}

// gradPost is the gradient of the scores for y = post(scores).
func gradPost(b *graph.Builder, n *graph.Node, post string, y, dy graph.Value) (graph.Value, error) {
	switch post {
	case "NONE":
		return dy, nil
	case "LOGISTIC":
		return b.Op("Mul", dy, b.Op("Mul", y, b.Op("Sub", scalarLike(b, 1, y), y))), nil
	case "SOFTMAX":
		dot := b.Op("ReduceSum", b.Op("Mul", dy, y), b.Ints("axis", []int64{-1}))
		return b.Op("Mul", y, b.Op("Sub", dy, dot)), nil
	}
	return "", fault.New(fault.Unsupported, n.Op+": no gradient through post_transform="+post)
}

// gradLinear: dx = ds·coefficients (targets, features).
func gradLinear(b *graph.Builder, n *graph.Node, ds graph.Value, targets int) ([]graph.Value, error) {
	c := n.Floats("coefficients")
	if targets < 1 || len(c)%targets != 0 {
		return nil, bad(n, "coefficients do not fit the number of targets")
	}
	dx := b.Op("MatMul", ds, b.Floats("coefficients", c, targets, len(c)/targets))
	dx = b.OpWith("Reshape", []graph.Attr{graph.IntAttr("allowzero", 1)}, dx, b.Op("Shape", n.Inputs[0]))
	return []graph.Value{b.Op("CastLike", dx, n.Inputs[0])}, nil
}

// gradExtract is that of Gather along the last axis.
func gradExtract(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	return []graph.Value{b.Node(Private, "GatherGrad", []graph.Value{dy[0], n.Inputs[0], n.Inputs[1]}, 1, graph.IntAttr("axis", -1))[0], ""}, nil
}

// gradVectorizer takes each table's columns out of dy; those that were cut off have none.
func gradVectorizer(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	widths := n.Ints("inputdimensions")
	if len(widths) != len(n.Inputs) {
		return nil, bad(n, "inputdimensions are not one for each input")
	}
	dx := make([]graph.Value, len(n.Inputs))
	last, zero := b.Ints("axis", []int64{-1}), b.Ints("start", []int64{0})
	from := int64(0)
	for i, x := range n.Inputs {
		width := b.Ints("width", widths[i:i+1])
		part := b.Op("Slice", dy[0], b.Ints("from", []int64{from}), b.Ints("to", []int64{from + widths[i]}), last)
		part = b.Op("Slice", part, zero, b.Node(Private, "Length", []graph.Value{x}, 1, graph.IntsAttr("axes", -1))[0], last)
		dx[i] = b.Op("CastLike", b.Node(Private, "SliceGrad", []graph.Value{part, x, zero, width, last}, 1)[0], x)
		if from += widths[i]; widths[i] < 0 || from > math.MaxInt32 {
			return nil, bad(n, "absurd inputdimensions")
		}
	}
	return dx, nil
}

// gradDequantize: y = (x - zero point)·scale: the scale's gradient is the sum of dy·(x - zero point) over what it is for. Integers have none.
func gradDequantize(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	dx, scale := make([]graph.Value, len(n.Inputs)), n.Inputs[1]
	ins := append([]graph.Value(nil), n.Inputs...)
	ins[1] = b.Op("Expand", scalarLike(b, 1, scale), b.Op("Shape", scale))
	steps := b.Node(n.Domain, n.Op, ins, 1, n.Attrs...)
	b.Graph().Nodes[len(b.Graph().Nodes)-1].Opsets = n.Opsets
	var attrs []graph.Attr
	for _, name := range []string{"axis", "block_size"} {
		if a := n.Attr(name); a != nil {
			attrs = append(attrs, *a)
		}
	}
	dx[1] = b.Node(Private, "ScaleSum", []graph.Value{b.Op("Mul", dy[0], steps[0]), scale}, 1, attrs...)[0]
	return dx, nil
}
