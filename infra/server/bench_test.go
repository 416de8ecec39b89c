package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkOneRow is a request of one row through the whole handler, without the connection.
func BenchmarkOneRow(b *testing.B) {
	f := withFlowers(b, Options{})
	for name, c := range map[string]struct{ path, body string }{"predict": {flowersPath, oneRow}, "infer": {"/v2/models/flowers/infer", oneCall}} {
		b.Run(name, func(b *testing.B) {
			target, _ := url.Parse("http://127.0.0.1:8080" + c.path)
			header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"bench"}}
			body := strings.NewReader(c.body)
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(c.body)
				r := &http.Request{Method: http.MethodPost, URL: target, Host: "127.0.0.1:8080", Header: header, Body: io.NopCloser(body), ContentLength: int64(len(c.body))}
				f.ServeHTTP(w, r)
			}
		})
	}
	if w := httptest.NewRecorder(); true {
		f.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://localhost"+flowersPath, strings.NewReader(oneRow)))
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}

// FuzzInferRequest feeds the decoder of the Open Inference Protocol: whatever comes gives a request or a fault, without a
// panic, and what is decoded has as many elements as its shape says.
func FuzzInferRequest(f *testing.F) {
	for _, seed := range []string{
		oneCall, `{}`, `[]`, `{"inputs":[]}`, `{"inputs":[{"name":"x","shape":[2,2],"datatype":"INT64","data":[[1,2],[3,-4]]}],"outputs":[{"name":"y"}]}`,
		`{"inputs":[{"name":"x","shape":[],"datatype":"BOOL","data":[true]}]}`, `{"inputs":[{"name":"\ud800","shape":[0,4],"datatype":"BYTES","data":[]}]}`,
		`{"id":"\u0041","parameters":{"a":[{"b":[[]]}]},"inputs":[{"name":"x","shape":[1],"datatype":"UINT64","data":[18446744073709551615]}]}`,
		`{"inputs":[{"name":"x","shape":[9999999,999999999],"datatype":"FP64","data":[1e999,null,-0.0]}]}`, strings.Repeat("[", 200), `{"inputs":[{"data":[`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		call, err := readInfer(body)
		if err != nil {
			if messageOf(err) == "internal error" {
				t.Fatalf("not a fault: %v", err)
			}
			return
		}
		for name, v := range call.inputs {
			n := 1
			for _, d := range v.Shape() {
				n *= d
			}
			if name == "" || v.Len() != n || len(v.Str())+len(v.Bytes()) < n || n > len(body) {
				t.Fatalf("%q: shape %v of %d bytes", name, v.Shape(), len(body))
			}
		}
	})
}
