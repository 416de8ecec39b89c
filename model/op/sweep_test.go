package op

import (
	"context"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestSweep runs operators on more elements than one piece of work holds: broadcasts and reductions must not depend on how
// they are cut. The cases of the operators are all smaller.
func TestSweep(t *testing.T) {
	shape := []int{70, 40, 60}
	at := func(s []int, i, j, k int) int { // place of an element in a tensor that is broadcast to shape
		place := 0
		for d, x := range []int{i, j, k} {
			if s[d] == 1 {
				x = 0
			}
			place = place*s[d] + x
		}
		return place
	}
	each := func(f func(i, j, k int)) {
		for i := range shape[0] {
			for j := range shape[1] {
				for k := range shape[2] {
					f(i, j, k)
				}
			}
		}
	}
	shapes := [][]int{shape, {70, 40, 1}, {70, 1, 60}, {1, 40, 60}, {1, 1, 60}, {1, 40, 1}, {70, 1, 1}, {1, 1, 1}}
	x := sequence(shape, 7919)
	truth := tensor.New(tensor.Bool, shape...)
	for i := range truth.Bytes() {
		truth.Bytes()[i] = byte(i * 7919 % 3 % 2)
	}
	for _, s := range shapes {
		y := sequence(s, 104729)
		for _, threads := range []int{1, 3} {
			diff := runOp(t, "Sub", threads, nil, x, y)
			less := runOp(t, "Less", threads, nil, y, x)
			most := runOp(t, "Max", threads, nil, y, x, y)
			where := runOp(t, "Where", threads, nil, truth, y, x)
			keep := runOp(t, "Where", threads, nil, truth, x, y)
			each(func(i, j, k int) {
				p := at(shape, i, j, k)
				a, b, c := x.I64()[p], y.I64()[at(s, i, j, k)], truth.Bytes()[p] != 0
				chosen, other := a, b
				if c {
					chosen, other = b, a
				}
				if diff.I64()[p] != a-b || tensor.Data[bool](less)[p] != (b < a) || most.I64()[p] != max(a, b) || where.I64()[p] != chosen || keep.I64()[p] != other {
					t.Fatalf("operand %v, %d threads: element %d %d %d is wrong", s, threads, i, j, k)
				}
			})
		}
	}
	for _, s := range shapes[1:] { // a dimension of 1 is one that is reduced
		var axes []int64
		for d := range shape {
			if s[d] == 1 {
				axes = append(axes, int64(d))
			}
		}
		sum, top := tensor.New(tensor.Int64, s...), tensor.New(tensor.Int64, s...)
		fill(top.I64(), -1<<62)
		each(func(i, j, k int) {
			v, p := x.I64()[at(shape, i, j, k)], at(s, i, j, k)
			sum.I64()[p] += v
			top.I64()[p] = max(top.I64()[p], v)
		})
		for _, threads := range []int{1, 3} {
			for name, want := range map[string]*tensor.Tensor{"ReduceSum": sum, "ReduceMax": top} {
				if diff := Compare(runOp(t, name, threads, nil, x, i64v(axes...)), want, 0, 0); diff != "" {
					t.Errorf("%s over %v, %d threads: %s", name, axes, threads, diff)
				}
			}
		}
	}
}

// TestSweepCancels tells that a long loop ends when its context does.
func TestSweepCancels(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := sweep(ctx, 2, 10*cheapGrain, cheapGrain, pieceFunc(func(int, int) { t.Error("work after the end") })); err == nil {
		t.Error("no error")
	}
}

// sequence fills a tensor with numbers in no order.
func sequence(shape []int, step int64) *tensor.Tensor {
	t := tensor.New(tensor.Int64, shape...)
	for i := range t.I64() {
		t.I64()[i] = int64(i)*step%1009 - 500
	}
	return t
}

// runOp runs an operator with inputs of which only the types are known.
func runOp(t *testing.T, name string, threads int, attrs []graph.Attr, in ...*tensor.Tensor) *tensor.Tensor {
	t.Helper()
	s := Lookup("", name, 20)
	n := s.Node(&Case{Attrs: attrs, In: in})
	site := siteOf(s, &Case{In: in, Opset: 20}, "types")
	site.Threads = threads
	out, _, err := evaluate(s, n, site, in)
	if err != nil {
		t.Fatal(name, fault.CodeOf(err), err)
	}
	return out[0]
}
