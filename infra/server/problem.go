package server

import (
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

// problem turns any error into an answer. What went wrong inside (a path, an address) stays inside: the causes of
// errors that are not the caller's doing are logged, not sent.
func (s *Server) problem(err error) error {
	if err == nil {
		return nil
	}
	code := fault.CodeOf(err)
	status, ok := statuses[code]
	if !ok {
		status = http.StatusInternalServerError
	}
	var e *fault.Error
	if !errors.As(err, &e) {
		e = fault.New(fault.Internal, "internal error")
	}
	p := newProblem(status, code, e.Message)
	if status < 500 {
		p.Detail = err.Error()
	} else {
		s.opt.Log.Error("request failed", "code", code, "error", err)
	}
	p.Hint = fault.HintOf(err)
	if e.Field != "" {
		p.Errors = []*huma.ErrorDetail{{Message: e.Message, Location: e.Field}}
	}
	return p
}

// write sends a problem from places that huma does not reach.
func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
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

func notAPage(w http.ResponseWriter, r *http.Request) {
	newProblem(http.StatusNotFound, fault.NotFound, "there is nothing at "+r.Method+" "+r.URL.Path).hint("see /docs").write(w)
}

func (p *Problem) hint(h string) *Problem { p.Hint = h; return p }
