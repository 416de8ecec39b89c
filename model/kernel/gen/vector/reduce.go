package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// sums makes n vectors of zeros.
func sums(n int) []vec {
	s := make([]vec, n)
	for i := range s {
		s[i] = YMM()
		VXORPS(s[i], s[i], s[i])
	}
	return s
}

// across folds vectors, and then the eight lanes of what remains, into the first lane.
func across(s []vec, f func(a, b, to Op)) vec {
	for n := len(s) / 2; n > 0; n /= 2 {
		for i := range n {
			f(s[n+i], s[i], s[i])
		}
	}
	x, y := s[0], YMM()
	VEXTRACTF128(Imm(1), x, y.AsX())
	f(y.AsX(), x.AsX(), x.AsX())
	VPERMILPS(Imm(0x4e), x.AsX(), y.AsX())
	f(y.AsX(), x.AsX(), x.AsX())
	VPERMILPS(Imm(0xb1), x.AsX(), y.AsX())
	f(y.AsX(), x.AsX(), x.AsX())
	return x
}

func plus(a, b, to Op) { VADDPS(a, b, to) }

func sum() {
	text("vectorSum", "src *float32, n int, mask *int32) float32")
	src, s := pointer("src"), sums(4)
	loop(4, []gp{src}, func(i int, at func(gp) Mem, mask *vec) {
		if mask == nil {
			VADDPS(at(src), s[i], s[i])
			return
		}
		VADDPS(load(at(src), mask), s[i], s[i])
	})
	give(across(s, plus))
}

// squares generates the sum of (x - mean)².
func squares() {
	text("vectorSquares", "src *float32, n int, mask *int32, mean float32) float32")
	src, s, mean := pointer("src"), sums(4), broadcast("mean")
	loop(4, []gp{src}, func(i int, at func(gp) Mem, mask *vec) {
		x := load(at(src), mask)
		VSUBPS(mean, x, x)
		if mask != nil {
			VANDPS(*mask, x, x)
		}
		VFMADD231PS(x, x, s[i])
	})
	give(across(s, plus))
}

// greatest generates the greatest number that is not NaN, -Inf without any.
func greatest() {
	text("vectorGreatest", "src *float32, n int, mask *int32) float32")
	src := pointer("src")
	s := make([]vec, 4)
	least := word(0xff800000)
	for i := range s {
		s[i] = YMM()
		VMOVUPS(least, s[i])
	}
	loop(4, []gp{src}, func(i int, at func(gp) Mem, mask *vec) {
		x := load(at(src), mask)
		if mask != nil {
			none := YMM()
			VMOVUPS(least, none)
			VBLENDVPS(*mask, x, none, x)
		}
		VMAXPS(s[i], x, s[i])
	})
	give(across(s, func(a, b, to Op) { VMAXPS(a, b, to) }))
}

func dot() {
	text("vectorDot", "a, b *float32, n int, mask *int32) float32")
	a, b, s := pointer("a"), pointer("b"), sums(4)
	loop(4, []gp{a, b}, func(i int, at func(gp) Mem, mask *vec) {
		x := load(at(a), mask)
		if mask == nil {
			VFMADD231PS(at(b), x, s[i])
			return
		}
		VFMADD231PS(load(at(b), mask), x, s[i])
	})
	give(across(s, plus))
}

// expSum generates dst = e^(src - top) and its sum; what is less than the least normal number becomes 0.
func expSum() {
	text("vectorExpSum", "dst, src *float32, n int, mask *int32, top float32) float32")
	dst, src, s, top := pointer("dst"), pointer("src"), sums(2), broadcast("top")
	hold(expConstants[:7]...)
	loop(2, []gp{dst, src}, func(i int, at func(gp) Mem, mask *vec) {
		x, seen := load(at(src), mask), YMM()
		VSUBPS(top, x, x)
		const notLess = 5
		VCMPPS(Imm(notLess), constant(-87.3), x, seen)
		p, t := expParts(x)
		VPSLLD(Imm(23), t, t)
		VPADDD(word(0x3f800000), t, t)
		VMULPS(t, p, p)
		VANDPS(seen, p, p)
		if mask != nil {
			VANDPS(*mask, p, p)
		}
		VADDPS(p, s[i], s[i])
		store(p, at(dst), mask)
	})
	give(across(s, plus))
}

// column generates the product of tiles of up to eight rows and k columns, of which the columns lie step bytes apart, with b (k). Tiles are an
// bytes apart, and what they give, eight elements, dn.
func column() {
	text("vectorColumn", "dst, a *float32, step uintptr, b *float32, k, tiles int, an, dn uintptr)")
	dst, a, step, b := pointer("dst"), pointer("a"), pointer("step"), pointer("b")
	k, tiles, an, dn := pointer("k"), pointer("tiles"), pointer("an"), pointer("dn")
	Label("tile")
	s := sums(4)
	from, with, left := GP64(), GP64(), GP64()
	MOVQ(a, from)
	MOVQ(b, with)
	MOVQ(k, left)
	add := func(i int) {
		x := YMM()
		VBROADCASTSS(Mem{Base: with, Disp: i * 4}, x)
		VFMADD231PS(Mem{Base: from}, x, s[i])
		ADDQ(step, from)
	}
	SUBQ(Imm(4), left)
	JLT(LabelRef("rest"))
	Label("four")
	for i := range s {
		add(i)
	}
	ADDQ(Imm(16), with)
	SUBQ(Imm(4), left)
	JGE(LabelRef("four"))
	Label("rest")
	ADDQ(Imm(4), left)
	JE(LabelRef("store"))
	Label("one")
	add(0)
	ADDQ(Imm(4), with)
	DECQ(left)
	JNE(LabelRef("one"))
	Label("store")
	VADDPS(s[2], s[0], s[0])
	VADDPS(s[3], s[1], s[1])
	VADDPS(s[1], s[0], s[0])
	VMOVUPS(s[0], Mem{Base: dst})
	ADDQ(an, a)
	ADDQ(dn, dst)
	DECQ(tiles)
	JNE(LabelRef("tile"))
	VZEROUPPER()
	RET()
}
