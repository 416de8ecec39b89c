//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ai.onnx.ml SVMRegressor: y = Σ coefficientⱼ·k(x, support vectorⱼ) + rho; one_class=1 gives its sign.
// ai.onnx.ml SVMClassifier: one such decision for each pair of classes, the class with most of them; with prob_a and prob_b the probabilities by pairwise
// coupling: T.-F. Wu, C.-J. Lin, R. Weng, "Probability estimates for multi-class classification by pairwise coupling" (2004), algorithm 2.
// https://onnx.ai/onnx/operators/onnx_aionnxml_SVMClassifier.html
func init() {
	floats := func(name string, v ...float32) graph.Attr { return graph.FloatsAttr(name, v) }
	text := graph.StringAttr
	x := f32s([]int{2, 2}, 1, 0, 0, 3)
	common := []string{"coefficients", "kernel_params", "kernel_type", "post_transform", "rho", "support_vectors"}
	register(&Spec{
		Domain: graph.ML, Name: "SVMRegressor", Since: 1, Attrs: append([]string{"n_supports", "one_class"}, common...), In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferSVMRegressor, Compile: compileSVMRegressor,
		Cases: tested(func() []Case {
			two := []graph.Attr{floats("coefficients", 2, -1), floats("support_vectors", 1, 0, 0, 1), floats("rho", .5), graph.IntAttr("n_supports", 2)}
			return []Case{
				{Attrs: two, In: in(x), Out: in(f32s([]int{2, 1}, 2.5, -2.5))},
				{Name: "one class", Attrs: append([]graph.Attr{graph.IntAttr("one_class", 1)}, two...), In: in(x), Out: in(f32s([]int{2, 1}, 1, -1))},
				{Name: "rbf", Attrs: append([]graph.Attr{text("kernel_type", "RBF"), floats("kernel_params", .5, 0, 3)}, two...), In: in(x), Out: in(f32s([]int{2, 1}, 2.5-float32(math.Exp(-1)), .5+2*float32(math.Exp(-5))-float32(math.Exp(-2)))), Tol: 1e-5},
				{Name: "linear", Attrs: []graph.Attr{floats("coefficients", 2, -1), floats("rho", .5)}, In: in(x), Out: in(f32s([]int{2, 1}, 2.5, -2.5))},
			}
		}),
	})
	register(&Spec{
		Domain: graph.ML, Name: "SVMClassifier", Since: 1, Attrs: append([]string{"classlabels_ints", "classlabels_strings", "prob_a", "prob_b", "vectors_per_class"}, common...), In: Arity{1, 1}, Out: Arity{1, 2},
		Infer: inferSVMClassifier, Compile: compileSVMClassifier, Cases: tested(func() []Case {
			return []Case{{
				Attrs: []graph.Attr{floats("coefficients", 1, -1), floats("support_vectors", 1, 0, 0, 1), floats("rho", 0), graph.IntsAttr("vectors_per_class", 1, 1), graph.StringsAttr("classlabels_strings", []string{"a", "b"})},
				In:    in(x), Out: in(strv("a", "b"), f32s([]int{2, 2}, -1, 1, 3, -3)),
			}}
		}),
	})
}

// svm is what both operators share.
type svm struct {
	kernel              string
	gamma, coef, degree float64
	coefficients, rho   []float32
	vectors             []float32 // (count, features)
	count, features     int
	post                string
	cast                scratch[tensor.Tensor]
	memory              scratch[float64]
}

// newSVM reads count support vectors; without any the coefficients themselves (rows, features) are a linear model.
func newSVM(n *graph.Node, count, rows int) (*svm, error) {
	s := &svm{kernel: n.Str("kernel_type", "LINEAR"), coefficients: n.Floats("coefficients"), rho: n.Floats("rho"), vectors: n.Floats("support_vectors"), count: count}
	var err error
	if s.post, err = checkPost(n); err != nil {
		return nil, err
	}
	if p := n.Floats("kernel_params"); len(p) == 3 {
		s.gamma, s.coef, s.degree = float64(p[0]), float64(p[1]), float64(p[2])
	} else if len(p) != 0 {
		return nil, bad(n, "kernel_params that are not gamma, coef0 and degree")
	}
	switch s.kernel {
	case "LINEAR", "POLY", "RBF", "SIGMOID":
	default:
		return nil, refuseAttr(n, "kernel_type", s.kernel)
	}
	if count == 0 {
		s.kernel, s.vectors, s.count = "LINEAR", s.coefficients, rows
	}
	if s.count < 1 || len(s.vectors) == 0 || len(s.vectors)%s.count != 0 || len(s.rho) == 0 {
		return nil, bad(n, "support vectors, coefficients and rho that do not fit")
	}
	s.features = len(s.vectors) / s.count
	return s, nil
}

