// Package gcs is a bucket in Google Cloud Storage, through the documented JSON interface. Credentials come from Google's
// usual places (Application Default Credentials); STORAGE_EMULATOR_HOST points it at an emulator.
package gcs

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

func init() { bucket.Register("gs", open) }

// Store is a bucket.Bucket in Google Cloud Storage.
type Store struct {
	client *client
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
	c, err := connect(context.WithoutCancel(ctx))
	if err != nil {
		return nil, fault.New(fault.Denied, "no Google credentials").At(name).Because(err).
			Try("set GOOGLE_APPLICATION_CREDENTIALS or run gcloud auth application-default login")
	}
	return &Store{client: c, name: name}, nil
}

// resource is what the store says of an object. Numbers of 64 bits come as text.
type resource struct {
	Name       string            `json:"name"`
	Size       int64             `json:"size,string"`
	Generation int64             `json:"generation,string"`
	ETag       string            `json:"etag"`
	Updated    time.Time         `json:"updated"`
	CRC32C     string            `json:"crc32c"`
	Encoding   string            `json:"contentEncoding"`
	Metadata   map[string]string `json:"metadata"`
}

func (r *resource) object() bucket.Object {
	return bucket.Object{Key: r.Name, Size: r.Size, ETag: r.ETag, Modified: r.Updated}
}

// objects is the address of the bucket's objects, object that of one; the key's slashes are escaped, too.
func (s *Store) objects() string {
	return s.client.endpoint + "/storage/v1/b/" + url.PathEscape(s.name) + "/o"
}

func (s *Store) object(key string) string { return s.objects() + "/" + url.PathEscape(key) }

// Open implements bucket.Bucket.
func (s *Store) Open(ctx context.Context, key string, offset, n int64) (io.ReadCloser, bucket.Object, error) {
	if err := check(ctx, key); err != nil {
		return nil, bucket.Object{}, err
	}
	if err := bucket.CheckRange(offset); err != nil {
		return nil, bucket.Object{}, err
	}
	for {
		r, err := s.stat(ctx, key)
		if err != nil {
			return nil, bucket.Object{}, s.fault(ctx, err, key)
		}
		if n == 0 || offset >= r.Size {
			return io.NopCloser(strings.NewReader("")), r.object(), nil
		}
		length := r.Size - offset
		if n > 0 {
			length = min(n, length)
		}
		body, err := s.read(ctx, key, r, offset, length)
		if status(err) == http.StatusNotFound { // overwritten or deleted in between
			if err := bucket.Canceled(ctx); err != nil {
				return nil, bucket.Object{}, err
			}
			continue
		}
		if err != nil {
			return nil, bucket.Object{}, s.fault(ctx, err, key)
		}
		return body, r.object(), nil
	}
}

func (s *Store) stat(ctx context.Context, key string) (*resource, error) {
	var r resource
	if err := s.client.json(ctx, request{method: http.MethodGet, address: s.object(key), repeat: true}, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// Delete implements bucket.Bucket.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	err := s.client.json(ctx, request{method: http.MethodDelete, address: s.object(key), repeat: true}, nil)
	if err := s.fault(ctx, err, key); !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}

// List implements bucket.Bucket.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[bucket.Object, error] {
	if err := bucket.CheckPrefix(prefix); err != nil {
		return bucket.Failed(err)
	}
	return func(yield func(bucket.Object, error) bool) {
		query := url.Values{
			"prefix": {prefix}, "maxResults": {strconv.Itoa(1000)}, "fields": {"nextPageToken,items(name,size,etag,updated)"},
		}
		for {
			var page struct {
				Items []resource `json:"items"`
				Next  string     `json:"nextPageToken"`
			}
			err := s.client.json(ctx, request{method: http.MethodGet, address: s.objects() + "?" + query.Encode(), repeat: true}, &page)
			if err != nil {
				if status(err) == http.StatusNotFound {
					err = s.lacking()
				}
				yield(bucket.Object{}, s.fault(ctx, err, prefix))
				return
			}
			for i := range page.Items {
				if bucket.CheckKey(page.Items[i].Name) == nil && !yield(page.Items[i].object(), nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("pageToken", page.Next)
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
	signed, err := s.client.sign(ctx, s.name, key, method, time.Now(), ttl)
	if err != nil {
		if canceled := bucket.Canceled(ctx); canceled != nil {
			return "", canceled
		}
		return "", fault.New(fault.Unsupported, "these credentials cannot sign URLs").At(s.name).Because(innermost(err)).
			Try("use a service account")
	}
	return signed, nil
}

func check(ctx context.Context, key string) error {
	if err := bucket.CheckKey(key); err != nil {
		return err
	}
	return bucket.Canceled(ctx)
}
