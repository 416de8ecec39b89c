package lambda

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// HTTP serves a handler to HTTP API and Function URL invocations. What goes wrong with a request becomes a response
// (RFC 9457); only an invocation that is not an HTTP request at all is an error of the function.
func HTTP(h http.Handler) lambda.Handler { return httpHandler{h} }

type httpHandler struct{ next http.Handler }

// Invoke answers one payload.
func (h httpHandler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var event events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, fault.New(fault.Invalid, "the payload is not that of an HTTP request").Because(err).
			Try("invoke the function through its HTTP API (payload format 2.0) or its Function URL")
	}
	ctx, cancel := inTime(ctx)
	defer cancel()
	r, err := request(ctx, event)
	if err != nil {
		return nil, err
	}
	w := newResponse()
	h.serve(w, r)
	return w.encode()
}

// serve runs the handler. A panic costs its request and nothing else, as in net/http.
func (h httpHandler) serve(w *response, r *http.Request) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v != http.ErrAbortHandler { //nolint:errorlint // the sentinel itself is thrown
			slog.Error("the handler panicked", "panic", v, "path", r.URL.Path, "stack", string(debug.Stack()))
		}
		w.problem(http.StatusInternalServerError, fault.New(fault.Internal, "the request could not be answered"))
	}()
	h.next.ServeHTTP(w, r)
}
