//go:build !lean

package op

import (
	"context"
	"slices"
	"strings"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Einsum: the sum of products that an equation in Einstein's notation names: each letter is a dimension, one that the result lacks is summed over, an
// ellipsis stands for dimensions that broadcast. https://onnx.ai/onnx/operators/onnx__Einsum.html
// Operands are contracted from left to right, each step one batch of matrix products.
func init() {
	eq := func(v string) []graph.Attr { return []graph.Attr{graph.StringAttr("equation", v)} }
	a, b := f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), f64s([]int{3, 2}, 1, 0, 2, 1, 0, 3)
	register(&Spec{Name: "Einsum", Since: 12, Attrs: []string{"equation"}, In: Arity{1, Many}, Out: Arity{1, 1}, Half: true, Infer: inferEinsum, Compile: compileEinsum, Cases: []Case{
		{Attrs: eq("ij, jk -> ik"), In: in(a, b), Out: in(f64s([]int{2, 2}, 5, 11, 14, 23))},
		{Name: "implicit", Attrs: eq("ba"), In: in(a), Out: in(f64s([]int{3, 2}, 1, 4, 2, 5, 3, 6))},
		{Name: "diagonal", Attrs: eq("ii->i"), In: in(f64s([]int{2, 2}, 1, 2, 3, 4)), Out: in(f64v(1, 4))},
		{Name: "trace", Attrs: eq("ii"), In: in(f64s([]int{2, 2}, 1, 2, 3, 4)), Out: in(f64s(nil, 5))},
		{Name: "three", Attrs: eq("ij,jk,k->i"), In: in(a, b, f64v(1, 2)), Out: in(f64v(27, 60))},
		{Name: "outer", Attrs: eq("i,j->ji"), In: in(f64v(1, 2), f64v(3, 4)), Out: in(f64s([]int{2, 2}, 3, 6, 4, 8))},
		{Name: "ellipsis", Attrs: eq("...ij,...j->...i"), In: in(f64s([]int{2, 1, 2}, 1, 2, 3, 4), f64s([]int{1, 2}, 1, 10)), Out: in(f64s([]int{2, 1}, 21, 43))},
		{Name: "summed ellipsis", Attrs: eq("...i->i"), In: in(a), Out: in(f64v(5, 7, 9))},
		{Name: "batches", Attrs: eq("bij,bkj->bik"), In: in(f64s([]int{2, 1, 2}, 1, 2, 3, 4), f64s([]int{2, 1, 2}, 5, 6, 7, 8)), Out: in(f64s([]int{2, 1, 1}, 17, 53))},
		{Name: "transposed", Attrs: eq("ji,kj->ik"), In: in(b, f64s([]int{2, 3}, 1, 0, 2, 0, 1, 1)), Out: in(f64s([]int{2, 2}, 1, 2, 6, 4))},
		{Name: "alone", Attrs: eq("ij,k->i"), In: in(a, f64v(1, 2)), Out: in(f64v(18, 45))},
		{Name: "bytes", Attrs: eq("i,i->"), In: in(tensor.FromSlice(tensor.Uint8, []uint8{200, 2}), tensor.FromSlice(tensor.Uint8, []uint8{1, 100})), Out: in(shaped(tensor.Uint8, nil, []uint8{144}))},
		{Name: "misfit", Attrs: eq("ij,jk->ik"), In: in(a, a), Err: "length"},
		{Name: "unknown letter", Attrs: eq("i->j"), In: in(f64v(1)), Err: "equation"},
	}})
}

// einDots marks an ellipsis among the letters of a term.
const einDots = 0

// einEquation is a parsed equation: letters, and einDots, of each operand and of the result.
type einEquation struct {
	terms  [][]int
	result []int
}

func einTerm(n *graph.Node, text string) ([]int, error) {
	term := []int{}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == ' ':
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			term = append(term, int(c))
		case strings.HasPrefix(text[i:], "...") && !slices.Contains(term, einDots):
			term = append(term, einDots)
			i += 2
		default:
			return nil, bad(n, "an equation that cannot be read")
		}
	}
	return term, nil
}

