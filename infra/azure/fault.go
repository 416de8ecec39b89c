package azure

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// fault translates an error of the SDK. Its text stays out: it prints the request, signature and all.
func (s *Store) fault(ctx context.Context, err error, key string) error {
	if err == nil {
		return nil
	}
	if canceled := bucket.Canceled(ctx); canceled != nil {
		return canceled
	}
	var response *azcore.ResponseError
	if !errors.As(err, &response) {
		return fault.New(fault.Unavailable, "the store failed").At(s.name).Because(innermost(err)).Try("try again later")
	}
	cause := errors.New(strconv.Itoa(response.StatusCode) + " " + response.ErrorCode)
	switch {
	case bloberror.HasCode(err, bloberror.ContainerNotFound, bloberror.ContainerBeingDeleted):
		return fault.New(fault.Unavailable, "there is no such container").At(s.name).Try("create it, or correct its name")
	case response.StatusCode == http.StatusNotFound:
		return bucket.Missing(key)
	case bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet), response.StatusCode == http.StatusPreconditionFailed:
		return bucket.Exists(key)
	case response.StatusCode == http.StatusForbidden, response.StatusCode == http.StatusUnauthorized:
		return fault.New(fault.Denied, "the store refused the credentials or the right").At(s.name).Because(cause)
	case response.StatusCode == http.StatusBadRequest:
		return fault.New(fault.Invalid, "the store does not take this request").At(key).Because(cause)
	}
	return fault.New(fault.Unavailable, "the store failed").At(s.name).Because(cause).Try("try again later")
}

func status(err error) int {
	var response *azcore.ResponseError
	if errors.As(err, &response) {
		return response.StatusCode
	}
	return 0
}

func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
