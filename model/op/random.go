//go:build !lean

package op

import (
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// RandomUniform, RandomNormal (and Like: the shape and, without dtype, the type of x), Bernoulli (true with the probability x),
// Multinomial (classes drawn by their unnormalised logarithmic probabilities x (batch, classes)). How they draw: random_draw.go.
// https://onnx.ai/onnx/operators/onnx__RandomUniform.html and so on.
func init() {
	seed := graph.FloatAttr("seed", 3)
	spread := func(name string, attrs []string, like bool, draw func(*graph.Node) func(*twister) float64, cases ...Case) {
		s := &Spec{Name: name, Since: 1, Random: true, Attrs: append(attrs, "dtype", "seed"), Out: Arity{1, 1}, Cases: cases}
		if like {
			s.In = Arity{1, 1}
		} else {
			s.Attrs = append(s.Attrs, "shape")
		}
		s.Infer = func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			if err := kinds(n, graph.AttrFloat, attrs...); err != nil {
				return nil, err
			}
			return inferRandom(n, site, like)
		}
		s.Compile = func(n *graph.Node, site *Site) (Kernel, error) { return compileRandom(n, site, like, draw(n)) }
		register(s)
	}
	uniform := func(n *graph.Node) func(*twister) float64 {
		low, high := float64(n.Float("low", 0)), float64(n.Float("high", 1))
		return func(g *twister) float64 { return low + (high-low)*g.uniform() }
	}
	normal := func(n *graph.Node) func(*twister) float64 {
		mean, scale := float64(n.Float("mean", 0)), float64(n.Float("scale", 1))
		return func(g *twister) float64 { return mean + scale*g.normal() }
	}
	double := graph.IntAttr("dtype", int64(tensor.Float64))
	pair := graph.IntsAttr("shape", 1, 2)
	// Expected values are those of numpy.random.RandomState(3).
	spread("RandomUniform", []string{"low", "high"}, false, uniform,
		Case{Attrs: []graph.Attr{seed, double, pair}, Out: in(f64s([]int{1, 2}, .5507979025745755, .7081478226181048))},
		Case{Name: "range", Attrs: []graph.Attr{seed, pair, graph.FloatAttr("low", 10), graph.FloatAttr("high", 20)}, Out: in(f32s([]int{1, 2}, 15.507979, 17.081478))},
		Case{Name: "no seed", Attrs: []graph.Attr{pair}, Out: in(nil)},
		Case{Name: "absurd", Attrs: []graph.Attr{graph.IntsAttr("shape", 1<<40, 1<<40)}, Err: "2^40"})
	spread("RandomUniformLike", []string{"low", "high"}, true, uniform,
		Case{Attrs: []graph.Attr{seed}, In: in(f64s([]int{2, 1}, 0, 0)), Out: in(f64s([]int{2, 1}, .5507979025745755, .7081478226181048))})
	spread("RandomNormal", []string{"mean", "scale"}, false, normal,
		Case{Attrs: []graph.Attr{seed, double, pair}, Out: in(f64s([]int{1, 2}, 1.7886284734303186, .43650985051198943))})
	spread("RandomNormalLike", []string{"mean", "scale"}, true, normal,
		Case{Attrs: []graph.Attr{seed, double, graph.FloatAttr("mean", 1), graph.FloatAttr("scale", 10)}, In: in(strv("a")), Out: in(f64v(18.886284734303186))})

	register(&Spec{
		Name: "Bernoulli", Since: 15, Random: true, Attrs: []string{"dtype", "seed"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferBernoulli, Compile: compileBernoulli,
		Cases: []Case{
			{Attrs: []graph.Attr{seed}, In: in(f64v(0, 1, .3, .8)), Out: in(f64v(0, 1, 0, 1))},
			{Name: "bools", Attrs: []graph.Attr{graph.IntAttr("dtype", int64(tensor.Bool))}, In: in(f32v(0, 1)), Out: in(boolv(false, true))},
		},
	})
	register(&Spec{
		Name: "Multinomial", Since: 7, Random: true, Attrs: []string{"dtype", "sample_size", "seed"}, In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferMultinomial, Compile: compileMultinomial,
		Cases: []Case{
			{Attrs: []graph.Attr{graph.IntAttr("sample_size", 3)}, In: in(f32s([]int{2, 2}, 0, 500, 0, -500)), Out: in(tensor.FromSlice(tensor.Int32, []int32{1, 1, 1, 0, 0, 0}, 2, 3))},
			{Name: "thirds", Attrs: []graph.Attr{seed, graph.IntAttr("sample_size", 4), graph.IntAttr("dtype", int64(tensor.Int64))}, In: in(f64s([]int{1, 3}, 1, 1, 1)), Out: in(i64s([]int{1, 4}, 1, 2, 0, 1))},
			{Name: "no classes", In: in(f32s([]int{1, 0})), Err: "classes"},
		},
	})
}

// seeded reads the attribute seed.
func seeded(n *graph.Node) *source {
	return newSource(float64(n.Float("seed", 0)), n.Attr("seed") != nil)
}

func inferRandom(n *graph.Node, site *Site, like bool) ([]tensor.Type, error) {
	if err := kind(n, "seed", graph.AttrFloat); err != nil {
		return nil, err
	}
	t := tensor.Type{DType: tensor.Float32}
	if like {
		t = site.Types[0]
	} else {
		shape, err := randomShape(n)
		if err != nil {
			return nil, err
		}
		t = tensor.TypeOf(t.DType, shape...)
	}
	d, err := dtypeAttr(n, t.DType)
	if err != nil {
		return nil, err
	}
	t.DType = d
	return []tensor.Type{t}, oneOf(n, t, append(halfTypes[:2:2], floats...)...)
}

// dtypeAttr is the type that the attribute dtype names.
func dtypeAttr(n *graph.Node, d tensor.DType) (tensor.DType, error) {
	if err := kind(n, "dtype", graph.AttrInt); err != nil {
		return 0, err
	}
	v := n.Int("dtype", int64(d))
	if v < 1 || v > int64(tensor.BFloat16) {
		return 0, refuseAttr(n, "dtype", itoa(v))
	}
	return tensor.DType(v), nil
}

func randomShape(n *graph.Node) ([]int, error) {
	a := n.Attr("shape")
	if a == nil || a.Kind != graph.AttrInts {
		return nil, bad(n, "no shape")
	}
	list := n.Ints("shape")
	return sizesOf(n.Op, nil, tensor.Ints(list, len(list)))
}

func compileRandom(n *graph.Node, site *Site, like bool, draw func(*twister) float64) (Kernel, error) {
	types, err := inferRandom(n, site, like)
	if err != nil {
		return nil, err
	}
	d, from := types[0].DType, seeded(n)
	shape, _ := fixed(types[0])
	var slots scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		to := shape
		if like {
			to = in[0].Shape()
		}
		if err := Reset(ctx, out[0], d, to...); err != nil {
			return err
		}
		g := from.take()
		defer from.put(g)
		switch d {
		case tensor.Float32:
			return drawAll(ctx, out[0].F32(), g, draw)
		case tensor.Float64:
			return drawAll(ctx, tensor.Data[float64](out[0]), g, draw)
		}
		held := slots.take(1) // half precision is rounded from float32
		defer slots.put(held)
		wide := &(*held)[0]
		if err := Reset(ctx, wide, tensor.Float32, to...); err != nil {
			return err
		}
		if err := drawAll(ctx, wide.F32(), g, draw); err != nil {
			return err
		}
		return castInto(out[0], wide)
	}, nil
}

