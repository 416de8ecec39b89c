//go:build !lean

package op

import (
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// BatchNormGrad(dy, x, scale, mean, var, …; epsilon, training, spatial): the gradients of x, scale, bias, mean and var, for y = scale·z + bias with
// z = (x - mean)/√(var + epsilon) by channel. When training, mean and var are those of the batch, dx goes through them
// (dx = scale/√(var + epsilon)·(dy - Σdy/N - z·Σ(dy·z)/N); Ioffe and Szegedy, "Batch Normalization", 2015, section 3), and they have no gradients of
// their own; the inputs from 5 on are gradients of the further outputs: running mean and variance, mean and variance of the batch.
func init() {
	eps := graph.FloatAttr("epsilon", 0)
	x, c := f64s([]int{2, 1, 2}, 1, 2, 3, 6), f64v(1)
	register(&Spec{
		Domain: Private, Name: "BatchNormGrad", Since: 1, Half: true, Attrs: []string{"epsilon", "training", "spatial", "momentum"}, In: Arity{5, 9}, Out: Arity{1, 5},
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			t := site.Types
			return []tensor.Type{t[1], t[2], t[2], t[3], t[4]}[:len(n.Outputs)], oneOf(n, t[0], floats...)
		},
		Compile: func(n *graph.Node, site *Site) (Kernel, error) {
			return byFloat(n, site, batchNormGrad(n, site, tensor.Data[float32]), batchNormGrad(n, site, tensor.Data[float64]))
		},
		Cases: []Case{
			{Attrs: []graph.Attr{eps}, In: in(x, x, f64v(2), c, f64v(4)), Out: in(f64s([]int{2, 1, 2}, 1, 2, 3, 6), f64v(19), f64v(12), f64v(-12), f64v(-4.75))},
			{Name: "training", Attrs: []graph.Attr{eps, graph.IntAttr("training", 1)}, In: in(x, x, c, f64v(3), f64v(3.5)), Out: in(f64s([]int{2, 1, 2}, 0, 0, 0, 0))},
		},
	})
}

// gradBatchNorm is the gradient of the version since.
func gradBatchNorm(since int64) Gradient {
	return func(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
		attrs := []graph.Attr{graph.FloatAttr("epsilon", n.Float("epsilon", 1e-5)), graph.IntAttr("spatial", n.Int("spatial", 1))}
		y := dy[0]
		if y == "" {
			y = b.Op("Mul", n.Inputs[0], scalarLike(b, 0, n.Inputs[0]))
		}
		if !batchNormTrains(n, since) {
			return b.Node(Private, "BatchNormGrad", []graph.Value{y, n.Inputs[0], n.Inputs[1], n.Inputs[3], n.Inputs[4]}, 5, attrs...), nil
		}
		// The version of opset 9, which is the same, also gives mean and variance of the batch.
		outs := len(dy)
		mean, variance := keepOutput(b, n, 3, "mean"), keepOutput(b, n, 4, "var")
		if since >= 14 {
			n.Attrs = slices.DeleteFunc(slices.Clone(n.Attrs), func(a graph.Attr) bool { return a.Name == "training_mode" })
			n.Opsets = map[string]int64{"": 9}
		}
		momentum := n.Float("momentum", .9)
		in := []graph.Value{y, n.Inputs[0], n.Inputs[1], mean, variance}
		if outs > 1 && slices.ContainsFunc(dy[1:], func(v graph.Value) bool { return v != "" }) {
			in = append(in, dy[1:]...)
		}
		dx := b.Node(Private, "BatchNormGrad", in, 3, append(attrs, graph.IntAttr("training", 1), graph.FloatAttr("momentum", momentum))...)
		for i := 1; i < 3; i++ { // what ran before
			if i < outs && dy[i] != "" {
				dx = append(dx, b.Op("Mul", dy[i], scalarLike(b, momentum, dy[i])))
			} else {
				dx = append(dx, "")
			}
		}
		return dx, nil
	}
}

