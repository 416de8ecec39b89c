//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// byteConv convolves bytes as products of weights (m/group, k) by columns (k, pixels), as conv does, for each image and group. The input is first
// written once more with its border, and with every stride[2]-th element of a line side by side, so that what a tap sees of an output line lies
// in one piece; columns are then put together by tiles of output lines, straight into the kernel's panels.
type byteConv struct {
	group, threads int
	packed         []kernel.ByteRows // by groups, of constant weights
	from           *tensor.Tensor    // these weights
	others         scratch[kernel.ByteRows]
	borders        scratch[byte]
	panels, lines  scratch[byte]
	taps           scratch[int]
	crew           crew[byteConvRun]
	sinks          kept[convSums]
}

// byteSlack is how many bytes behind a line may be read or written over, for moving sixteen at a time.
const byteSlack = 32

func (b *byteConv) prepare(w, zero *tensor.Tensor) {
	if w == nil || w.Rank() < 3 || w.Len() == 0 || w.Shape()[0]%b.group != 0 || zero != nil && zero.Len() != 1 && zero.Len() != w.Shape()[0] {
		return
	}
	b.packed, b.from = make([]kernel.ByteRows, b.group), w
	packRows(b.packed, w, zero)
}

// packRows lays out weights (m, c/group, k1…) by groups.
func packRows(to []kernel.ByteRows, w, zero *tensor.Tensor) {
	mg := w.Shape()[0] / len(to)
	size := w.Len() / len(to)
	for g := range to {
		if w.DType() == tensor.Int8 {
			kernel.PackByteRows(&to[g], tensor.Data[int8](w)[g*size:][:size], mg, size/mg, zerosOf[int8](zero, g*mg, mg))
		} else {
			kernel.PackByteRows(&to[g], w.Bytes()[g*size:][:size], mg, size/mg, zerosOf[uint8](zero, g*mg, mg))
		}
	}
}

// zerosOf are n of the zero points, or the only one.
func zerosOf[T int8 | uint8](t *tensor.Tensor, at, n int) []T {
	z := bytesOf[T](t)
	if len(z) > 1 {
		return z[at : at+n]
	}
	return z
}

// bordered is an input plane with its border: (in[0], in[1], stride[2]·in[2]) bytes.
type bordered struct {
	in    [spatial]int // in[2]: elements of a line that have the same place modulo the stride
	zero  byte         // what the border holds
	plane int
}

func borderedOf(v *view) (b bordered) {
	for d := range spatial {
		b.in[d] = max(v.before[d]+v.in[d], (v.out[d]-1)*v.stride[d]+(v.kernel[d]-1)*v.dilation[d]+1)
	}
	b.in[2] = (b.in[2] + v.stride[2] - 1) / v.stride[2]
	b.plane = volume(b.in) * v.stride[2]
	return b
}

// fits tells whether the border is no larger than what it goes around, or small: absurd pads and dilations are for others.
func (b *byteConv) fits(v *view) bool {
	plane := 1
	for d := range spatial {
		reach := v.before[d] + v.in[d] + (v.out[d]-1)*v.stride[d] + (v.kernel[d]-1)*v.dilation[d] + v.stride[d]
		if reach > 1<<24 {
			return false
		}
		if plane *= reach; plane > 1<<16+16*(volume(v.in)+volume(v.out)*volume(v.stride)) {
			return false
		}
	}
	return true
}

// byteConvRun is one run.
type byteConvRun struct {
	*byteConv
	ctx    context.Context
	v      *view
	s      convSize
	e      *convEnd
	packed []kernel.ByteRows
	x      []byte
	inner  int    // goroutines for one tile
	laid   []byte // the input with its border
	flip   byte
	edge   bordered
	plain  bool // x itself is the matrix of columns
	lines  int  // output lines of a tile, or pixels where plain
	tiles  int
	taps   []int // where in an image's planes the taps of the first output lie, one for each row of columns
}

