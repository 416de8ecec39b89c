//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Operators of gradients: what ONNX has no node for without knowing the rank. They read some inputs for their shape only.
//
//	ReduceTo(dy, x): dy summed over the dimensions along which x was broadcast, in the shape of x.
//	Restore(y, x, axes): a reduction y of x over axes, without those dimensions, gets them back with length 1.
//	Length(x; axes=[a]): the length of x along a, as a vector of one.
//	SliceGrad(dy, x, starts, ends, axes, steps): zeros like x, dy in the slice.
//	MatMulGrad(dy, a, b): the gradients of a and b for y = MatMul(a, b).
func init() {
	private := func(s Spec) { s.Domain, s.Since = Private, 1; register(&s) }
	private(Spec{Name: "ReduceTo", In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferAs(1), Compile: compileReduceTo, Simplify: simplifyReduceTo, Cases: []Case{
		{In: in(f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), f64v(0, 0, 0)), Out: in(f64v(5, 7, 9))},
		{Name: "column", In: in(f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6), f64s([]int{2, 1}, 0, 0)), Out: in(f64s([]int{2, 1}, 6, 15))},
		{Name: "scalar", In: in(f64v(1, 2), f64s(nil, 0)), Out: in(f64s(nil, 3))},
		{Name: "same", In: in(f64v(1, 2), f64v(0, 0)), Out: in(f64v(1, 2))},
	}})
	private(Spec{
		Name: "Restore", Attrs: []string{"noop_with_empty_axes"}, In: Arity{3, 3}, Out: Arity{1, 1}, View: true, Compile: compileRestore,
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			return []tensor.Type{unranked(site.Types[0].DType)}, nil
		},
		Cases: []Case{{In: in(f64v(1, 2), f64s([]int{2, 3}, 0, 0, 0, 0, 0, 0), i64v(-1)), Out: in(f64s([]int{2, 1}, 1, 2))}},
	})
	private(Spec{
		Name: "Length", Attrs: []string{"axes"}, In: Arity{1, 1}, Out: Arity{1, 1}, Compile: compileLength,
		Infer: func(*graph.Node, *Site) ([]tensor.Type, error) {
			return []tensor.Type{tensor.TypeOf(tensor.Int64, 1)}, nil
		},
		Cases: []Case{{Attrs: []graph.Attr{graph.IntsAttr("axes", -1)}, In: in(f64s([]int{1, 2}, 0, 0)), Out: in(i64v(2))}},
	})
	private(Spec{Name: "SliceGrad", In: Arity{4, 6}, Out: Arity{1, 1}, Infer: inferAs(1), Compile: compileSliceGrad, Cases: []Case{
		{In: in(f64v(1, 2), f64v(0, 0, 0, 0), i64v(3), i64v(-9), i64v(0), i64v(-2)), Out: in(f64v(0, 2, 0, 1))},
	}})
	private(Spec{
		Name: "MatMulGrad", In: Arity{3, 3}, Out: Arity{1, 2}, Compile: compileMatMulGrad,
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) { return site.Types[1:][:len(n.Outputs)], nil },
	})
}

// inferAs gives the output the type of input i, with the element type of input 0.
func inferAs(i int) func(*graph.Node, *Site) ([]tensor.Type, error) {
	return func(n *graph.Node, site *Site) ([]tensor.Type, error) {
		t := site.Types[i]
		t.DType = site.Types[0].DType
		return []tensor.Type{t}, oneOf(n, site.Types[0], floats...)
	}
}

// byFloat compiles a generic kernel for the element type of input 0.
func byFloat(n *graph.Node, site *Site, f32, f64 Kernel) (Kernel, error) {
	switch site.Types[0].DType {
	case tensor.Float32:
		return f32, nil
	case tensor.Float64:
		return f64, nil
	}
	return nil, refuse(n, site.Types[0].DType)
}

// simplifyReduceTo passes dy through where it surely has the shape of x already.
func simplifyReduceTo(n *graph.Node, site *Site) *graph.Node {
	dy, x := site.Types[0], site.Types[1]
	if dy.Unranked || x.Unranked || len(dy.Dims) != len(x.Dims) {
		return nil
	}
	for i, d := range dy.Dims {
		if d != x.Dims[i] || d.Size == tensor.Free && d.Name == "" {
			return nil
		}
	}
	return &graph.Node{Name: n.Name, Op: "Identity", Inputs: n.Inputs[:1], Outputs: n.Outputs}
}

func compileReduceTo(n *graph.Node, site *Site) (Kernel, error) {
	return byFloat(n, site, reduceToKernel(site.Threads, tensor.Data[float32]), reduceToKernel(site.Threads, tensor.Data[float64]))
}

