package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ai.onnx.ml LinearRegressor: y = post(x·coefficientsᵀ + intercepts), coefficients (targets, features).
// ai.onnx.ml LinearClassifier: scores alike and the label of the greatest; one score for two labels is that of the second.
// https://onnx.ai/onnx/operators/onnx_aionnxml_LinearClassifier.html; where the standard is silent, onnxruntime 1.32 decides.
func init() {
	x := f32s([]int{2, 2}, 1, 1, -3, -4)
	floats := func(name string, v ...float32) graph.Attr { return graph.FloatsAttr(name, v) }
	post := func(v string) graph.Attr { return graph.StringAttr("post_transform", v) }
	three := []graph.Attr{floats("coefficients", .1, .2, .3, .1, 0, 0), floats("intercepts", .3, .1, 0), graph.IntsAttr("classlabels_ints", 7, 8, 9)}
	one := []graph.Attr{floats("coefficients", .1, .2), floats("intercepts", .3), graph.StringsAttr("classlabels_strings", []string{"a", "b"})}
	with := func(a []graph.Attr, more ...graph.Attr) []graph.Attr {
		return append(append([]graph.Attr{}, a...), more...)
	}
	register(&Spec{
		Domain: graph.ML, Name: "LinearClassifier", Since: 1, Attrs: []string{"classlabels_ints", "classlabels_strings", "coefficients", "intercepts", "multi_class", "post_transform"},
		In: Arity{1, 1}, Out: Arity{1, 2}, Infer: inferLinearClassifier, Compile: compileLinearClassifier, Grad: differentiable(gradLinearClassifier), Cases: tested(func() []Case {
			return []Case{ // from onnxruntime 1.32
				{Attrs: three, In: in(x), Out: in(i64v(7, 9), f32s([]int{2, 3}, .6, .5, 0, -.8, -1.2, 0))},
				{Name: "softmax", Attrs: with(three, post("SOFTMAX")), In: in(x), Out: in(i64v(7, 9), f32s([]int{2, 3}, .40755624, .36877212, .2236716, .2566827, .17205954, .5712578))},
				{Name: "softmax zero", Attrs: with(three, post("SOFTMAX_ZERO")), In: in(x), Out: in(i64v(7, 9), f32s([]int{2, 3}, .5249792, .4750208, 0, .59868765, .40131232, 0)), NoGrad: true},
				{Name: "one score", Attrs: one, In: in(x), Out: in(strv("b", "a"), f32s([]int{2, 2}, .4, .6, 1.8, -.8))},
				{Name: "one score, logistic", Attrs: with(one, post("LOGISTIC")), In: in(x), Out: in(strv("b", "a"), f32s([]int{2, 2}, .3543437, .6456563, .6899745, .3100255))},
				{Name: "one score, softmax", Attrs: with(one, post("SOFTMAX")), In: in(x), Out: in(strv("b", "a"), f32s([]int{2, 2}, .4, .6, 1.8, -.8))},
				{Name: "one score, probit", Attrs: with(one, post("PROBIT")), In: in(x), Err: "PROBIT"},
				{Name: "ints", Attrs: with(three, post("LOGISTIC")), In: in(i64s([]int{1, 2}, -3, -4)), Out: in(i64v(9), f32s([]int{1, 3}, .31002554, .2314752, .5))},
				{Name: "wrong width", Attrs: three, In: in(f32s([]int{1, 3}, 1, 2, 3)), Err: "features"},
			}
		}),
	})
	two := []graph.Attr{floats("coefficients", .1, .2, .3, .4), floats("intercepts", .3, .1), graph.IntAttr("targets", 2)}
	register(&Spec{
		Domain: graph.ML, Name: "LinearRegressor", Since: 1, Attrs: []string{"coefficients", "intercepts", "post_transform", "targets"},
		In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferLinearRegressor, Compile: compileLinearRegressor, Grad: differentiable(gradLinearRegressor), Cases: tested(func() []Case {
			return []Case{
				{Attrs: two, In: in(x), Out: in(f32s([]int{2, 2}, .6, .8, -.8, -2.4))},
				{Name: "logistic", Attrs: with(two, post("LOGISTIC")), In: in(x), Out: in(f32s([]int{2, 2}, .6456563, .6899745, .31002554, .08317265))},
				{Name: "softmax", Attrs: with(two, post("SOFTMAX")), In: in(x), Out: in(f32s([]int{2, 2}, .450166, .549834, .83201844, .16798161))},
				{Name: "one target is not transformed", Attrs: []graph.Attr{floats("coefficients", .1, .2), post("LOGISTIC")}, In: in(x), Out: in(f32s([]int{2, 1}, .3, -1.1))},
				{Name: "probit", Attrs: []graph.Attr{floats("coefficients", .1, .2), post("PROBIT")}, In: in(x), Out: in(f32s([]int{2, 1}, -.5244459, float32(math.NaN()))), Tol: 1e-4, NoGrad: true},
			}
		}),
	})
}

