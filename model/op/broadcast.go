package op

import (
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// MaxRank is the largest number of dimensions of a tensor; shape arithmetic stays on the stack up to it. Reset refuses
// more, and an executor must not pass more in.
const MaxRank = 16

// broadcastDim joins two dimensions: equal lengths, or one of them 1.
func broadcastDim(x, y tensor.Dim) (tensor.Dim, bool) {
	switch {
	case x.Size == 1:
		return y, true
	case y.Size == 1 || x == y:
		return x, true
	case x.Size == tensor.Free && y.Size == tensor.Free:
		return free, true
	case x.Size == tensor.Free:
		return y, true
	case y.Size == tensor.Free || x.Size == y.Size:
		return x, true
	}
	return x, false
}

// broadcastTypes infers the shape of an elementwise operator (ONNX, "Multidirectional broadcasting"); the result has
// element type d. Absent inputs (zero types) do not count.
func broadcastTypes(n *graph.Node, d tensor.DType, in ...tensor.Type) (tensor.Type, error) {
	var dims []tensor.Dim
	for _, t := range in {
		if t.DType == tensor.Undefined {
			continue
		}
		if t.Unranked {
			return unranked(d), nil
		}
		for len(dims) < len(t.Dims) {
			dims = append([]tensor.Dim{{Size: 1}}, dims...)
		}
		at := len(dims) - len(t.Dims)
		for i, dim := range t.Dims {
			joined, ok := broadcastDim(dims[at+i], dim)
			if !ok {
				return tensor.Type{}, bad(n, "shapes do not broadcast: "+in[0].String()+" and "+t.String())
			}
			dims[at+i] = joined
		}
	}
	return tensor.Type{DType: d, Dims: dims}, nil
}

// broadcastShape appends the joint shape of a and b to dst.
func broadcastShape(op string, dst, a, b []int) ([]int, error) {
	rank := max(len(a), len(b))
	for i := range rank {
		x, y := 1, 1
		if j := i - (rank - len(a)); j >= 0 {
			x = a[j]
		}
		if j := i - (rank - len(b)); j >= 0 {
			y = b[j]
		}
		if x != y && x != 1 && y != 1 {
			return nil, misfit(op, "shapes do not broadcast: "+shapeText(a)+" and "+shapeText(b))
		}
		if x == 1 {
			x = y
		}
		dst = append(dst, x)
	}
	return dst, nil
}

// grid walks the elements of a shape together with up to three operands that are broadcast to it. Neighbouring
// dimensions that all operands walk alike are merged, so the innermost is as long as can be; there each operand's step
// is 0 (one element repeated) or 1.
type grid struct {
	rank  int
	dims  [MaxRank]int    // merged dimensions, innermost first
	step  [3][MaxRank]int // per operand and merged dimension: elements to move
	inner int             // length of the innermost dimension
	unit  [3]int          // step of each operand in it
}

// set prepares the walk of shape by operands of the given shapes, each of which broadcasts to it.
func (g *grid) set(shape []int, operands ...[]int) {
	g.rank = 0
	width := [3]int{1, 1, 1} // elements of each operand in the dimensions to the right
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] == 1 {
			continue
		}
		var step [3]int
		for k, s := range operands {
			if j := i - (len(shape) - len(s)); j >= 0 && s[j] != 1 {
				step[k] = width[k]
				width[k] *= s[j]
			}
		}
		g.push(shape[i], step)
	}
	g.finish()
}

// push adds a dimension outside of those that are there.
func (g *grid) push(n int, step [3]int) {
	last := g.rank - 1
	merge := last >= 0
	for k := range step {
		merge = merge && step[k] == g.step[k][last]*g.dims[last]
	}
	if merge {
		g.dims[last] *= n
		return
	}
	g.dims[g.rank] = n
	for k := range step {
		g.step[k][g.rank] = step[k]
	}
	g.rank++
}

// finish ends a series of pushes.
func (g *grid) finish() {
	if g.rank == 0 {
		g.push(1, [3]int{1, 1, 1})
	}
	g.inner = g.dims[0]
	for k := range g.unit {
		g.unit[k] = g.step[k][0]
	}
}

// part is g from lo to hi of its outermost dimension, and where each operand begins there.
func (g *grid) part(lo, hi int) (h grid, o [3]int) {
	h = *g
	last := g.rank - 1
	h.dims[last] = hi - lo
	h.inner = h.dims[0]
	for k := range o {
		o[k] = lo * g.step[k][last]
	}
	return h, o
}

// each calls f for every inner run: at is its place in the result, o the places in the operands.
func (g *grid) each(f func(at int, o [3]int)) {
	for _, n := range g.dims[:g.rank] {
		if n == 0 {
			return
		}
	}
	var idx [MaxRank]int
	var o [3]int
	for at := 0; ; at += g.inner {
		f(at, o)
		d := 1
		for ; d < g.rank; d++ {
			idx[d]++
			for k := range o {
				o[k] += g.step[k][d]
			}
			if idx[d] < g.dims[d] {
				break
			}
			for k := range o {
				o[k] -= g.step[k][d] * g.dims[d]
			}
			idx[d] = 0
		}
		if d >= g.rank {
			return
		}
	}
}