func einParse(n *graph.Node) (*einEquation, error) {
	text := n.Str("equation", "")
	left, right, explicit := strings.Cut(text, "->")
	e := &einEquation{}
	seen := map[int]int{}
	for part := range strings.SplitSeq(left, ",") {
		term, err := einTerm(n, part)
		if err != nil {
			return nil, err
		}
		e.terms = append(e.terms, term)
		for _, l := range term {
			seen[l]++
		}
	}
	if len(e.terms) != len(n.Inputs) || n.Attr("equation") == nil {
		return nil, bad(n, "an equation that has not one term for each input")
	}
	if !explicit { // the ellipsis, then the letters that stand once, in order
		if seen[einDots] > 0 {
			e.result = append(e.result, einDots)
		}
		for l := 'A'; l <= 'z'; l++ {
			if seen[int(l)] == 1 {
				e.result = append(e.result, int(l))
			}
		}
		return e, nil
	}
	var err error
	if e.result, err = einTerm(n, right); err != nil {
		return nil, err
	}
	for i, l := range e.result {
		if l != einDots && seen[l] == 0 || slices.Contains(e.result[:i], l) {
			return nil, bad(n, "an equation whose result has a letter twice, or one that no term has")
		}
	}
	return e, nil
}

// einSpread gives each of rank dimensions its label: letters, and -1, -2, … for those of the ellipsis, from the last on.
func einSpread(term []int, rank int) ([]int, bool) {
	at := slices.Index(term, einDots)
	if at < 0 {
		return term, len(term) == rank
	}
	dots := rank - (len(term) - 1)
	if dots < 0 {
		return nil, false
	}
	labels := slices.Clone(term[:at])
	for k := dots; k > 0; k-- {
		labels = append(labels, -k)
	}
	return append(labels, term[at+1:]...), true
}

func inferEinsum(n *graph.Node, site *Site) ([]tensor.Type, error) {
	e, err := einParse(n)
	if err != nil {
		return nil, err
	}
	if err := sameDType(n, site, 0); err != nil {
		return nil, err
	}
	d := site.Types[0].DType
	if err := oneOf(n, site.Types[0], tensor.Float32, tensor.Float64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64); err != nil {
		return nil, err
	}
	dims, dots := map[int]tensor.Dim{}, 0
	for i, t := range site.Types {
		if t.DType == tensor.Undefined {
			return nil, bad(n, "an input is absent")
		}
		if t.Unranked {
			return []tensor.Type{unranked(d)}, nil
		}
		labels, ok := einSpread(e.terms[i], len(t.Dims))
		if !ok {
			return nil, bad(n, "an input that has not the rank of its term")
		}
		dots = max(dots, len(t.Dims)-len(e.terms[i])+1)
		for k, l := range labels {
			if was, ok := dims[l]; !ok {
				dims[l] = t.Dims[k]
			} else if dims[l], ok = broadcastDim(was, t.Dims[k]); !ok {
				return nil, bad(n, "dimensions of one letter and of different length")
			}
		}
	}
	out := tensor.Type{DType: d, Dims: []tensor.Dim{}}
	labels, _ := einSpread(e.result, len(e.result)-1+dots)
	if !slices.Contains(e.result, einDots) {
		labels = e.result
	}
	for _, l := range labels {
		dim, ok := dims[l]
		if !ok {
			return nil, bad(n, "an equation whose result has dimensions that no term has")
		}
		out.Dims = append(out.Dims, dim)
	}
	return []tensor.Type{out}, nil
}

func compileEinsum(n *graph.Node, site *Site) (Kernel, error) {
	e, err := einParse(n)
	if err != nil {
		return nil, err
	}
	switch site.Types[0].DType {
	case tensor.Float32:
		return einKernel(e, tensor.Data[float32], site), nil
	case tensor.Float64:
		return einKernel(e, tensor.Data[float64], site), nil
	case tensor.Int32, tensor.Uint32: // sums and products wrap alike
		return einKernel(e, tensor.Data[int32], site), nil
	case tensor.Int64, tensor.Uint64:
		return einKernel(e, tensor.Data[int64], site), nil
	}
	inner := einKernel(e, tensor.Data[int64], site)
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		wide := make([]*tensor.Tensor, len(in))
		for i, t := range in {
			wide[i] = new(tensor.Tensor)
			if err := Reset(ctx, wide[i], tensor.Int64, t.Shape()...); err != nil {
				return err
			}
			if err := castInto(wide[i], t); err != nil {
				return err
			}
		}
		y := new(tensor.Tensor)
		if err := inner(ctx, wide, []*tensor.Tensor{y}); err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), y.Shape()...); err != nil {
			return err
		}
		return castInto(out[0], y)
	}, nil
}

