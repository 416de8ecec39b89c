//go:build !lean

package op

import (
	"slices"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// einPlan is what a run does for operands of given shapes. Values have numbers: the operands, the result, and then what lies between.
type einPlan struct {
	operands [][]int // shapes
	shape    []int   // of the result
	nothing  bool    // the result is zeros, or empty
	counts   []int   // elements of each value
	steps    []einStep
}

// einStep makes one value of others.
type einStep struct {
	kind     einKind
	to, a, b int // values

	walk           grid // einCopy
	batch, m, k, n int  // einProduct: matrices (m, k) and (k, n); einSum: rows of k elements
	lda, ldb       int
	ta, tb         bool // the matrices lie transposed
}

type einKind int

const (
	einCopy einKind = iota
	einSum
	einProduct
)

// fits tells whether the plan is for operands of these shapes.
func (p *einPlan) fits(in []*tensor.Tensor) bool {
	for i, t := range in {
		if !slices.Equal(p.operands[i], t.Shape()) {
			return false
		}
	}
	return true
}

// einView is a value by labels. Dimensions of length 1 are left out, a label stands once.
type einView struct {
	value  int
	labels []int
	steps  []int // in elements, from one to the next
}

// einPlanner makes a plan.
type einPlanner struct {
	einPlan
	sizes map[int]int // of each label
	want  []int       // the labels of the result but those of length 1
	err   error       // the first; what is planned after it means nothing
}

func newEinPlan(e *einEquation, in []*tensor.Tensor) (*einPlan, error) {
	p := &einPlanner{sizes: map[int]int{}}
	dots, err := p.measure(e, in)
	if err != nil {
		return nil, err
	}
	if err := p.setResult(e, dots); err != nil {
		return nil, err
	}
	views := make([]einView, len(in))
	for i, t := range in {
		labels, _ := einSpread(e.terms[i], t.Rank())
		views[i] = einViewOf(i, labels, t.Shape())
		p.operands, p.counts = append(p.operands, slices.Clone(t.Shape())), append(p.counts, t.Len())
	}
	for _, d := range p.sizes {
		p.nothing = p.nothing || d == 0
	}
	if p.counts = append(p.counts, p.size(p.want)); !p.nothing {
		p.contract(views)
	}
	return &p.einPlan, p.err
}

// measure finds the size of each label, and how many dimensions an ellipsis stands for.
func (p *einPlanner) measure(e *einEquation, in []*tensor.Tensor) (dots int, err error) {
	for i, t := range in {
		labels, ok := einSpread(e.terms[i], t.Rank())
		if !ok {
			return 0, misfit("Einsum", "an input of the shape "+shapeText(t.Shape())+" has not the rank of its term")
		}
		dots = max(dots, t.Rank()-len(e.terms[i])+1)
		for k, l := range labels {
			had, known := p.sizes[l]
			switch d := t.Shape()[k]; {
			case d != 1 && had != 1 && known && d != had:
				return 0, misfit("Einsum", "dimensions of one letter and of length "+itoa(int64(had))+" and "+itoa(int64(d)))
			case d != 1 || !known:
				p.sizes[l] = d
			}
		}
	}
	return dots, nil
}

func (p *einPlanner) setResult(e *einEquation, dots int) error {
	labels := e.result
	if slices.Contains(labels, einDots) {
		labels, _ = einSpread(labels, len(labels)-1+dots)
	}
	for _, l := range labels {
		d, ok := p.sizes[l]
		if !ok || len(p.shape) == MaxRank {
			return misfit("Einsum", "a result with dimensions that no input has, or too many")
		}
		if p.shape = append(p.shape, d); d != 1 {
			p.want = append(p.want, l)
		}
	}
	return nil
}

func einViewOf(value int, labels, shape []int) einView {
	v := einView{value: value}
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

// contract multiplies views from left to right into the result.
func (p *einPlanner) contract(views []einView) {
	result := len(views)
	cur := views[0]
	for i, next := range views[1:] {
		keep := slices.Clone(p.want)
		for _, later := range views[i+2:] {
			keep = append(keep, later.labels...)
		}
		cur = p.multiply(cur, next, keep, i == len(views)-2, result)
	}
	if cur = p.reduced(cur, p.want); cur.value != result {
		p.copyTo(result, cur, p.want)
	}
}

// size is the number of elements of dimensions.
func (p *einPlanner) size(labels []int) int {
	dims := make([]int, len(labels))
	for i, l := range labels {
		dims[i] = p.sizes[l]
	}
	n, err := tensor.Elements(dims)
	if err != nil && p.err == nil {
		p.err = err
	}
	return n
}

// value is a new one that lies dense.
func (p *einPlanner) value(labels []int) einView {
	p.counts = append(p.counts, p.size(labels))
	return einView{len(p.counts) - 1, labels, p.dense(labels)}
}

// dense are the steps of dimensions that lie one after the other.
func (p *einPlanner) dense(labels []int) []int {
	steps := make([]int, len(labels))
	n := 1
	for i := len(labels) - 1; i >= 0; i-- {
		steps[i] = n
		n *= p.sizes[labels[i]]
	}
	return steps
}

// lies tells whether a view lies dense in the order of labels.
func (p *einPlanner) lies(v einView, labels []int) bool {
	for i, s := range p.dense(labels) {
		if at := slices.Index(v.labels, labels[i]); at < 0 || v.steps[at] != s {
			return false
		}
	}
	return true
}

// copyTo copies a view to a value that lies dense in the order of labels, which are the view's.
func (p *einPlanner) copyTo(to int, v einView, labels []int) {
	if len(labels) > MaxRank {
		p.err = misfit("Einsum", "too many dimensions on the way")
		return
	}
	s := einStep{kind: einCopy, to: to, a: v.value}
	width := 1
	for i := len(labels) - 1; i >= 0; i-- {
		s.walk.push(p.sizes[labels[i]], [3]int{width, v.steps[slices.Index(v.labels, labels[i])]})
		width *= p.sizes[labels[i]]
	}
	s.walk.finish()
	p.steps = append(p.steps, s)
}

// ordered is a value with the elements of a view, dense in the order of labels, which are the view's: its own where it lies so.
func (p *einPlanner) ordered(v einView, labels []int) int {
	if p.lies(v, labels) {
		return v.value
	}
	to := p.value(labels)
	p.copyTo(to.value, v, labels)
	return to.value
}

// reduced is a view without the labels that want lacks, summed over.
func (p *einPlanner) reduced(v einView, want []int) einView {
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
	rows := p.ordered(v, slices.Concat(kept, summed))
	sums := p.value(kept)
	p.steps = append(p.steps, einStep{kind: einSum, to: sums.value, a: rows, k: p.size(summed)})
	return sums
}

// multiply contracts two views: labels that both have and keep has make batches, those that keep lacks are summed. The last product goes to the
// result, where its labels come out in that order.
func (p *einPlanner) multiply(a, b einView, keep []int, last bool, result int) einView {
	a, b = p.reduced(a, slices.Concat(keep, b.labels)), p.reduced(b, slices.Concat(keep, a.labels))
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
	s := einStep{kind: einProduct, batch: p.size(batch), m: p.size(left), k: p.size(sum), n: p.size(right)}
	s.lda, s.ldb = s.k, s.n
	la, lb := slices.Concat(batch, left, sum), slices.Concat(batch, sum, right)
	if turned := slices.Concat(batch, sum, left); len(sum) > 0 && len(left) > 0 && p.lies(a, turned) {
		s.ta, s.lda, la = true, s.m, turned
	}
	if turned := slices.Concat(batch, right, sum); len(sum) > 0 && len(right) > 0 && p.lies(b, turned) {
		s.tb, s.ldb, lb = true, s.k, turned
	}
	s.a, s.b = p.ordered(a, la), p.ordered(b, lb)
	labels := slices.Concat(batch, left, right)
	var to einView
	if last && slices.Equal(labels, p.want) {
		to = einView{result, labels, p.dense(labels)}
	} else {
		to = p.value(labels)
	}
	s.to = to.value
	p.steps = append(p.steps, s)
	return to
}
