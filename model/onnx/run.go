package onnx

import "github.com/jarvis-ml/jarvis/model/graph"

// Keys of the unpacked list fields of AttributeProto, one byte each.
const (
	floatsKey  = 7<<3 | wireFixed32
	intsKey    = 8<<3 | wireVarint
	stringsKey = 9<<3 | wireBytes
)

// run takes the list elements that stand at the front of attribute message b in one tight loop, and returns the rest. A
// forest is a node of a few attributes with a hundred thousand elements each, every one a field of its own; reading
// them one by one through each is five times slower. What it does not know, or finds broken, it leaves to attrField.
func run(b []byte, a *graph.Attr) (rest []byte, kind graph.AttrKind) {
	if len(b) == 0 {
		return b, 0
	}
	size, n := 0, 0
	switch b[0] {
	case floatsKey:
		size, n = floatSpan(b)
		kind = graph.AttrFloats
	case intsKey:
		size, n = intSpan(b)
		kind = graph.AttrInts
	case stringsKey:
		size, n = stringSpan(b)
		kind = graph.AttrStrings
	}
	if n == 0 {
		return b, 0
	}
	take(a, b, size, n)
	return b[size:], kind
}

// floatSpan tells how many floats stand at the front of b, and how many bytes they take.
func floatSpan(b []byte) (size, n int) {
	for size+5 <= len(b) && b[size] == floatsKey {
		size += 5
		n++
	}
	return size, n
}

// intSpan is floatSpan for integers.
func intSpan(b []byte) (size, n int) {
	for size+8 <= len(b) {
		switch x := uint64At(b[size:]); {
		case x&shortMask == shortInts:
			size, n = size+8, n+4
			continue
		case x&pairMask == pairInts:
			size, n = size+6, n+2
			continue
		case x&0xff != intsKey:
			return size, n
		case x&0x800000 == 0 || x&0x8000 == 0:
			size, n = size+2+int(x>>15&1), n+1
			continue
		}
		_, k := uvarint(b[size+1:])
		if k == 0 {
			return size, n
		}
		size, n = size+1+k, n+1
	}
	for size+1 < len(b) && b[size] == intsKey {
		_, k := uvarint(b[size+1:])
		if k == 0 {
			break
		}
		size, n = size+1+k, n+1
	}
	return size, n
}

// stringSpan is floatSpan for strings of at most 127 bytes.
func stringSpan(b []byte) (size, n int) {
	for size+2 <= len(b) && b[size] == stringsKey && b[size+1] < 0x80 {
		next := size + 2 + int(b[size+1])
		if next > len(b) {
			break
		}
		size = next
		n++
	}
	return size, n
}
