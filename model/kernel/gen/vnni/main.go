// Command vnni generates int8_vnni_amd64.s of package kernel: products of bytes for AVX-512 with VNNI, which adds four products to an int32 at once.
// The layout is that of the kernels for AVX2: a group of four terms of a panel is one vector.
package main

import (
	"strconv"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const rowsMost = 8

func main() {
	ConstraintExpr("amd64")
	for m := 1; m <= rowsMost; m++ {
		tile(m, false)
		tile(m, true)
	}
	Generate()
}

// tile generates sums of m rows of A times 16 columns of B, eight terms a step. The signed bytes are B's, or A's where rows is set. Each row has
// two sums, of the groups of four that come first and second, or eight rows would wait for their sums.
func tile(m int, rows bool) {
	name := "int8Vnni"
	if rows {
		name = "int8VnniRows"
	}
	TEXT(name+strconv.Itoa(m), attr.NOSPLIT, "func(c, from *int32, step uintptr, a *uint8, lda uintptr, b *uint8, steps int)")
	Pragma("noescape")
	pointer := func(name string) reg.Register { return Load(Param(name), GP64()) }
	c, from, between, a, lda, b, steps := pointer("c"), pointer("from"), pointer("step"), pointer("a"), pointer("lda"), pointer("b"), pointer("steps")
	row := rowsOf(m, a, lda)
	sums := make([][2]reg.VecVirtual, m)
	for i := range sums {
		sums[i] = [2]reg.VecVirtual{ZMM(), ZMM()}
		VMOVDQU32(Mem{Base: from}, sums[i][0])
		VPXORD(sums[i][1], sums[i][1], sums[i][1])
		if i < m-1 {
			ADDQ(between, from)
		}
	}
	one := func(step int) {
		for g := range 2 {
			y := ZMM()
			VMOVDQU32(Mem{Base: b, Disp: step*128 + g*64}, y)
			for i := range m {
				at := row(i)
				at.Disp = step*8 + g*4
				if rows { // the second operand is the unsigned one
					VPDPBUSD_BCST(at, y, sums[i][g])
					continue
				}
				x := ZMM()
				VPBROADCASTD(at, x)
				VPDPBUSD(y, x, sums[i][g])
			}
		}
	}
	together := max(1, 4/m)
	if together > 1 {
		SUBQ(Imm(uint64(together)), steps)
		JLT(LabelRef("rest"))
		Label("many")
		for n := range together {
			one(n)
		}
		ADDQ(Imm(uint64(together*8)), a)
		ADDQ(U32(together*128), b)
		SUBQ(Imm(uint64(together)), steps)
		JGE(LabelRef("many"))
		Label("rest")
		ADDQ(Imm(uint64(together)), steps)
		JE(LabelRef("store"))
	}
	Label("one")
	one(0)
	ADDQ(Imm(8), a)
	ADDQ(U32(128), b)
	DECQ(steps)
	JNE(LabelRef("one"))
	Label("store")
	for i := range sums {
		VPADDD(sums[i][0], sums[i][1], sums[i][1])
		VMOVDQU32(sums[i][1], Mem{Base: c, Disp: i * 64})
	}
	VZEROUPPER()
	RET()
}

// rowsOf gives the places of up to eight rows.
func rowsOf(m int, a, lda reg.Register) func(i int) Mem {
	lda3, lda5, lda7 := GP64(), GP64(), GP64()
	if m > 3 {
		LEAQ(Mem{Base: lda, Index: lda, Scale: 2}, lda3)
	}
	if m > 5 {
		LEAQ(Mem{Base: lda, Index: lda, Scale: 4}, lda5)
	}
	if m > 7 {
		LEAQ(Mem{Base: lda3, Index: lda, Scale: 4}, lda7)
	}
	return func(i int) Mem {
		switch i {
		case 1, 2, 4:
			return Mem{Base: a, Index: lda, Scale: uint8(i)}
		case 3:
			return Mem{Base: a, Index: lda3, Scale: 1}
		case 5:
			return Mem{Base: a, Index: lda5, Scale: 1}
		case 6:
			return Mem{Base: a, Index: lda3, Scale: 2}
		case 7:
			return Mem{Base: a, Index: lda7, Scale: 1}
		}
		return Mem{Base: a}
	}
}
