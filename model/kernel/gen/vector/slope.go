package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// Loops of the way back: gradients over functions of one number, and over normalisations.

// slope generates dst = f(v, dy) with so many of the scalars a, b and c.
func slope(name string, vectors, scalars int, f func(v, dy vec, s []vec) vec, constants ...float64) {
	text(name, "dst, v, dy *float32, n int, mask *int32, a, b, c float32)")
	dst, v, dy := pointer("dst"), pointer("v"), pointer("dy")
	var s []vec
	for _, scalar := range []string{"a", "b", "c"}[:scalars] {
		s = append(s, broadcast(scalar))
	}
	hold(constants...)
	loop(vectors, []gp{dst, v, dy}, func(_ int, at func(gp) Mem, mask *vec) {
		store(f(load(at(v), mask), load(at(dy), mask), s), at(dst), mask)
	})
	VZEROUPPER()
	RET()
}

func times(x, y vec) vec { r := YMM(); VMULPS(y, x, r); return r }

// withinSlope is c·dy where a < v < b.
func withinSlope(v, dy vec, s []vec) vec {
	const less, greater = 17, 30
	low, high := YMM(), YMM()
	VCMPPS(Imm(greater), s[0], v, low)
	VCMPPS(Imm(less), s[1], v, high)
	VANDPS(low, high, high)
	r := times(dy, s[2])
	VANDPS(high, r, r)
	return r
}

// leakySlope is a·dy where the sign of v is set, dy elsewhere.
func leakySlope(v, dy vec, s []vec) vec {
	r := times(dy, s[0])
	VBLENDVPS(v, r, dy, r)
	return r
}

// sigmoidSlope is dy·v·(1 - v).
func sigmoidSlope(v, dy vec, _ []vec) vec {
	r := times(v, dy)
	VFNMADD231PS(r, v, r)
	return r
}

// tanhSlope is dy·(1 - v²).
func tanhSlope(v, dy vec, _ []vec) vec {
	r := times(v, dy)
	VFNMADD213PS(dy, v, r)
	return r
}

// siluSlope is dy·s·(1 + u·(1 - s)) with u = a·v and s = 1/(1 + e^-u).
func siluSlope(v, dy vec, a []vec) vec {
	u := within(times(v, a[0]), -88, 88)
	s := sigmoid(u, number(1))
	r := YMM()
	VMOVAPS(u, r)
	VFNMADD213PS(u, s, r) // u - u·s
	VADDPS(constant(1), r, r)
	VMULPS(s, r, r)
	VMULPS(dy, r, r)
	return r
}

// geluSlope is dy·(Φ(v) + v·φ(v)).
func geluSlope(v, dy vec, _ []vec) vec {
	x := within(v, -10, 10)
	half := YMM() // -x²/2
	VMULPS(x, x, half)
	VMULPS(constant(-.5), half, half)
	p, t := expParts(half)
	VPSLLD(Imm(23), t, t)
	VPADDD(word(0x3f800000), t, t)
	VMULPS(t, p, p)
	VMULPS(constant(.3989422804014327), p, p)
	VMULPS(x, p, p)
	VMULPS(constant(.7071067811865476), x, x)
	e := erf(x)
	VFMADD132PS(constant(.5), p, e)
	VADDPS(constant(.5), e, e)
	VMULPS(dy, e, e)
	return e
}

// geluTanhSlope is dy·((1 + t)/2 + v/2·(1 - t²)·u') with t = tanh u, u = √(2/π)·(v + 0.044715v³).
func geluTanhSlope(v, dy vec, _ []vec) vec {
	x := within(v, -10, 10)
	square := YMM()
	VMULPS(x, x, square)
	u := number(.7978845608028654 * .044715)
	VFMADD213PS(constant(.7978845608028654), square, u)
	VMULPS(x, u, u)
	t := tanh(u)
	slope := number(.7978845608028654 * .044715 * 3)
	VFMADD213PS(constant(.7978845608028654), square, slope)
	VMULPS(x, slope, slope)
	one := number(1)
	VFNMADD231PS(t, t, one)
	VMULPS(one, slope, slope) // v·(1 - t²)·u'
	VADDPS(t, slope, slope)
	VADDPS(constant(1), slope, slope)
	VMULPS(constant(.5), slope, slope)
	VMULPS(dy, slope, slope)
	return slope
}

// hardSwishSlope is dy·(v/3 + 1/2), which is 0 below -3 and dy above 3.
func hardSwishSlope(v, dy vec, _ []vec) vec {
	const notGreater, notLess = 18, 29
	r, at := number(1./3), YMM()
	VFMADD213PS(constant(.5), v, r)
	VMULPS(dy, r, r)
	VCMPPS(Imm(notGreater), constant(-3), v, at)
	VANDNPS(r, at, r)
	VCMPPS(Imm(notLess), constant(3), v, at)
	VBLENDVPS(at, dy, r, r)
	return r
}

