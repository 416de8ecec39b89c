package main

import (
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// slide generates what kernel.Window does with rows of windows: each element of dst is bias plus the taps at its offsets from src, each
// times its weight; or the greatest of the taps, where there are no weights. The mask is that of the last vector of a row.
func slide(name string, weighted bool) {
	signature := "dst, src *float32, offsets *int, taps, n int, mask *int32, rows int, dstStep, srcStep uintptr"
	if weighted {
		signature += ", weights *float32, bias float32"
	}
	text(name, signature+")")
	memory := func(name string) Mem {
		at, err := Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		return at.Addr
	}
	dst, src, offsets, taps := pointer("dst"), pointer("src"), pointer("offsets"), pointer("taps")
	var weights gp
	var start vec
	if weighted {
		weights = pointer("weights")
		start = broadcast("bias")
	} else {
		start = YMM()
		VMOVUPS(word(0xff800000), start)
	}
	mask, p := YMM(), pointer("mask")
	VMOVUPS(Mem{Base: p}, mask)
	Label("row")
	to, from, left := GP64(), GP64(), GP64()
	MOVQ(dst, to)
	MOVQ(src, from)
	MOVQ(memory("n"), left)
	block := func(label string, vectors int, mask *vec) {
		s := make([]vec, vectors)
		for i := range s {
			s[i] = YMM()
			VMOVAPS(start, s[i])
		}
		tap, at := GP64(), GP64()
		XORQ(tap, tap)
		Label(label + "tap")
		MOVQ(Mem{Base: offsets, Index: tap, Scale: 8}, at)
		ADDQ(from, at)
		if weighted {
			w := YMM()
			VBROADCASTSS(Mem{Base: weights, Index: tap, Scale: 4}, w)
			for i := range s {
				VFMADD231PS(Mem{Base: at, Disp: i * width}, w, s[i])
			}
		} else {
			for i := range s {
				x := YMM()
				VMOVUPS(Mem{Base: at, Disp: i * width}, x)
				VMAXPS(s[i], x, s[i]) // NaN does not count
			}
		}
		INCQ(tap)
		CMPQ(tap, taps)
		JLT(LabelRef(label + "tap"))
		for i := range s {
			if i == vectors-1 {
				store(s[i], Mem{Base: to, Disp: i * width}, mask)
			} else {
				store(s[i], Mem{Base: to, Disp: i * width}, nil)
			}
		}
		ADDQ(Imm(uint64(vectors*width)), to)
		ADDQ(Imm(uint64(vectors*width)), from)
	}
	SUBQ(Imm(32), left)
	JLT(LabelRef("few"))
	Label("four")
	block("four", 4, nil)
	SUBQ(Imm(32), left)
	JGE(LabelRef("four"))
	Label("few")
	ADDQ(Imm(32), left)
	JE(LabelRef("next"))
	for vectors := 1; vectors <= 4; vectors++ { // what is left
		label := "rest" + strconv.Itoa(vectors)
		if vectors < 4 {
			CMPQ(left, Imm(uint64(vectors*8)))
			JG(LabelRef(label + "not"))
		}
		block(label, vectors, &mask)
		if vectors < 4 {
			JMP(LabelRef("next"))
			Label(label + "not")
		}
	}
	Label("next")
	ADDQ(memory("dstStep"), dst)
	ADDQ(memory("srcStep"), src)
	DECQ(memory("rows"))
	JNE(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// split generates the even elements of src to one place and the odd ones to another; blocks of sixteen.
func split() {
	text("vectorSplit", "even, odd, src *float32, blocks int)")
	even, odd, src, blocks := pointer("even"), pointer("odd"), pointer("src"), pointer("blocks")
	Label("next")
	a, b, e, o := YMM(), YMM(), YMM(), YMM()
	VMOVUPS(Mem{Base: src}, a)
	VMOVUPS(Mem{Base: src, Disp: width}, b)
	VSHUFPS(Imm(0x88), b, a, e)
	VSHUFPS(Imm(0xdd), b, a, o)
	VPERMPD(Imm(0xd8), e, e)
	VPERMPD(Imm(0xd8), o, o)
	VMOVUPS(e, Mem{Base: even})
	VMOVUPS(o, Mem{Base: odd})
	ADDQ(Imm(64), src)
	ADDQ(Imm(32), even)
	ADDQ(Imm(32), odd)
	DECQ(blocks)
	JNE(LabelRef("next"))
	VZEROUPPER()
	RET()
}