func (b *byteConv) run(ctx context.Context, v *view, s convSize, x, xzero, w, wzero *tensor.Tensor, bias []int32, e *convEnd) error {
	r := byteConvRun{byteConv: b, ctx: ctx, v: v, s: s, e: e, packed: b.packed, x: x.Bytes(), plain: v.plain()}
	if w != b.from {
		own := b.others.take(b.group)
		defer b.others.put(own)
		packRows(*own, w, wzero)
		r.packed = *own
	}
	zero, more := int32(byteAt(xzero, 0)), int32(0)
	r.edge = borderedOf(v)
	r.edge.zero = byte(zero)
	if x.DType() == tensor.Int8 {
		r.flip, more = kernel.Unsigned[int8]()
	}
	mg := s.m / b.group
	for m := range s.m {
		e.q.Add[m] = -(zero + more) * r.packed[m/mg].Sums()[m%mg]
		if bias != nil {
			e.q.Add[m] += bias[m]
		}
	}
	if !r.plain {
		planes := s.batch * s.cg * b.group
		held := b.borders.take(planes*r.edge.plane + byteSlack)
		defer b.borders.put(held)
		r.laid = *held
		b.crew.run(ctx, b.threads, planes, 1+(1<<15)/r.edge.plane, r, (*byteConvRun).borders)
		r.x = r.laid
		places := b.taps.take(s.cg * volume(v.kernel))
		defer b.taps.put(places)
		r.taps = *places
		r.place()
	}
	r.divide()
	tasks := s.batch * b.group * r.tiles
	outer := b.threads
	if r.inner = 1; tasks < b.threads {
		outer, r.inner = 1, b.threads
	}
	work := s.cg * volume(v.kernel) * mg * volume(v.out) / r.tiles
	b.crew.run(ctx, outer, tasks, 1+(1<<17)/max(1, work), r, (*byteConvRun).images)
	return ctx.Err()
}

// borders lays out planes of the input.
func (r *byteConvRun) borders(lo, hi int) {
	for i := lo; i < hi; i++ {
		r.edge.put(r.laid[i*r.edge.plane:][:r.edge.plane], r.x[i*volume(r.v.in):], r.v)
	}
}

// images computes the tiles [lo, hi) of all images and groups.
func (r *byteConvRun) images(lo, hi int) {
	for i := lo; i < hi && r.ctx.Err() == nil; i++ {
		r.tile(i/r.tiles, i%r.tiles)
	}
}

// byteTile is how many bytes of columns a tile has about: they stay in the second-level cache with some of the weights.
const byteTile = 128 << 10

// divide chooses how much of the output a tile is, such that most vectors are full.
func (r *byteConvRun) divide() {
	k, pixels := kernel.ByteK(r.s.cg*volume(r.v.kernel)), volume(r.v.out)
	wish := max(64, min(byteTile/k, (pixels*r.s.batch*r.group+r.threads-1)/r.threads))
	all, each := r.v.out[0]*r.v.out[1], r.v.out[2]
	if r.plain {
		all, each = pixels, 1
	}
	r.lines = min(all, max(1, wish/each))
	whole := 16
	for n := each; n%2 == 0 && whole > 1; n /= 2 {
		whole /= 2
	}
	if r.lines > whole && r.lines < all {
		r.lines -= r.lines % whole
	}
	r.tiles = (all + r.lines - 1) / r.lines
}

// put writes a plane with its border.
func (b *bordered) put(to, x []byte, v *view) {
	step, line := v.stride[2], b.in[2]*v.stride[2]
	for i := range to[:line] {
		to[i] = b.zero
	}
	for done := line; done < len(to); done *= 2 {
		copy(to[done:], to[:done])
	}
	for d := range v.in[0] {
		for h := range v.in[1] {
			src := x[(d*v.in[1]+h)*v.in[2]:][:v.in[2]]
			dst := to[((v.before[0]+d)*b.in[1]+v.before[1]+h)*line:][:line]
			if step == 1 {
				copy(dst[v.before[2]:], src)
				continue
			}
			for first := range min(step, len(src)) { // every step-th element from here on
				place := v.before[2] + first
				spread := dst[place%step*b.in[2]+place/step:][:(len(src)-first+step-1)/step]
				for i := range spread {
					spread[i] = src[first+i*step]
				}
			}
		}
	}
}

