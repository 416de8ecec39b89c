// Package gcs is a bucket in Google Cloud Storage. Credentials come from Google's usual places (Application Default
// Credentials); STORAGE_EMULATOR_HOST points it at an emulator.
package gcs

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

func init() { bucket.Register("gs", open) }

const chunk = 8 << 20 // bytes that an upload holds in memory, so that it can be sent again

// Store is a bucket.Bucket in Google Cloud Storage.
type Store struct {
	handle *storage.BucketHandle
	name   string
}

var _ bucket.Bucket = (*Store)(nil)

func open(ctx context.Context, u *url.URL) (bucket.Bucket, error) {
	if err := bucket.CheckOptions(u); err != nil {
		return nil, err
	}
	store, err := New(ctx, u.Host)
	if err != nil {
		return nil, err
	}
	return bucket.Sub(store, strings.Trim(u.Path, "/"))
}

// New opens a bucket by its name. Nothing is asked of the store yet.
func New(ctx context.Context, name string) (*Store, error) {
	if name == "" {
		return nil, fault.New(fault.Invalid, "the address names no bucket").At("bucket").Try("write gs://BUCKET/PREFIX")
	}
	// The client outlives the call that opens it.
	client, err := storage.NewClient(context.WithoutCancel(ctx), storage.WithJSONReads())
	if err != nil {
		return nil, fault.New(fault.Denied, "no Google credentials").At(name).Because(err).
			Try("set GOOGLE_APPLICATION_CREDENTIALS or run gcloud auth application-default login")
	}
	handle := client.Bucket(name).Retryer(storage.WithMaxAttempts(4), storage.WithPolicy(storage.RetryIdempotent))
	return &Store{handle: handle, name: name}, nil
}

// Open implements bucket.Bucket.
func (s *Store) Open(ctx context.Context, key string, offset, n int64) (io.ReadCloser, bucket.Object, error) {
	if err := check(ctx, key); err != nil {
		return nil, bucket.Object{}, err
	}
	if err := bucket.CheckRange(offset); err != nil {
		return nil, bucket.Object{}, err
	}
	attrs, err := s.handle.Object(key).Attrs(ctx)
	if err != nil {
		return nil, bucket.Object{}, s.fault(ctx, err, key)
	}
	if n == 0 || offset >= attrs.Size {
		return io.NopCloser(strings.NewReader("")), object(attrs), nil
	}
	// By its generation, so that what is read is what was described.
	r, err := s.handle.Object(key).Generation(attrs.Generation).NewRangeReader(ctx, offset, n)
	if fault.Is(s.fault(ctx, err, key), fault.NotFound) { // overwritten or deleted in between
		return s.Open(ctx, key, offset, n)
	}
	if err != nil {
		return nil, bucket.Object{}, s.fault(ctx, err, key)
	}
	return r, object(attrs), nil
}

// Put implements bucket.Bucket.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, opt bucket.PutOptions) (bucket.Object, error) {
	if err := check(ctx, key); err != nil {
		return bucket.Object{}, err
	}
	target := s.handle.Object(key)
	if opt.IfAbsent {
		target = target.If(storage.Conditions{DoesNotExist: true})
	}
	writing, cancel := context.WithCancel(ctx)
	defer cancel()
	w := target.NewWriter(writing)
	w.ChunkSize = chunk
	w.ContentType = opt.ContentType
	in := bucket.NewInput(ctx, r)
	_, err := io.Copy(w, in)
	if in.Err() != nil {
		cancel() // without a Close nothing is stored
		_ = w.Close()
		return bucket.Object{}, in.Err()
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return bucket.Object{}, s.fault(ctx, err, key)
	}
	return object(w.Attrs()), nil
}

// Delete implements bucket.Bucket.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	err := s.fault(ctx, s.handle.Object(key).Retryer(storage.WithPolicy(storage.RetryAlways)).Delete(ctx), key)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// List implements bucket.Bucket.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[bucket.Object, error] {
	if err := bucket.CheckPrefix(prefix); err != nil {
		return bucket.Failed(err)
	}
	return func(yield func(bucket.Object, error) bool) {
		objects := s.handle.Objects(ctx, &storage.Query{Prefix: prefix})
		for {
			attrs, err := objects.Next()
			if errors.Is(err, iterator.Done) {
				return
			}
			if err != nil {
				yield(bucket.Object{}, s.fault(ctx, err, prefix))
				return
			}
			if bucket.CheckKey(attrs.Name) == nil && !yield(object(attrs), nil) {
				return
			}
		}
	}
}

// URL implements bucket.Bucket. It needs credentials that can sign: a service account.
func (s *Store) URL(ctx context.Context, key, method string, ttl time.Duration) (string, error) {
	if err := check(ctx, key); err != nil {
		return "", err
	}
	if method != http.MethodGet && method != http.MethodPut {
		return "", fault.New(fault.Invalid, "presigned URLs are for GET and PUT").At("method")
	}
	if ttl <= 0 || ttl > 7*24*time.Hour {
		return "", fault.New(fault.Invalid, "a presigned URL lives for up to seven days").At("ttl")
	}
	signed, err := s.handle.SignedURL(key, &storage.SignedURLOptions{
		Scheme: storage.SigningSchemeV4, Method: method, Expires: time.Now().Add(ttl),
	})
	if err != nil {
		return "", fault.New(fault.Unsupported, "these credentials cannot sign URLs").At(s.name).Because(err).
			Try("use a service account")
	}
	return signed, nil
}

func object(a *storage.ObjectAttrs) bucket.Object {
	return bucket.Object{Key: a.Name, Size: a.Size, ETag: a.Etag, Modified: a.Updated}
}

func check(ctx context.Context, key string) error {
	if err := bucket.CheckKey(key); err != nil {
		return err
	}
	return bucket.Canceled(ctx)
}

func (s *Store) fault(ctx context.Context, err error, key string) error {
	if err == nil {
		return nil
	}
	if canceled := bucket.Canceled(ctx); canceled != nil {
		return canceled
	}
	var api *googleapi.Error
	status, message := 0, ""
	if errors.As(err, &api) {
		status, message = api.Code, api.Message
	}
	cause := errors.New(strings.TrimSpace(http.StatusText(status) + " " + message))
	switch {
	case errors.Is(err, storage.ErrBucketNotExist) || status == http.StatusNotFound && strings.Contains(message, "bucket does not exist"):
		return fault.New(fault.Unavailable, "there is no such bucket").At(s.name).Try("create it, or correct its name")
	case errors.Is(err, storage.ErrObjectNotExist) || status == http.StatusNotFound:
		return bucket.Missing(key)
	case status == http.StatusPreconditionFailed:
		return bucket.Exists(key)
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return fault.New(fault.Denied, "the store refused the credentials or the right").At(s.name).Because(cause)
	case status == http.StatusBadRequest:
		return fault.New(fault.Invalid, "the store does not take this request").At(key).Because(cause)
	case status == 0:
		cause = innermost(err)
	}
	return fault.New(fault.Unavailable, "the store failed").At(s.name).Because(cause).Try("try again later")
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
