//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// The types that few models compute with: int8, int16 and the unsigned integers. Each operator's formula stands in its own file.
func init() {
	wider["Add"] = widePairs(add[int8], add[int16], add[uint8], add[uint16], add[uint32], add[uint64])
	wider["Sub"] = widePairs(sub[int8], sub[int16], sub[uint8], sub[uint16], sub[uint32], sub[uint64])
	wider["Mul"] = widePairs(mul[int8], mul[int16], mul[uint8], mul[uint16], mul[uint32], mul[uint64])
	wider["Div"] = widePairs(divInt[int8], divInt[int16], divInt[uint8], divInt[uint16], divInt[uint32], divInt[uint64])
	rem := widePairs(remInt[int8], remInt[int16], remInt[uint8], remInt[uint16], remInt[uint32], remInt[uint64])
	mod := widePairs(modInt[int8], modInt[int16], modInt[uint8], modInt[uint16], modInt[uint32], modInt[uint64])
	wider["Mod"] = func(n *graph.Node, site *Site) (Kernel, error) {
		if n.Int("fmod", 0) == 1 {
			return rem(n, site)
		}
		return mod(n, site)
	}

	wider["Equal"] = widePairs(equal[int8], equal[int16], equal[uint8], equal[uint16], equal[uint32], equal[uint64])
	wider["Less"] = widePairs(less[int8], less[int16], less[uint8], less[uint16], less[uint32], less[uint64])
	wider["LessOrEqual"] = widePairs(atMost[int8], atMost[int16], atMost[uint8], atMost[uint16], atMost[uint32], atMost[uint64])
	wider["Greater"] = widePairs(more[int8], more[int16], more[uint8], more[uint16], more[uint32], more[uint64])
	wider["GreaterOrEqual"] = widePairs(atLeast[int8], atLeast[int16], atLeast[uint8], atLeast[uint16], atLeast[uint32], atLeast[uint64])

	wider["Neg"] = wideUnary(neg[int8], neg[int16], neg[uint8], neg[uint16], neg[uint32], neg[uint64])
	wider["Abs"] = wideUnary(abs[int8], abs[int16], abs[uint8], abs[uint16], abs[uint32], abs[uint64])
	wider["Sign"] = wideUnary(sign[int8], sign[int16], sign[uint8], sign[uint16], sign[uint32], sign[uint64])
	wider["Relu"] = wideUnary(relu[int8], relu[int16], relu[uint8], relu[uint16], relu[uint32], relu[uint64])

	wider["Max"] = wideFolds(greatest[int8], greatest[int16], greatest[uint8], greatest[uint16], greatest[uint32], greatest[uint64])
	wider["Min"] = wideFolds(least[int8], least[int16], least[uint8], least[uint16], least[uint32], least[uint64])

	wider["ReduceSum"] = wideReductions(nil, nil, nil, nil, sumOf[uint32], sumOf[uint64])
	wider["ReduceMean"] = wideReductions(nil, nil, nil, nil, meanOf[uint32], meanOf[uint64])
	greatestOf := wideReductions(maxOf[int8](math.MinInt8), maxOf[int16](math.MinInt16), maxOf[uint8](0), maxOf[uint16](0), maxOf[uint32](0), maxOf[uint64](0))
	leastOf := wideReductions(minOf[int8](math.MaxInt8), minOf[int16](math.MaxInt16), minOf[uint8](math.MaxUint8), minOf[uint16](math.MaxUint16), minOf[uint32](math.MaxUint32), minOf[uint64](math.MaxUint64))
	wider["ReduceMax"], wider["ReduceMin"] = withBools(greatestOf, maxOf[uint8](0)), withBools(leastOf, minOf[uint8](1))

	wider["ArgMax"], wider["ArgMin"] = wideArg(1), wideArg(-1)
	wider["Clip"] = compileWideClip
}

// widePairs compiles a function of two numbers with a result R: a number of the same type, or bool.
func widePairs[R8, R16, U8, U16, U32, U64 tensor.Element](
	i8 pair[int8, R8], i16 pair[int16, R16], u8 pair[uint8, U8], u16 pair[uint16, U16], u32 pair[uint32, U32], u64 pair[uint64, U64],
) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d {
		case tensor.Int8:
			return widePair(n, site, i8), nil
		case tensor.Int16:
			return widePair(n, site, i16), nil
		case tensor.Uint8:
			return widePair(n, site, u8), nil
		case tensor.Uint16:
			return widePair(n, site, u16), nil
		case tensor.Uint32:
			return widePair(n, site, u32), nil
		case tensor.Uint64:
			return widePair(n, site, u64), nil
		default:
			return nil, refuse(n, d)
		}
	}
}

func widePair[T number, R tensor.Element](n *graph.Node, site *Site, f pair[T, R]) Kernel {
	d := site.Types[0].DType
	if _, truth := any(*new(R)).(bool); truth {
		d = tensor.Bool
	}
	return pairKernel(n.Op, site.Threads, tensor.Data[T], tensor.Data[R], d, f)
}