// linear is x·coefficientsᵀ + intercepts.
type linear struct {
	targets, features int
	packed            *panels[float32] // (features, targets)
	intercepts        []float32
	gemm              gemm[float32]
	cast              scratch[tensor.Tensor]
}

// newLinear reads coefficients (targets, features).
func newLinear(n *graph.Node, targets int, site *Site) (*linear, error) {
	c, i := n.Floats("coefficients"), n.Floats("intercepts")
	if targets < 1 || len(c) == 0 || len(c)%targets != 0 || len(i) != 0 && len(i) != targets {
		return nil, bad(n, "coefficients and intercepts do not fit the number of targets")
	}
	l := &linear{targets: targets, features: len(c) / targets, intercepts: i}
	l.gemm.threads = site.Threads
	l.packed = layOut(c, l.features, targets, l.features, true)
	return l, nil
}

// scores fills dst (rows, targets).
func (l *linear) scores(ctx context.Context, op string, x *tensor.Tensor, dst []float32) error {
	src, borrowed, err := asFloats(ctx, x, &l.cast)
	defer l.cast.put(borrowed)
	if err != nil {
		return err
	}
	clear(dst)
	for at := 0; l.intercepts != nil && at < len(dst); at += l.targets {
		copy(dst[at:at+l.targets], l.intercepts)
	}
	l.gemm.run(ctx, len(dst)/l.targets, l.features, l.targets, src, l.features, false, nil, 0, false, l.packed, dst)
	return nil
}

// rows checks the width of the input and gives the number of rows.
func (l *linear) rows(op string, x *tensor.Tensor) (int, error) {
	rows, features, err := tableShape(op, x.Shape())
	if err == nil && features != l.features {
		err = misfit(op, "the input has "+itoa(int64(features))+" features, the model "+itoa(int64(l.features)))
	}
	return rows, err
}

// rowsDim is the first dimension of the outputs for an input (rows, features) or (features).
func rowsDim(t tensor.Type) tensor.Dim {
	switch {
	case t.Unranked:
		return free
	case len(t.Dims) == 1:
		return tensor.Dim{Size: 1}
	}
	return t.Dims[0]
}

// classLabels reads the labels of a classifier as a tensor (classes).
func classLabels(n *graph.Node, ints string) (*tensor.Tensor, error) {
	s, i := n.Strs("classlabels_strings"), n.Ints(ints)
	switch {
	case len(s) > 0 && len(i) == 0:
		return tensor.Strings(s), nil
	case len(i) > 0 && len(s) == 0:
		return tensor.Ints(i), nil
	}
	return nil, bad(n, "wants labels as strings or as integers")
}

// checkPost refuses an unknown post_transform.
func checkPost(n *graph.Node) (string, error) {
	switch p := n.Str("post_transform", "NONE"); p {
	case "NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT":
		return p, nil
	default:
		return "", refuseAttr(n, "post_transform", p)
	}
}

