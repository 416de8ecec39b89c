//go:build unix

package lambdatest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The Runtime API (AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes"): a runtime asks for
// the next invocation, and answers each with a response or an error; before the first it may report that it cannot start.
const root = "/2018-06-01/runtime/"

// limit is the most that the service takes for a response: 6 MB and a little for what the runtime adds.
const limit = 6<<20 + 100

// invocation is one payload on its way through the runtime.
type invocation struct {
	id       string
	payload  []byte
	deadline time.Time
	trace    string
	done     chan Result // of one element
}

// routes is the face that one process sees. A process of an earlier start talks to a closed listener.
func (p *process) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+root+"invocation/next", p.serveNext)
	mux.HandleFunc("POST "+root+"invocation/{id}/response", p.serveResponse)
	mux.HandleFunc("POST "+root+"invocation/{id}/error", p.serveError)
	mux.HandleFunc("POST "+root+"init/error", p.serveInitError)
	return mux
}

// serveNext holds the runtime until there is work. The first call ends the init phase; every call says that the
// environment may be frozen.
func (p *process) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case p.idle <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	var in *invocation
	select {
	case in = <-p.work:
	case <-r.Context().Done():
		return
	}
	p.mu.Lock()
	p.current = in
	p.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", in.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(in.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", p.arn)
	h.Set("Lambda-Runtime-Trace-Id", in.trace)
	_, _ = w.Write(in.payload) // a runtime that hung up is noticed by its exit
}

// take ends the current invocation if it has this id.
func (p *process) take(id string) *invocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil || p.current.id != id {
		return nil
	}
	in := p.current
	p.current = nil
	return in
}

func (p *process) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	in := p.take(r.PathValue("id"))
	switch {
	case in == nil:
		refuse(w, http.StatusBadRequest, "InvalidRequestID")
	case err != nil:
		in.done <- Result{Error: &Error{Type: "Runtime.TruncatedResponse", Message: err.Error()}}
		refuse(w, http.StatusBadRequest, "Runtime.TruncatedResponse")
	case len(body) > limit:
		in.done <- Result{Error: &Error{Type: "Function.ResponseSizeTooLarge", Message: "the response passes " + strconv.Itoa(limit) + " bytes"}}
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge")
	case r.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "":
		in.done <- Result{Error: &Error{Type: r.Trailer.Get("Lambda-Runtime-Function-Error-Type"), Message: "the response was broken off"}}
		w.WriteHeader(http.StatusAccepted)
	default:
		in.done <- Result{Payload: body}
		w.WriteHeader(http.StatusAccepted)
	}
}

func (p *process) serveError(w http.ResponseWriter, r *http.Request) {
	e := readError(r)
	in := p.take(r.PathValue("id"))
	if in == nil {
		refuse(w, http.StatusBadRequest, "InvalidRequestID")
		return
	}
	in.done <- Result{Error: e}
	w.WriteHeader(http.StatusAccepted)
}

func (p *process) serveInitError(w http.ResponseWriter, r *http.Request) {
	select {
	case p.failed <- readError(r):
	default: // only the first counts
	}
	w.WriteHeader(http.StatusAccepted)
}

// readError reads what a runtime says about a failure: a JSON object and, for the service, a header.
func readError(r *http.Request) *Error {
	body, _ := io.ReadAll(io.LimitReader(r.Body, limit)) // what there is of it is shown below
	e := &Error{}
	if json.Unmarshal(body, e) != nil || e.Message == "" {
		e.Message = strings.TrimSpace(string(body))
	}
	if e.Type == "" {
		e.Type = r.Header.Get("Lambda-Runtime-Function-Error-Type")
	}
	return e
}

func refuse(w http.ResponseWriter, status int, kind string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"errorType": kind, "errorMessage": kind}) // as above
}