func batchNormGrad[T float](node *graph.Node, site *Site, data lane[T]) Kernel {
	epsilon, momentum := normEpsilon(node), float64(node.Float("momentum", .9))
	trains, spatial, threads := node.Int("training", 0) != 0, node.Int("spatial", 1) != 0, site.Threads
	var runs kept[batchBack[T]]
	var reals scratch[float64]
	var lines scratch[T]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		n, c, inner := batchNormSizes(in[1].Shape(), spatial)
		for i, t := range in {
			if i > 1 && t != nil {
				if err := normVector(node.Op, "an input", t, c); err != nil {
					return err
				}
			}
		}
		if in[0].Len() != in[1].Len() {
			return misfit(node.Op, "shapes do not fit")
		}
		for i, t := range out {
			if t != nil {
				like := in[[5]int{1, 2, 2, 3, 4}[i]]
				if err := Reset(ctx, t, like.DType(), like.Shape()...); err != nil {
					return err
				}
			}
		}
		sums := reals.take(2 * c)
		defer reals.put(sums)
		clear(*sums)
		r := runs.take()
		defer runs.put(r)
		*r = batchBack[T]{ctx: ctx, dy: data(in[0]), x: data(in[1]), n: n, c: c, inner: inner, in: in, trains: trains, epsilon: epsilon, momentum: momentum, sum: (*sums)[:c], with: (*sums)[c:]}
		if out[0] != nil {
			r.dx = data(out[0])
		}
		if len(r.x) > 0 && inner < batchFew {
			held := lines.take(3 * c * inner)
			defer lines.put(held)
			r.lines = *held
			wide := reals.take(2 * c * inner)
			defer reals.put(wide)
			r.wide = *wide
		}
		if len(r.x) > 0 {
			r.run(threads)
		}
		for i := 1; i < len(out); i++ {
			for k := range c {
				if out[i] != nil {
					setReal(out[i], k, r.grad(i, k))
				}
			}
		}
		return ctx.Err()
	}
}

func setReal(t *tensor.Tensor, i int, v float64) {
	if t.DType() == tensor.Float64 {
		tensor.Data[float64](t)[i] = v
	} else {
		t.F32()[i] = float32(v)
	}
}

// batchBack is one call: dx, dy and x (n, c, inner).
type batchBack[T float] struct {
	ctx               context.Context
	dx, dy, x         []T // dx is nil where nobody asks
	n, c, inner       int
	in                []*tensor.Tensor
	trains            bool
	epsilon, momentum float64
	sum, with         []float64 // by channel Σdy and Σdy·(x - mean)
	lines             []T       // (3, c·inner) for few places, else nil; so is
	wide              []float64 // (2, c·inner)
}

func (r *batchBack[T]) run(threads int) {
	if threads < 2 || len(r.x) < 2*normGrain {
		r.Do(0, r.c)
		return
	}
	spread(r.ctx, threads, r.c, max(1, normGrain/max(1, r.n*r.inner)), r)
}

func (r *batchBack[T]) inverse(k int) float64 {
	return 1 / math.Sqrt(normReal(r.in[4], k)+r.epsilon)
}

// grad is the gradient i of channel k: of scale, bias, mean and variance.
func (r *batchBack[T]) grad(i, k int) float64 {
	inverse := r.inverse(k)
	switch i {
	case 1:
		return r.with[k] * inverse
	case 2:
		return r.sum[k]
	case 3:
		return -r.sum[k] * inverse * normReal(r.in[2], k)
	}
	return -.5 * r.with[k] * normReal(r.in[2], k) * inverse * inverse * inverse
}

// line gives dx = a·dy + b·x + c of channel k.
func (r *batchBack[T]) line(k int) (a, b, c float64) {
	inverse, mean, count := r.inverse(k), normReal(r.in[3], k), float64(r.n*r.inner)
	a = normReal(r.in[2], k) * inverse
	if !r.trains {
		return a, 0, 0
	}
	b, c = -a*inverse*inverse*r.with[k]/count, -a*r.sum[k]/count
	for i := 5; i < len(r.in); i++ { // gradients of running mean, running variance, mean and variance
		if r.in[i] == nil {
			continue
		}
		d := normReal(r.in[i], k) / count
		if i < 7 {
			d *= 1 - r.momentum
		}
		if i%2 == 1 {
			c += d
		} else {
			b += 2 * d
		}
	}
	return a, b, c - b*mean
}

