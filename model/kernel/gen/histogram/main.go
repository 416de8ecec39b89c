// Command histogram generates histogram_amd64.s of package kernel: sums by bins. They need no more than every amd64 has.
package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	ahead = 16 // rows between the one that is added and the one that is fetched
	side  = 4  // features in one turn: their sums do not wait for each other
)

func main() {
	ConstraintExpr("amd64")
	TEXT("histogramRows", attr.NOSPLIT, "func(hist *uint64, offset *uint32, features int, bins *uint8, stride int, values *uint64, rows *int32, count int)")
	Pragma("noescape")
	hist, offset, features := Load(Param("hist"), GP64()), Load(Param("offset"), GP64()), Load(Param("features"), GP64())
	bins, stride, values := Load(Param("bins"), GP64()), Load(Param("stride"), GP64()), Load(Param("values"), GP64())
	row, last := Load(Param("rows"), GP64()), Load(Param("count"), GP64())
	Comment("Features are counted from -features up to 0, behind the last of them.")
	ADDQ(features, bins)
	LEAQ(Mem{Base: offset, Index: features, Scale: 4}, offset)
	LEAQ(Mem{Base: row, Index: last, Scale: 4, Disp: -4}, last)

	Label("row")
	fetch(values, bins, stride, row, last)
	r, v, f := GP64(), GP64(), GP64()
	MOVLQSX(Mem{Base: row}, r)
	MOVQ(Mem{Base: values, Index: r, Scale: 8}, v)
	IMULQ(stride, r)
	ADDQ(bins, r)
	first, _ := Param("features").Resolve()
	XORQ(f, f)
	SUBQ(first.Addr, f)
	ADDQ(Imm(side), f)
	JG(LabelRef("rest"))
	Label("features")
	add(hist, offset, r, f, v, side)
	ADDQ(Imm(side), f)
	JLE(LabelRef("features"))
	Label("rest")
	SUBQ(Imm(side), f)
	JZ(LabelRef("done"))
	Label("feature")
	add(hist, offset, r, f, v, 1)
	INCQ(f)
	JNZ(LabelRef("feature"))
	Label("done")
	ADDQ(Imm(4), row)
	CMPQ(row, last)
	JLE(LabelRef("row"))
	RET()
	sparse()
	Generate()
}

// sparse generates sums by lists of bins.
func sparse() {
	TEXT("histogramLists", attr.NOSPLIT, "func(hist *uint64, start *int, lists *uint32, values *uint64, rows *int32, count int)")
	Pragma("noescape")
	hist, start, lists := Load(Param("hist"), GP64()), Load(Param("start"), GP64()), Load(Param("lists"), GP64())
	values, row, last := Load(Param("values"), GP64()), Load(Param("rows"), GP64()), Load(Param("count"), GP64())
	LEAQ(Mem{Base: row, Index: last, Scale: 4, Disp: -4}, last)

	Label("row")
	later := GP64()
	LEAQ(Mem{Base: row, Disp: 4 * ahead}, later)
	CMPQ(later, last)
	CMOVQGT(last, later)
	MOVLQSX(Mem{Base: later}, later)
	PREFETCHT0(Mem{Base: values, Index: later, Scale: 8})
	MOVQ(Mem{Base: start, Index: later, Scale: 8}, later)
	PREFETCHT0(Mem{Base: lists, Index: later, Scale: 4})
	r, v, at, end := GP64(), GP64(), GP64(), GP64()
	MOVLQSX(Mem{Base: row}, r)
	MOVQ(Mem{Base: values, Index: r, Scale: 8}, v)
	MOVQ(Mem{Base: start, Index: r, Scale: 8}, at)
	MOVQ(Mem{Base: start, Index: r, Scale: 8, Disp: 8}, end)
	ADDQ(Imm(side), at)
	CMPQ(at, end)
	JG(LabelRef("rest"))
	Label("turn")
	bins := make([]reg.GPVirtual, side)
	for k := range bins {
		bins[k] = GP64()
		MOVL(Mem{Base: lists, Index: at, Scale: 4, Disp: 4 * (k - side)}, bins[k].As32())
	}
	for _, b := range bins {
		ADDQ(v, Mem{Base: hist, Index: b, Scale: 8})
	}
	ADDQ(Imm(side), at)
	CMPQ(at, end)
	JLE(LabelRef("turn"))
	Label("rest")
	SUBQ(Imm(side), at)
	CMPQ(at, end)
	JGE(LabelRef("done"))
	Label("bin")
	MOVL(Mem{Base: lists, Index: at, Scale: 4}, r.As32())
	ADDQ(v, Mem{Base: hist, Index: r, Scale: 8})
	INCQ(at)
	CMPQ(at, end)
	JLT(LabelRef("bin"))
	Label("done")
	ADDQ(Imm(4), row)
	CMPQ(row, last)
	JLE(LabelRef("row"))
	RET()
}

// fetch asks for what a later row needs: its value, and the first and the last of its bins.
func fetch(values, bins, stride, row, last reg.Register) {
	p := GP64()
	LEAQ(Mem{Base: row, Disp: 4 * ahead}, p)
	CMPQ(p, last)
	CMOVQGT(last, p)
	MOVLQSX(Mem{Base: p}, p)
	PREFETCHT0(Mem{Base: values, Index: p, Scale: 8})
	IMULQ(stride, p)
	PREFETCHT0(Mem{Base: bins, Index: p, Scale: 1, Disp: -1})
	first, _ := Param("features").Resolve()
	SUBQ(first.Addr, p)
	PREFETCHT0(Mem{Base: bins, Index: p, Scale: 1})
}

// add adds v to the bins of features: f of them behind the last, less those that a whole turn counts on.
func add(hist, offset, r, f, v reg.Register, n int) {
	back := 0
	if n == side {
		back = side
	}
	at := make([]reg.GPVirtual, n)
	for k := range at {
		at[k] = GP64()
		MOVBLZX(Mem{Base: r, Index: f, Scale: 1, Disp: k - back}, at[k].As32())
		ADDL(Mem{Base: offset, Index: f, Scale: 4, Disp: 4 * (k - back)}, at[k].As32())
	}
	for _, b := range at {
		ADDQ(v, Mem{Base: hist, Index: b, Scale: 8})
	}
}
