package picture

import "image"

// fillWebP turns the luma and chroma of VP8, which has 219 and 224 steps as video has, into colours as libwebp does: chroma is interpolated
// with weights of 9, 3, 3 and 1 (dsp/upsampling.c) and converted in fixed point (dsp/yuv.h).
func fillWebP(dst []byte, m image.Image) {
	var p *image.YCbCr
	switch m := m.(type) {
	case *image.YCbCr:
		p = m
	case *image.NYCbCrA:
		p = &m.YCbCr
	default:
		fillAny(dst, m)
		return
	}
	if p.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		fillAny(dst, m)
		return
	}
	w, h := p.Rect.Dx(), p.Rect.Dy()
	row := func(y int) []byte { return dst[y*w*3:][:w*3] }
	chroma := (h + 1) / 2
	for y := range h {
		near := y / 2
		far := max(near-1, 0)
		if y%2 == 1 {
			far = min(near+1, chroma-1)
		}
		webpRow(row(y), p.Y[y*p.YStride:][:w], p.Cb[near*p.CStride:], p.Cb[far*p.CStride:], p.Cr[near*p.CStride:], p.Cr[far*p.CStride:])
	}
}

// webpRow writes one row: chroma of the nearer row counts three times that of the further.
func webpRow(dst, luma, nearU, farU, nearV, farV []byte) {
	last := (len(luma) - 1) / 2
	for x, y := range luma {
		i, j := x/2, min((x+1)/2, last) // the nearer and the further column, or the last
		if x%2 == 0 {
			j = max(i-1, 0)
		}
		u, v := webpChroma(nearU, farU, i, j), webpChroma(nearV, farV, i, j)
		l := int32(y) * 19077 >> 8
		dst[3*x] = webpClip(l + v*26149>>8 - 14234)
		dst[3*x+1] = webpClip(l - u*6419>>8 - v*13320>>8 + 8708)
		dst[3*x+2] = webpClip(l + u*33050>>8 - 17685)
	}
}

// webpChroma weights the four neighbours of a pixel in libwebp's order of rounding; i is the nearer column, j the further.
func webpChroma(near, far []byte, i, j int) int32 {
	a, b, c, d := int32(near[i]), int32(near[j]), int32(far[i]), int32(far[j])
	if i == j { // at a border: two neighbours
		return (3*a + c + 2) >> 2
	}
	diagonal := (a + b + c + d + 8 + 2*(b+c)) >> 3
	return (diagonal + a) >> 1
}

func webpClip(v int32) byte {
	if v < 0 {
		return 0
	}
	return byte(min(v>>6, 255))
}