// similarities fills k (count) with the kernel function of x and each support vector.
func (s *svm) similarities(k []float64, x []float32) {
	for j := range k {
		v := s.vectors[j*s.features:][:s.features]
		var sum float64
		if s.kernel == "RBF" {
			for i, a := range v {
				d := float64(x[i] - a)
				sum += d * d
			}
			k[j] = math.Exp(-s.gamma * sum)
			continue
		}
		for i, a := range v {
			sum += float64(x[i]) * float64(a)
		}
		switch s.kernel {
		case "POLY":
			sum = math.Pow(s.gamma*sum+s.coef, s.degree)
		case "SIGMOID":
			sum = math.Tanh(s.gamma*sum + s.coef)
		}
		k[j] = sum
	}
}

// table checks the input and gives its rows as float32, as asFloats does.
func (s *svm) table(ctx context.Context, op string, t *tensor.Tensor) (x []float32, rows int, borrowed *[]tensor.Tensor, err error) {
	rows, features, err := tableShape(op, t.Shape())
	if err == nil && features != s.features {
		err = misfit(op, "the input has "+itoa(int64(features))+" features, the model "+itoa(int64(s.features)))
	}
	if err != nil {
		return nil, 0, nil, err
	}
	x, borrowed, err = asFloats(ctx, t, &s.cast)
	return x, rows, borrowed, err
}

func inferSVMRegressor(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if _, err := inferTable(tensor.Float32, signed...)(n, site); err != nil {
		return nil, err
	}
	return []tensor.Type{{DType: tensor.Float32, Dims: []tensor.Dim{rowsDim(site.Types[0]), {Size: 1}}}}, nil
}

func compileSVMRegressor(n *graph.Node, _ *Site) (Kernel, error) {
	count, one := n.Int("n_supports", 0), n.Int("one_class", 0) != 0
	if count < 0 || count > 1<<30 {
		return nil, bad(n, "absurd n_supports")
	}
	s, err := newSVM(n, int(count), 1)
	if err != nil {
		return nil, err
	}
	if s.post != "NONE" {
		return nil, refuseAttr(n, "post_transform", s.post)
	}
	if count > 0 && len(s.coefficients) != int(count) {
		return nil, bad(n, "coefficients that are not one for each support vector")
	}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, rows, borrowed, err := s.table(ctx, "SVMRegressor", in[0])
		defer s.cast.put(borrowed)
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], tensor.Float32, rows, 1); err != nil {
			return err
		}
		memory := s.memory.take(s.count)
		defer s.memory.put(memory)
		k := *memory
		for r, y := 0, out[0].F32(); r < rows; r++ {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.similarities(k, x[r*s.features:])
			sum := float64(s.rho[0])
			for j, v := range k {
				if count > 0 {
					v *= float64(s.coefficients[j])
				}
				sum += v
			}
			if y[r] = float32(sum); one {
				if y[r] = -1; sum > 0 {
					y[r] = 1
				}
			}
		}
		return nil
	}, nil
}

// svmClasses is a compiled classifier.
type svmClasses struct {
	*svm
	labels   *tensor.Tensor
	classes  int
	starts   []int // of each class's support vectors, and their end; nil for a linear model
	a, b     []float32
	positive bool
	columns  int
	marks    scratch[float32]
}

func newSVMClasses(n *graph.Node) (*svmClasses, error) {
	labels, err := classLabels(n, "classlabels_ints")
	if err != nil {
		return nil, err
	}
	c := &svmClasses{labels: labels, classes: labels.Len(), a: n.Floats("prob_a"), b: n.Floats("prob_b"), positive: true}
	count := 0
	for _, v := range n.Ints("vectors_per_class") {
		if v < 0 || v > 1<<30 || count > 1<<30 {
			return nil, bad(n, "absurd vectors_per_class")
		}
		c.starts = append(c.starts, count)
		count += int(v)
	}
	if c.starts = append(c.starts, count); count == 0 {
		c.starts, c.a = nil, nil
	}
	if c.svm, err = newSVM(n, count, c.classes); err != nil {
		return nil, err
	}
	for _, v := range c.coefficients {
		c.positive = c.positive && v >= 0
	}
	pairs := c.classes * (c.classes - 1) / 2
	if c.classes < 2 {
		return nil, refuseAttr(n, "classlabels", "one class")
	}
	if count > 0 && (len(c.starts) != c.classes+1 || len(c.rho) != pairs || len(c.coefficients) != count*(c.classes-1) || len(c.a) != 0 && len(c.a) != pairs || len(c.a) != len(c.b)) {
		return nil, bad(n, "classes, coefficients, rho and probabilities that do not fit")
	}
	if c.columns = c.classes; count > 0 && len(c.a) == 0 {
		c.columns = max(pairs, 2)
	}
	if c.post != "NONE" && c.starts != nil && len(c.a) == 0 && pairs == 1 {
		return nil, refuseAttr(n, "post_transform", c.post+" for one score")
	}
	return c, nil
}

func inferSVMClassifier(n *graph.Node, site *Site) ([]tensor.Type, error) {
	c, err := newSVMClasses(n)
	if err != nil {
		return nil, err
	}
	if _, err := inferTable(tensor.Float32, signed...)(n, site); err != nil {
		return nil, err
	}
	rows := rowsDim(site.Types[0])
	return []tensor.Type{{DType: c.labels.DType(), Dims: []tensor.Dim{rows}}, {DType: tensor.Float32, Dims: []tensor.Dim{rows, {Size: c.columns}}}}[:len(n.Outputs)], nil
}

