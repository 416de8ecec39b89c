//go:build !lean

package op

import "math"

// Exponentials of float32 slices, in float32: relative error below 3e-7. Loops without calls, so that they can give way to SIMD.

const (
	expLog2e = 1.44269504088896341
	expHigh  = 0.693359375             // ln 2, the upper bits
	expLow   = -2.12194440054690583e-4 // and the rest
	expMagic = 3 << 22                 // adding it rounds a float32 to an integer, which then stands in the low bits
	expMin   = -87.3                   // below, 2^n is not a normal number
	expMax   = 88.3
)

// expPoly is e^r for |r| <= ln(2)/2 (Cephes, expf).
func expPoly(r float32) float32 {
	p := float32(1.9875691500e-4)
	p = p*r + 1.3981999507e-3
	p = p*r + 8.3334519073e-3
	p = p*r + 4.1665795894e-2
	p = p*r + 1.6666665459e-1
	p = p*r + 5.0000001201e-1
	return p*(r*r) + r + 1
}

// expRow replaces each x by e^(x - top), for x <= top, and returns the sum.
func expRow(row []float32, top float32) float64 {
	var total float64
	for len(row) > 0 {
		b := row[:min(len(row), 128)]
		row = row[len(b):]
		var sum float32
		for i, v := range b {
			x := v - top
			if x < expMin {
				b[i] = 0
				continue
			}
			t := x*expLog2e + expMagic
			n := t - expMagic
			e := expPoly(x-n*expHigh-n*expLow) * math.Float32frombits(math.Float32bits(t)<<23+0x3f800000)
			b[i] = e
			sum += e
		}
		total += float64(sum)
	}
	return total
}

// expRow64 is expRow for float64.
func expRow64(row []float64, top float64) (sum float64) {
	for i, v := range row {
		e := math.Exp(v - top)
		row[i] = e
		sum += e
	}
	return sum
}

// sigmoidRow replaces each x by 1/(1 + e^-x).
func sigmoidRow(row []float32) {
	for i, v := range row {
		x := min(max(-v, expMin), expMax)
		t := x*expLog2e + expMagic
		n := t - expMagic
		e := expPoly(x-n*expHigh-n*expLow) * math.Float32frombits(math.Float32bits(t)<<23+0x3f800000)
		row[i] = 1 / (1 + e)
	}
}

// tanhRow replaces each x by tanh x: the quotient of two polynomials (Eigen, ptanh).
func tanhRow(row []float32) {
	for i, v := range row {
		x := min(max(v, -7.90531110763549805), 7.90531110763549805)
		z := x * x
		p := float32(-2.76076847742355e-16)
		p = p*z + 2.00018790482477e-13
		p = p*z - 8.60467152213735e-11
		p = p*z + 5.12229709037114e-08
		p = p*z + 1.48572235717979e-05
		p = p*z + 6.37261928875436e-04
		p = p*z + 4.89352455891786e-03
		q := float32(1.19825839466702e-06)
		q = q*z + 1.18534705686654e-04
		q = q*z + 2.26843463243900e-03
		q = q*z + 4.89352518554385e-03
		row[i] = x * p / q
	}
}

// sigmoidRow64 and tanhRow64 are the same for float64.
func sigmoidRow64(row []float64) {
	for i, v := range row {
		row[i] = Logistic(v)
	}
}

func tanhRow64(row []float64) {
	for i, v := range row {
		row[i] = math.Tanh(v)
	}
}