// drawAll fills dst in order.
func drawAll[T float](ctx context.Context, dst []T, g *twister, draw func(*twister) float64) error {
	for i := range dst {
		if i%dearGrain == 0 && ctx.Err() != nil {
			break
		}
		dst[i] = T(draw(g))
	}
	return ctx.Err()
}

func inferBernoulli(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "seed", graph.AttrFloat); err != nil {
		return nil, err
	}
	t := site.Types[0]
	if err := oneOf(n, t, append(halfTypes[:2:2], floats...)...); err != nil {
		return nil, err
	}
	d, err := dtypeAttr(n, t.DType)
	if err != nil {
		return nil, err
	}
	t.DType = d
	return []tensor.Type{t}, oneOf(n, t, append(append(halfTypes[:2:2], tensor.Bool), numbers...)...)
}

func compileBernoulli(n *graph.Node, site *Site) (Kernel, error) {
	types, err := inferBernoulli(n, site)
	if err != nil {
		return nil, err
	}
	d, from := types[0].DType, seeded(n)
	var slots scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		held := slots.take(1)
		defer slots.put(held)
		wide := &(*held)[0] // probabilities, then what was drawn by them
		if err := Reset(ctx, wide, tensor.Float64, in[0].Shape()...); err != nil {
			return err
		}
		if err := castInto(wide, in[0]); err != nil {
			return err
		}
		g := from.take()
		defer from.put(g)
		y := tensor.Data[float64](wide)
		for i, chance := range y {
			if i%dearGrain == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			if y[i] = 0; g.happens(chance) {
				y[i] = 1
			}
		}
		if err := Reset(ctx, out[0], d, in[0].Shape()...); err != nil {
			return err
		}
		return castInto(out[0], wide)
	}, nil
}

