package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Slice: y = x[starts:ends:steps] along axes. https://onnx.ai/onnx/operators/onnx__Slice.html
func init() {
	six := f64s([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	register(&Spec{Name: "Slice", Since: 10, In: Arity{3, 5}, Out: Arity{1, 1}, Infer: inferSlice, Compile: compileSlice, Grad: differentiable(gradSlice), Cases: tested(func() []Case {
		return []Case{
			{In: in(six, i64v(0, 1), i64v(1, 3)), Out: in(f64s([]int{1, 2}, 2, 3))},
			{Name: "axes and steps", In: in(six, i64v(0), i64v(1000), i64v(-1), i64v(2)), Out: in(f64s([]int{2, 2}, 1, 3, 4, 6))},
			{Name: "backwards", In: in(six, i64v(-1), i64v(-1000), i64v(1), i64v(-1)), Out: in(f64s([]int{2, 3}, 3, 2, 1, 6, 5, 4))},
			{Name: "negative", In: in(six, i64v(-2), i64v(-1), i64v(1)), Out: in(f64s([]int{2, 1}, 2, 5))},
			{Name: "nothing", In: in(six, i64v(2), i64v(1), i64v(1)), Out: in(f64s([]int{2, 0}))},
			{Name: "int32", In: in(strv("a", "b", "c"), i32v(1), i32v(3)), Out: in(strv("b", "c"))},
			{Name: "step 0", In: in(six, i64v(0), i64v(1), i64v(0), i64v(0)), Err: "step"},
		}
	})})
}

// cut is the part of one dimension that a slice takes.
type cut struct{ start, step, length int }

// cuts computes the cut of each dimension of shape; the tensors are starts, ends, axes, steps, the last two may be nil.
func cuts(shape []int, par []*tensor.Tensor) (c [MaxRank]cut, err error) {
	for i, d := range shape {
		c[i] = cut{0, 1, d}
	}
	var b [4][MaxRank]int64
	var v [4][]int64
	for k, t := range par {
		if t != nil {
			if t.Len() > MaxRank {
				return c, misfit("Slice", "more slices than dimensions")
			}
			v[k] = intsOf(b[k][:0], t)
		}
	}
	if len(v[0]) != len(v[1]) || v[2] != nil && len(v[2]) != len(v[0]) || v[3] != nil && len(v[3]) != len(v[0]) || len(v[0]) > len(shape) {
		return c, misfit("Slice", "starts, ends, axes and steps of different length")
	}
	axes := v[2]
	if axes == nil {
		axes = b[2][:0]
		for i := range v[0] {
			axes = append(axes, int64(i))
		}
	}
	if _, err := marks("Slice", axes, len(shape)); err != nil {
		return c, err
	}
	for i, a := range axes {
		axis, _ := axisOf("Slice", a, len(shape)) // marks has checked it
		step := int64(1)
		if v[3] != nil {
			step = v[3][i]
		}
		if step == 0 {
			return c, misfit("Slice", "a step of 0")
		}
		c[axis] = cutOf(int64(shape[axis]), v[0][i], v[1][i], step)
	}
	return c, nil
}

// cutOf clamps start and end as ONNX does: into [0, n] going up, [0, n-1] and [-1, n-1] going down.
func cutOf(n, start, end, step int64) cut {
	if n == 0 {
		return cut{0, 1, 0}
	}
	if start < 0 {
		start += n
	}
	if end < 0 {
		end += n
	}
	if step > 0 {
		start, end = min(max(start, 0), n), min(max(end, 0), n)
		if start >= end {
			return cut{0, 1, 0}
		}
		step = min(step, n)
		return cut{int(start), int(step), int((end - start + step - 1) / step)}
	}
	start, end = min(max(start, 0), n-1), min(max(end, -1), n-1)
	if start <= end {
		return cut{0, 1, 0}
	}
	step = max(step, -n)
	return cut{int(start), int(step), int((start - end - step - 1) / -step)}
}

func inferSlice(n *graph.Node, site *Site) ([]tensor.Type, error) {
	var par [4]*tensor.Tensor
	known := true
	for i := 1; i < len(n.Inputs); i++ {
		if n.Inputs[i] == "" {
			continue
		}
		if err := oneOf(n, site.Types[i], indexTypes...); err != nil {
			return nil, err
		}
		par[i-1] = site.constant(i)
		known = known && par[i-1] != nil
	}
	t := site.Types[0]
	if t.Unranked || len(t.Dims) > MaxRank {
		return []tensor.Type{unranked(t.DType)}, nil
	}
	out := tensor.Type{DType: t.DType, Dims: make([]tensor.Dim, len(t.Dims))}
	for i := range out.Dims {
		out.Dims[i] = free
	}
	if !known {
		return []tensor.Type{out}, nil
	}
	shape, whole := make([]int, len(t.Dims)), cut{0, 1, 1 << 40}
	for i, d := range t.Dims {
		if shape[i] = d.Size; d.Size == tensor.Free {
			shape[i] = whole.length
		}
	}
	c, err := cuts(shape, par[:])
	if err != nil {
		return nil, err
	}
	for i, d := range t.Dims {
		if d.Size != tensor.Free {
			out.Dims[i].Size = c[i].length
		} else if c[i] == whole {
			out.Dims[i] = d
		}
	}
	return []tensor.Type{out}, nil
}

func compileSlice(*graph.Node, *Site) (Kernel, error) {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		c, err := cuts(shape, in[1:])
		if err != nil {
			return err
		}
		var sb, tb [MaxRank]int
		steps, to := strides(sb[:0], shape), tb[:len(shape)]
		from := 0
		for i := range to {
			to[i] = c[i].length
			from += c[i].start * steps[i]
		}
		if err := Reset(ctx, out[0], in[0].DType(), to...); err != nil {
			return err
		}
		g := sliceGrid(to, steps, &c)
		moveGrid(out[0], 0, in[0], from, &g)
		return nil
	}, nil
}

// sliceGrid walks the slice (operand 0, dense) and the tensor that it is of (operand 1).
func sliceGrid(to, steps []int, c *[MaxRank]cut) (g grid) {
	width := 1
	for i := len(to) - 1; i >= 0; i-- {
		if to[i] != 1 {
			g.push(to[i], [3]int{width, steps[i] * c[i].step})
			width *= to[i]
		}
	}
	g.finish()
	return g
}

// dx = 0 but for the slice, where it is dy.
func gradSlice(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	ins := append([]graph.Value{dy[0], n.Inputs[0]}, n.Inputs[1:]...)
	dx := make([]graph.Value, len(n.Inputs))
	dx[0] = b.Node(Private, "SliceGrad", ins, 1)[0]
	return dx, nil
}
