package picture

// fill writes the picture: the blocks back from frequencies, chroma at full size, colours.
func (j *jpegFile) fill(dst []byte) error {
	planes := make([][]byte, len(j.parts))
	for i := range j.parts {
		c := &j.parts[i]
		if c.quant == nil {
			return jpegError("a component without data")
		}
		planes[i] = make([]byte, 64*c.stride*c.high)
		for y := range c.high {
			if err := j.ctx.Err(); err != nil {
				return err
			}
			for x := range c.wide {
				inverse(planes[i][64*c.stride*y+8*x:], 8*c.stride, c.coefs[64*(y*c.stride+x):][:64], c.quant)
			}
		}
		c.coefs = nil
	}
	wide := make([][]byte, len(planes))
	for i := range wide {
		wide[i] = make([]byte, j.width+2*j.most[0])
	}
	var line []int32
	for y := range j.height {
		for i := range planes {
			line = j.row(wide[i], planes[i], &j.parts[i], y, line)
		}
		row := dst[3*y*j.width:][:3*j.width]
		switch {
		case len(planes) == 1:
			for x, v := range wide[0][:j.width] {
				row[3*x], row[3*x+1], row[3*x+2] = v, v, v
			}
		case j.isRGB():
			for x := range j.width {
				row[3*x], row[3*x+1], row[3*x+2] = wide[0][x], wide[1][x], wide[2][x]
			}
		default:
			coloursJPEG(row, wide[0], wide[1], wide[2])
		}
	}
	return nil
}

// isRGB tells a file that holds colours as they are.
func (j *jpegFile) isRGB() bool {
	if j.jfif || j.adobe {
		return !j.jfif && j.transform == 0
	}
	return j.parts[0].id == 'R' && j.parts[1].id == 'G' && j.parts[2].id == 'B'
}

// coloursJPEG applies JFIF's matrix in the fixed point of libjpeg (jdcolor.c).
func coloursJPEG(row, luma, cb, cr []byte) {
	for x := range len(row) / 3 {
		c, u, v := int32(luma[x]), int32(cb[x])-128, int32(cr[x])-128
		row[3*x] = clamp(c + (91881*v+32768)>>16)
		row[3*x+1] = clamp(c + (-22554*u-46802*v+32768)>>16)
		row[3*x+2] = clamp(c + (116130*u+32768)>>16)
	}
}

func clamp(v int32) byte { return byte(max(0, min(255, v))) }

// row writes the row y of a component at full width to dst. Half the width or height is interpolated with weights of 3/4 and 1/4, as libjpeg
// does ("fancy upsampling", jdsample.c); any other part is repeated. line is memory for a row between.
func (j *jpegFile) row(dst, plane []byte, c *component, y int, line []int32) []int32 {
	horizontal, vertical := j.most[0]/c.h, j.most[1]/c.v
	w, h := ceil(j.width*c.h, j.most[0]), ceil(j.height*c.v, j.most[1])
	at := func(row int) []byte { return plane[max(0, min(h-1, row))*8*c.stride:][:w] }
	near := at(y / vertical)
	switch {
	case horizontal == 1 && vertical == 1:
		copy(dst, near)
		return line
	case horizontal > 2 || vertical > 2 || horizontal == 2 && w <= 2:
		for x := range j.width {
			dst[x] = near[x/horizontal]
		}
		return line
	case vertical == 1:
		for x, c := range near {
			v := 3 * int32(c)
			dst[2*x] = byte((v + int32(near[max(x-1, 0)]) + 1) >> 2)
			dst[2*x+1] = byte((v + int32(near[min(x+1, w-1)]) + 2) >> 2)
		}
		return line
	}
	far, bias := at(y/2-1), int32(1)
	if y%2 == 1 {
		far, bias = at(y/2+1), 2
	}
	if horizontal == 1 {
		for x, c := range near {
			dst[x] = byte((3*int32(c) + int32(far[x]) + bias) >> 2)
		}
		return line
	}
	if cap(line) < w {
		line = make([]int32, w)
	}
	line = line[:w]
	for x, c := range near {
		line[x] = 3*int32(c) + int32(far[x])
	}
	for x, c := range line {
		dst[2*x] = byte((3*c + line[max(x-1, 0)] + 8) >> 4)
		dst[2*x+1] = byte((3*c + line[min(x+1, w-1)] + 7) >> 4)
	}
	return line
}

// inverse writes the 8 by 8 elements of a block: the inverse cosine transform of C. Loeffler, A. Ligtenberg and G. Moschytz (1989) in the fixed
// point of libjpeg's jidctint.c: 13 bits, of which the first pass keeps 2.
func inverse(dst []byte, stride int, coefs []int16, quant []uint16) {
	var in, mid [64]int32
	for i, c := range coefs {
		in[i] = int32(c) * int32(quant[i])
	}
	for x := range 8 {
		var v [8]int32
		for y := range v {
			v[y] = in[8*y+x]
		}
		cosines(&v, 11)
		for y := range v {
			mid[8*y+x] = v[y]
		}
	}
	for y := range 8 {
		v := [8]int32(mid[8*y:])
		cosines(&v, 18)
		row := dst[y*stride:][:8]
		for x := range row {
			row[x] = clamp(v[x] + 128)
		}
	}
}

// cosines transforms 8 numbers and divides them by 2^shift.
func cosines(v *[8]int32, shift uint) {
	z1 := (v[2] + v[6]) * 4433
	t2, t3 := z1-v[6]*15137, z1+v[2]*6270
	t0, t1 := (v[0]+v[4])<<13, (v[0]-v[4])<<13
	e0, e3, e1, e2 := t0+t3, t0-t3, t1+t2, t1-t2

	t0, t1, t2, t3 = v[7], v[5], v[3], v[1]
	z1, z2, z3, z4 := t0+t3, t1+t2, t0+t2, t1+t3
	z5 := (z3 + z4) * 9633
	z1, z2, z3, z4 = -z1*7373, -z2*20995, z5-z3*16069, z5-z4*3196
	t0, t1, t2, t3 = t0*2446+z1+z3, t1*16819+z2+z4, t2*25172+z2+z3, t3*12299+z1+z4

	half := int32(1) << (shift - 1)
	v[0], v[7] = (e0+t3+half)>>shift, (e0-t3+half)>>shift
	v[1], v[6] = (e1+t2+half)>>shift, (e1-t2+half)>>shift
	v[2], v[5] = (e2+t1+half)>>shift, (e2-t1+half)>>shift
	v[3], v[4] = (e3+t0+half)>>shift, (e3-t0+half)>>shift
}