func inferMultinomial(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "seed", graph.AttrFloat); err != nil {
		return nil, err
	}
	if err := kind(n, "sample_size", graph.AttrInt); err != nil {
		return nil, err
	}
	samples := n.Int("sample_size", 1)
	if samples < 0 || samples > 1<<40 {
		return nil, bad(n, "a sample_size out of range")
	}
	t := site.Types[0]
	if err := oneOf(n, t, append(halfTypes[:2:2], floats...)...); err != nil {
		return nil, err
	}
	d, err := dtypeAttr(n, tensor.Int32)
	if err != nil {
		return nil, err
	}
	y := tensor.TypeOf(d, tensor.Free, int(samples))
	if !t.Unranked {
		if len(t.Dims) != 2 {
			return nil, bad(n, "an input that has not the shape (batch, classes)")
		}
		y.Dims[0] = t.Dims[0]
	}
	return []tensor.Type{y}, oneOf(n, y, indexTypes...)
}

func compileMultinomial(n *graph.Node, site *Site) (Kernel, error) {
	types, err := inferMultinomial(n, site)
	if err != nil {
		return nil, err
	}
	d, samples, from := types[0].DType, int(n.Int("sample_size", 1)), seeded(n)
	var slots scratch[tensor.Tensor]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		if len(shape) != 2 {
			return misfit("Multinomial", "an input that has not the shape (batch, classes): "+shapeText(shape))
		}
		batch, classes := shape[0], shape[1]
		if classes == 0 {
			return misfit("Multinomial", "no classes to draw from")
		}
		if err := Reset(ctx, out[0], d, batch, samples); err != nil {
			return err
		}
		held := slots.take(1)
		defer slots.put(held)
		wide := &(*held)[0]
		if err := Reset(ctx, wide, tensor.Float64, shape...); err != nil {
			return err
		}
		if err := castInto(wide, in[0]); err != nil {
			return err
		}
		g := from.take()
		defer from.put(g)
		for i := range batch {
			row := tensor.Data[float64](wide)[i*classes : (i+1)*classes]
			accumulate(row)
			for k := range samples {
				if k%dearGrain == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
				u := g.uniform() * row[classes-1]
				class := classAt(row, u)
				if at := i*samples + k; d == tensor.Int64 {
					out[0].I64()[at] = int64(class)
				} else {
					tensor.Data[int32](out[0])[at] = int32(class)
				}
			}
		}
		return nil
	}, nil
}

// accumulate turns logarithms into running sums of probabilities, up to a factor.
func accumulate(row []float64) {
	top := math.Inf(-1)
	for _, x := range row {
		top = max(top, x)
	}
	sum := 0.
	for i, x := range row {
		sum += math.Exp(x - top)
		row[i] = sum
	}
}

// classAt is the first class whose running sum passes u.
func classAt(row []float64, u float64) int {
	c, _ := slices.BinarySearchFunc(row, u, func(sum, u float64) int {
		if sum > u {
			return 1
		}
		return -1
	})
	return min(c, len(row)-1)
}
