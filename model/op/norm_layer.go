//go:build !lean

package op

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// LayerNormalization: y = (x - mean)/√(var + epsilon)·Scale + B over the dimensions from axis on; Mean and InvStdDev, 1/√(var + epsilon),
// are further outputs. https://onnx.ai/onnx/operators/onnx__LayerNormalization.html
// RMSNormalization: y = x/√(mean of x² + epsilon)·scale. https://onnx.ai/onnx/operators/onnx__RMSNormalization.html
// stash_type names the precision of the statistics: at least that is used.
func init() {
	x := f64s([]int{2, 2}, 1, 3, 2, 6)
	eps := graph.FloatAttr("epsilon", 0)
	attrs := []string{"axis", "epsilon", "stash_type"}
	register(&Spec{Name: "LayerNormalization", Since: 17, Half: true, Float32Out: 6, Attrs: attrs, In: Arity{2, 3}, Out: Arity{1, 3}, Infer: inferLayerNorm, Compile: compileLayerNorm, Grad: gradLayerNorm(0), Cases: []Case{
		{Attrs: []graph.Attr{eps}, In: in(x, f64v(1, 2), f64v(0, 1)), Out: in(f64s([]int{2, 2}, -1, 3, -1, 3), f32s([]int{2, 1}, 2, 4), f32s([]int{2, 1}, 1, .5))},
		{Name: "axis 0", Attrs: []graph.Attr{eps, graph.IntAttr("axis", 0)}, In: in(f32s([]int{2, 2}, 0, 2, 0, 2), f32s([]int{2, 2}, 1, 2, 3, 4)), Out: in(f32s([]int{2, 2}, -1, 2, -3, 4), f32s([]int{1, 1}, 1), f32s([]int{1, 1}, 1))},
		{Name: "scale by row", Attrs: []graph.Attr{eps}, In: in(x, f64s([]int{2, 1}, 1, 2), f64v(5)), Out: in(f64s([]int{2, 2}, 4, 6, 3, 7))},
		{Name: "epsilon", Attrs: []graph.Attr{graph.FloatAttr("epsilon", 3)}, In: in(f64s([]int{1, 2}, 1, 3), f64v(1, 1)), Out: in(f64s([]int{1, 2}, -.5, .5))},
		{Name: "three", Attrs: []graph.Attr{graph.FloatAttr("epsilon", .5)}, In: in(f64s([]int{2, 3}, 1, 3, 8, 2, 6, 4), f64v(1, 2, -1), f64v(1, 2, 3)), Out: in(f64s([]int{2, 3}, 0.00913261138628, 1.33942174092, 1.67884348185, -0.123902973898, 4.2478059478, 3))},
		{Name: "misfit", In: in(x, f64v(1, 2, 3)), Err: "(3)"},
	}})
	root := math.Sqrt(5)
	register(&Spec{Name: "RMSNormalization", Since: 23, Half: true, HalfLike: []int{1}, Attrs: attrs, In: Arity{2, 2}, Out: Arity{1, 1}, Infer: inferLayerNorm, Compile: compileLayerNorm, Grad: gradLayerNorm(1), Cases: []Case{
		{Attrs: []graph.Attr{eps}, In: in(f64s([]int{1, 2}, 1, 3), f64v(1, 2)), Out: in(f64s([]int{1, 2}, 1/root, 6/root))},
		{Name: "three", Attrs: []graph.Attr{graph.FloatAttr("epsilon", .5)}, In: in(f64s([]int{2, 3}, 1, 3, 8, 2, 6, 4), f64v(1, 2, -1)), Out: in(f64s([]int{2, 3}, 0.199336648256, 1.19601988953, -1.59469318604, 0.456832192576, 2.74099315546, -0.913664385152))},
		{Name: "axis 0", Attrs: []graph.Attr{eps, graph.IntAttr("axis", 0)}, In: in(f64s([]int{2, 1}, 1, 3), f64s([]int{1, 1}, 2)), Out: in(f64s([]int{2, 1}, 2/root, 6/root))},
	}})
}

func inferLayerNorm(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "axis", "stash_type"); err != nil {
		return nil, err
	}
	if err := kind(n, "epsilon", graph.AttrFloat); err != nil {
		return nil, err
	}
	if err := normFloats(n, site); err != nil {
		return nil, err
	}
	if stash := n.Int("stash_type", 1); stash != 1 && (n.Op == "LayerNormalization" || stash != 10 && stash != 11 && stash != 16) {
		return nil, refuseAttr(n, "stash_type", itoa(stash))
	}
	x := site.Types[0]
	types := []tensor.Type{x}
	stats := unranked(tensor.Float32)
	if !x.Unranked {
		axis, err := axisOf(n.Op, n.Int("axis", -1), len(x.Dims))
		if err != nil {
			return nil, err
		}
		stats = tensor.Type{DType: tensor.Float32, Dims: append([]tensor.Dim{}, x.Dims...)}
		for i := axis; i < len(x.Dims); i++ {
			stats.Dims[i] = tensor.Dim{Size: 1}
		}
	}
	for range n.Outputs[1:] {
		types = append(types, stats)
	}
	return types, nil
}

func compileLayerNorm(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		return layerNormKernel(tensor.Data[float32], n, site), nil
	}
	return layerNormKernel(tensor.Data[float64], n, site), nil
}

