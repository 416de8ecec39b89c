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

// plain is Pair in plain Go. Its loops take in the functions that they are given.
func (p Pairing) plain(dst, a, b []float32) {
	switch {
	case len(b) == 1:
		p.plainRight(dst, a, b[0])
	case len(a) == 1:
		p.plainLeft(dst, a[0], b)
	default:
		p.plainBoth(dst, a, b)
	}
}

func (p Pairing) plainBoth(dst, a, b []float32) {
	switch p {
	case Add:
		plainPairs(dst, a, b, func(x, y float32) float32 { return x + y })
	case Sub:
		plainPairs(dst, a, b, func(x, y float32) float32 { return x - y })
	case Mul:
		plainPairs(dst, a, b, func(x, y float32) float32 { return x * y })
	case Div:
		plainPairs(dst, a, b, func(x, y float32) float32 { return x / y })
	case Greater:
		plainPairs(dst, a, b, func(x, y float32) float32 { return max(x, y) })
	default:
		plainPairs(dst, a, b, func(x, y float32) float32 { return min(x, y) })
	}
}

func (p Pairing) plainRight(dst, a []float32, y float32) {
	switch p {
	case Add:
		plainEach(dst, a[:len(dst)], func(x float32) float32 { return x + y })
	case Sub:
		plainEach(dst, a[:len(dst)], func(x float32) float32 { return x - y })
	case Mul:
		plainEach(dst, a[:len(dst)], func(x float32) float32 { return x * y })
	case Div:
		plainEach(dst, a[:len(dst)], func(x float32) float32 { return x / y })
	case Greater:
		plainEach(dst, a[:len(dst)], func(x float32) float32 { return max(x, y) })
	default:
		plainEach(dst, a[:len(dst)], func(x float32) float32 { return min(x, y) })
	}
}

func (p Pairing) plainLeft(dst []float32, x float32, b []float32) {
	if p == Sub {
		plainEach(dst, b[:len(dst)], func(y float32) float32 { return x - y })
		return
	}
	plainEach(dst, b[:len(dst)], func(y float32) float32 { return x / y })
}

func plainEach(dst, src []float32, f func(x float32) float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = f(x)
	}
}

func plainPairs(dst, a, b []float32, f func(x, y float32) float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, x := range a {
		dst[i] = f(x, b[i])
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