func reduceToKernel[T float](threads int, data lane[T]) Kernel {
	var runs kept[sumRun[T]]
	var blocks rowSums[T]
	take := sumOf[T]().take
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		from, to := in[0].Shape(), in[1].Shape()
		var buf [MaxRank]int
		if joint, err := broadcastShape("ReduceTo", buf[:0], from, to); err != nil {
			return err
		} else if !slices.Equal(joint, from) {
			return misfit("ReduceTo", shapeText(to)+" was not broadcast to "+shapeText(from))
		}
		if err := Reset(ctx, out[0], in[0].DType(), to...); err != nil {
			return err
		}
		dst, src := data(out[0]), data(in[0])
		if len(dst) == len(src) {
			copy(dst, src)
			return nil
		}
		clear(dst)
		r := runs.take()
		defer runs.put(r)
		*r = sumRun[T]{dst: dst, src: src, take: take}
		r.grid.set(from, to, from)
		if g := &r.grid; g.rank == 2 && g.unit[0] == 1 && len(src) > sumBlock && g.inner <= sumBlock/4 {
			blocks.run(ctx, threads, dst, src, take)
			return ctx.Err()
		}
		if g := &r.grid; g.unit[0] == 1 && len(src) > cheapGrain { // a row: its elements are independent of each other
			spread(ctx, threads, g.inner, max(64, cheapGrain*g.inner/len(src)), r)
			return ctx.Err()
		}
		r.Do(0, r.grid.inner)
		return nil
	}
}

// sumRun sums src to dst.
type sumRun[T float] struct {
	dst, src []T
	take     func(dst, src []T)
	grid     grid
}

// Do sums the elements lo to hi of each run.
func (r *sumRun[T]) Do(lo, hi int) {
	if r.grid.unit[0] == 0 {
		r.grid.each(func(at int, o [3]int) { r.take(r.dst[o[0]:o[0]+1], r.src[at+lo:at+hi]) })
		return
	}
	r.grid.each(func(at int, o [3]int) { r.take(r.dst[o[0]+lo:o[0]+hi], r.src[at+lo:at+hi]) })
}

// sumBlock is about the number of elements of a block of rows.
const sumBlock = 1 << 15

// rowSums sums rows (n, w) to one (w), as the gradient of a bias does: each block of rows by itself and then the blocks, so that goroutines read what
// lies in order and the result does not depend on how many there are.
type rowSums[T float] struct {
	calls kept[rowSumsCall[T]]
	sums  scratch[T]
}

func (r *rowSums[T]) run(ctx context.Context, threads int, dst, src []T, take func(dst, src []T)) {
	w := len(dst)
	rows := sumBlock / w
	n := (len(src)/w + rows - 1) / rows
	sums := r.sums.take(n * w)
	c := r.calls.take()
	*c = rowSumsCall[T]{sums: *sums, src: src, w: w, block: rows * w, take: take}
	spread(ctx, threads, n, 1, c)
	for i := range n {
		take(dst, (*sums)[i*w:][:w])
	}
	r.calls.put(c)
	r.sums.put(sums)
}

// rowSumsCall is one run; sums (blocks, w).
type rowSumsCall[T float] struct {
	sums, src []T
	w, block  int // elements of a row, and of a block
	take      func(dst, src []T)
}

// Do sums the blocks from lo to hi.
func (c *rowSumsCall[T]) Do(lo, hi int) {
	for i := lo; i < hi; i++ {
		sum := c.sums[i*c.w:][:c.w]
		clear(sum)
		for at, end := i*c.block, min((i+1)*c.block, len(c.src)); at < end; at += c.w {
			c.take(sum, c.src[at:at+c.w])
		}
	}
}

// sumInto sums src (from) to dst (to), a shape that broadcasts to from.
func sumInto[T float](dst []T, to []int, src []T, from []int) {
	if len(dst) == len(src) {
		copy(dst, src)
		return
	}
	clear(dst)
	take := sumOf[T]().take
	var g grid
	g.set(from, to, from)
	w := runLength(g.unit[0], g.inner)
	g.each(func(at int, o [3]int) { take(dst[o[0]:o[0]+w], src[at:at+g.inner]) })
}

func compileRestore(n *graph.Node, _ *Site) (Kernel, error) {
	return func(_ context.Context, in, out []*tensor.Tensor) error {
		set, err := reduced(n, in[2].I64(), in[1].Rank())
		if err != nil {
			return err
		}
		var buf [MaxRank]int
		shape := append(buf[:0], in[1].Shape()...)
		count := 1
		for i := range shape {
			if set[i] {
				shape[i] = 1
			}
			count *= shape[i]
		}
		if count != in[0].Len() {
			return misfit("Restore", "not a reduction")
		}
		out[0].Alias(in[0], shape...)
		return nil
	}, nil
}

func compileLength(n *graph.Node, _ *Site) (Kernel, error) {
	axes := n.Ints("axes")
	if len(axes) != 1 {
		return nil, bad(n, "wants one axis")
	}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		axis, err := axisOf("Length", axes[0], in[0].Rank())
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], tensor.Int64, 1); err != nil {
			return err
		}
		out[0].I64()[0] = int64(in[0].Shape()[axis])
		return nil
	}, nil
}