// layerNorm is one call: rows of x, their scale and bias, nil where they are applied afterwards.
type layerNorm[T float] struct {
	ctx               context.Context
	y, x, scale, bias []T
	mean, inverse     []float32 // nil where nobody asks
	columns           int
	epsilon           float64
	rms               bool
}

func layerNormKernel[T float](data lane[T], node *graph.Node, site *Site) Kernel {
	wanted, epsilon, rms, threads := node.Int("axis", -1), normEpsilon(node), node.Op == "RMSNormalization", site.Threads
	var runs kept[layerNorm[T]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		axis, err := axisOf(node.Op, wanted, len(shape))
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[0], in[0].DType(), shape...); err != nil {
			return err
		}
		l := runs.take()
		defer runs.put(l)
		*l = layerNorm[T]{ctx: ctx, y: data(out[0]), x: data(in[0]), columns: normSize(shape[axis:]), epsilon: epsilon, rms: rms}
		if l.mean, err = layerStats(ctx, out, 1, shape, axis); err != nil {
			return err
		}
		if l.inverse, err = layerStats(ctx, out, 2, shape, axis); err != nil {
			return err
		}
		late := [2]*tensor.Tensor{}
		for i := 1; i < min(len(in), 3); i++ {
			switch {
			case in[i] == nil:
			case !layerFits(in[i].Shape(), shape):
				return misfit(node.Op, "scale or bias "+shapeText(in[i].Shape())+" does not broadcast to "+shapeText(shape))
			case in[i].Len() != l.columns || normSize(in[i].Shape()[max(0, in[i].Rank()-len(shape)+axis):]) != l.columns || i == 2 && late[0] != nil:
				late[i-1] = in[i]
			case i == 1:
				l.scale = data(in[i])
			default:
				l.bias = data(in[i])
			}
		}
		l.run(threads)
		if late[0] != nil {
			broadcastPair(l.y, shape, l.y, shape, data(late[0]), late[0].Shape(), mul)
		}
		if late[1] != nil {
			broadcastPair(l.y, shape, l.y, shape, data(late[1]), late[1].Shape(), add)
		}
		return ctx.Err()
	}
}

// layerFits reports whether a shape broadcasts to that of x without making it larger.
func layerFits(shape, x []int) bool {
	for i := range shape {
		j := i + len(x) - len(shape)
		if shape[i] != 1 && (j < 0 || shape[i] != x[j]) {
			return false
		}
	}
	return len(shape) <= len(x)
}

// layerStats makes the output i of statistics, one a row.
func layerStats(ctx context.Context, out []*tensor.Tensor, i int, shape []int, axis int) ([]float32, error) {
	if i >= len(out) || out[i] == nil {
		return nil, nil
	}
	var buf [MaxRank]int
	to := append(buf[:0], shape...)
	for k := axis; k < len(to); k++ {
		to[k] = 1
	}
	if err := Reset(ctx, out[i], tensor.Float32, to...); err != nil {
		return nil, err
	}
	return out[i].F32(), nil
}

// run does all rows.
func (l *layerNorm[T]) run(threads int) {
	if len(l.x) == 0 {
		fill(l.mean, float32(math.NaN()))
		fill(l.inverse, float32(math.NaN()))
		return
	}
	rows := len(l.x) / l.columns
	if threads < 2 || len(l.x) < 2*normGrain {
		l.Do(0, rows)
		return
	}
	spread(l.ctx, threads, rows, 1+normGrain/l.columns, l)
}

// Do does some rows.
func (l *layerNorm[T]) Do(lo, hi int) {
	for r := lo; r < hi; r++ {
		if r&63 == 0 && l.ctx.Err() != nil {
			return
		}
		x, y := l.x[r*l.columns:][:l.columns], l.y[r*l.columns:][:l.columns]
		var mean, inverse float64
		if l.rms {
			inverse = 1 / math.Sqrt(normSquares(x, 0)/float64(len(x))+l.epsilon)
		} else {
			mean, inverse = normMoments(x, l.epsilon)
		}
		normalizeRow(y, x, T(mean), T(inverse), l.scale, l.bias)
		if l.mean != nil {
			l.mean[r] = float32(mean)
		}
		if l.inverse != nil {
			l.inverse[r] = float32(inverse)
		}
	}
}

// normalizeRow writes (x - mean)·inverse·scale + bias; nil scale and bias do not count.
func normalizeRow[T float](y, x []T, mean, inverse T, scale, bias []T) {
	if v, ok := any(x).([]float32); ok {
		kernel.Normalize(any(y).([]float32), v, any(scale).([]float32), any(bias).([]float32), float32(mean), float32(inverse), 0)
		return
	}
	y = y[:len(x)]
	switch {
	case scale == nil:
		for i, v := range x {
			y[i] = (v - mean) * inverse
		}
		if bias != nil {
			bias = bias[:len(y)]
			for i, b := range bias {
				y[i] += b
			}
		}
	case bias == nil:
		scale = scale[:len(x)]
		for i, v := range x {
			y[i] = (v - mean) * inverse * scale[i]
		}
	default:
		scale, bias = scale[:len(x)], bias[:len(x)]
		for i, v := range x {
			y[i] = (v-mean)*inverse*scale[i] + bias[i]
		}
	}
}