// einView is an operand: elements by labels. Dimensions of length 1 are left out, a label stands once.
type einView[T kernel.Number] struct {
	data   []T
	labels []int
	steps  []int
}

// einRun is one run of a node.
type einRun[T kernel.Number] struct {
	ctx   context.Context
	g     *gemm[T]
	sizes map[int]int
}

func (r *einRun[T]) has(label int) bool { _, ok := r.sizes[label]; return ok }

func einKernel[T kernel.Number](e *einEquation, data lane[T], site *Site) Kernel {
	g := &gemm[T]{threads: site.Threads}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		r := &einRun[T]{ctx: ctx, g: g, sizes: map[int]int{}}
		views := make([]einView[T], len(in))
		dots := 0
		for i, t := range in {
			labels, ok := einSpread(e.terms[i], t.Rank())
			if !ok {
				return misfit("Einsum", "an input of the shape "+shapeText(t.Shape())+" has not the rank of its term")
			}
			dots = max(dots, t.Rank()-len(e.terms[i])+1)
			for k, l := range labels {
				switch d, had := t.Shape()[k], r.sizes[l]; {
				case d != 1 && had != 1 && r.has(l) && d != had:
					return misfit("Einsum", "dimensions of one letter and of length "+itoa(int64(had))+" and "+itoa(int64(d)))
				case d != 1 || !r.has(l):
					r.sizes[l] = d
				}
			}
		}
		for i, t := range in {
			labels, _ := einSpread(e.terms[i], t.Rank())
			views[i] = einViewOf(data(t), labels, t.Shape())
		}
		result := e.result
		if slices.Contains(result, einDots) {
			result, _ = einSpread(result, len(result)-1+dots)
		}
		var buf [MaxRank]int
		shape := buf[:0]
		var want []int // the labels of the result but those of length 1
		for _, l := range result {
			d, ok := r.sizes[l]
			if !ok || len(shape) == MaxRank {
				return misfit("Einsum", "a result with dimensions that no input has, or too many")
			}
			if shape = append(shape, d); d != 1 {
				want = append(want, l)
			}
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		y := data(out[0])
		if len(y) == 0 {
			return nil
		}
		for _, d := range r.sizes {
			if d == 0 { // nothing to sum
				clear(y)
				return nil
			}
		}
		return r.contract(views, want, y)
	}
}

func einViewOf[T kernel.Number](data []T, labels, shape []int) einView[T] {
	v := einView[T]{data: data}
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] != 1 {
			if at := slices.Index(v.labels, labels[i]); at >= 0 {
				v.steps[at] += step // the diagonal
			} else {
				v.labels, v.steps = append(v.labels, labels[i]), append(v.steps, step)
			}
		}
		step *= shape[i]
	}
	slices.Reverse(v.labels)
	slices.Reverse(v.steps)
	return v
}

// contract multiplies views from left to right into y, whose dimensions are the labels want.
func (r *einRun[T]) contract(views []einView[T], want []int, y []T) error {
	cur := views[0]
	for i, next := range views[1:] {
		keep := slices.Clone(want)
		for _, later := range views[i+2:] {
			keep = append(keep, later.labels...)
		}
		var to []T
		if i == len(views)-2 {
			to = y
		}
		var err error
		if cur, err = r.multiply(cur, next, keep, want, to); err != nil {
			return err
		}
	}
	v, err := r.dense(r.reduced(cur, want), want)
	if err == nil && (len(v) == 0 || &v[0] != &y[0]) {
		copy(y, v)
	}
	return err
}

// size is the number of elements of dimensions.
func (r *einRun[T]) size(labels []int) int {
	n := 1
	for _, l := range labels {
		n *= r.sizes[l]
	}
	return n
}

// memory is n elements within the budget of the run.
func (r *einRun[T]) memory(labels []int) ([]T, error) {
	dims := make([]int, len(labels))
	for i, l := range labels {
		dims[i] = r.sizes[l]
	}
	n, err := tensor.Elements(dims)
	if err != nil {
		return nil, err
	}
	t := new(tensor.Tensor)
	if err := Reset(r.ctx, t, tensor.Int64, n); err != nil {
		return nil, err
	}
	return make([]T, n), nil
}

