package onnx

import "math"

// writer appends protobuf fields to buf. Fields that hold their zero value are left out where a reader would put the
// same value back.
type writer struct{ buf []byte }

func (w *writer) key(num int, wire uint64) {
	w.buf = appendUvarint(w.buf, uint64(num)<<3|wire)
}

// int writes an integer field, zero included.
func (w *writer) int(num int, v int64) {
	w.key(num, wireVarint)
	w.buf = appendUvarint(w.buf, uint64(v))
}

// intIf writes an integer field unless it is zero.
func (w *writer) intIf(num int, v int64) {
	if v != 0 {
		w.int(num, v)
	}
}

func (w *writer) float(num int, v float32) {
	w.key(num, wireFixed32)
	w.buf = appendUint32(w.buf, math.Float32bits(v))
}

// text writes a string field, the empty string included.
func (w *writer) text(num int, s string) {
	w.key(num, wireBytes)
	w.buf = appendUvarint(w.buf, uint64(len(s)))
	w.buf = append(w.buf, s...)
}

// textIf writes a string field unless it is empty.
func (w *writer) textIf(num int, s string) {
	if s != "" {
		w.text(num, s)
	}
}

func (w *writer) bytes(num int, b []byte) {
	w.key(num, wireBytes)
	w.buf = appendUvarint(w.buf, uint64(len(b)))
	w.buf = append(w.buf, b...)
}

// message writes a field whose value body writes. The length stands before the value and is known only after it, so
// one byte is kept free for it and the value moves up when it is longer than 127 bytes.
func (w *writer) message(num int, body func() error) error {
	w.key(num, wireBytes)
	at := len(w.buf)
	w.buf = append(w.buf, 0)
	if err := body(); err != nil {
		return err
	}
	var room [10]byte
	size := appendUvarint(room[:0], uint64(len(w.buf)-at-1))
	n := len(size)
	if n > 1 {
		w.buf = append(w.buf, size[1:n]...) // room; overwritten by the move
		copy(w.buf[at+n:], w.buf[at+1:len(w.buf)-n+1])
	}
	copy(w.buf[at:], size)
	return nil
}
