//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// IsInf: which elements are infinite; either sign can be left out. https://onnx.ai/onnx/operators/onnx__IsInf.html
// IsNaN and IsInf of float8: E4M3FN has no infinity, the FNUZ types neither that nor a signed NaN.
func init() {
	inf := math.Inf(1)
	register(&Spec{
		Name: "IsInf", Since: 10, Half: true, Attrs: []string{"detect_negative", "detect_positive"}, In: Arity{1, 1}, Out: Arity{1, 1}, Compile: compileIsInf,
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
			if err := kinds(n, graph.AttrInt, "detect_negative", "detect_positive"); err != nil {
				return nil, err
			}
			t := site.Types[0]
			if err := oneOf(n, t, nanTypes...); err != nil {
				return nil, err
			}
			t.DType = tensor.Bool
			return []tensor.Type{t}, nil
		},
		Cases: []Case{
			{In: in(f64v(1, inf, -inf, math.NaN())), Out: in(boolv(false, true, true, false))},
			{Name: "positive", Attrs: []graph.Attr{graph.IntAttr("detect_negative", 0)}, In: in(f64v(1, inf, -inf)), Out: in(boolv(false, true, false))},
			{Name: "negative", Attrs: []graph.Attr{graph.IntAttr("detect_positive", 0)}, In: in(f32v(1, float32(inf), float32(-inf))), Out: in(boolv(false, false, true))},
			{Name: "float8", In: in(tensor.FromSlice(tensor.Float8E5M2, []uint8{0x7c, 0xfc, 0x7d, 0})), Out: in(boolv(true, true, false, false))},
		},
	})
	wider["IsNaN"] = func(n *graph.Node, site *Site) (Kernel, error) {
		nan := func(x uint8) bool { return x == 0x80 } // the FNUZ types
		switch site.Types[0].DType {
		case tensor.Float8E4M3FN:
			nan = func(x uint8) bool { return x&0x7f == 0x7f }
		case tensor.Float8E5M2:
			nan = func(x uint8) bool { return x&0x7f > 0x7c }
		}
		return bytesTo(nan), nil
	}
}

// bytesTo tells something about single bytes.
func bytesTo(f func(uint8) bool) Kernel {
	return unaryKernel(tensor.Data[uint8], tensor.Data[bool], tensor.Bool, func(dst []bool, src []uint8) {
		for i, x := range src {
			dst[i] = f(x)
		}
	})
}

func compileIsInf(n *graph.Node, site *Site) (Kernel, error) {
	below, above := n.Int("detect_negative", 1) != 0, n.Int("detect_positive", 1) != 0
	switch d := site.Types[0].DType; d {
	case tensor.Float32:
		return mapKernel(site.Threads, cheapGrain, tensor.Data[float32], tensor.Data[bool], tensor.Bool, isInf[float32](below, above)), nil
	case tensor.Float64:
		return mapKernel(site.Threads, cheapGrain, tensor.Data[float64], tensor.Data[bool], tensor.Bool, isInf[float64](below, above)), nil
	default:
		return bytesTo(func(x uint8) bool { return d == tensor.Float8E5M2 && (above && x == 0x7c || below && x == 0xfc) }), nil
	}
}

func isInf[T float](below, above bool) func(dst []bool, src []T) {
	inf := T(math.Inf(1))
	return func(dst []bool, src []T) {
		dst = dst[:len(src)]
		for i, x := range src {
			dst[i] = above && x == inf || below && x == -inf
		}
	}
}
