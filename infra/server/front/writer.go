package front

import (
	"net/http"
	"strconv"
)

// writer is the http.ResponseWriter of hot requests: it holds the answer until the handler is done.
type writer struct {
	header http.Header
	status int
	body   []byte
	out    appender
}

func (w *writer) begin() {
	if w.header == nil {
		w.header = http.Header{}
	}
	clear(w.header)
	w.status, w.body = 0, w.body[:0]
}

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // nobody asked for a 1xx: requests with Expect are not hot
		w.status = status
	}
}

func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.body = append(w.body, b...)
	return len(b), nil
}

// finish appends the answer to b, with the fields that net/http adds, in its order.
func (w *writer) finish(b []byte, date string, last bool) []byte {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	b = strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(w.status), 10)
	text := http.StatusText(w.status)
	if text == "" {
		text = "status code " + strconv.Itoa(w.status)
	}
	b = append(append(append(b, ' '), text...), "\r\n"...)
	w.out = b
	_ = w.header.Write(&w.out) // to memory
	b, w.out = w.out, nil
	if w.header["Date"] == nil {
		b = append(append(append(b, "Date: "...), date...), "\r\n"...)
	}
	bodied := w.status != http.StatusNoContent && w.status != http.StatusNotModified
	if bodied && w.header["Content-Length"] == nil {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), int64(len(w.body)), 10), "\r\n"...)
	}
	if bodied && w.header["Content-Type"] == nil && len(w.body) > 0 {
		b = append(append(append(b, "Content-Type: "...), http.DetectContentType(w.body)...), "\r\n"...)
	}
	if last {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "\r\n"...)
	if bodied {
		b = append(b, w.body...)
	}
	if cap(w.body) > keptBuffer {
		w.body = nil
	}
	return b
}

// appender is memory that http.Header.Write writes to.
type appender []byte

func (a *appender) Write(b []byte) (int, error) {
	*a = append(*a, b...)
	return len(b), nil
}

func (a *appender) WriteString(s string) (int, error) {
	*a = append(*a, s...)
	return len(s), nil
}
