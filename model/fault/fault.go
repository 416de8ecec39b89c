// Package fault is the one error type of Jarvis: a stable code that programs can switch on, a message for the person,
// the field that is wrong, and a hint that says what to do next.
//
// It builds without fmt and reflect, so that the browser predictor can carry it. Codes are mapped to HTTP statuses by
// infra/server and to exit codes by cmd/jarvis, nowhere else.
package fault

import "errors"

// Code says what kind of thing went wrong. Codes are part of the public contract: they never change their meaning.
type Code string

const (
	// Invalid means: the caller gave a value that the caller can correct (a flag, a field, a column, a row).
	Invalid Code = "invalid"
	// BadData means: a data file cannot be read as what it claims to be; Field holds file and line where known.
	BadData Code = "bad_data"
	// BadModel means: a model file is truncated, foreign or inconsistent.
	BadModel Code = "bad_model"
	// Unsupported means: well-formed, but an operator, type or option that this build does not run.
	Unsupported Code = "unsupported"
	// NotFound means: no such model, version, alias, object or file.
	NotFound Code = "not_found"
	// Conflict means: somebody else created it first; reading again and retrying is safe.
	Conflict Code = "conflict"
	// TooLarge means: a limit on size, count or memory was passed.
	TooLarge Code = "too_large"
	// Denied means: the token is missing or does not allow this.
	Denied Code = "denied"
	// Unavailable means: the bucket or another service cannot be reached now; trying again later may work.
	Unavailable Code = "unavailable"
	// Corrupt means: stored bytes do not have the hash that they were stored under.
	Corrupt Code = "corrupt"
	// Canceled means: the caller gave up, by Ctrl-C, deadline or a closed connection.
	Canceled Code = "canceled"
	// Internal means: a defect in Jarvis.
	Internal Code = "internal"
)

// Error is an error with a code. Message is one sentence without a full stop; Field names the offending flag, column,
// input, node or file:line; Hint says what the reader can do.
type Error struct {
	Code    Code
	Message string
	Field   string
	Hint    string
	Cause   error
}

// New returns an error with a code and a message.
func New(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Wrap gives a cause a code and a message of its own; it returns nil for a nil cause.
func Wrap(cause error, code Code, message string) error {
	if cause == nil {
		return nil
	}
	return &Error{Code: code, Message: message, Cause: cause}
}

// At returns a copy that names the field.
func (e *Error) At(field string) *Error { c := *e; c.Field = field; return &c }

// Try returns a copy with a hint.
func (e *Error) Try(hint string) *Error { c := *e; c.Hint = hint; return &c }

// Because returns a copy with a cause.
func (e *Error) Because(cause error) *Error { c := *e; c.Cause = cause; return &c }

// Error gives field, message and cause; the hint is for the surfaces that have a place for it.
func (e *Error) Error() string {
	s := e.Message
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// CodeOf returns the code of the outermost Error in err's chain, Internal when there is none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// Is reports whether err carries the code.
func Is(err error, code Code) bool { return err != nil && CodeOf(err) == code }

// HintOf returns the first hint in err's chain.
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Cause
	}
	return ""
}