// wideUnary compiles a function of one number.
func wideUnary(
	i8 func(d, s []int8), i16 func(d, s []int16), u8 func(d, s []uint8), u16 func(d, s []uint16), u32 func(d, s []uint32), u64 func(d, s []uint64),
) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d {
		case tensor.Int8:
			return mapKernel(site.Threads, cheapGrain, tensor.Data[int8], tensor.Data[int8], d, i8), nil
		case tensor.Int16:
			return mapKernel(site.Threads, cheapGrain, tensor.Data[int16], tensor.Data[int16], d, i16), nil
		case tensor.Uint8:
			return mapKernel(site.Threads, cheapGrain, tensor.Data[uint8], tensor.Data[uint8], d, u8), nil
		case tensor.Uint16:
			return mapKernel(site.Threads, cheapGrain, tensor.Data[uint16], tensor.Data[uint16], d, u16), nil
		case tensor.Uint32:
			return mapKernel(site.Threads, cheapGrain, tensor.Data[uint32], tensor.Data[uint32], d, u32), nil
		case tensor.Uint64:
			return mapKernel(site.Threads, cheapGrain, tensor.Data[uint64], tensor.Data[uint64], d, u64), nil
		default:
			return nil, refuse(n, d)
		}
	}
}

// wideFolds compiles a function of any number of inputs.
func wideFolds(
	i8 pair[int8, int8], i16 pair[int16, int16], u8 pair[uint8, uint8], u16 pair[uint16, uint16], u32 pair[uint32, uint32], u64 pair[uint64, uint64],
) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d {
		case tensor.Int8:
			return foldKernel(n.Op, site.Threads, tensor.Data[int8], d, i8, nil), nil
		case tensor.Int16:
			return foldKernel(n.Op, site.Threads, tensor.Data[int16], d, i16, nil), nil
		case tensor.Uint8:
			return foldKernel(n.Op, site.Threads, tensor.Data[uint8], d, u8, nil), nil
		case tensor.Uint16:
			return foldKernel(n.Op, site.Threads, tensor.Data[uint16], d, u16, nil), nil
		case tensor.Uint32:
			return foldKernel(n.Op, site.Threads, tensor.Data[uint32], d, u32, nil), nil
		case tensor.Uint64:
			return foldKernel(n.Op, site.Threads, tensor.Data[uint64], d, u64, nil), nil
		default:
			return nil, refuse(n, d)
		}
	}
}

// wideReductions compiles a reduction.
func wideReductions(
	i8 func() reduction[int8], i16 func() reduction[int16], u8 func() reduction[uint8], u16 func() reduction[uint16],
	u32 func() reduction[uint32], u64 func() reduction[uint64],
) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d {
		case tensor.Int8:
			return reduceKernel(n, site, tensor.Data[int8], i8()), nil
		case tensor.Int16:
			return reduceKernel(n, site, tensor.Data[int16], i16()), nil
		case tensor.Uint8:
			return reduceKernel(n, site, tensor.Data[uint8], u8()), nil
		case tensor.Uint16:
			return reduceKernel(n, site, tensor.Data[uint16], u16()), nil
		case tensor.Uint32:
			return reduceKernel(n, site, tensor.Data[uint32], u32()), nil
		case tensor.Uint64:
			return reduceKernel(n, site, tensor.Data[uint64], u64()), nil
		default:
			return nil, refuse(n, d)
		}
	}
}

// withBools adds false < true, as the bytes 0 and 1.
func withBools(others compileFunc, truth func() reduction[uint8]) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		if site.Types[0].DType == tensor.Bool {
			return reduceKernel(n, site, tensor.Data[uint8], truth()), nil
		}
		return others(n, site)
	}
}

func wideArg(sign int) compileFunc {
	return func(n *graph.Node, site *Site) (Kernel, error) {
		switch d := site.Types[0].DType; d {
		case tensor.Int8:
			return argKernel(n, tensor.Data[int8], sign), nil
		case tensor.Int16:
			return argKernel(n, tensor.Data[int16], sign), nil
		case tensor.Uint8:
			return argKernel(n, tensor.Data[uint8], sign), nil
		case tensor.Uint16:
			return argKernel(n, tensor.Data[uint16], sign), nil
		case tensor.Uint32:
			return argKernel(n, tensor.Data[uint32], sign), nil
		case tensor.Uint64:
			return argKernel(n, tensor.Data[uint64], sign), nil
		default:
			return nil, refuse(n, d)
		}
	}
}

func compileWideClip(n *graph.Node, site *Site) (Kernel, error) {
	switch d := site.Types[0].DType; d {
	case tensor.Int8:
		return clipKernel[int8](site, tensor.Data[int8], math.MinInt8, math.MaxInt8), nil
	case tensor.Int16:
		return clipKernel[int16](site, tensor.Data[int16], math.MinInt16, math.MaxInt16), nil
	case tensor.Uint8:
		return clipKernel[uint8](site, tensor.Data[uint8], 0, math.MaxUint8), nil
	case tensor.Uint16:
		return clipKernel[uint16](site, tensor.Data[uint16], 0, math.MaxUint16), nil
	case tensor.Uint32:
		return clipKernel[uint32](site, tensor.Data[uint32], 0, math.MaxUint32), nil
	case tensor.Uint64:
		return clipKernel[uint64](site, tensor.Data[uint64], 0, math.MaxUint64), nil
	default:
		return nil, refuse(n, d)
	}
}
