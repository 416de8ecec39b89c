// Command tree generates tree_amd64.s of package kernel: walks through a Grove. They need no more than every amd64 has.
package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	side      = 8  // trees that go down together
	groupSize = 12 // bytes of kernel.groveGroup
)

func main() {
	ConstraintExpr("amd64")
	row()
	rows("groveSums", "nodes *uint32, values *float32, group *int32, keys *uint32, step uintptr, rows int, sums *float32", func(values reg.Register, at []reg.GPVirtual) {
		p, x := Load(Param("sums"), GP64()), XMM()
		MOVSS(Mem{Base: p}, x)
		add(values, at, x)
		MOVSS(x, Mem{Base: p})
		to, _ := Param("sums").Resolve()
		ADDQ(Imm(4), to.Addr)
	})
	rows("groveLeaves", "nodes *uint32, leaves *int32, group *int32, keys *uint32, step uintptr, rows int", func(first reg.Register, at []reg.GPVirtual) {
		p := Load(Param("leaves"), GP64())
		for t, i := range at {
			ADDL(first.(reg.GPVirtual).As32(), i.As32())
			MOVL(i.As32(), Mem{Base: p, Disp: 4 * t})
		}
		to, _ := Param("leaves").Resolve()
		ADDQ(Imm(4*side), to.Addr)
	})
	Generate()
}

func text(name, signature string) {
	TEXT(name, attr.NOSPLIT, "func("+signature)
	Pragma("noescape")
}

// roots are the places where eight walks begin.
func roots() []reg.GPVirtual {
	at := make([]reg.GPVirtual, side)
	for t := range at {
		at[t] = GP64()
		MOVL(U32(side+t), at[t].As32())
	}
	return at
}

// walk takes the row at keys down eight trees, depth levels. The node in place i of the heap is at nodes + 8i; the children of i are 2i and 2i+1,
// and what is added is the borrow of the node's key less the row's.
func walk(nodes, keys, depth reg.GPVirtual, at []reg.GPVirtual) {
	TESTL(depth.As32(), depth.As32())
	JE(LabelRef("leaves"))
	Label("level")
	for _, i := range at {
		feature, key := GP64(), GP32()
		MOVL(Mem{Base: nodes, Index: i, Scale: 8, Disp: 4}, feature.As32())
		MOVL(Mem{Base: nodes, Index: i, Scale: 8}, key)
		CMPL(key, Mem{Base: keys, Index: feature, Scale: 4})
		ADCL(i.As32(), i.As32())
	}
	DECL(depth.As32())
	JNE(LabelRef("level"))
	Label("leaves")
}

// add adds the values of leaves, one after another.
func add(values reg.Register, at []reg.GPVirtual, x reg.VecVirtual) {
	for _, i := range at {
		ADDSS(Mem{Base: values, Index: i, Scale: 4}, x)
	}
}

// open reads where a group begins: node 0 of its heap, value 0 of its leaves, and the number of its levels.
func open(group reg.Register) (nodes, values, depth reg.GPVirtual) {
	nodes, values, depth = GP64(), GP64(), GP64()
	MOVLQSX(Mem{Base: group}, nodes)
	at, _ := Param("nodes").Resolve()
	SHLQ(Imm(3), nodes)
	ADDQ(at.Addr, nodes)
	MOVLQSX(Mem{Base: group, Disp: 4}, values)
	MOVL(Mem{Base: group, Disp: 8}, depth.As32())
	return nodes, values, depth
}

// row generates kernel.groveSum: sum and the values of the leaves that one row reaches in all groups, tree after tree.
func row() {
	text("groveSum", "nodes *uint32, values *float32, groups *int32, count int, keys *uint32, sum float32) float32")
	left, group := AllocLocal(8), AllocLocal(8)
	r := Load(Param("count"), GP64())
	MOVQ(r, left)
	r = Load(Param("groups"), GP64())
	MOVQ(r, group)
	keys, x := Load(Param("keys"), GP64()).(reg.GPVirtual), XMM()
	Load(Param("sum"), x)
	Label("group")
	p := GP64()
	MOVQ(group, p)
	nodes, values, depth := open(p)
	ADDQ(Imm(groupSize), p)
	MOVQ(p, group)
	at, _ := Param("values").Resolve()
	SHLQ(Imm(2), values)
	ADDQ(at.Addr, values)
	places := roots()
	walk(nodes, keys, depth, places)
	add(values, places, x)
	DECQ(left)
	JNE(LabelRef("group"))
	Store(x, ReturnIndex(0))
	RET()
}

// rows generates a walk of many rows, which lie step bytes apart, through one group; end does what is to be done with the leaves of one row.
func rows(name, signature string, end func(values reg.Register, at []reg.GPVirtual)) {
	text(name, signature+")")
	left, depth0 := AllocLocal(8), AllocLocal(8)
	r := Load(Param("rows"), GP64())
	MOVQ(r, left)
	group := Load(Param("group"), GP64())
	nodes, values, depth := open(group)
	MOVQ(depth, depth0)
	if name == "groveSums" {
		at, _ := Param("values").Resolve()
		SHLQ(Imm(2), values)
		ADDQ(at.Addr, values)
	}
	keys := Load(Param("keys"), GP64()).(reg.GPVirtual)
	Label("row")
	MOVQ(depth0, depth)
	at := roots()
	walk(nodes, keys, depth, at)
	end(values, at)
	step, _ := Param("step").Resolve()
	ADDQ(step.Addr, keys)
	DECQ(left)
	JNE(LabelRef("row"))
	RET()
}