func inferLinearClassifier(n *graph.Node, site *Site) ([]tensor.Type, error) {
	labels, err := classLabels(n, "classlabels_ints")
	if err != nil {
		return nil, err
	}
	if _, err := inferTable(tensor.Float32, signed...)(n, site); err != nil {
		return nil, err
	}
	rows := rowsDim(site.Types[0])
	return []tensor.Type{{DType: labels.DType(), Dims: []tensor.Dim{rows}}, {DType: tensor.Float32, Dims: []tensor.Dim{rows, {Size: labels.Len()}}}}[:len(n.Outputs)], nil
}

func compileLinearClassifier(n *graph.Node, site *Site) (Kernel, error) {
	labels, _ := classLabels(n, "classlabels_ints") // inferLinearClassifier has checked it
	post, err := checkPost(n)
	if err != nil {
		return nil, err
	}
	classes := labels.Len()
	targets := len(n.Floats("intercepts"))
	if targets == 0 {
		targets = classes
	}
	second := targets == 1 && classes == 2
	if targets != classes && !second || classes == 1 {
		return nil, bad(n, "intercepts and class labels do not fit")
	}
	if second && post == "PROBIT" {
		return nil, refuseAttr(n, "post_transform", post+" for one score")
	}
	l, err := newLinear(n, targets, site)
	if err != nil {
		return nil, err
	}
	var s scratch[float32]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		rows, err := l.rows("LinearClassifier", in[0])
		if err != nil {
			return err
		}
		p := s.take(rows * targets)
		defer s.put(p)
		if err := l.scores(ctx, "LinearClassifier", in[0], *p); err != nil {
			return err
		}
		if out[0] != nil {
			if err := Reset(ctx, out[0], labels.DType(), rows); err != nil {
				return err
			}
			for r := range rows {
				moveBlock(out[0], r, labels, bestClass((*p)[r*targets:][:targets]), 1)
			}
		}
		if len(out) < 2 || out[1] == nil {
			return nil
		}
		if err := Reset(ctx, out[1], tensor.Float32, rows, classes); err != nil {
			return err
		}
		z := out[1].F32()
		if !second {
			copy(z, *p)
			for r := range rows {
				postTransform(z[r*classes:][:classes], post)
			}
			return nil
		}
		for r, v := range *p {
			if z[2*r], z[2*r+1] = 1-v, v; post == "LOGISTIC" {
				z[2*r], z[2*r+1] = logistic32(-v), logistic32(v)
			}
		}
		return nil
	}, nil
}

// bestClass is the first of the greatest; a single score above 0 means the second of two classes.
func bestClass(scores []float32) int {
	if len(scores) == 1 {
		if scores[0] > 0 {
			return 1
		}
		return 0
	}
	best := 0
	for i, v := range scores {
		if v > scores[best] {
			best = i
		}
	}
	return best
}

func inferLinearRegressor(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if _, err := inferTable(tensor.Float32, signed...)(n, site); err != nil {
		return nil, err
	}
	targets := n.Int("targets", 1)
	if targets < 1 || targets > 1<<30 {
		return nil, bad(n, "targets must be positive")
	}
	return []tensor.Type{{DType: tensor.Float32, Dims: []tensor.Dim{rowsDim(site.Types[0]), {Size: int(targets)}}}}, nil
}

func compileLinearRegressor(n *graph.Node, site *Site) (Kernel, error) {
	post, err := checkPost(n)
	if err != nil {
		return nil, err
	}
	l, err := newLinear(n, int(n.Int("targets", 1)), site)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		rows, err := l.rows("LinearRegressor", in[0])
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], tensor.Float32, rows, l.targets); err != nil {
			return err
		}
		y := out[0].F32()
		if err := l.scores(ctx, "LinearRegressor", in[0], y); err != nil {
			return err
		}
		for r := range rows {
			if l.targets > 1 || post == "PROBIT" { // onnxruntime transforms a single target by PROBIT only
				postTransform(y[r*l.targets:][:l.targets], post)
			}
		}
		return nil
	}, nil
}
