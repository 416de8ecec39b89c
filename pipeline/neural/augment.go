package neural

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Augment changes pictures at random in training, so that a net learns what does not matter. What a change moves in from outside repeats the edge. All are
// named as in torchvision, and 0 means none.
type Augment struct {
	Flip         float64 `json:"flip,omitempty"`          // share of pictures that are mirrored, left and right changed, 0 … 1 (RandomHorizontalFlip)
	FlipVertical float64 `json:"flip_vertical,omitempty"` // top and bottom (RandomVerticalFlip)
	Crop         int     `json:"crop,omitempty"`          // pixels by which the picture is shifted at most, both ways (RandomCrop with padding)
	Zoom         float64 `json:"zoom,omitempty"`          // least share of the area that is cut out and stretched over all, 0 … 1 (RandomResizedCrop, ratio 3/4 … 4/3)
	Rotate       float64 `json:"rotate,omitempty"`        // degrees that it is turned by at most, both ways, 0 … 180 (RandomRotation)
	Brightness   float64 `json:"brightness,omitempty"`    // factor from 1-x to 1+x, 0 … 1 (ColorJitter)
	Contrast     float64 `json:"contrast,omitempty"`
	Saturation   float64 `json:"saturation,omitempty"`
}

// augmentFor is what is usual for pictures of a size. Grey ones may be writing, which must not be mirrored.
func augmentFor(size, channels int) Augment {
	switch {
	case channels == 1:
		return Augment{Crop: max(1, size/14), Rotate: 8}
	case size < 96:
		return Augment{Flip: .5, Crop: max(1, size/8)}
	}
	return Augment{Flip: .5, Zoom: .5}
}

func (a *Augment) check() error {
	for _, f := range []struct {
		name      string
		v, most   float64
		otherwise string
	}{
		{"flip", a.Flip, 1, "a share from 0 to 1"},
		{"flip_vertical", a.FlipVertical, 1, "a share from 0 to 1"},
		{"crop", float64(a.Crop), 512, "pixels from 0 to 512"},
		{"zoom", a.Zoom, 1, "a share from 0 to 1"},
		{"rotate", a.Rotate, 180, "degrees from 0 to 180"},
		{"brightness", a.Brightness, 1, "a share from 0 to 1"},
		{"contrast", a.Contrast, 1, "a share from 0 to 1"},
		{"saturation", a.Saturation, 1, "a share from 0 to 1"},
	} {
		if !(f.v >= 0 && f.v <= f.most) {
			return fault.New(fault.Invalid, "must be "+f.otherwise).At("augment." + f.name)
		}
	}
	return nil
}

// dice are random numbers that draw and row alone decide: SplitMix64 (Steele, Lea and Flood 2014).
type dice uint64

func throw(draw, row uint64) dice { return dice(draw*0x9e3779b97f4a7c15 ^ (row+1)*0xd1342543de82ef95) }

// float is the next number, 0 … 1 without 1.
func (d *dice) float() float64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// within is the next number from -x to x.
func (d *dice) within(x float64) float64 { return (2*d.float() - 1) * x }

// apply makes dst of src, both (size, size, channels).
func (a *Augment) apply(dst, src []byte, size, channels int, draw, row uint64) {
	d := throw(draw, row)
	sample(dst, src, size, channels, a.place(&d, size))
	a.colour(&d, dst, channels)
}

// affine maps the place of a pixel in the result to that in the picture it is taken from: x' = xx·x + xy·y + x0, y' = yx·x + yy·y + y0.
type affine struct{ xx, xy, x0, yx, yy, y0 float64 }