func compileSliceGrad(*graph.Node, *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[1].Shape()
		c, err := cuts(shape, in[2:])
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		clear(out[0].Bytes())
		var sb, tb [MaxRank]int
		steps, to := strides(sb[:0], shape), tb[:len(shape)]
		from, count := 0, 1
		for i := range to {
			to[i] = c[i].length
			count *= to[i]
			from += c[i].start * steps[i]
		}
		if count != in[0].Len() {
			return misfit("SliceGrad", "shapes do not fit")
		}
		g := sliceGrid(to, steps, &c)
		g.step[0], g.step[1] = g.step[1], g.step[0] // now the slice is what is read
		g.unit[0], g.unit[1] = g.unit[1], g.unit[0]
		moveGrid(out[0], from, in[0], 0, &g)
		return nil
	}, nil
}

func compileMatMulGrad(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return matMulGrad(tensor.Data[float32], site), nil
	}
	return byFloat(n, site, nil, matMulGrad(tensor.Data[float64], site))
}

// matMulGrad adds up da (m, k) = dy·bᵀ and db (k, n) = aᵀ·dy over the batches, those that were broadcast in place.
func matMulGrad[T kernel.Number](data lane[T], site *Site) Kernel {
	g := &gemm[T]{threads: site.Threads}
	var runs kept[productGrads[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		dy, a, b := in[0], in[1], in[2]
		var bb [MaxRank]int
		p, batch, err := productOf("MatMulGrad", bb[:0], a.Shape(), b.Shape())
		if err != nil {
			return err
		}
		count := p.m * p.n
		for _, d := range batch {
			count *= d
		}
		if count != dy.Len() {
			return misfit("MatMulGrad", "shapes do not fit")
		}
		var grads [2][]T
		for i, x := range []*tensor.Tensor{a, b} {
			if i < len(out) && out[i] != nil {
				if err := Reset(ctx, out[i], x.DType(), x.Shape()...); err != nil {
					return err
				}
				grads[i] = data(out[i])
			}
		}
		x, y, z := data(a), data(b), data(dy)
		if b.Rank() <= 2 && p.k > 0 && p.n > 0 { // one matrix on the right: all batches are rows of one product
			rows := len(z) / p.n
			g.grads(ctx, g.threads, product{rows, p.k, p.n}, x, y, z, grads[0], grads[1], false)
			return ctx.Err()
		}
		r := runs.take()
		defer runs.put(r)
		*r = productGrads[T]{ctx: ctx, g: g, p: p, x: x, y: y, z: z, da: grads[0], db: grads[1]}
		r.w.set(batch, batchOf(a.Shape()), batchOf(b.Shape()))
		mk, kn := p.m*p.k, p.k*p.n
		if r.alone = len(z) == p.m*p.n*len(x)/max(mk, 1) && len(z) == p.m*p.n*len(y)/max(kn, 1); r.alone && r.w.rank == 1 && g.threads > 1 && r.w.inner >= g.threads {
			spread(ctx, g.threads, r.w.inner, 1+(1<<16)/max(p.m*p.k*p.n, 1), r)
			return ctx.Err()
		}
		if !r.alone {
			clear(grads[0])
			clear(grads[1])
		}
		r.all()
		return ctx.Err()
	}
}

// productGrads are the gradients of a batch of products.
type productGrads[T kernel.Number] struct {
	ctx             context.Context
	g               *gemm[T]
	p               product
	x, y, z, da, db []T
	w               grid
	alone           bool // no matrix was broadcast: each gradient is one product
}

// Do does some products of a batch of one dimension.
func (r *productGrads[T]) Do(lo, hi int) {
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		r.one(1, i, i*r.w.unit[0], i*r.w.unit[1])
	}
}

// all does one product after the other.
func (r *productGrads[T]) all() {
	r.w.each(func(at int, o [3]int) {
		for i := 0; i < r.w.inner && r.ctx.Err() == nil; i++ {
			r.one(r.g.threads, at+i, o[0]+i*r.w.unit[0], o[1]+i*r.w.unit[1])
		}
	})
}

// one does product number at of matrices a and b.
func (r *productGrads[T]) one(threads, at, a, b int) {
	mk, kn := r.p.m*r.p.k, r.p.k*r.p.n
	var da, db []T
	if r.da != nil {
		da = r.da[a*mk:]
	}
	if r.db != nil {
		db = r.db[b*kn:]
	}
	r.g.grads(r.ctx, threads, r.p, r.x[a*mk:], r.y[b*kn:], r.z[at*r.p.m*r.p.n:], da, db, !r.alone)
}

// grads makes the gradients of one product a (m, k) times b (k, n), or adds them; a nil one is not wanted.
func (g *gemm[T]) grads(ctx context.Context, threads int, p product, a, b, dy, da, db []T, add bool) {
	if da != nil {
		g.into(ctx, threads, p.m, p.n, p.k, dy, p.n, false, b, p.n, true, nil, da, p.k, add)
	}
	if db != nil {
		g.into(ctx, threads, p.k, p.m, p.n, a, p.k, true, dy, p.n, false, nil, db, p.n, add)
	}
}
