package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ai.onnx.ml TreeEnsembleRegressor, TreeEnsembleClassifier: the sum (mean, least, greatest) of the weights of the leaves that a row reaches.
// https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleClassifier.html; where the standard is silent, onnxruntime 1.32 decides.
func init() {
	attrs := func(more ...string) []string { return append(append([]string{}, treeAttrs...), more...) }
	register(&Spec{
		Domain: graph.ML, Name: "TreeEnsembleRegressor", Since: 1, In: Arity{1, 1}, Out: Arity{1, 1}, Cases: tested(regressorCases),
		Attrs: attrs("n_targets", "target_ids", "target_nodeids", "target_treeids", "target_weights", "target_weights_as_tensor"), Infer: inferTreeRegressor, Compile: compileTrees,
	})
	register(&Spec{
		Domain: graph.ML, Name: "TreeEnsembleClassifier", Since: 1, In: Arity{1, 1}, Out: Arity{1, 2}, Cases: tested(classifierCases),
		Attrs: attrs("class_ids", "class_nodeids", "class_treeids", "class_weights", "class_weights_as_tensor", "classlabels_int64s", "classlabels_strings"), Infer: inferTreeClassifier, Compile: compileTrees,
	})
}

func inferTreeRegressor(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if _, err := inferTable(tensor.Float32, signed...)(n, site); err != nil {
		return nil, err
	}
	targets := n.Int("n_targets", 1)
	if targets < 1 || targets > 1<<24 {
		return nil, bad(n, "n_targets must be positive")
	}
	return []tensor.Type{{DType: tensor.Float32, Dims: []tensor.Dim{rowsDim(site.Types[0]), {Size: int(targets)}}}}, nil
}

func inferTreeClassifier(n *graph.Node, site *Site) ([]tensor.Type, error) {
	labels, err := classLabels(n, "classlabels_int64s")
	if err != nil {
		return nil, err
	}
	if labels.Len() < 2 {
		return nil, refuseAttr(n, "classlabels", "one class")
	}
	if _, err := inferTable(tensor.Float32, signed...)(n, site); err != nil {
		return nil, err
	}
	rows := rowsDim(site.Types[0])
	return []tensor.Type{{DType: labels.DType(), Dims: []tensor.Dim{rows}}, {DType: tensor.Float32, Dims: []tensor.Dim{rows, {Size: labels.Len()}}}}[:len(n.Outputs)], nil
}

// compileTrees computes in float64 for float64 rows and in float32 for all others.
func compileTrees(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float64 {
		return ensembleKernel(n, site, func(_ context.Context, t *tensor.Tensor, _ *scratch[tensor.Tensor]) ([]float64, *[]tensor.Tensor, error) {
			return tensor.Data[float64](t), nil, nil
		})
	}
	return ensembleKernel(n, site, asFloats)
}

// ensemble is a compiled node.
type ensemble[T float] struct {
	*forest[T]
	name      string
	labels    *tensor.Tensor // nil for a regressor
	aggregate string
	extreme   bool // the least or the greatest weight counts, not the sum
	post      string
	base      []T
	positive  bool // no weight is negative
	oneClass  bool // two classes, but all weights are for one
	rows      tableRows[T]
	threads   int
	cast      scratch[tensor.Tensor]
	work      scratch[score[T]]
	leaves    scratch[int32]
	runs      kept[treeRun[T]]
}

// tableRows gives the elements of a table: its own memory, or that of a slot which is borrowed.
type tableRows[T float] func(context.Context, *tensor.Tensor, *scratch[tensor.Tensor]) ([]T, *[]tensor.Tensor, error)

// score of one target in one row.
type score[T float] struct {
	sum T
	has bool // a leaf voted for it
}

func ensembleKernel[T float](n *graph.Node, site *Site, rows tableRows[T]) (Kernel, error) {
	e := &ensemble[T]{name: n.Op, rows: rows, threads: site.Threads, aggregate: n.Str("aggregate_function", "SUM")}
	var err error
	if e.post, err = checkPost(n); err != nil {
		return nil, err
	}
	side, targets := "target", int(n.Int("n_targets", 1))
	if n.Op == "TreeEnsembleClassifier" {
		if n.Attr("aggregate_function") != nil {
			return nil, refuseAttr(n, "aggregate_function", e.aggregate)
		}
		if e.labels, err = classLabels(n, "classlabels_int64s"); err != nil {
			return nil, err
		}
		if side, targets = "class", e.labels.Len(); targets == 2 && e.post == "PROBIT" {
			return nil, refuseAttr(n, "post_transform", e.post+" for two classes")
		}
	}
	switch e.aggregate {
	case "SUM", "AVERAGE":
	case "MIN", "MAX":
		e.extreme = true
	default:
		return nil, refuseAttr(n, "aggregate_function", e.aggregate)
	}
	f, err := newForest[T](n, side, targets)
	if err != nil {
		return nil, err
	}
	e.forest = f
	values, err := readReals(n, "base_values")
	if err != nil {
		return nil, err
	}
	base := make([]T, 0, values.len())
	for len(base) < values.len() {
		for _, v := range values.take(min(chunk, values.len()-len(base))) {
			base = append(base, T(v))
		}
	}
	oneOfTwo := len(base) == 1 && targets == 2 && e.labels != nil
	if len(base) != 0 && len(base) != targets && !oneOfTwo {
		return nil, bad(n, "base_values do not fit the number of targets")
	}
	e.base = base
	e.classify(n)
	if e.labels != nil && targets == 2 && len(base) == 1 && !e.oneClass {
		return nil, refuseAttr(n, "base_values", "one value for two classes that both have weights")
	}
	return e.run, nil
}

