//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// LpNormalization: y = x/‖x‖ along axis, the norm being Σ|x| (p=1) or √Σx² (p=2); 0 where the norm is 0.
// https://onnx.ai/onnx/operators/onnx__LpNormalization.html
// MeanVarianceNormalization: y = (x - mean)/(√var + 1e-9) over axes, by default 0, 2 and 3.
// https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html
// LRN: y = x/(bias + alpha/size·Σx²)^beta, the sum over size neighbouring channels. https://onnx.ai/onnx/operators/onnx__LRN.html
func init() {
	register(&Spec{Name: "LpNormalization", Since: 1, Half: true, Grad: gradLp, Attrs: []string{"axis", "p"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferLp, Compile: compileLp, Cases: []Case{
		{In: in(f64s([]int{2, 2}, 3, -4, 0, 0)), Out: in(f64s([]int{2, 2}, .6, -.8, 0, 0)), NoGrad: true},
		{Name: "p 2", In: in(f64s([]int{2, 2}, 3, -4, 4, 3)), Out: in(f64s([]int{2, 2}, .6, -.8, .8, .6))},
		{Name: "p 1", Attrs: []graph.Attr{graph.IntAttr("p", 1), graph.IntAttr("axis", 0)}, In: in(f64s([]int{2, 2}, 3, -4, -1, 1)), Out: in(f64s([]int{2, 2}, .75, -.8, -.25, .2))},
	}})
	register(&Spec{Name: "MeanVarianceNormalization", Since: 9, Half: true, Grad: gradMVN, Attrs: []string{"axes"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferMVN, Compile: compileMVN, Cases: []Case{
		{In: in(f64s([]int{2, 2, 1, 1}, 1, 2, 3, 6)), Out: in(f64s([]int{2, 2, 1, 1}, -1, -1, 1, 1))},
		{Name: "three", Attrs: []graph.Attr{graph.IntsAttr("axes", 0)}, In: in(f64s([]int{3, 1}, -2, 0, 2)), Out: in(f64s([]int{3, 1}, -1.224744871391589, 0, 1.224744871391589))},
		{Name: "axes", Attrs: []graph.Attr{graph.IntsAttr("axes", -1)}, In: in(f64s([]int{2, 2}, 1, 3, 2, 8)), Out: in(f64s([]int{2, 2}, -1, 1, -1, 1))},
	}})
	register(&Spec{Name: "LRN", Since: 1, Half: true, Grad: gradLRN, Attrs: []string{"alpha", "beta", "bias", "size"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferLRN, Compile: compileLRN, Cases: []Case{
		{Attrs: []graph.Attr{graph.IntAttr("size", 2), graph.FloatAttr("alpha", 2), graph.FloatAttr("beta", 1)}, In: in(f64s([]int{1, 3, 1}, 1, 2, 3)), Out: in(f64s([]int{1, 3, 1}, 1./6, 2./14, 3./10))},
		{Name: "defaults", Attrs: []graph.Attr{graph.IntAttr("size", 1)}, In: in(f64s([]int{1, 1, 1}, 100)), Out: in(f64s([]int{1, 1, 1}, 100/math.Pow(2, .75))), Tol: 1e-6},
	}})
}

func inferLp(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "axis", "p"); err != nil {
		return nil, err
	}
	if p := n.Int("p", 2); p != 1 && p != 2 {
		return nil, refuseAttr(n, "p", itoa(p))
	}
	if t := site.Types[0]; !t.Unranked {
		if _, err := axisOf(n.Op, n.Int("axis", -1), len(t.Dims)); err != nil {
			return nil, err
		}
	}
	return inferNorm(n, site)
}

func compileLp(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return lpKernel(tensor.Data[float32], n), nil
	}
	return lpKernel(tensor.Data[float64], n), nil
}

func lpKernel[T float](data lane[T], node *graph.Node) Kernel {
	wanted, p := node.Int("axis", -1), node.Int("p", 2)
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		axis, err := axisOf(node.Op, wanted, len(shape))
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		outer, inner := around(shape, axis)
		x, y, span := data(in[0]), data(out[0]), shape[axis]*inner
		if len(x) == 0 {
			return nil
		}
		for o := range outer {
			if err := ctx.Err(); err != nil {
				return err
			}
			for i := range inner {
				lpRow(y[o*span+i:(o+1)*span], x[o*span+i:(o+1)*span], inner, p)
			}
		}
		return nil
	}
}

// lpRow normalises the elements of x that lie step apart.
func lpRow[T float](y, x []T, step int, p int64) {
	var norm float64
	for i := 0; i < len(x); i += step {
		v := float64(x[i])
		if p == 1 {
			norm += math.Abs(v)
		} else {
			norm += v * v
		}
	}
	if p == 2 {
		norm = math.Sqrt(norm)
	}
	for i := 0; i < len(x); i += step {
		if norm == 0 {
			y[i] = 0
		} else {
			y[i] = T(float64(x[i]) / norm)
		}
	}
}

func inferMVN(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "axes", graph.AttrInts); err != nil {
		return nil, err
	}
	if t := site.Types[0]; !t.Unranked {
		if _, err := mvnAxes(n, len(t.Dims)); err != nil {
			return nil, err
		}
	}
	return inferNorm(n, site)
}

