package kernel

// Products of bytes, exact in int32: one side is unsigned bytes, zero points and all, the other signed ones less their zero points. Two products of
// theirs are added in int16 and two such sums on top, which saturates where weights are large: weights are laid out such that it cannot, in more
// terms where they must (see byteWeights). What the zero point of the unsigned side adds is taken off the finished sums. Sums wrap as int32 does.

// Byte is an element of a quantised matrix.
type Byte interface{ ~int8 | ~uint8 }

const (
	byteColumns = 16
	byteTile    = 4
	byteStep    = 8         // terms that the kernel adds at a time
	byteMost    = 1024      // rows of B in a block: with sixteen columns they fill half of a first-level cache
	byteRows    = 96        // rows of A in a block at most
	byteBlock   = 160 << 10 // bytes of A in a block, which stays in the second-level cache
	byteGrain   = 1 << 19   // multiplications that are worth a goroutine
)

// BytesFit tells whether this machine's best path has products of bytes of its own; where it has not, those of float32 are faster.
func BytesFit() bool { return byteProducts() }

// ByteK is the distance of the rows of A (m, k) as they must lie at least: k rounded up to whole steps.
func ByteK(k int) int { return (k + byteStep - 1) &^ (byteStep - 1) }

// ByteSums takes the product of bytes as it is made.
type ByteSums interface {
	// Take gets the sums (m, 16) of m rows from i on and n columns, at most sixteen, from j on. Several goroutines call it at a time.
	Take(i, m, j, n int, sums []int32)
}

func signed[T Byte]() bool { return ^T(0) < 1 }

// Unsigned is the unsigned byte that stands for a byte, and what must be added to zero points then.
func Unsigned[T Byte]() (flip byte, more int32) {
	if signed[T]() {
		return 0x80, 128
	}
	return 0, 0
}

// LayBytes writes rows (m, k) as unsigned bytes to dst, ByteK(k) apart, anything behind them.
func LayBytes[T Byte](dst []byte, src []T, m, k int) {
	flip, _ := Unsigned[T]()
	ld := ByteK(k)
	for i := range m {
		to, from := dst[i*ld:][:k], src[i*k:][:k]
		for j, v := range from {
			to[j] = byte(v) ^ flip
		}
	}
}

// ScaleSums writes sums (m, 16)·scale + bias, scale and bias (n), to dst, n columns of m rows ld apart.
func ScaleSums(dst []float32, ld, m, n int, sums []int32, scale, bias []float32) {
	if n == byteColumns && scaleMachine(dst, ld, m, sums, scale, bias) {
		return
	}
	scale, bias = scale[:n], bias[:n]
	for i := range m {
		row, s := dst[i*ld:][:n], sums[i*byteColumns:][:n]
		for j, v := range s {
			row[j] = float32(float32(v)*scale[j]) + bias[j]
		}
	}
}

// Requantizer makes bytes of sums: round(max(Least, min(Most, (sum + Add)·Scale))) + Zero, halves to even; NaN gives Least. Add and Scale are
// one for each column, or for each row where ByRow is set. All results must fit the byte.
type Requantizer struct {
	Add         []int32
	Scale       []float32
	ByRow       bool
	Least, Most float32
	Zero        int32
}

// Rows writes m rows, ld apart, of n columns of sums (m, 16), whose first is row i and column j of the whole.
func (q *Requantizer) Rows(dst []byte, ld, i, m, j, n int, sums []int32) {
	at := j
	if q.ByRow {
		at = i
	}
	done := 0
	if n == byteColumns && m > 0 {
		done = requantizeMachine(q, dst, ld, m, at, sums)
	} else if path != plainGo && m > 0 && n > 0 && (q.ByRow || at+byteColumns <= len(q.Add) && at+byteColumns <= len(q.Scale)) {
		var row [byteColumns]byte // in one piece, of which n columns count
		for r := range m {
			by := at
			if q.ByRow {
				by += r
			}
			requantizeMachine(q, row[:], byteColumns, 1, by, sums[r*byteColumns:][:byteColumns])
			copy(dst[r*ld:][:n], row[:n])
		}
		done = m
	}
	for r := done; r < m; r++ {
		row, s := dst[r*ld:][:n], sums[r*byteColumns:][:n]
		for c, v := range s {
			by := at + c
			if q.ByRow {
				by = at + r
			}
			row[c] = q.one(v+q.Add[by], q.Scale[by])
		}
	}
}

func (q *Requantizer) one(sum int32, scale float32) byte {
	return byte(roundByte(float32(sum)*scale, q.Least, q.Most) + q.Zero)
}

// roundByte rounds what is cut to a range, halves to even; NaN gives least.
func roundByte(v, least, most float32) int32 {
	const bias = 3 << 22 // adding it rounds
	if !(v > least) {
		v = least
	}
	if v > most {
		v = most
	}
	return int32(float32(v+bias) - bias)
}

// Limits are the least and the greatest of 0 and the numbers; NaN is passed over.
func Limits(x []float32) (lo, hi float32) {
	lo, hi, done := limitsMachine(x)
	for _, v := range x[done:] {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	return lo, hi
}

// QuantizeBytes writes round(max(least, min(most, src/scale))) + zero, halves to even; NaN gives least. All results must fit T.
func QuantizeBytes[T Byte](dst []T, src []float32, scale, least, most float32, zero int32) {
	done := quantizeMachine(dst[:len(src)], src, scale, least, most, zero)
	dst = dst[done:]
	for i, v := range src[done:] {
		dst[i] = T(roundByte(v/scale, least, most) + zero)
	}
}

// RealBytes writes (src - zero)·scale to dst, of the same length.
func RealBytes[T Byte](dst []float32, src []T, zero int32, scale float32) {
	done := realMachine(dst[:len(src)], src, zero, scale)
	dst = dst[done:]
	for i, v := range src[done:] {
		dst[i] = float32(int32(v)-zero) * scale
	}
}