func slopes() {
	slope("slopeWithin", 2, 3, withinSlope)
	slope("slopeLeaky", 2, 1, leakySlope)
	slope("slopeSigmoid", 4, 0, sigmoidSlope)
	slope("slopeTanh", 4, 0, tanhSlope)
	slope("slopeSilu", 1, 1, siluSlope)
	slope("slopeGelu", 1, 0, geluSlope)
	slope("slopeGeluTanh", 1, 0, geluTanhSlope)
	slope("slopeHardSwish", 2, 0, hardSwishSlope)
}

// giveTwo returns the first float32 of x and of y.
func giveTwo(x, y vec) {
	for i, v := range []vec{x, y} {
		at, err := ReturnIndex(i).Resolve()
		if err != nil {
			panic(err)
		}
		VMOVSS(v.AsX(), at.Addr)
	}
	VZEROUPPER()
	RET()
}

// moments generates the sums of dy and of dy·(x - mean); with scale, dy is dy·scale in both.
func moments(name string, scaled bool) {
	if scaled {
		text(name, "dy, x, scale *float32, n int, mask *int32, mean float32) (float32, float32)")
	} else {
		text(name, "dy, x *float32, n int, mask *int32, mean float32) (float32, float32)")
	}
	dy, x := pointer("dy"), pointer("x")
	pointers := []gp{dy, x}
	var scale gp
	if scaled {
		scale = pointer("scale")
		pointers = append(pointers, scale)
	}
	sum, with, mean := sums(4), sums(4), broadcast("mean")
	loop(4, pointers, func(i int, at func(gp) Mem, mask *vec) {
		g, v := load(at(dy), mask), load(at(x), mask)
		if scaled {
			VMULPS(load(at(scale), mask), g, g)
		}
		VSUBPS(mean, v, v)
		VADDPS(g, sum[i], sum[i])
		VFMADD231PS(v, g, with[i])
	})
	giveTwo(across(sum, plus), across(with, plus))
}

// blend generates dst = a·x + b·y + c.
func blend() {
	text("vectorBlend", "dst, x, y *float32, n int, mask *int32, a, b, c float32)")
	dst, x, y := pointer("dst"), pointer("x"), pointer("y")
	a, b, c := broadcast("a"), broadcast("b"), broadcast("c")
	loop(4, []gp{dst, x, y}, func(_ int, at func(gp) Mem, mask *vec) {
		r := fma(load(at(y), mask), b, c)
		VFMADD231PS(load(at(x), mask), a, r)
		store(r, at(dst), mask)
	})
	VZEROUPPER()
	RET()
}

// columns generates sum += dy and with += dy·(x - mean), element by element.
func columns() {
	text("vectorColumns", "sum, with, dy, x, mean *float32, n int, mask *int32)")
	sum, with, dy, x, mean := pointer("sum"), pointer("with"), pointer("dy"), pointer("x"), pointer("mean")
	loop(2, []gp{sum, with, dy, x, mean}, func(_ int, at func(gp) Mem, mask *vec) {
		g, v := load(at(dy), mask), load(at(x), mask)
		VSUBPS(load(at(mean), mask), v, v)
		s, w := load(at(sum), mask), load(at(with), mask)
		VADDPS(g, s, s)
		VFMADD231PS(v, g, w)
		store(s, at(sum), mask)
		store(w, at(with), mask)
	})
	VZEROUPPER()
	RET()
}

// layerBack generates, with z = (x - mean)·inverse, dscale += dy·z, dbias += dy and dx = inverse·dy·scale + a·z + b.
func layerBack() {
	text("vectorLayerBack", "dx, dscale, dbias, dy, x, scale *float32, n int, mask *int32, mean, inverse, a, b float32)")
	dx, dscale, dbias := pointer("dx"), pointer("dscale"), pointer("dbias")
	dy, x, scale := pointer("dy"), pointer("x"), pointer("scale")
	mean, inverse, a, b := broadcast("mean"), broadcast("inverse"), broadcast("a"), broadcast("b")
	loop(2, []gp{dx, dscale, dbias, dy, x, scale}, func(_ int, at func(gp) Mem, mask *vec) {
		g, z := load(at(dy), mask), load(at(x), mask)
		VSUBPS(mean, z, z)
		VMULPS(inverse, z, z)
		s, t := load(at(dscale), mask), load(at(dbias), mask)
		VFMADD231PS(z, g, s)
		VADDPS(g, t, t)
		store(s, at(dscale), mask)
		store(t, at(dbias), mask)
		VFMADD213PS(b, a, z)
		VMULPS(inverse, g, g)
		VFMADD231PS(load(at(scale), mask), g, z)
		store(z, at(dx), mask)
	})
	VZEROUPPER()
	RET()
}