func compileSVMClassifier(n *graph.Node, _ *Site) (Kernel, error) {
	c, err := newSVMClasses(n)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, rows, borrowed, err := c.table(ctx, "SVMClassifier", in[0])
		defer c.cast.put(borrowed)
		if err != nil {
			return err
		}
		for i, o := range out {
			if o == nil {
				continue
			}
			if i == 0 {
				err = Reset(ctx, o, c.labels.DType(), rows)
			} else {
				err = Reset(ctx, o, tensor.Float32, rows, c.columns)
			}
			if err != nil {
				return err
			}
		}
		memory, marks := c.memory.take(c.count+c.room()), c.marks.take(max(c.columns, c.classes))
		defer c.memory.put(memory)
		defer c.marks.put(marks)
		k, room, scores := (*memory)[:c.count], (*memory)[c.count:], *marks
		for r := range rows {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			c.similarities(k, x[r*c.features:])
			best := c.decide(k, room, scores[:c.columns])
			if out[0] != nil {
				moveBlock(out[0], r, c.labels, best, 1)
			}
			if len(out) > 1 && out[1] != nil {
				postTransform(scores[:c.columns], c.post)
				copy(out[1].F32()[r*c.columns:], scores[:c.columns])
			}
		}
		return nil
	}, nil
}

// room is the number of elements that decide borrows: votes (classes), a decision for each pair, and what couple needs.
func (c *svmClasses) room() int {
	switch {
	case c.starts == nil:
		return 0
	case len(c.a) == 0:
		return c.classes + len(c.rho)
	}
	return c.classes + len(c.rho) + 2*c.classes*(c.classes+1)
}

// decide fills the scores of one row and gives the class.
func (c *svmClasses) decide(k, room []float64, scores []float32) int {
	if c.starts == nil {
		best := 0
		for j, v := range k {
			if scores[j] = float32(v + float64(c.rho[0])); scores[j] > scores[best] {
				best = j
			}
		}
		if len(c.rho) == 1 && c.classes == 2 && c.positive && scores[best] >= .5 {
			best = 1
		}
		return best
	}
	clear(room)
	votes, pairs := room[:c.classes], room[c.classes:][:0]
	for i := range c.classes {
		for j := i + 1; j < c.classes; j++ {
			s := float64(c.rho[len(pairs)])
			for v := c.starts[i]; v < c.starts[i+1]; v++ {
				s += float64(c.coefficients[(j-1)*c.count+v]) * k[v]
			}
			for v := c.starts[j]; v < c.starts[j+1]; v++ {
				s += float64(c.coefficients[i*c.count+v]) * k[v]
			}
			if pairs = append(pairs, s); s > 0 {
				votes[i]++
			} else {
				votes[j]++
			}
		}
	}
	best := 0
	for i, v := range votes {
		if v > votes[best] {
			best = i
		}
	}
	switch {
	case len(c.a) > 0:
		c.couple(pairs, room[c.classes+len(c.rho):], scores)
		return best
	case len(pairs) == 1:
		scores[0], scores[1] = float32(-pairs[0]), float32(pairs[0])
		if c.positive {
			best = 1
		}
	default:
		for i, s := range pairs {
			scores[i] = float32(s)
		}
	}
	return best
}

// couple turns the decisions of pairs into probabilities of classes; room (2·classes·(classes+1)) holds zeros.
func (c *svmClasses) couple(pairs, room []float64, p []float32) {
	n, at := c.classes, 0
	r, q, prob, qp := room[:n*n], room[n*n:2*n*n], room[2*n*n:][:n], room[2*n*n+n:][:n]
	for i := range n {
		for j := i + 1; j < n; j++ {
			v := 1 - Logistic(pairs[at]*float64(c.a[at])+float64(c.b[at]))
			v = min(max(v, 1e-7), 1-1e-7)
			r[i*n+j], r[j*n+i] = v, 1-v
			at++
		}
	}
	for i := range n {
		prob[i] = 1 / float64(n)
		for j := range n {
			if j != i {
				q[i*n+i] += r[j*n+i] * r[j*n+i]
				q[i*n+j] = -r[j*n+i] * r[i*n+j]
			}
		}
	}
	for range max(100, n) {
		total, worst := 0.0, 0.0
		for i := range n {
			qp[i] = 0
			for j := range n {
				qp[i] += q[i*n+j] * prob[j]
			}
			total += prob[i] * qp[i]
		}
		for _, v := range qp {
			worst = max(worst, math.Abs(v-total))
		}
		if worst < .005/float64(n) {
			break
		}
		for i := range n {
			d := (total - qp[i]) / q[i*n+i]
			prob[i] += d
			total = (total + d*(d*q[i*n+i]+2*qp[i])) / (1 + d) / (1 + d)
			for j := range n {
				qp[j] = (qp[j] + d*q[i*n+j]) / (1 + d)
				prob[j] /= 1 + d
			}
		}
	}
	for i, v := range prob {
		p[i] = float32(v)
	}
}