// Do does the channels lo to hi.
func (r *batchBack[T]) Do(lo, hi int) {
	if r.lines != nil {
		step := max(1, 1024/r.inner)
		for ; lo < hi && r.ctx.Err() == nil; lo += step {
			r.columns(lo, min(hi, lo+step))
		}
		return
	}
	for k := lo; k < hi && r.ctx.Err() == nil; k++ {
		mean := T(normReal(r.in[3], k))
		for i := range r.n {
			at := (i*r.c + k) * r.inner
			sum, with := backMoments(r.dy[at:], r.x[at:][:r.inner], nil, mean)
			r.sum[k], r.with[k] = r.sum[k]+sum, r.with[k]+with
		}
		if r.dx == nil {
			continue
		}
		a, b, c := r.line(k)
		for i := range r.n {
			at := (i*r.c + k) * r.inner
			backBlend(r.dx[at:], r.dy[at:], r.x[at:][:r.inner], T(a), T(b), T(c))
		}
	}
}

// columns does the channels lo to hi, each place of them by itself until the sums are there.
func (r *batchBack[T]) columns(lo, hi int) {
	from, width, all := lo*r.inner, (hi-lo)*r.inner, r.c*r.inner
	lineA, lineB, lineC := r.lines[from:][:width], r.lines[all+from:][:width], r.lines[2*all+from:][:width]
	sum, with := r.wide[from:][:width], r.wide[all+from:][:width]
	clear(sum)
	clear(with)
	for k := range width {
		lineC[k] = T(normReal(r.in[3], lo+k/r.inner))
	}
	for i := 0; i < r.n; {
		clear(lineA)
		clear(lineB)
		for end := min(r.n, i+batchFlush); i < end; i++ {
			backColumns(lineA, lineB, r.dy[i*all+from:], r.x[i*all+from:][:width], lineC)
		}
		for k := range width {
			sum[k] += float64(lineA[k])
			with[k] += float64(lineB[k])
		}
	}
	for k := range width {
		r.sum[lo+k/r.inner] += sum[k]
		r.with[lo+k/r.inner] += with[k]
	}
	if r.dx == nil {
		return
	}
	for k := lo; k < hi; k++ {
		a, b, c := r.line(k)
		at := (k - lo) * r.inner
		fill(lineA[at:at+r.inner], T(a))
		fill(lineB[at:at+r.inner], T(b))
		fill(lineC[at:at+r.inner], T(c))
	}
	for i := range r.n {
		at := i*all + from
		dx := r.dx[at:][:width]
		normLineEach(dx, r.x[at:][:width], lineB, lineC)
		addProducts(dx, r.dy[at:][:width], lineA)
	}
}

// addProducts adds a·x to dst, element by element.
func addProducts[T float](dst, x, a []T) { normLineEach(dst, x, a, dst) }

// backMoments returns Σdy and Σdy·(x - mean), with dy·scale for dy where scale is not nil.
func backMoments[T float](dy, x, scale []T, mean T) (sum, with float64) {
	if v, ok := any(x).([]float32); ok {
		return kernel.Moments(any(dy).([]float32), v, any(scale).([]float32), float32(mean))
	}
	for i, v := range x {
		d := float64(dy[i])
		if scale != nil {
			d *= float64(scale[i])
		}
		sum += d
		with += d * float64(v-mean)
	}
	return sum, with
}

// backBlend writes a·dy + b·x + c.
func backBlend[T float](dx, dy, x []T, a, b, c T) {
	if v, ok := any(x).([]float32); ok {
		kernel.Blend(any(dx).([]float32), any(dy).([]float32)[:len(v)], v, float32(a), float32(b), float32(c))
		return
	}
	for i, v := range x {
		dx[i] = a*dy[i] + b*v + c
	}
}

// backColumns adds dy to sum and dy·(x - mean) to with, element by element.
func backColumns[T float](sum, with, dy, x, mean []T) {
	if v, ok := any(x).([]float32); ok {
		kernel.Columns(any(sum).([]float32), any(with).([]float32), any(dy).([]float32), v, any(mean).([]float32))
		return
	}
	for i, v := range x {
		sum[i] += dy[i]
		with[i] += dy[i] * (v - mean[i])
	}
}