// reduced is a view without the labels that want lacks, summed over; an error shows in dense.
func (r *einRun[T]) reduced(v einView[T], want []int) einView[T] {
	var kept, summed []int
	for _, l := range v.labels {
		if slices.Contains(want, l) {
			kept = append(kept, l)
		} else {
			summed = append(summed, l)
		}
	}
	if len(summed) == 0 {
		return v
	}
	all, err := r.dense(v, append(slices.Clone(kept), summed...))
	if err != nil {
		return einView[T]{labels: []int{-MaxRank - 1}, steps: []int{-1}}
	}
	n, width := r.size(kept), r.size(summed)
	sums := make([]T, n)
	for i := range sums {
		var s T
		for _, x := range all[i*width:][:width] {
			s += x
		}
		sums[i] = s
	}
	return einView[T]{sums, kept, r.steps(kept)}
}

// steps are those of dense dimensions.
func (r *einRun[T]) steps(labels []int) []int {
	steps := make([]int, len(labels))
	n := 1
	for i := len(labels) - 1; i >= 0; i-- {
		steps[i] = n
		n *= r.sizes[labels[i]]
	}
	return steps
}

// dense gives the elements of a view in the order of labels, which are the view's: its own where they lie so.
func (r *einRun[T]) dense(v einView[T], labels []int) ([]T, error) {
	if len(v.steps) > 0 && v.steps[0] < 0 || len(labels) > MaxRank {
		return nil, misfit("Einsum", "too many dimensions or too much memory on the way")
	}
	var g grid
	width := 1
	same := true
	for i := len(labels) - 1; i >= 0; i-- {
		step := v.steps[slices.Index(v.labels, labels[i])]
		same = same && step == width
		g.push(r.sizes[labels[i]], [3]int{width, step})
		width *= r.sizes[labels[i]]
	}
	if same {
		return v.data[:width], nil
	}
	g.finish()
	dst, err := r.memory(labels)
	if err != nil {
		return nil, err
	}
	moveElements(dst, 0, v.data, 0, &g)
	return dst, r.ctx.Err()
}

// isDense tells whether a view lies in the order of labels.
func (r *einRun[T]) isDense(v einView[T], labels []int) bool {
	for i, s := range r.steps(labels) {
		if at := slices.Index(v.labels, labels[i]); at < 0 || v.steps[at] != s {
			return false
		}
	}
	return true
}

// multiply contracts two views: labels that both have and keep has make batches, those that keep lacks are summed. to is where the result goes if
// its labels come out as want.
func (r *einRun[T]) multiply(a, b einView[T], keep, want []int, to []T) (einView[T], error) {
	a, b = r.reduced(a, append(slices.Clone(keep), b.labels...)), r.reduced(b, append(slices.Clone(keep), a.labels...))
	var batch, sum, left, right []int
	for _, l := range a.labels {
		switch {
		case !slices.Contains(b.labels, l):
			left = append(left, l)
		case slices.Contains(keep, l):
			batch = append(batch, l)
		default:
			sum = append(sum, l)
		}
	}
	for _, l := range b.labels {
		if !slices.Contains(a.labels, l) {
			right = append(right, l)
		}
	}
	labels := slices.Concat(batch, left, right)
	ta, tb := r.isDense(a, slices.Concat(batch, sum, left)), r.isDense(b, slices.Concat(batch, right, sum))
	la, lb := slices.Concat(batch, left, sum), slices.Concat(batch, sum, right)
	if ta = ta && len(sum) > 0 && len(left) > 0; ta {
		la = slices.Concat(batch, sum, left)
	}
	if tb = tb && len(sum) > 0 && len(right) > 0; tb {
		lb = slices.Concat(batch, right, sum)
	}
	x, err := r.dense(a, la)
	if err != nil {
		return a, err
	}
	y, err := r.dense(b, lb)
	if err != nil {
		return a, err
	}
	z := to
	if to == nil || !slices.Equal(labels, want) {
		if z, err = r.memory(labels); err != nil {
			return a, err
		}
	}
	m, k, n := r.size(left), r.size(sum), r.size(right)
	lda, ldb := k, n
	if ta {
		lda = m
	}
	if tb {
		ldb = k
	}
	for i := range r.size(batch) {
		if err := r.ctx.Err(); err != nil {
			return a, err
		}
		r.g.into(r.ctx, r.g.threads, m, k, n, x[i*m*k:], lda, ta, y[i*k*n:], ldb, tb, nil, z[i*m*n:], n, false)
	}
	return einView[T]{z, labels, r.steps(labels)}, nil
}
