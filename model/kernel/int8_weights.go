package kernel

import "slices"

// byteWeights is the signed side of a product. The kernel adds, for each column, the products of four weights, first or second pair of both groups
// of four in a step, with unsigned bytes in int16: it holds them where the weights of one sign sum up to byteRoom at most. What is above is laid out
// as groups of four terms of their own, of which two meet in int16. Few weights of real models are so large.
type byteWeights struct {
	data []byte  // steps of int8
	sums []int32 // of each column, or row
	from []int32 // groups that panel, or row, i has besides: [from[i], from[i+1])
	at   []int32 // the place among all groups of four that such a group stands for
	more []byte  // its weights
}

const byteRoom = 128 // 255·128 is an int16

// PackedBytes is B (k, n) as weights, cut into panels of sixteen columns, these into groups of four rows: column by column four elements.
// What B does not fill is zero.
type PackedBytes struct {
	K, N int
	w    byteWeights
}

// Sums are the sums of each column of B less its zero points.
func (b *PackedBytes) Sums() []int32 { return b.w.sums }

// PackBytes lays out b (k, n) less zeros, which are one for all, one for each column, or absent, in the memory of into.
func PackBytes[T Byte](into *PackedBytes, b []T, k, n int, zeros []T) {
	into.K, into.N = k, n
	panels, steps := (n+byteColumns-1)/byteColumns, ByteK(k)/byteStep
	w := &into.w
	w.reset(panels*steps*byteStep*byteColumns, panels*byteColumns)
	for p := range panels {
		w.from = append(w.from, int32(len(w.at)))
		j0 := p * byteColumns
		width := min(byteColumns, n-j0)
		var zero [byteColumns]int16
		for j := range width {
			if len(zeros) > 0 {
				zero[j] = int16(zeros[min(j0+j, len(zeros)-1)])
			}
		}
		for s := range steps {
			var block [byteColumns][byteStep]int16
			for t := range min(byteStep, k-s*byteStep) {
				for j, v := range b[(s*byteStep+t)*n+j0:][:width] {
					block[j&15][t&7] = int16(v) - zero[j&15]
				}
			}
			over := false
			to := w.data[(p*steps+s)*byteStep*byteColumns:][:byteStep*byteColumns]
			for j := range width {
				r := &block[j&15]
				w.sums[j0+j] += total(r)
				over = fitStep(r, to[4*j:4*j+4], to[4*(byteColumns+j):][:4]) || over
			}
			if over {
				w.spillBlock(&block, s)
			}
		}
	}
	w.from = append(w.from, int32(len(w.at)))
}

// ByteRows is A (m, k) as weights.
type ByteRows struct {
	M, K int
	w    byteWeights
}

// Sums are the sums of each row of A less its zero points.
func (a *ByteRows) Sums() []int32 { return a.w.sums }

// PackByteRows lays out a (m, k) less zeros, which are one for all, one for each row, or absent, in the memory of into.
func PackByteRows[T Byte](into *ByteRows, a []T, m, k int, zeros []T) {
	into.M, into.K = m, k
	steps := ByteK(k) / byteStep
	w := &into.w
	w.reset(m*steps*byteStep, m)
	for i := range m {
		w.from = append(w.from, int32(len(w.at)))
		zero := int16(0)
		if len(zeros) > 0 {
			zero = int16(zeros[min(i, len(zeros)-1)])
		}
		row := a[i*k:][:k]
		for s := range steps {
			var r [byteStep]int16
			for t, v := range row[s*byteStep : min(k, (s+1)*byteStep)] {
				r[t] = int16(v) - zero
			}
			w.sums[i] += total(&r)
			to := w.data[(i*steps+s)*byteStep:][:byteStep]
			if fitStep(&r, to[:4], to[4:]) {
				w.spill(r[:4], 2*s)
				w.spill(r[4:], 2*s+1)
			}
		}
	}
	w.from = append(w.from, int32(len(w.at)))
}

// reset makes room for bytes of weights, zeros, and sums.
func (w *byteWeights) reset(size, sums int) {
	w.data = slices.Grow(w.data[:0], size)[:size]
	clear(w.data)
	w.sums = slices.Grow(w.sums[:0], sums)[:sums]
	clear(w.sums)
	w.from, w.at, w.more = w.from[:0], w.at[:0], w.more[:0]
}

func total(r *[byteStep]int16) (sum int32) {
	for _, v := range r {
		sum += int32(v)
	}
	return sum
}

// fitStep moves as much of a column's weights in a step as the kernel can take to its two groups, and tells whether something is left.
func fitStep(r *[byteStep]int16, first, second []byte) (over bool) {
	_, _ = first[3], second[3]
	for lane := 0; lane < 4; lane += 2 {
		if a, b, c, d := r[lane], r[lane+1], r[lane+4], r[lane+5]; size(a)+size(b)+size(c)+size(d) < byteRoom { // most are small
			first[lane], first[lane+1], second[lane], second[lane+1] = byte(a), byte(b), byte(c), byte(d)
			r[lane], r[lane+1], r[lane+4], r[lane+5] = 0, 0, 0, 0
			continue
		}
		room := [2]int16{byteRoom, byteRoom}
		// What is left is left in the first group.
		over = take(&r[lane+4], &second[lane], &room) || over
		over = take(&r[lane+5], &second[lane+1], &room) || over
		over = take(&r[lane], &first[lane], &room) || over
		over = take(&r[lane+1], &first[lane+1], &room) || over
	}
	return over
}

func size(v int16) int16 { return max(v, -v) }

// spillBlock lays out what is left of step s of sixteen columns.
func (w *byteWeights) spillBlock(block *[byteColumns][byteStep]int16, s int) {
	for half := range 2 {
		var left [4 * byteColumns]int16
		for j := range block {
			copy(left[4*j:4*j+4], block[j][4*half:])
		}
		w.spill(left[:], 2*s+half)
	}
}

// take moves a weight to a byte as far as the room for weights of its sign, positive and negative, goes.
func take(r *int16, to *byte, room *[2]int16) (over bool) {
	v := *r
	if v >= 0 {
		v = min(v, 127, room[0])
		room[0] -= v
	} else {
		v = max(v, -128, -room[1])
		room[1] += v
	}
	*to = byte(v)
	*r -= v
	return *r != 0
}

// spill lays out weights, groups of four for each column, that are left of group at, until nothing is.
func (w *byteWeights) spill(r []int16, at int) {
	for {
		left := int16(0)
		for _, v := range r {
			left |= v
		}
		if left == 0 {
			return
		}
		w.at = append(w.at, int32(at))
		for i := 0; i < len(r); i += 2 {
			var pair [2]byte
			room := [2]int16{byteRoom, byteRoom}
			take(&r[i], &pair[0], &room)
			take(&r[i+1], &pair[1], &room)
			w.more = append(w.more, pair[:]...)
		}
	}
}
