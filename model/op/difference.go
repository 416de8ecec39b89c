package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Compare says how got differs from want, "" where it does not: types and shapes must be equal, texts too, and numbers closer than
// atol + rtol·|want|; NaN equals NaN.
func Compare(got, want *tensor.Tensor, rtol, atol float64) string {
	if got.DType() != want.DType() || shapeText(got.Shape()) != shapeText(want.Shape()) {
		return "got " + got.Type().String() + ", want " + want.Type().String()
	}
	for i, e := range want.List() {
		if why := Compare(got.List()[i], e, rtol, atol); why != "" {
			return "element " + itoa(int64(i)) + ": " + why
		}
	}
	if want.DType().Container() {
		return ""
	}
	for i, s := range want.Str() {
		if got.Str()[i] != s {
			return "element " + itoa(int64(i)) + ": got " + got.Str()[i] + ", want " + s
		}
	}
	if want.DType() == tensor.String {
		return ""
	}
	a, b := tensor.New(tensor.Float64, want.Len()), tensor.New(tensor.Float64, want.Len())
	if castInto(a, got) != nil || castInto(b, want) != nil {
		return "elements that cannot be compared"
	}
	for i, y := range tensor.Data[float64](b) {
		x := tensor.Data[float64](a)[i]
		if x != y && !(x != x && y != y) && !(math.Abs(x-y) <= atol+rtol*math.Abs(y)) {
			return "element " + itoa(int64(i)) + ": got " + formatFloat(x) + ", want " + formatFloat(y)
		}
	}
	return ""
}
