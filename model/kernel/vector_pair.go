package kernel

// Pairing is a function of two numbers.
type Pairing int

// The functions of two numbers. The greater and the less of NaN and a number is NaN.
const (
	Add Pairing = iota
	Sub
	Mul
	Div
	Greater
	Less
)

// Pair writes p(a, b) to dst (n), where a and b are (n), or (1) for a number that repeats. dst may be a or b.
func Pair(p Pairing, dst, a, b []float32) {
	n := len(dst)
	if n == 0 {
		return
	}
	if len(a) == 1 && len(b) == 1 {
		v := [1]float32{a[0]}
		p.plain(v[:], v[:], b)
		for i := range dst {
			dst[i] = v[0]
		}
		return
	}
	if len(a) == 1 && p != Sub && p != Div {
		a, b = b, a
	}
	if len(a) != 1 {
		a = a[:n]
	}
	if len(b) != 1 {
		b = b[:n]
	}
	if !pairMachine(p, dst, a, b) {
		p.plain(dst, a, b)
	}
}

func (p Pairing) plain(dst, a, b []float32) {
	switch p {
	case Add:
		plainPair(dst, a, b, func(x, y float32) float32 { return x + y })
	case Sub:
		plainPair(dst, a, b, func(x, y float32) float32 { return x - y })
	case Mul:
		plainPair(dst, a, b, func(x, y float32) float32 { return x * y })
	case Div:
		plainPair(dst, a, b, func(x, y float32) float32 { return x / y })
	case Greater:
		plainPair(dst, a, b, func(x, y float32) float32 { return max(x, y) })
	default:
		plainPair(dst, a, b, func(x, y float32) float32 { return min(x, y) })
	}
}

func plainPair(dst, a, b []float32, f func(x, y float32) float32) {
	switch {
	case len(b) == 1:
		y := b[0]
		for i, x := range a[:len(dst)] {
			dst[i] = f(x, y)
		}
	case len(a) == 1:
		x := a[0]
		for i, y := range b[:len(dst)] {
			dst[i] = f(x, y)
		}
	default:
		b = b[:len(dst)]
		for i, x := range a[:len(dst)] {
			dst[i] = f(x, b[i])
		}
	}
}

// LineEach writes src·a + b, element by element; all are as long as src.
func LineEach(dst, src, a, b []float32) {
	dst, a, b = dst[:len(src)], a[:len(src)], b[:len(src)]
	if len(src) == 0 || lineEachMachine(dst, src, a, b) {
		return
	}
	for i, x := range src {
		dst[i] = x*a[i] + b[i]
	}
}

// Normalize writes (x - mean)·inverse·scale + bias + shift. Without scale and bias, which may be nil, those do not count; bias and a shift
// that is not 0 exclude each other. All slices are as long as src.
func Normalize(dst, src, scale, bias []float32, mean, inverse, shift float32) {
	dst = dst[:len(src)]
	if scale != nil {
		scale = scale[:len(src)]
	}
	if bias != nil {
		bias = bias[:len(src)]
	}
	if scale == nil && bias != nil {
		Normalize(dst, src, nil, nil, mean, inverse, shift)
		Pair(Add, dst, dst, bias)
		return
	}
	if len(src) == 0 || normalizeMachine(dst, src, scale, bias, mean, inverse, shift) {
		return
	}
	switch {
	case scale == nil:
		for i, x := range src {
			dst[i] = (x-mean)*inverse + shift
		}
	case bias == nil:
		for i, x := range src {
			dst[i] = (x-mean)*inverse*scale[i] + shift
		}
	default:
		for i, x := range src {
			dst[i] = (x-mean)*inverse*scale[i] + bias[i]
		}
	}
}
