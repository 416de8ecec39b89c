package s3

import (
	"context"
	"errors"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// fault translates an error of the SDK. The SDK's own text stays out: it may carry signed addresses. Code, status and
// the store's message are kept.
func (s *Store) fault(ctx context.Context, err error, key string) error {
	if err == nil {
		return nil
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	if canceled := bucket.Canceled(ctx); canceled != nil {
		return canceled
	}
	code, message := "", ""
	var api smithy.APIError
	if errors.As(err, &api) {
		code, message = api.ErrorCode(), api.ErrorMessage()
	}
	cause := errors.New(first(code, http.StatusText(status(err)), "no answer") + ": " + first(message, short(err)))
	switch {
	case code == "NoSuchBucket":
		return fault.New(fault.Unavailable, "there is no such bucket").At(s.name).Try("create it, or correct its name or the endpoint")
	case code == "NoSuchKey" || status(err) == http.StatusNotFound:
		return bucket.Missing(key)
	case code == "PreconditionFailed" || status(err) == http.StatusPreconditionFailed:
		return bucket.Exists(key)
	case code == "NotImplemented" || status(err) == http.StatusNotImplemented:
		return fault.New(fault.Unsupported, "the store does not know this request").At(key).Because(cause)
	case status(err) == http.StatusForbidden || status(err) == http.StatusUnauthorized:
		return fault.New(fault.Denied, "the store refused the credentials or the right").At(s.name).Because(cause).
			Try("check the credentials, the region and the bucket's policy")
	case code == "EntityTooLarge":
		return fault.New(fault.TooLarge, "the store takes no object of this size").At(key)
	case code == "KeyTooLongError" || code == "InvalidArgument" || code == "InvalidBucketName" || code == "MethodNotAllowed":
		return fault.New(fault.Invalid, "the store does not take this request").At(key).Because(cause)
	case code == "ObjectParentIsFile" || code == "ExistingObjectIsDirectory":
		return fault.New(fault.Invalid, "this store cannot keep an object under another").At(key).Because(cause)
	}
	return fault.New(fault.Unavailable, "the store failed").At(s.name).Because(cause).Try("try again later")
}

// short is the innermost error: a refused connection or a timeout, without the request around it.
func short(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// raced reports that the store could not decide between two conditional writes.
func raced(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (api.ErrorCode() == "ConditionalRequestConflict" || api.ErrorCode() == "OperationAborted")
}
