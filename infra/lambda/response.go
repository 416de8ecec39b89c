package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// response is an http.ResponseWriter that keeps the answer until it can be sent whole.
type response struct {
	header http.Header // the handler's, until the status is written
	sent   http.Header // as it was when the status was written; nil before
	status int
	body   bytes.Buffer
}

func newResponse() *response { return &response{header: http.Header{}} }

// Header is the header to send.
func (w *response) Header() http.Header { return w.header }

// WriteHeader fixes status and header; informational statuses and second calls change nothing.
func (w *response) WriteHeader(status int) {
	if w.sent != nil || status >= 100 && status < 200 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
}

// Write adds to the body.
func (w *response) Write(p []byte) (int, error) {
	if w.sent == nil {
		if w.header.Get("Content-Type") == "" && w.header.Get("Content-Encoding") == "" {
			w.header.Set("Content-Type", http.DetectContentType(p))
		}
		w.WriteHeader(http.StatusOK)
	}
	return w.body.Write(p)
}

// Flush does nothing: the answer goes out whole. Handlers ask for it when they write in parts.
func (w *response) Flush() {}

// problem replaces whatever was written by an RFC 9457 answer.
func (w *response) problem(status int, e *fault.Error) {
	w.body.Reset()
	w.sent = http.Header{"Content-Type": {"application/problem+json"}}
	w.status = status
	_ = json.NewEncoder(&w.body).Encode(map[string]any{ // strings and a number: cannot fail
		"type": "about:blank", "title": http.StatusText(status), "status": status,
		"code": string(e.Code), "detail": e.Message, "hint": e.Hint,
	})
}

// encode is the payload of the answer.
func (w *response) encode() ([]byte, error) {
	if w.sent == nil {
		w.WriteHeader(http.StatusOK)
	}
	out, err := w.payload()
	if err != nil || len(out) <= MaxResponse {
		return out, err
	}
	w.problem(http.StatusRequestEntityTooLarge, fault.New(fault.TooLarge, "the answer is larger than the 6 MB that Lambda can return").
		Try("ask for fewer rows at a time, or read the object from the bucket"))
	return w.payload()
}

func (w *response) payload() ([]byte, error) {
	out := events.APIGatewayV2HTTPResponse{
		StatusCode: w.status, Headers: map[string]string{}, Cookies: w.sent.Values("Set-Cookie"),
	}
	for name, values := range w.sent {
		if name != "Set-Cookie" {
			out.Headers[name] = strings.Join(values, ", ")
		}
	}
	if w.text() {
		out.Body = w.body.String()
	} else {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(w.body.Bytes()), true
	}
	return json.Marshal(out)
}

// text reports whether the body survives as a JSON string.
func (w *response) text() bool {
	encoding := w.sent.Get("Content-Encoding")
	return (encoding == "" || encoding == "identity") && utf8.Valid(w.body.Bytes())
}
