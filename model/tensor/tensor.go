// Package tensor holds n-d arrays: element type, shape and row-major data. It does no arithmetic; package op does.
//
// A numeric tensor is a block of little-endian bytes, so that the data of a model file can be used where it lies and
// one arena can back many tensors. Only little-endian targets are supported (amd64, arm64, riscv64, wasm).
package tensor

import (
	"runtime"
	"unsafe"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/memory"
)

// Element is a Go type that elements of a numeric tensor can be seen as. Float16 and BFloat16 are seen as uint16.
type Element interface {
	~float32 | ~float64 | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~bool | ~complex64 | ~complex128
}

// Tensor is an n-d array. The zero Tensor is an empty slot that Reset gives a type and memory.
// A Tensor is not safe for concurrent writes; concurrent reads are fine.
type Tensor struct {
	dtype DType
	shape []int
	raw   []byte    // elements of a numeric tensor
	str   []string  // elements of a String tensor
	list  []*Tensor // elements of a container
}

// New returns a zeroed tensor. It panics on a negative length or a size beyond the address space: shapes from outside
// go through Elements first.
func New(d DType, shape ...int) *Tensor {
	t := new(Tensor)
	t.Reset(d, shape...)
	clear(t.raw)
	return t
}

// FromSlice returns a tensor that uses data as its memory. Without a shape it is a vector.
// It panics when the shape does not hold len(data) elements: that is a defect of the caller.
func FromSlice[T Element](d DType, data []T, shape ...int) *Tensor {
	if len(shape) == 0 {
		shape = []int{len(data)}
	}
	var zero T
	size := int(unsafe.Sizeof(zero))
	if d.Size() != size || count(shape) != len(data) {
		panic("tensor: data does not fit " + d.String())
	}
	t := &Tensor{dtype: d, shape: append([]int(nil), shape...)}
	if len(data) > 0 {
		t.raw = unsafe.Slice((*byte)(unsafe.Pointer(&data[0])), len(data)*size)
	}
	return t
}

// Floats is FromSlice for float32.
func Floats(data []float32, shape ...int) *Tensor { return FromSlice(Float32, data, shape...) }

// Ints is FromSlice for int64.
func Ints(data []int64, shape ...int) *Tensor { return FromSlice(Int64, data, shape...) }

// Strings returns a String tensor that uses data as its memory. Without a shape it is a vector.
func Strings(data []string, shape ...int) *Tensor {
	if len(shape) == 0 {
		shape = []int{len(data)}
	}
	if count(shape) != len(data) {
		panic("tensor: data does not fit the shape")
	}
	return &Tensor{dtype: String, shape: append([]int(nil), shape...), str: data}
}

// unaligned tells whether the processor loads elements from any address.
const unaligned = runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64" || runtime.GOARCH == "wasm"

// FromBytes returns a tensor over raw little-endian bytes, without a copy where the processor can use them as they lie.
// Errors: fault.BadModel when the length does not fit type and shape.
func FromBytes(d DType, raw []byte, shape ...int) (*Tensor, error) {
	n, err := Elements(shape)
	if err != nil {
		return nil, err
	}
	if !d.Known() || d == String || n*d.Size() != len(raw) {
		return nil, fault.New(fault.BadModel, "raw data has a length that does not fit "+TypeOf(d, shape...).String())
	}
	if len(raw) > 0 && !unaligned && uintptr(unsafe.Pointer(&raw[0]))%uintptr(min(d.Size(), 8)) != 0 {
		raw = append(alloc(len(raw))[:0], raw...)
	}
	return &Tensor{dtype: d, shape: append([]int(nil), shape...), raw: raw}, nil
}

// Data returns the elements as []T, sharing memory. It panics when T has not the size of the tensor's elements.
func Data[T Element](t *Tensor) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if t.dtype.Size() != size {
		panic("tensor: " + t.dtype.String() + " seen as elements of another size")
	}
	if len(t.raw) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&t.raw[0])), len(t.raw)/size)
}

// F32 is Data[float32].
func (t *Tensor) F32() []float32 { return Data[float32](t) }

// I64 is Data[int64].
func (t *Tensor) I64() []int64 { return Data[int64](t) }

// Str returns the elements of a String tensor, sharing memory.
func (t *Tensor) Str() []string { return t.str }

// Bytes returns the memory of a numeric tensor, little-endian.
func (t *Tensor) Bytes() []byte { return t.raw }

// DType returns the element type.
func (t *Tensor) DType() DType { return t.dtype }

// Shape returns the dimensions; the caller must not change them.
func (t *Tensor) Shape() []int { return t.shape }

// Rank is the number of dimensions; 0 for a scalar.
func (t *Tensor) Rank() int { return len(t.shape) }

// Len is the number of elements; 1 for a scalar.
func (t *Tensor) Len() int { return count(t.shape) }

// Type returns the tensor's type, every dimension fixed; of a container, what its first element tells.
func (t *Tensor) Type() Type {
	if t.dtype.Container() {
		return containerType(t)
	}
	return TypeOf(t.dtype, t.shape...)
}

// Reset makes t a tensor of that type and shape, reusing its memory when it is large enough: a slot that is reset to
// the same size in every run allocates once. The elements are not cleared (strings are).
func (t *Tensor) Reset(d DType, shape ...int) {
	n := count(shape)
	t.dtype, t.list = d, nil
	t.shape = append(t.shape[:0], shape...)
	if d == String {
		t.raw = nil
		if cap(t.str) < n {
			t.str = make([]string, n)
		}
		t.str = t.str[:n]
		clear(t.str)
		return
	}
	t.str = nil
	size := n * d.Size()
	if cap(t.raw) < size {
		t.raw = alloc(size)
	}
	t.raw = t.raw[:size]
}

// Alias makes t show other's elements under a shape of the same length: a reshape without a copy.
// The memory that t had is dropped, so alias only slots that are aliases in every run.
func (t *Tensor) Alias(other *Tensor, shape ...int) {
	if count(shape) != other.Len() {
		panic("tensor: alias of another length")
	}
	t.dtype, t.raw, t.str, t.list = other.dtype, other.raw, other.str, other.list
	t.shape = append(t.shape[:0], shape...)
}

// Clone returns a copy with memory of its own.
func (t *Tensor) Clone() *Tensor {
	c := new(Tensor)
	if t.dtype.Container() {
		for i, e := range c.ResetList(t.dtype, len(t.list)) {
			*e = *t.list[i].Clone()
		}
		return c
	}
	c.Reset(t.dtype, t.shape...)
	copy(c.raw, t.raw)
	copy(c.str, t.str)
	return c
}

// Elements multiplies the dimensions of a shape that comes from outside.
// Errors: fault.Invalid for a negative length, fault.TooLarge when the product passes 2^40.
func Elements(shape []int) (int, error) {
	const limit = 1 << 40
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fault.New(fault.Invalid, "negative dimension")
		}
		if d != 0 && n > limit/d {
			return 0, fault.New(fault.TooLarge, "tensor of more than 2^40 elements")
		}
		n *= d
	}
	return n, nil
}

func count(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 {
			panic("tensor: negative dimension")
		}
		n *= d
	}
	return n
}

// alloc returns size bytes aligned to 8.
func alloc(size int) []byte {
	if size == 0 {
		return nil
	}
	words := memory.Make[uint64]((size + 7) / 8)
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), size)
}
