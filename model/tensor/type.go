package tensor

import "strconv"

// DType is an element type, numbered as ONNX TensorProto.DataType numbers it.
type DType uint8

// The element types of ONNX.
const (
	Undefined  DType = 0
	Float32    DType = 1
	Uint8      DType = 2
	Int8       DType = 3
	Uint16     DType = 4
	Int16      DType = 5
	Int32      DType = 6
	Int64      DType = 7
	String     DType = 8
	Bool       DType = 9
	Float16    DType = 10
	Float64    DType = 11
	Uint32     DType = 12
	Uint64     DType = 13
	Complex64  DType = 14
	Complex128 DType = 15
	BFloat16   DType = 16

	// Numbers of 8 bits and less; those of 4 and 2 bits are packed in files only, in memory each takes a byte.
	Float8E4M3FN   DType = 17
	Float8E4M3FNUZ DType = 18
	Float8E5M2     DType = 19
	Float8E5M2FNUZ DType = 20
	Uint4          DType = 21 // 0 to 15
	Int4           DType = 22 // -8 to 7, as an int8
	Float4E2M1     DType = 23 // the low 4 bits
	Float8E8M0     DType = 24
	Uint2          DType = 25 // 0 to 3
	Int2           DType = 26 // -2 to 1, as an int8
)

// The containers of ONNX, as element types of a Tensor that holds other tensors; no file knows these numbers.
const (
	Sequence DType = 64 // List holds the elements
	Optional DType = 65 // List holds nothing or one value
	Map      DType = 66 // List holds the keys, a vector, and the values: a vector, or a Sequence of them
)

var dtypes = [...]struct {
	name string
	size int
}{
	Undefined: {"undefined", 0}, Float32: {"float32", 4}, Uint8: {"uint8", 1}, Int8: {"int8", 1}, Uint16: {"uint16", 2},
	Int16: {"int16", 2}, Int32: {"int32", 4}, Int64: {"int64", 8}, String: {"string", 0}, Bool: {"bool", 1},
	Float16: {"float16", 2}, Float64: {"float64", 8}, Uint32: {"uint32", 4}, Uint64: {"uint64", 8},
	Complex64: {"complex64", 8}, Complex128: {"complex128", 16}, BFloat16: {"bfloat16", 2},
	Float8E4M3FN: {"float8e4m3fn", 1}, Float8E4M3FNUZ: {"float8e4m3fnuz", 1}, Float8E5M2: {"float8e5m2", 1}, Float8E5M2FNUZ: {"float8e5m2fnuz", 1},
	Uint4: {"uint4", 1}, Int4: {"int4", 1}, Float4E2M1: {"float4e2m1", 1}, Float8E8M0: {"float8e8m0", 1}, Uint2: {"uint2", 1}, Int2: {"int2", 1},
	Sequence: {"sequence", 0}, Optional: {"optional", 0}, Map: {"map", 0},
}

// Known reports whether d is an element type of ONNX: one of the types above, Undefined and the containers excepted.
func (d DType) Known() bool { return d != Undefined && d <= Int2 }

// Container reports whether d is Sequence, Optional or Map.
func (d DType) Container() bool { return d >= Sequence && d <= Map }

// Bits is the size of an element in a file: less than a byte for some, 0 for String and the containers.
func (d DType) Bits() int {
	switch d {
	case Uint4, Int4, Float4E2M1:
		return 4
	case Uint2, Int2:
		return 2
	}
	return 8 * d.Size()
}

// Size is the number of bytes of one element in memory; 0 for String and the containers.
func (d DType) Size() int {
	if int(d) >= len(dtypes) {
		return 0
	}
	return dtypes[d].size
}

// String gives the name that numpy uses: "float32", "int64", "string".
func (d DType) String() string {
	if int(d) >= len(dtypes) {
		return "dtype(" + strconv.Itoa(int(d)) + ")"
	}
	return dtypes[d].name
}

// Dim is one dimension of a Type: a fixed length, or Free with an optional symbolic name ("rows").
type Dim struct {
	Size int    // number of elements, or Free
	Name string // symbolic name of a free dimension; equal names mean equal lengths
}

// Free is the Size of a dimension that is known only when a model runs.
const Free = -1

// Type is what is known about a value before it exists: its element type and, unless Unranked, its dimensions.
type Type struct {
	DType    DType
	Dims     []Dim
	Unranked bool

	Key  DType // of a Map
	Elem *Type // of a container: its elements, or a map's values; nil where not known
}

// TypeOf makes a Type from sizes, Free for those not known.
func TypeOf(d DType, sizes ...int) Type {
	dims := make([]Dim, len(sizes))
	for i, n := range sizes {
		dims[i].Size = n
	}
	return Type{DType: d, Dims: dims}
}

// Rows makes the Type of a column-shaped value: (rows, sizes...), where rows is the symbolic batch dimension.
func Rows(d DType, sizes ...int) Type {
	t := TypeOf(d, append([]int{Free}, sizes...)...)
	t.Dims[0].Name = "rows"
	return t
}

// String gives "float32(rows, 3)", or "sequence(float32(rows, 3))".
func (t Type) String() string {
	if t.DType.Container() {
		s := t.DType.String() + "("
		if t.DType == Map {
			s += t.Key.String() + ", "
		}
		if t.Elem == nil {
			return s + "…)"
		}
		return s + t.Elem.String() + ")"
	}
	if t.Unranked {
		return t.DType.String() + "(…)"
	}
	s := t.DType.String() + "("
	for i, d := range t.Dims {
		if i > 0 {
			s += ", "
		}
		switch {
		case d.Size != Free:
			s += strconv.Itoa(d.Size)
		case d.Name != "":
			s += d.Name
		default:
			s += "?"
		}
	}
	return s + ")"
}

// Accepts reports whether a tensor of that element type and shape has this type. Symbolic names are not compared.
func (t Type) Accepts(d DType, shape []int) bool {
	if t.DType != d {
		return false
	}
	if t.Unranked || d.Container() {
		return true
	}
	if len(t.Dims) != len(shape) {
		return false
	}
	for i, dim := range t.Dims {
		if dim.Size != Free && dim.Size != shape[i] {
			return false
		}
	}
	return true
}
