//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// minifloat is a number of 8 or 4 bits: sign, exponent, mantissa. Values: https://onnx.ai/onnx/technical/float8.html and float4.html.
type minifloat struct {
	mantissa, bias int
	sign           uint8 // bit of the sign
	top            uint8 // code of the greatest finite number
	inf, nan       uint8 // codes; inf is nan where the format has no infinity
	unsigned0      bool  // "UZ": zero has no sign, and what would be -0 is the only NaN
	table          [256]float32
}

var (
	float8E4M3FN   = minifloat{mantissa: 3, bias: 7, sign: 0x80, top: 0x7e, inf: 0x7f, nan: 0x7f}
	float8E4M3FNUZ = minifloat{mantissa: 3, bias: 8, sign: 0x80, top: 0x7f, inf: 0x80, nan: 0x80, unsigned0: true}
	float8E5M2     = minifloat{mantissa: 2, bias: 15, sign: 0x80, top: 0x7b, inf: 0x7c, nan: 0x7e}
	float8E5M2FNUZ = minifloat{mantissa: 2, bias: 16, sign: 0x80, top: 0x7f, inf: 0x80, nan: 0x80, unsigned0: true}
	float4E2M1     = minifloat{mantissa: 1, bias: 1, sign: 8, top: 7, inf: 7, nan: 8} // neither infinity nor NaN: the ends stand for one, -0 for the other
	float8E8M0     [256]float32
)

func init() {
	for _, f := range []*minifloat{&float8E4M3FN, &float8E4M3FNUZ, &float8E5M2, &float8E5M2FNUZ, &float4E2M1} {
		for code := range f.table {
			f.table[code] = f.decode(uint8(code))
		}
	}
	for code := range float8E8M0 {
		float8E8M0[code] = math.Float32frombits(max(uint32(code)<<23, 1<<22)) // 2^(code-127); 2^-127 is subnormal
	}
	float8E8M0[255] = float32(math.NaN())
	castSmall, castNarrow = castFromSmall, castToSmall
}

// minifloatOf returns the format of a type, nil where it is none.
func minifloatOf(d tensor.DType) *minifloat {
	switch d {
	case tensor.Float8E4M3FN:
		return &float8E4M3FN
	case tensor.Float8E4M3FNUZ:
		return &float8E4M3FNUZ
	case tensor.Float8E5M2:
		return &float8E5M2
	case tensor.Float8E5M2FNUZ:
		return &float8E5M2FNUZ
	case tensor.Float4E2M1:
		return &float4E2M1
	}
	return nil
}

// decode is the value of a code.
func (f *minifloat) decode(code uint8) float32 {
	magnitude := code & (f.sign - 1)
	var v float64
	switch {
	case f.unsigned0 && code == f.nan, magnitude > f.top && magnitude != f.inf, f.inf == f.nan && magnitude == f.inf && magnitude > f.top:
		return float32(math.NaN())
	case magnitude > f.top:
		v = math.Inf(1)
	case magnitude>>f.mantissa == 0:
		v = math.Ldexp(float64(magnitude), 1-f.bias-f.mantissa)
	default:
		v = math.Ldexp(float64(magnitude&(1<<f.mantissa-1)|1<<f.mantissa), int(magnitude>>f.mantissa)-f.bias-f.mantissa)
	}
	if code&f.sign != 0 {
		v = -v
	}
	return float32(v)
}

// encode rounds to the nearest code, ties to even. What is too great becomes the greatest finite number where saturate is set, infinity
// (or NaN) elsewhere.
func (f *minifloat) encode(x float64, saturate bool) uint8 {
	var sign uint8
	if math.Signbit(x) && !f.unsigned0 {
		sign = f.sign
	}
	magnitude := math.Abs(x)
	if x != x {
		return f.nan | sign
	}
	if x == 0 {
		return sign
	}
	code := uint64(f.top) + 1
	if _, exp := math.Frexp(magnitude); exp-1 < 32 {
		exp = max(exp-1, 1-f.bias)
		steps := math.RoundToEven(math.Ldexp(magnitude, f.mantissa-exp))
		code = uint64(exp+f.bias-1)<<f.mantissa + uint64(steps) // a normal number's steps hold its leading one
	}
	if math.IsInf(x, 0) {
		code = uint64(f.top) + 1
	}
	switch {
	case code <= uint64(f.top) && code == 0:
		return sign
	case code <= uint64(f.top):
		if f.unsigned0 && x < 0 {
			sign = f.sign
		}
		return uint8(code) | sign
	case !saturate:
		return f.inf | sign
	}
	if x < 0 {
		sign = f.sign
	}
	return f.top | sign
}

// encodeE8M0 gives the exponent of a number that is not negative, in the way that mode tells. Below 2^-127 and above 2^127 it keeps to the
// ends where saturate is set; elsewhere they are NaN.
func encodeE8M0(x float32, saturate bool, mode string) uint8 {
	bits := math.Float32bits(x)
	code, fraction := bits>>23&0xff, bits&0x7fffff
	switch {
	case x != x:
		return 0xff
	case code == 0xff:
		if saturate {
			return 0xfe
		}
		return 0xff
	case !saturate && code == 0 && fraction < 1<<22:
		return 0xff
	}
	up := false
	switch mode {
	case "up":
		up = fraction != 0
	case "nearest":
		up = fraction > 1<<22 || fraction == 1<<22 && code > 0
	}
	if up && (!saturate || code != 0xfe) {
		code++
	}
	return uint8(code)
}

// castFromSmall is castSmall: from the floating-point types of a byte and less.
func castFromSmall(dst, src *tensor.Tensor, c casting) bool {
	table := smallTable(src.DType())
	if table == nil {
		return false
	}
	wide := castReals.take(src.Len())
	defer castReals.put(wide)
	for i, code := range src.Bytes() {
		(*wide)[i] = table[code]
	}
	convertTo(dst, *wide, c)
	return true
}

// castToSmall is castNarrow: to the floating-point types of a byte and less.
func castToSmall(dst *tensor.Tensor, wide []float64, c casting) {
	to, f := dst.Bytes(), minifloatOf(dst.DType())
	for i, x := range wide {
		if f == nil {
			to[i] = encodeE8M0(float32(x), c.saturate, c.mode)
		} else {
			to[i] = f.encode(x, c.saturate || f == &float4E2M1)
		}
	}
}

// smallTable lists the values of a floating-point type of a byte or less; nil for other types.
func smallTable(d tensor.DType) *[256]float32 {
	if f := minifloatOf(d); f != nil {
		return &f.table
	}
	if d == tensor.Float8E8M0 {
		return &float8E8M0
	}
	return nil
}
