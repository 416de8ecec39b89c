package kernel

// depth is how a Window of usual size goes over whole planes in assembly: the output is cut into tiles of depthTall rows and a vector of columns,
// whose sums are in registers while the tile is moved over the input, tap by tap. Nothing is copied: rows outside of the input are left out, and
// masks leave out its columns.
type depth struct {
	taps, down, right int
	rows              []depthRow
	columns           []depthColumn // the last one first: its last vector may reach into the next row of the output
}

// depthTall is how many rows of output a tile has; package gen knows it.
const depthTall = 7

// depthRow is a row of tiles, as package gen knows it.
type depthRow struct {
	x, y  uintptr // bytes from the beginning of a plane; x may lie before it
	bits  uint64  // which rows of the input, from x on, there are and count
	count int     // rows of the output
	last  uintptr // 1: there are no more
}

// depthColumn is a column of tiles, as package gen knows it.
type depthColumn struct {
	x, y  uintptr
	masks *int32 // (taps, 8): which columns of the input each tap sees; (taps, 2, 8) for windows that move by two, or nil where they see all
	store *int32 // (8): which columns of the output there are; nil for all
}

// depthTile is what the assembly needs. Package gen knows the offsets of the fields.
type depthTile struct {
	x, y, weights, bias *float32
	biasStep            uintptr // 4, or 0 where all planes have the same
	planes              int
	xPlane, yPlane      uintptr // bytes
	xPitch, yPitch      uintptr
	rows                *depthRow
	rowCount            int
	columns             *depthColumn
	columnCount         int
	act                 int // an EndActivation
	a, b                float32
	work                [6]uintptr // memory of the assembly
}

var everyColumn = [5 * half]int32{
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
}

// newDepth is nil where the window is of another kind, or this process has no assembly for it.
func newDepth(h, w Spread) *depth {
	if !depthMachine() || h.Taps != w.Taps || h.Taps != 3 && h.Taps != 5 || h.Dilation > 1 || w.Dilation > 1 || w.Out < half/2 {
		return nil
	}
	d := &depth{taps: h.Taps, down: h.Stride, right: w.Stride}
	for o := 0; o < h.Out; o += depthTall {
		first := o*h.Stride - h.Before
		r := depthRow{x: uintptr(first*w.In) * 4, y: uintptr(o*w.Out) * 4, count: min(depthTall, h.Out-o)}
		for i := range (r.count-1)*h.Stride + h.Taps {
			if first+i >= 0 && first+i < h.In {
				r.bits |= 1 << i
			}
		}
		if o+depthTall >= h.Out {
			r.last = 1
		}
		d.rows = append(d.rows, r)
	}
	for o := (w.Out - 1) / half * half; o >= 0; o -= half {
		first := o*w.Stride - w.Before
		c := depthColumn{x: uintptr(first) * 4, y: uintptr(o) * 4}
		if left := w.Out - o; left < half {
			c.store = &masks[half-left]
		}
		switch whole := first >= 0 && first+w.Taps-1+half*w.Stride <= w.In; {
		case !whole:
			c.masks = &depthMasks(w, first)[0]
		case w.Stride == 1:
			c.masks = &everyColumn[0]
		}
		d.columns = append(d.columns, c)
	}
	return d
}

// depthMasks selects what each tap sees of the input for eight windows, of which the first begins at column first.
func depthMasks(w Spread, first int) []int32 {
	m := make([]int32, w.Taps*w.Stride*half)
	for i := range m {
		if at := first + i/(w.Stride*half) + i%(w.Stride*half); at >= 0 && at < w.In {
			m[i] = -1
		}
	}
	return m
}

// Planes writes to y (planes, outH, outW) end of what Sums gives for each plane of x (planes, inH, inW) under weights (planes, tapsH, tapsW) and
// bias (planes), or nil. memory has Len elements.
func (w *Window) Planes(planes int, y, x, weights, bias []float32, end *End, memory []float32) {
	if planes <= 0 {
		return
	}
	in, out, taps := w.inH*w.inW, w.outH*w.outW, len(w.offsets)
	_, _, _ = y[planes*out-1], x[planes*in-1], weights[planes*taps-1]
	if bias != nil {
		_ = bias[planes-1]
	}
	if w.depth != nil {
		w.planesMachine(planes, y, x, weights, bias, end)
		return
	}
	for i := range planes {
		start, plane := float32(0), y[i*out:][:out]
		if bias != nil {
			start = bias[i]
		}
		w.Sums(plane, x[i*in:][:in], weights[i*taps:][:taps], start, memory)
		if end.Act != EndNone {
			end.Rows(plane, plane, out, 1, out, 0, nil)
		}
	}
}

var noBias float32

// planesMachine is Planes in assembly.
func (w *Window) planesMachine(planes int, y, x, weights, bias []float32, end *End) {
	d := w.depth
	t := depthTile{
		x: &x[0], y: &y[0], weights: &weights[0], bias: &noBias, planes: planes, xPlane: uintptr(w.inH*w.inW) * 4, yPlane: uintptr(w.outH*w.outW) * 4,
		xPitch: uintptr(w.inW) * 4, yPitch: uintptr(w.outW) * 4, rows: &d.rows[0], rowCount: len(d.rows), columns: &d.columns[0], columnCount: len(d.columns),
		act: int(end.Act), a: end.A, b: end.B,
	}
	if bias != nil {
		t.bias, t.biasStep = &bias[0], 4
	}
	t.run(d)
}
