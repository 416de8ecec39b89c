package op

import "github.com/jarvis-ml/jarvis/model/tensor"

// Short makers of tensors for Cases.

// in lists tensors.
func in(t ...*tensor.Tensor) []*tensor.Tensor { return t }

// f64v is a float64 vector; Cases of differentiable operators use float64, which sharpens finite differences.
func f64v(v ...float64) *tensor.Tensor { return tensor.FromSlice(tensor.Float64, v) }

// f64s is a float64 tensor of a shape; a nil shape makes a scalar.
func f64s(shape []int, v ...float64) *tensor.Tensor { return shaped(tensor.Float64, shape, v) }

// f32v is a float32 vector.
func f32v(v ...float32) *tensor.Tensor { return tensor.Floats(v) }

// f32s is a float32 tensor of a shape; a nil shape makes a scalar.
func f32s(shape []int, v ...float32) *tensor.Tensor { return shaped(tensor.Float32, shape, v) }

// i64v is an int64 vector.
func i64v(v ...int64) *tensor.Tensor { return tensor.Ints(v) }

// i64s is an int64 tensor of a shape; a nil shape makes a scalar.
func i64s(shape []int, v ...int64) *tensor.Tensor { return shaped(tensor.Int64, shape, v) }

// i32v is an int32 vector.
func i32v(v ...int32) *tensor.Tensor { return tensor.FromSlice(tensor.Int32, v) }

// boolv is a bool vector.
func boolv(v ...bool) *tensor.Tensor { return tensor.FromSlice(tensor.Bool, v) }

// strv is a string vector.
func strv(v ...string) *tensor.Tensor { return tensor.Strings(v) }

// strs is a string tensor of a shape.
func strs(shape []int, v ...string) *tensor.Tensor { return tensor.Strings(v, shape...) }

func shaped[T tensor.Element](d tensor.DType, shape []int, v []T) *tensor.Tensor {
	t := tensor.New(d, shape...)
	if copy(tensor.Data[T](t), v) != t.Len() {
		panic("op: case with elements that do not fit its shape")
	}
	return t
}