// mvnAxes marks the dimensions that are averaged over.
func mvnAxes(n *graph.Node, rank int) (over [MaxRank]bool, err error) {
	axes := n.Ints("axes")
	if n.Attr("axes") == nil {
		axes = []int64{0, 2, 3}
	}
	for _, a := range axes {
		i, err := axisOf(n.Op, a, min(rank, MaxRank))
		if err != nil {
			return over, err
		}
		over[i] = true
	}
	return over, nil
}

func compileMVN(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return mvnKernel(tensor.Data[float32], n), nil
	}
	return mvnKernel(tensor.Data[float64], n), nil
}

func mvnKernel[T float](data lane[T], node *graph.Node) Kernel {
	var reals scratch[float64]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		over, err := mvnAxes(node, len(shape))
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		var buf [MaxRank]int
		kept := append(buf[:0], shape...)
		for i := range kept {
			if over[i] {
				kept[i] = 1
			}
		}
		x, y, groups := data(in[0]), data(out[0]), normSize(kept)
		if len(x) == 0 {
			return nil
		}
		stats := reals.take(2 * groups)
		defer reals.put(stats)
		clear(*stats)
		mean, variance := (*stats)[:groups], (*stats)[groups:]
		share := float64(groups) / float64(len(x))
		var g grid
		g.set(shape, shape, kept)
		g.each(func(at int, o [3]int) {
			for i, v := range x[at : at+g.inner] {
				mean[o[1]+i*g.unit[1]] += float64(v) * share
			}
		})
		g.each(func(at int, o [3]int) {
			for i, v := range x[at : at+g.inner] {
				d := float64(v) - mean[o[1]+i*g.unit[1]]
				variance[o[1]+i*g.unit[1]] += d * d * share
			}
		})
		for i, v := range variance {
			variance[i] = 1 / (math.Sqrt(v) + 1e-9)
		}
		g.each(func(at int, o [3]int) {
			for i, v := range x[at : at+g.inner] {
				k := o[1] + i*g.unit[1]
				y[at+i] = T((float64(v) - mean[k]) * variance[k])
			}
		})
		return ctx.Err()
	}
}

func inferLRN(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrFloat, "alpha", "beta", "bias"); err != nil {
		return nil, err
	}
	if err := kind(n, "size", graph.AttrInt); err != nil {
		return nil, err
	}
	if size := n.Int("size", 0); size < 1 || size > 1<<30 {
		return nil, bad(n, "size is missing or out of range")
	}
	if t := site.Types[0]; !t.Unranked && len(t.Dims) < 2 {
		return nil, bad(n, "an input without channels: "+t.String())
	}
	return inferNorm(n, site)
}

func compileLRN(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return lrnKernel(tensor.Data[float32], n, site), nil
	}
	return lrnKernel(tensor.Data[float64], n, site), nil
}

func lrnKernel[T float](data lane[T], node *graph.Node, site *Site) Kernel {
	size, threads := int(node.Int("size", 1)), site.Threads
	factor, beta, bias := float64(node.Float("alpha", 1e-4))/float64(size), float64(node.Float("beta", .75)), float64(node.Float("bias", 1))
	var runs kept[lrnRun[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		if len(shape) < 2 {
			return misfit(node.Op, "an input without channels: "+shapeText(shape))
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		x, y, c, inner := data(in[0]), data(out[0]), shape[1], normSize(shape[2:])
		if len(x) == 0 {
			return nil
		}
		r := runs.take()
		defer runs.put(r)
		*r = lrnRun[T]{ctx, y, x, c, inner, size, factor, beta, bias}
		spread(ctx, threads, shape[0]*c, 1+normGrain/(inner*min(size, c)), r)
		return ctx.Err()
	}
}

// lrnRun is one call: y and x (n, c, inner).
type lrnRun[T float] struct {
	ctx                context.Context
	y, x               []T
	c, inner, size     int
	factor, beta, bias float64
}

func (l *lrnRun[T]) Do(lo, hi int) {
	for r := lo; r < hi && l.ctx.Err() == nil; r++ {
		k := r % l.c
		from, to := max(0, k-(l.size-1)/2), min(l.c-1, k+l.size/2)
		lrnRow(l.y[r*l.inner:][:l.inner], l.x[r*l.inner:], l.x[(r-k+from)*l.inner:(r-k+to+1)*l.inner], l.factor, l.beta, l.bias)
	}
}

// lrnRow normalises one channel x (len(y)) by the channels of window (…, len(y)).
func lrnRow[T float](y, x, window []T, factor, beta, bias float64) {
	clear(y)
	for ; len(window) > 0; window = window[len(y):] {
		for i, v := range window[:len(y)] {
			y[i] += v * v
		}
	}
	x = x[:len(y)]
	for i, sum := range y {
		base := bias + factor*float64(sum)
		if beta == .75 {
			root := math.Sqrt(base)
			y[i] = T(float64(x[i]) / (root * math.Sqrt(root)))
		} else {
			y[i] = T(float64(x[i]) / math.Pow(base, beta))
		}
	}
}
