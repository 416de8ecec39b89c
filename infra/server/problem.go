package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Problem is an error as RFC 9457 has it, with the stable code and the hint of package fault.
type Problem struct {
	huma.ErrorModel
	Code string `json:"code" doc:"Stable code of the error"`
	Hint string `json:"hint,omitempty" doc:"What to do about it"`
}

// statuses maps codes to HTTP, here and nowhere else.
var statuses = map[fault.Code]int{
	fault.Invalid: http.StatusUnprocessableEntity, fault.BadData: http.StatusUnprocessableEntity, fault.NotFound: http.StatusNotFound,
	fault.Conflict: http.StatusConflict, fault.TooLarge: http.StatusRequestEntityTooLarge, fault.Denied: http.StatusUnauthorized,
	fault.Unavailable: http.StatusServiceUnavailable, fault.Canceled: http.StatusServiceUnavailable,
	fault.Unsupported: http.StatusNotImplemented, fault.BadModel: http.StatusInternalServerError,
	fault.Corrupt: http.StatusInternalServerError, fault.Internal: http.StatusInternalServerError,
}

func init() {
	// huma makes its own errors (a missing parameter, a body that is no JSON) through this hook.
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		if status == http.StatusInternalServerError && len(errs) == 1 { // it could not read the body
			err := bodyError(errs[0])
			status = statuses[fault.CodeOf(err)]
			return newProblem(status, fault.CodeOf(err), messageOf(err)).hint(fault.HintOf(err))
		}
		p := newProblem(status, codeOf(status), message)
		for _, err := range errs {
			p.Add(err)
		}
		return p
	}
}

func codeOf(status int) fault.Code {
	switch {
	case status == http.StatusNotFound:
		return fault.NotFound
	case status == http.StatusRequestEntityTooLarge:
		return fault.TooLarge
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fault.Denied
	case status < 500:
		return fault.Invalid
	}
	return fault.Internal
}

func newProblem(status int, code fault.Code, message string) *Problem {
	return &Problem{
		ErrorModel: huma.ErrorModel{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: message},
		Code:       string(code),
	}
}

// problem turns any error into an answer, nil into nil. It is for huma, which wants an error.
func (s *Server) problem(err error) error {
	if err == nil {
		return nil
	}
	return s.problemOf(err)
}

// problemOf turns any error into an answer. What went wrong inside (a path, an address) stays inside: the causes of
// errors that are not the caller's doing are logged, not sent.
func (s *Server) problemOf(err error) *Problem {
	code := fault.CodeOf(err)
	status, ok := statuses[code]
	if !ok {
		status = http.StatusInternalServerError
	}
	hint := fault.HintOf(err)
	var e *fault.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		status, code, e = http.StatusGatewayTimeout, fault.Canceled, fault.New(fault.Canceled, "the answer took too long")
		hint = "send fewer rows at a time, or predict a file with 'jarvis predict'"
	case errors.Is(err, context.Canceled):
		status, code, e = http.StatusServiceUnavailable, fault.Canceled, fault.New(fault.Canceled, "the request was given up")
	case !errors.As(err, &e):
		e = fault.New(fault.Internal, "internal error")
	}
	p := newProblem(status, code, e.Message)
	switch {
	case status < 500:
		p.Detail = messageOf(err)
	case status == http.StatusInternalServerError:
		s.opt.Log.Error("request failed", "code", code, "error", err)
	default: // the store or the client is away, or asks for too much: nothing that is defective here
		s.opt.Log.Warn("request failed", "code", code, "error", err)
	}
	p.Hint = hint
	if e.Field != "" && status < 500 {
		p.Errors = []*huma.ErrorDetail{{Message: e.Message, Location: e.Field}}
	}
	return p
}

// messageOf is what an error says to people outside: the sentences of faults, without the causes from below them, which
// name files and addresses.
func messageOf(err error) string {
	text := ""
	for err != nil {
		if e, ok := err.(*fault.Error); ok { //nolint:errorlint // every link of the chain is looked at
			if text != "" {
				text += ": "
			}
			if e.Field != "" {
				text += e.Field + ": "
			}
			text += e.Message
		}
		err = errors.Unwrap(err)
	}
	if text == "" {
		return "internal error"
	}
	return text
}

// write sends a problem from places that huma does not reach.
func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(p.json()) // the caller may be gone
}

func (p *Problem) json() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		return []byte(`{"title":"Internal Server Error","status":500}`) // unencodable values never enter a Problem
	}
	return b
}

func notFound(w http.ResponseWriter, r *http.Request) {
	newProblem(http.StatusNotFound, fault.NotFound, "there is nothing at "+r.URL.Path).hint("see /docs").write(w)
}

func (p *Problem) hint(h string) *Problem { p.Hint = h; return p }
