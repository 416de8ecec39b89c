// Package bucket is the one place where Jarvis keeps anything: objects under keys, in a folder, in memory, in S3, GCS
// or Azure. Consistency rests on a single primitive, the creation of a key that does not exist; a changing thing is an
// append-only Log of numbered entries built on it.
//
// Drivers live in infra, one package each, and register their URL scheme; buckettest is the suite that each passes.
package bucket

import (
	"context"
	"io"
	"iter"
	"time"
)

// Bucket is the face of a store. Keys are slash-separated paths without "." and ".." segments, at most 1,000 bytes.
// Methods are safe for concurrent use. Errors carry fault codes: NotFound, Conflict, Invalid (a bad key), Unavailable.
type Bucket interface {
	// Open reads n bytes of an object from offset on; n < 0 means to the end. Object.Size is that of the whole.
	Open(ctx context.Context, key string, offset, n int64) (io.ReadCloser, Object, error)
	// Put stores an object atomically: readers see the old one or the new one, whole. When r or ctx fails, nothing
	// is stored.
	Put(ctx context.Context, key string, r io.Reader, opt PutOptions) (Object, error)
	// Delete removes an object; removing one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// List yields the objects whose key starts with prefix, in the byte order of their keys.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// URL returns a presigned URL for method GET or PUT; fault.Unsupported where the store has none.
	URL(ctx context.Context, key, method string, ttl time.Duration) (string, error)
}

// Object describes what is stored under a key.
type Object struct {
	Key      string
	Size     int64
	ETag     string // changes whenever the content does; opaque
	Modified time.Time
}

// PutOptions says how to Put.
type PutOptions struct {
	IfAbsent    bool // fail with fault.Conflict when the key exists; of concurrent calls exactly one succeeds
	ContentType string
}