// lanes is a vector of eight words.
func lanes(name string, words ...uint32) Mem {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	for i, w := range words {
		DATA(i*4, U32(w))
	}
	return m
}

// drop generates dropout over groups of 32 elements by Philox4x32-10: eight counters, whose words are an element each. Two vectors hold four
// counters each, in the lower halves of 64 bits.
func drop() {
	evens, odds := lanes("evens", 0, 0, 2, 0, 4, 0, 6, 0), lanes("odds", 1, 0, 3, 0, 5, 0, 7, 0)
	text("vectorDrop", "dst, src *float32, kept *uint8, groups int, keys, counter *uint32, threshold uint32, scale float32)")
	dst, src, kept := pointer("dst"), pointer("src"), pointer("kept")
	groups, keys, counter := pointer("groups"), pointer("keys"), pointer("counter")
	threshold, block := Load(Param("threshold"), GP32()), GP32()
	MOVL(Mem{Base: counter}, block)
	Label("group")
	c := [2][4]vec{}
	for h, offsets := range []Mem{evens, odds} {
		for i := range c[h] {
			c[h][i] = YMM()
			if i > 0 {
				VPBROADCASTD(Mem{Base: counter, Disp: i * 4}, c[h][i])
			}
		}
		VMOVD(block, c[h][0].AsX())
		VPBROADCASTD(c[h][0].AsX(), c[h][0])
		VPADDD(offsets, c[h][0], c[h][0])
	}
	for round := range 10 {
		k0, k1 := YMM(), YMM()
		VPBROADCASTD(Mem{Base: keys, Disp: round * 8}, k0)
		VPBROADCASTD(Mem{Base: keys, Disp: round*8 + 4}, k1)
		for h := range c {
			x := &c[h]
			a, b := YMM(), YMM()
			VPMULUDQ(word(0xd2511f53), x[0], a)
			VPMULUDQ(word(0xcd9e8d57), x[2], b)
			VPXOR(k0, x[1], x[1])
			VPXOR(k1, x[3], x[3])
			VPSRLQ(Imm(32), b, x[0])
			VPXOR(x[1], x[0], x[0])
			VPSRLQ(Imm(32), a, x[2])
			VPXOR(x[3], x[2], x[2])
			x[1], x[3] = b, a
		}
	}
	least, scale := YMM(), broadcast("scale")
	VMOVD(threshold, least.AsX())
	VPBROADCASTD(least.AsX(), least)
	bits := GP32()
	for i := range 4 {
		w, most := YMM(), YMM()
		VPSLLQ(Imm(32), c[1][i], w)
		VPBLENDD(Imm(0xaa), w, c[0][i], w)
		VPMAXUD(least, w, most)
		VPCMPEQD(most, w, w)
		VMOVMSKPS(w, bits)
		MOVB(bits.As8(), Mem{Base: kept, Disp: i})
		x := YMM()
		VMULPS(Mem{Base: src, Disp: i * width}, scale, x)
		VANDPS(x, w, w)
		VMOVUPS(w, Mem{Base: dst, Disp: i * width})
	}
	ADDL(Imm(8), block)
	ADDQ(Imm(4*width), src)
	ADDQ(Imm(4*width), dst)
	ADDQ(Imm(4), kept)
	DECQ(groups)
	JNE(LabelRef("group"))
	VZEROUPPER()
	RET()
}

// keep generates dst = scale·src where the bits of kept are set, 0 elsewhere, for groups of eight.
func keep() {
	single := lanes("single", 1, 2, 4, 8, 16, 32, 64, 128)
	text("vectorKeep", "dst, src *float32, kept *uint8, groups int, scale float32)")
	dst, src, kept, groups := pointer("dst"), pointer("src"), pointer("kept"), pointer("groups")
	each, scale := YMM(), broadcast("scale")
	VMOVUPS(single, each)
	Label("group")
	w, x := YMM(), YMM()
	VPBROADCASTB(Mem{Base: kept}, w)
	VPAND(each, w, w)
	VPCMPEQD(each, w, w)
	VMULPS(Mem{Base: src}, scale, x)
	VANDPS(x, w, w)
	VMOVUPS(w, Mem{Base: dst})
	ADDQ(Imm(width), src)
	ADDQ(Imm(width), dst)
	INCQ(kept)
	DECQ(groups)
	JNE(LabelRef("group"))
	VZEROUPPER()
	RET()
}

func back() {
	slopes()
	moments("vectorMoments", false)
	moments("vectorMomentsScale", true)
	blend()
	columns()
	layerBack()
	drop()
	keep()
}
