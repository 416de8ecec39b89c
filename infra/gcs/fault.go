package gcs

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

func (s *Store) lacking() error {
	return fault.New(fault.Unavailable, "there is no such bucket").At(s.name).Try("create it, or correct its name")
}

// fault translates an error of the client.
func (s *Store) fault(ctx context.Context, err error, key string) error {
	if err == nil {
		return nil
	}
	if canceled := bucket.Canceled(ctx); canceled != nil {
		return canceled
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	var token *oauth2.RetrieveError
	if errors.As(err, &token) && token.Response != nil && !passing(token.Response.StatusCode) {
		return fault.New(fault.Denied, "the credentials give no token").At(s.name).Because(errors.New(token.Response.Status))
	}
	var answer *failure
	if !errors.As(err, &answer) {
		return fault.New(fault.Unavailable, "the store failed").At(s.name).Because(innermost(err)).Try("try again later")
	}
	switch answer.status {
	case http.StatusNotFound:
		if strings.Contains(answer.message, "bucket does not exist") {
			return s.lacking()
		}
		return bucket.Missing(key)
	case http.StatusPreconditionFailed:
		return bucket.Exists(key)
	case http.StatusForbidden, http.StatusUnauthorized:
		return fault.New(fault.Denied, "the store refused the credentials or the right").At(s.name).Because(answer)
	case http.StatusBadRequest:
		return fault.New(fault.Invalid, "the store does not take this request").At(key).Because(answer)
	}
	return fault.New(fault.Unavailable, "the store failed").At(s.name).Because(answer).Try("try again later")
}

// innermost leaves the request's address out of the error.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