// classify finds out what decides the special cases of two classes.
func (e *ensemble[T]) classify(n *graph.Node) {
	ids := n.Ints("class_ids")
	e.positive, e.oneClass = true, len(ids) > 0 && e.targets == 2
	for _, id := range ids {
		e.oneClass = e.oneClass && id == ids[0]
	}
	weights, _ := readReals(n, "class_weights") // newForest has read it
	for from := 0; from < weights.len(); from += chunk {
		for _, v := range weights.take(min(chunk, weights.len()-from)) {
			e.positive = e.positive && !(v < 0)
		}
	}
}

// block is the number of rows that walk one tree before the next: the tree stays in cache.
const block = 64

func (e *ensemble[T]) run(ctx context.Context, in, out []*tensor.Tensor) error {
	rows, features, err := tableShape(e.name, in[0].Shape())
	if err != nil {
		return err
	}
	if features < max(e.features, 1) {
		return misfit(e.name, "the input has "+itoa(int64(features))+" features, the trees ask for "+itoa(int64(e.features)))
	}
	scores := out[0]
	var labels *tensor.Tensor
	if e.labels != nil {
		if labels, scores = out[0], nil; len(out) > 1 {
			scores = out[1]
		}
		if labels != nil {
			if err := Reset(ctx, labels, e.labels.DType(), rows); err != nil {
				return err
			}
		}
	}
	if scores != nil {
		if err := Reset(ctx, scores, tensor.Float32, rows, e.targets); err != nil {
			return err
		}
	}
	x, borrowed, err := e.rows(ctx, in[0], &e.cast)
	defer e.cast.put(borrowed)
	if err != nil {
		return err
	}
	if work := rows * len(e.trees); e.threads > 1 && work > 4096 && rows > block {
		r := e.runs.take()
		*r = treeRun[T]{e, ctx, x, features, labels, scores}
		spread(ctx, e.threads, rows, block, r)
		e.runs.put(r)
	} else {
		e.rowsOf(ctx, x, 0, rows, features, labels, scores)
	}
	return ctx.Err()
}

// treeRun is a run that is divided among goroutines.
type treeRun[T float] struct {
	e              *ensemble[T]
	ctx            context.Context
	x              []T
	features       int
	labels, scores *tensor.Tensor
}

func (r *treeRun[T]) Do(lo, hi int) { r.e.rowsOf(r.ctx, r.x, lo, hi, r.features, r.labels, r.scores) }

// rowsOf computes rows lo to hi of x (rows, features).
func (e *ensemble[T]) rowsOf(ctx context.Context, x []T, lo, hi, features int, labels, scores *tensor.Tensor) {
	work := e.work.take(min(block, hi-lo) * e.targets)
	defer e.work.put(work)
	for from := lo; from < hi && ctx.Err() == nil; from += block {
		n := min(block, hi-from)
		s := (*work)[:n*e.targets]
		clear(s)
		if rows := x[from*features:]; !e.walkGrove(s, rows, features) {
			e.evaluate(s, rows, features)
		}
		for i := range n {
			row := s[i*e.targets:][:e.targets]
			var z []float32
			if scores != nil {
				z = scores.F32()[(from+i)*e.targets:][:e.targets]
			}
			if e.labels == nil {
				e.regress(row, z)
			} else if c := e.decide(row, z); labels != nil {
				moveBlock(labels, from+i, e.labels, c, 1)
			}
		}
	}
}

// evaluate adds up the scores s (rows, targets) of rows of x: few rows tree by tree in one go, many block-wise.
func (e *ensemble[T]) evaluate(s []score[T], x []T, features int) {
	memory := e.leaves.take(max(block, len(e.trees)))
	leaves := *memory
	if n := len(s) / e.targets; n < 4 && e.modes == nil {
		for i := range n {
			row := leaves[:len(e.trees)]
			kernel.WalkTrees(e.nodes, e.missing, e.trees, x[i*features:], row)
			e.voteRow(s[i*e.targets:][:e.targets], row)
		}
	} else {
		for _, t := range e.trees {
			e.walk(t, x, features, leaves[:n])
			for i, at := range leaves[:n] {
				e.vote(s[i*e.targets:][:e.targets], at)
			}
		}
	}
	e.leaves.put(memory)
}

