//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/memory"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// transposeSums is how many elements of sums a task of transposeTiles holds, where a line of x does not make more.
const transposeSums = 48 << 10

// transposeTiles is run for float32 convolutions whose windows lie side by side, kernel and strides being equal: each output is one product of
// wᵀ (m/group·taps, c/group) and x (c/group, pixels), which goes to its place with bias and activation done.
type transposeTiles struct {
	*convTranspose[float32]
	e    kernel.Epilogue // without biases
	w    []float32       // (c, m/group·taps) turned, group by group, where the weights are constant
	crew crew[tilesRun]
}

// newTransposeTiles gives the convolution that way, where it has one. w are its weights where they are constant, else nil.
func newTransposeTiles[T float](c *convTranspose[T], w *tensor.Tensor) *transposeTiles {
	f32, ok := any(c).(*convTranspose[float32])
	if !ok {
		return nil
	}
	t := &transposeTiles{convTranspose: f32}
	t.e.Act, t.e.Lo, t.e.Hi, t.e.Func = epilogueOf(f32.act)
	if w != nil && w.Rank() >= 3 && w.Len() > 0 && w.Shape()[0]%c.group == 0 && w.DType() == tensor.Float32 {
		t.w = memory.Make[float32](w.Len())
		t.turn(t.w, w.F32(), w.Shape()[0]/c.group, w.Len()/w.Shape()[0])
	}
	return t
}

// turn writes the weights (c, rows) of each group as (rows, c/group).
func (t *transposeTiles) turn(to, w []float32, cg, rows int) {
	for g := range t.group {
		kernel.Transpose(to[g*cg*rows:][:cg*rows], w[g*cg*rows:], cg, rows, rows)
	}
}

// tilesRun is a run of transposeTiles.
type tilesRun struct {
	t             *transposeTiles
	ctx           context.Context
	v             *view
	a             convArgs[float32]
	w, bias       []float32 // bias (m·taps), or nil
	cg, mg, taps  int
	lines, blocks int // of x: lines in a task, tasks in an image and group
}

// sideBySide reports whether windows touch, and neither overlap nor are cut off.
func (v *view) sideBySide() bool {
	for d := range spatial {
		if v.kernel[d] != v.stride[d] || v.dilation[d] != 1 && v.kernel[d] > 1 || v.before[d] != 0 || v.out[d] != v.in[d]*v.stride[d] {
			return false
		}
	}
	return true
}

func (t *transposeTiles) run(ctx context.Context, v *view, s convSize, a convArgs[float32]) error {
	r := tilesRun{t: t, ctx: ctx, v: v, a: a, w: t.w, cg: s.cg, mg: s.m / t.group, taps: volume(v.kernel)}
	rows, all := r.mg*r.taps, v.in[0]*v.in[1]
	if r.w == nil {
		turned := t.weights.take(len(a.w))
		defer t.weights.put(turned)
		r.w = *turned
		t.turn(r.w, a.w, s.cg, rows)
	}
	if a.bias != nil {
		bias := t.columns.take(s.m * r.taps)
		defer t.columns.put(bias)
		r.bias = *bias
		for i := range r.bias {
			r.bias[i] = a.bias[i/r.taps]
		}
	}
	r.lines = min(all, max(1, transposeSums/(rows*v.in[2])))
	r.blocks = (all + r.lines - 1) / r.lines
	t.crew.run(ctx, t.threads, s.batch*t.group*r.blocks, max(1, (1<<17)/(rows*r.lines*v.in[2]*r.cg)), r, (*tilesRun).tasks)
	return ctx.Err()
}

// tasks computes the tasks [lo, hi).
func (r *tilesRun) tasks(lo, hi int) {
	t, v, rows := r.t, r.v, r.mg*r.taps
	wide, pixels := v.in[2], volume(v.in)
	sums := t.columns.take(rows * r.lines * wide)
	defer t.columns.put(sums)
	e := t.e
	e.Done = r.ctx.Done()
	for ; lo < hi && r.ctx.Err() == nil; lo++ {
		plane, line := lo/r.blocks, lo%r.blocks*r.lines // plane: image and group
		group, n := plane%t.group, min(r.lines, v.in[0]*v.in[1]-line)*wide
		if r.bias != nil {
			e.RowBias = r.bias[group*rows:][:rows]
		}
		x := r.a.x[plane*r.cg*pixels+line*wide:]
		kernel.ProductF32(1, rows, r.cg, n, r.w[group*rows*r.cg:], r.cg, false, x, pixels, false, *sums, n, &e)
		for m := range r.mg {
			r.place(r.a.y[(plane*r.mg+m)*volume(v.out):][:volume(v.out)], (*sums)[m*r.taps*n:], line, n)
		}
	}
}

// place puts the sums (taps, n) of the lines of x from line on to where they belong in a plane of y.
func (r *tilesRun) place(y, sums []float32, line, n int) {
	v, wide := r.v, r.v.in[2]
	for at := 0; at < n; at += wide {
		d, h := line/v.in[1]*v.kernel[0], line%v.in[1]*v.kernel[1]
		line++
		for i := range v.kernel[0] {
			for j := range v.kernel[1] {
				row := y[((d+i)*v.out[1]+h+j)*v.out[2]:][:v.out[2]]
				from := sums[(i*v.kernel[1]+j)*v.kernel[2]*n+at:]
				switch k := v.kernel[2]; k {
				case 1:
					copy(row, from[:wide])
				case 2:
					pairs(row, from[:wide], from[n:][:wide])
				default:
					for c := range k {
						to := c
						for _, s := range from[c*n:][:wide] {
							row[to] = s
							to += k
						}
					}
				}
			}
		}
	}
}

// pairs writes a and b in turns.
func pairs(dst, a, b []float32) {
	dst, b = dst[:2*len(a)], b[:len(a)]
	for len(a) >= 4 {
		d, p, q := (*[8]float32)(dst), (*[4]float32)(a), (*[4]float32)(b)
		d[0], d[1], d[2], d[3] = p[0], q[0], p[1], q[1]
		d[4], d[5], d[6], d[7] = p[2], q[2], p[3], q[3]
		dst, a, b = dst[8:], a[4:], b[4:]
	}
	for i, x := range a {
		dst[2*i], dst[2*i+1] = x, b[i]
	}
}
