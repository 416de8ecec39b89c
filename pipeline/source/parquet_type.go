//go:build !js

package source

import (
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parquetType says how values of a column are read.
type parquetType struct {
	// number gives the value of a numeric column, false where float64 cannot hold it; nil for columns of texts.
	number func(parquet.Value) (float64, bool)
	// text appends the value as text.
	text func(parquet.Value, []byte) []byte
	// raw columns hold bytes without a meaning, texts or not.
	raw bool
	// wide columns can hold values for which number says false.
	wide bool
}

// typeOf returns how to read a column, or what it is that is not read.
func typeOf(c *parquet.Column, element *format.SchemaElement) (parquetType, string) {
	var logical format.LogicalTypeValue
	if l := c.Type().LogicalType(); l != nil {
		logical = l.Value
	}
	if _, half := element.LogicalType.Value.(*format.Float16Type); half { // the library has no type for it
		logical = element.LogicalType.Value
	}
	kind := c.Type().Kind()
	switch l := logical.(type) {
	case *format.DecimalType:
		if l.Scale < 0 || l.Scale > 1000 {
			return parquetType{}, "a decimal of an impossible scale"
		}
		return decimalType(kind, int(l.Scale)), ""
	case *format.DateType:
		return parquetType{text: func(v parquet.Value, b []byte) []byte {
			return time.Unix(int64(v.Int32())*86400, 0).UTC().AppendFormat(b, time.DateOnly)
		}}, ""
	case *format.TimeType:
		unit := unitOf(l.Unit)
		return parquetType{text: func(v parquet.Value, b []byte) []byte {
			n := v.Int64()
			if kind == parquet.Int32 {
				n = int64(v.Int32())
			}
			return instant(n, unit).AppendFormat(b, "15:04:05.999999999")
		}}, ""
	case *format.TimestampType:
		layout, unit := "2006-01-02T15:04:05.999999999", unitOf(l.Unit)
		if l.IsAdjustedToUTC {
			layout += "Z"
		}
		return parquetType{text: func(v parquet.Value, b []byte) []byte { return instant(v.Int64(), unit).AppendFormat(b, layout) }}, ""
	case *format.UUIDType:
		return parquetType{text: appendUUID}, ""
	case *format.IntType:
		if !l.IsSigned {
			return unsignedType(kind), ""
		}
	case *format.StringType, *format.EnumType, *format.JsonType:
		return parquetType{text: appendBytes}, ""
	case *format.BsonType:
		return parquetType{}, "BSON"
	case *format.GeometryType, *format.GeographyType:
		return parquetType{}, "a geometry"
	case *format.Float16Type:
		return floatType(func(v parquet.Value) float64 { return halfFloat(v.ByteArray()) }), ""
	}
	return physicalType(kind)
}

// physicalType reads a column without a logical type.
func physicalType(kind parquet.Kind) (parquetType, string) {
	switch kind {
	case parquet.Boolean:
		return parquetType{text: func(v parquet.Value, b []byte) []byte { return strconv.AppendBool(b, v.Boolean()) }}, ""
	case parquet.Int32:
		return parquetType{
			number: func(v parquet.Value) (float64, bool) { return float64(v.Int32()), true },
			text:   func(v parquet.Value, b []byte) []byte { return strconv.AppendInt(b, int64(v.Int32()), 10) },
		}, ""
	case parquet.Int64:
		return parquetType{
			wide: true,
			number: func(v parquet.Value) (float64, bool) {
				n := v.Int64()
				return float64(n), n >= -maxInteger && n <= maxInteger
			},
			text: func(v parquet.Value, b []byte) []byte { return strconv.AppendInt(b, v.Int64(), 10) },
		}, ""
	case parquet.Int96: // a timestamp of old writers: nanoseconds of the day, and the Julian day
		return parquetType{text: func(v parquet.Value, b []byte) []byte {
			n := v.Int96()
			t := time.Unix((int64(n[2])-2440588)*86400, int64(n[1])<<32|int64(n[0])).UTC()
			return t.AppendFormat(b, "2006-01-02T15:04:05.999999999")
		}}, ""
	case parquet.Float:
		return floatType(func(v parquet.Value) float64 { return float64(v.Float()) }), ""
	case parquet.Double:
		return floatType(parquet.Value.Double), ""
	case parquet.ByteArray:
		return parquetType{text: appendBytes, raw: true}, ""
	}
	return parquetType{}, "of fixed-length bytes without a meaning"
}

func floatType(get func(parquet.Value) float64) parquetType {
	return parquetType{
		number: func(v parquet.Value) (float64, bool) { return get(v), true },
		text: func(v parquet.Value, b []byte) []byte {
			if f := get(v); !math.IsNaN(f) {
				return appendNumber(b, f)
			}
			return b
		},
	}
}

func unsignedType(kind parquet.Kind) parquetType {
	get := func(v parquet.Value) uint64 {
		if kind == parquet.Int32 {
			return uint64(v.Uint32())
		}
		return v.Uint64()
	}
	return parquetType{
		wide:   kind == parquet.Int64,
		number: func(v parquet.Value) (float64, bool) { n := get(v); return float64(n), n <= maxInteger },
		text:   func(v parquet.Value, b []byte) []byte { return strconv.AppendUint(b, get(v), 10) },
	}
}

// decimalType reads unscaled·10^-scale through its decimal text, so that it rounds once.
func decimalType(kind parquet.Kind, scale int) parquetType {
	text := func(v parquet.Value, b []byte) []byte {
		var n *big.Int
		switch kind {
		case parquet.Int32:
			n = big.NewInt(int64(v.Int32()))
		case parquet.Int64:
			n = big.NewInt(v.Int64())
		default:
			raw := v.ByteArray()
			raw = raw[:min(len(raw), 512)]
			if n = new(big.Int).SetBytes(raw); len(raw) > 0 && raw[0] >= 0x80 { // two's complement
				n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
			}
		}
		return appendDecimal(b, n, scale)
	}
	return parquetType{text: text, number: func(v parquet.Value) (float64, bool) {
		f, err := strconv.ParseFloat(string(text(v, nil)), 64)
		return f, err == nil
	}, wide: true}
}

func appendDecimal(b []byte, n *big.Int, scale int) []byte {
	if n.Sign() < 0 {
		b = append(b, '-')
		n.Neg(n)
	}
	s := n.String()
	for len(s) <= scale {
		s = "0" + s
	}
	b = append(b, s[:len(s)-scale]...)
	if scale > 0 {
		b = append(append(b, '.'), s[len(s)-scale:]...)
	}
	return b
}

func unitOf(u format.TimeUnit) time.Duration {
	if u.Value == nil {
		return time.Millisecond
	}
	return u.Value.Duration()
}

// instant is n units after the epoch, without the overflow of n times the unit.
func instant(n int64, unit time.Duration) time.Time {
	perSecond := int64(time.Second / unit)
	seconds, rest := n/perSecond, n%perSecond
	return time.Unix(seconds, rest*int64(unit)).UTC()
}

func appendBytes(v parquet.Value, b []byte) []byte { return append(b, v.ByteArray()...) }

func appendUUID(v parquet.Value, b []byte) []byte {
	raw := v.ByteArray()
	if len(raw) != 16 {
		return hex.AppendEncode(b, raw)
	}
	for i, part := range [][]byte{raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}

// halfFloat reads an IEEE 754 half, little endian.
func halfFloat(b []byte) float64 {
	if len(b) != 2 {
		return math.NaN()
	}
	h := uint16(b[0]) | uint16(b[1])<<8
	exp, frac := int(h>>10&31), float64(h&1023)
	var f float64
	switch exp {
	case 0:
		f = math.Ldexp(frac, -24)
	case 31:
		if f = math.Inf(1); frac > 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(1024+frac, exp-25)
	}
	if h>>15 == 1 {
		f = -f
	}
	return f
}