// voteRow adds the weights of leaves, one after another, to the scores of one row.
func (e *ensemble[T]) voteRow(row []score[T], leaves []int32) {
	for _, at := range leaves {
		e.vote(row, at)
	}
}

// vote adds the weights of a leaf to the scores of one row.
func (e *ensemble[T]) vote(row []score[T], at int32) {
	switch {
	case e.extreme:
		e.voteExtreme(row, at)
	case e.single:
		r := &row[e.only]
		r.sum += e.value(at)
		r.has = true
	default:
		l := e.weights[at]
		for _, v := range e.votes[l.from:l.to] {
			r := &row[v.target]
			r.sum += v.weight
			r.has = true
		}
	}
}

// value is the weight of a leaf of a single forest.
func (e *ensemble[T]) value(at int32) T {
	if e.values != nil {
		return e.values[at]
	}
	return e.nodes[at].Value
}

func (e *ensemble[T]) voteExtreme(row []score[T], at int32) {
	if e.single {
		row[e.only].extreme(e.value(at), e.aggregate)
		return
	}
	l := e.weights[at]
	for _, v := range e.votes[l.from:l.to] {
		row[v.target].extreme(v.weight, e.aggregate)
	}
}

// extreme takes one more weight into a least or greatest score.
func (r *score[T]) extreme(weight T, aggregate string) {
	if !r.has || (weight < r.sum) == (aggregate == "MIN") {
		r.sum = weight
	}
	r.has = true
}

// regress turns the sums of one row into its targets z. A target that no leaf voted for is 0 whatever its base value, as in onnxruntime.
func (e *ensemble[T]) regress(row []score[T], z []float32) {
	for k, r := range row {
		v := r.sum
		if e.aggregate == "AVERAGE" {
			v /= T(len(e.trees))
		}
		if len(e.base) > 0 {
			v += e.base[k]
		}
		if z[k] = 0; r.has || e.targets == 1 {
			z[k] = float32(v)
		}
	}
	if len(z) > 1 || e.post == "PROBIT" { // onnxruntime transforms a single target by PROBIT only
		postTransform(z, e.post)
	}
}

// decide turns the sums of one row into its scores z, which may be nil, and returns the class.
func (e *ensemble[T]) decide(row []score[T], z []float32) int {
	if e.targets > 2 {
		return e.decideMany(row, z)
	}
	return e.decideTwo(row, z)
}

func (e *ensemble[T]) decideMany(row []score[T], z []float32) int {
	best := -1
	for k := range row {
		if len(e.base) > 0 {
			row[k].sum += e.base[k]
			row[k].has = true
		}
		if row[k].has && (best < 0 || row[k].sum > row[best].sum) {
			best = k
		}
	}
	if z != nil {
		for k, r := range row {
			z[k] = float32(r.sum)
		}
		postTransform(z, e.post)
	}
	return max(best, 0)
}

// decideTwo follows onnxruntime's binary case: one score may stand for both classes, and a score that no leaf voted for counts as 0. Integer
// labels are those of the attribute, where onnxruntime gives 0 and 1 when both classes have weights.
func (e *ensemble[T]) decideTwo(row []score[T], z []float32) int {
	a, b := row[0], row[1]
	switch {
	case len(e.base) == 2 && b.has:
		b.sum = e.base[1] + a.sum
		a.sum = -b.sum
	case len(e.base) == 2:
		a.sum, b.sum = a.sum+e.base[0], b.sum+e.base[1]
	case len(e.base) == 1:
		a.sum += e.base[0]
	}
	weight := a.sum
	if b.has {
		weight = b.sum
	}
	threshold := T(0)
	if e.oneClass && e.positive {
		threshold = .5
	}
	class := 0
	if weight > threshold {
		class = 1
	}
	switch {
	case z == nil:
	case b.has || len(e.base) == 2:
		z[0], z[1] = a.voted(), b.voted()
		postTransform(z, e.post)
	default:
		e.expand(z, float32(a.sum))
	}
	return class
}

// voted is the score as onnxruntime reads it.
func (r score[T]) voted() float32 {
	if r.has {
		return float32(r.sum)
	}
	return 0
}

// expand makes two scores of one.
func (e *ensemble[T]) expand(z []float32, v float32) {
	switch {
	case e.post == "LOGISTIC":
		z[0], z[1] = logistic32(-v), logistic32(v)
	case e.oneClass && e.positive:
		z[0], z[1] = 1-v, v
	default:
		z[0], z[1] = -v, v
	}
}