// tile computes output lines of one image and group.
func (r *byteConvRun) tile(image, tile int) {
	v := r.v
	k, each, all := r.s.cg*volume(v.kernel), v.out[2], v.out[0]*v.out[1]
	if r.plain {
		each, all = 1, volume(v.out)
	}
	first := tile * r.lines
	count := min(r.lines, all-first)
	n := count * each
	whole := (n + 15) &^ 15
	memory, held := r.panels.take(kernel.BytePanelsLen(k, n)), r.byteConv.lines.take(4*(whole+byteSlack))
	defer r.panels.put(memory)
	defer r.byteConv.lines.put(held)
	panels := kernel.NewBytePanels(k, n, *memory)
	var lines [4][]byte
	for row := 0; row < kernel.ByteK(k); row += 4 {
		for i := range lines {
			line := (*held)[i*(whole+byteSlack):][:whole+byteSlack]
			switch at := row + i; {
			case at >= k: // anything
			case r.plain:
				from := (image*r.s.cg+at)*all + first
				if from+whole <= len(r.x) {
					line = r.x[from : from+whole]
				} else {
					copy(line, r.x[from:from+n])
				}
			default:
				r.line(line, image*r.s.cg*r.edge.plane+r.taps[at], first, count)
			}
			lines[i] = line
		}
		panels.Weave(row, &lines, r.flip)
	}
	group := image % r.group
	sink := r.sinks.take()
	defer r.sinks.put(sink)
	*sink = convSums{e: r.e, pixels: volume(v.out), channel: group * r.packed[group].M, plane: image * r.packed[group].M, first: first * each}
	r.packed[group].Product(r.ctx.Done(), r.inner, &panels, sink)
}

// place fills in taps.
func (r *byteConvRun) place() {
	v, e, at := r.v, &r.edge, 0
	line := e.in[2] * v.stride[2]
	for c := range r.s.cg {
		for i := range v.kernel[0] {
			for j := range v.kernel[1] {
				for k := range v.kernel[2] {
					shift := k * v.dilation[2]
					r.taps[at] = c*e.plane + (i*v.dilation[0]*e.in[1]+j*v.dilation[1])*line + shift%v.stride[2]*e.in[2] + shift/v.stride[2]
					at++
				}
			}
		}
	}
}

// line puts together what the tap at some place sees at count output lines from first on.
func (r *byteConvRun) line(to []byte, tap, first, count int) {
	v, e := r.v, &r.edge
	wide, line := v.out[2], e.in[2]*v.stride[2]
	if v.out[0] == 1 {
		moveLines(to, r.x[tap+first*v.stride[1]*line:], count, wide, v.stride[1]*line)
		return
	}
	d, h := first/v.out[1], first%v.out[1]
	for count > 0 {
		n := min(count, v.out[1]-h)
		to = moveLines(to, r.x[tap+(d*v.stride[0]*e.in[1]+h*v.stride[1])*line:], n, wide, v.stride[1]*line)
		d, h, count = d+1, 0, count-n
	}
}

// moveLines moves n lines of so many bytes, step apart, and returns what follows them. Both slices reach over byteSlack bytes more.
func moveLines(to, from []byte, n, wide, step int) []byte {
	switch {
	case wide > 64:
		for i := range n {
			copy(to[i*wide:][:wide], from[i*step:])
		}
	case wide > 16: // what is moved beyond is written over by the next
		for i := range n {
			for o := 0; o < wide; o += 16 {
				*(*[16]byte)(to[i*wide+o:]) = *(*[16]byte)(from[i*step+o:])
			}
		}
	default:
		for i, at := 0, 0; i < n; i++ {
			*(*[16]byte)(to[i*wide:]) = *(*[16]byte)(from[at:])
			at += step
		}
	}
	return to[n*wide:]
}

// convSums takes the sums of one tile.
type convSums struct {
	e                     *convEnd
	pixels                int // of a plane of the output
	channel, plane, first int // output channel, plane of the output and pixel that the sums begin with
}

// Take implements kernel.ByteSums.
func (s *convSums) Take(i, m, j, n int, sums []int32) {
	at := (s.plane+i)*s.pixels + s.first + j
	if y := s.e.y; y != nil {
		for r := range m {
			add, row := s.e.q.Add[s.channel+i+r], sums[r*16:][:n]
			for c, v := range row {
				y[at+r*s.pixels+c] = v + add
			}
		}
		return
	}
	s.e.q.Rows(s.e.bytes[at:], s.pixels, s.channel+i, m, 0, n, sums)
}
