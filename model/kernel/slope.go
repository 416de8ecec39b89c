package kernel

import "math"

// Slope is the way back over a function of one number.
type Slope int

// Slopes of functions y(x), written from x or y.
const (
	SlopeWithin    Slope = iota // c·dy where a < x < b: of whatever is bounded
	SlopeLeaky                  // dy, or a·dy where x < 0
	SlopeSigmoid                // dy·y·(1 - y)
	SlopeTanh                   // dy·(1 - y²)
	SlopeSilu                   // of x·sigmoid(a·x)
	SlopeGelu                   // of x·Φ(x)
	SlopeGeluTanh               // of its approximation by tanh
	SlopeHardSwish              // of x·max(0, min(1, x/6 + 1/2))
)

// Back writes dy·y'(x) from v, which is x or y as the constant says. dst may be v or dy.
func (s Slope) Back(dst, v, dy []float32, a, b, c float32) {
	dst, dy = dst[:len(v)], dy[:len(v)]
	if len(v) > 0 && !slopeMachine(s, dst, v, dy, a, b, c) {
		s.plain(dst, v, dy, a, b, c)
	}
}

// plain is Back in plain Go.
func (s Slope) plain(dst, v, dy []float32, a, b, c float32) {
	switch s {
	case SlopeWithin:
		for i, x := range v {
			var d float32
			if x > a && x < b {
				d = c * dy[i]
			}
			dst[i] = d
		}
	case SlopeLeaky:
		for i, x := range v {
			d := dy[i]
			if math.Signbit(float64(x)) {
				d *= a
			}
			dst[i] = d
		}
	case SlopeSigmoid:
		plainPairs(dst, v, dy, func(y, d float32) float32 { return d * y * (1 - y) })
	case SlopeTanh:
		plainPairs(dst, v, dy, func(y, d float32) float32 { return d - d*y*y })
	case SlopeSilu:
		plainPairs(dst, v, dy, func(x, d float32) float32 { return d * plainSiluSlope(a*x) })
	case SlopeGelu:
		plainPairs(dst, v, dy, func(x, d float32) float32 { return d * plainGeluSlope(x) })
	case SlopeGeluTanh:
		plainPairs(dst, v, dy, func(x, d float32) float32 { return d * plainGeluTanhSlope(x) })
	case SlopeHardSwish:
		plainPairs(dst, v, dy, plainHardSwishSlope)
	}
}

func plainSiluSlope(u float32) float32 {
	u = within(u, -88, 88)
	s := plainSigmoid(u)
	return s * (1 + u*(1-s))
}

func plainGeluSlope(x float32) float32 {
	x = within(x, -10, 10)
	return .5 + .5*plainErf(x*(1/math.Sqrt2)) + x*.3989422804014327*plainExp(-.5*x*x)
}

func plainGeluTanhSlope(x float32) float32 {
	const k, cube = .7978845608028654, .044715
	x = within(x, -10, 10)
	t := plainTanh(x * (k + k*cube*x*x))
	return .5 * (1 + t + x*(1-t*t)*(k+3*k*cube*x*x))
}

func plainHardSwishSlope(x, dy float32) float32 {
	switch {
	case x <= -3:
		return 0
	case x >= 3:
		return dy
	}
	return dy * (x*(1./3) + .5)
}

// Moments returns the sums of dy and of dy·(x - mean), where dy is dy·scale if scale is not nil. All are as long as x.
func Moments(dy, x, scale []float32, mean float32) (sum, with float64) {
	dy = dy[:len(x)]
	if scale != nil {
		scale = scale[:len(x)]
	}
	for len(x) > 0 {
		n := min(len(x), sumBlock)
		var part []float32
		if scale != nil {
			part, scale = scale[:n], scale[n:]
		}
		s, w, ok := momentsMachine(dy[:n], x[:n], part, mean)
		if !ok {
			s, w = momentsShort(dy[:n], x[:n], part, mean)
		}
		sum, with = sum+float64(s), with+float64(w)
		dy, x = dy[n:], x[n:]
	}
	return sum, with
}

func momentsShort(dy, x, scale []float32, mean float32) (sum, with float32) {
	var s, w [2]float32
	for i, v := range x {
		d := dy[i]
		if scale != nil {
			d *= scale[i]
		}
		s[i&1] += d
		w[i&1] += d * (v - mean)
	}
	return s[0] + s[1], w[0] + w[1]
}

// Blend writes a·x + b·y + c. dst may be x or y.
func Blend(dst, x, y []float32, a, b, c float32) {
	dst, y = dst[:len(x)], y[:len(x)]
	if len(x) == 0 || blendMachine(dst, x, y, a, b, c) {
		return
	}
	for i, v := range x {
		dst[i] = a*v + (b*y[i] + c)
	}
}

// Columns adds dy to sum and dy·(x - mean) to with, element by element. All are as long as x.
func Columns(sum, with, dy, x, mean []float32) {
	sum, with, dy, mean = sum[:len(x)], with[:len(x)], dy[:len(x)], mean[:len(x)]
	if len(x) == 0 || columnsMachine(sum, with, dy, x, mean) {
		return
	}
	for i, v := range x {
		sum[i] += dy[i]
		with[i] += dy[i] * (v - mean[i])
	}
}

// LayerBack is a row of the way back over y = z·scale + bias with z = (x - mean)·inverse: it adds dy·z to dscale and dy to dbias, and writes
// dx = inverse·dy·scale + a·z + b. All slices are as long as x; dx may be dy.
func LayerBack(dx, dscale, dbias, dy, x, scale []float32, mean, inverse, a, b float32) {
	dx, dscale, dbias, dy, scale = dx[:len(x)], dscale[:len(x)], dbias[:len(x)], dy[:len(x)], scale[:len(x)]
	if len(x) == 0 || layerBackMachine(dx, dscale, dbias, dy, x, scale, mean, inverse, a, b) {
		return
	}
	for i, v := range x {
		z, d := (v-mean)*inverse, dy[i]
		dscale[i] += d * z
		dbias[i] += d
		dx[i] = inverse*d*scale[i] + (a*z + b)
	}
}