// place draws where pixels come from. The number of draws is always the same, so that one change does not alter another.
func (a *Augment) place(d *dice, size int) affine {
	n := float64(size)
	sx, sy := 1.0, 1.0
	if d.float() < a.Flip {
		sx = -1
	}
	if d.float() < a.FlipVertical {
		sy = -1
	}
	dx := math.Round(d.within(float64(a.Crop) + .4999))
	dy := math.Round(d.within(float64(a.Crop) + .4999))
	if a.Crop == 0 {
		dx, dy = 0, 0
	}
	sin, cos := math.Sincos(d.within(a.Rotate) * math.Pi / 180)
	share, ratio := d.float(), math.Exp(d.within(math.Log(4./3)))
	wide, high := 1.0, 1.0
	u, v := d.within(.5), d.within(.5)
	if a.Zoom > 0 {
		share = a.Zoom + (1-a.Zoom)*share
		wide, high = min(1, math.Sqrt(share*ratio)), min(1, math.Sqrt(share/ratio))
		dx, dy = dx+u*(1-wide)*n, dy+v*(1-high)*n
	}
	// From the middle of the result: mirror, cut out, turn, shift, back from the middle of the picture.
	t := affine{xx: cos * wide * sx, xy: -sin * high * sy, yx: sin * wide * sx, yy: cos * high * sy}
	mid := (n - 1) / 2
	t.x0 = mid + dx - mid*(t.xx+t.xy)
	t.y0 = mid + dy - mid*(t.yx+t.yy)
	return t
}

// sample fills dst, each pixel from between the four of src around its place, in fixed point with 16 bits behind the point.
func sample(dst, src []byte, size, channels int, t affine) {
	fixed := func(v float64) int64 { return int64(math.Round(v * 65536)) }
	xx, yx := fixed(t.xx), fixed(t.yx)
	for y := range size {
		px, py := fixed(t.xy*float64(y)+t.x0), fixed(t.yy*float64(y)+t.y0)
		row := dst[y*size*channels:][:size*channels]
		for x := 0; x < len(row); x += channels {
			left, right, u := between(px, size)
			top, bottom, v := between(py, size)
			a, b := src[(top*size+left)*channels:][:channels], src[(top*size+right)*channels:][:channels]
			c, e := src[(bottom*size+left)*channels:][:channels], src[(bottom*size+right)*channels:][:channels]
			for k := range channels {
				over := int64(a[k])*(256-u) + int64(b[k])*u
				under := int64(c[k])*(256-u) + int64(e[k])*u
				row[x+k] = byte((over*(256-v) + under*v + 1<<15) >> 16)
			}
			px, py = px+xx, py+yx
		}
	}
}

// between are the elements on both sides of a place, and the weight of the second in 256ths. Beyond the edges there is more of them.
func between(at int64, size int) (before, after int, weight int64) {
	last := int64(size-1) << 16
	at = min(max(at, 0), last)
	before = int(at >> 16)
	return before, min(before+1, size-1), at >> 8 & 255
}

// colour changes brightness, contrast and saturation, in that order.
func (a *Augment) colour(d *dice, pix []byte, channels int) {
	bright, contrast, colour := 1+d.within(a.Brightness), 1+d.within(a.Contrast), 1+d.within(a.Saturation)
	if bright != 1 || contrast != 1 {
		mean := bright * meanOf(pix, channels)
		var to [256]byte
		for v := range to {
			to[v] = limited((bright*float64(v)-mean)*contrast + mean)
		}
		for i, v := range pix {
			pix[i] = to[v]
		}
	}
	if colour == 1 || channels != 3 {
		return
	}
	for i := 0; i+2 < len(pix); i += 3 {
		grey := .299*float64(pix[i]) + .587*float64(pix[i+1]) + .114*float64(pix[i+2])
		for k := range 3 {
			pix[i+k] = limited((float64(pix[i+k])-grey)*colour + grey)
		}
	}
}

// meanOf is the mean brightness.
func meanOf(pix []byte, channels int) float64 {
	var s moments
	s.add(pix, channels)
	if channels == 1 {
		return float64(s.sum[0]) / float64(s.n)
	}
	return (.299*float64(s.sum[0]) + .587*float64(s.sum[1]) + .114*float64(s.sum[2])) / float64(s.n)
}

func limited(v float64) byte { return byte(math.Round(min(max(v, 0), 255))) }
