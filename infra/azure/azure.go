// Package azure is a bucket in Azure Blob Storage. The account comes from the environment:
// AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN.
package azure

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

func init() { bucket.Register("azblob", open) }

const (
	block     = 8 << 20 // bytes in a block of a large upload
	maxBlocks = 50_000  // the service's limit
)

// Store is a bucket.Bucket in a container of Azure Blob Storage.
type Store struct {
	account account
	name    string
}

var _ bucket.Bucket = (*Store)(nil)

func open(_ context.Context, u *url.URL) (bucket.Bucket, error) {
	if err := bucket.CheckOptions(u); err != nil {
		return nil, err
	}
	store, err := New(u.Host)
	if err != nil {
		return nil, err
	}
	return bucket.Sub(store, strings.Trim(u.Path, "/"))
}

// New opens a container by its name. Nothing is asked of the store yet.
func New(name string) (*Store, error) {
	if name == "" {
		return nil, fault.New(fault.Invalid, "the address names no container").At("bucket").Try("write azblob://CONTAINER/PREFIX")
	}
	account, err := environment(name)
	if err != nil {
		return nil, err
	}
	return &Store{account, name}, nil
}

// blob addresses the object under a key.
func (s *Store) blob(key string) (*blockblob.Client, error) {
	address := s.account.address(s.name, key)
	if s.account.key != nil {
		return blockblob.NewClientWithSharedKeyCredential(address, s.account.key, &blockblob.ClientOptions{ClientOptions: options})
	}
	return blockblob.NewClientWithNoCredential(address, &blockblob.ClientOptions{ClientOptions: options})
}

// Open implements bucket.Bucket.
func (s *Store) Open(ctx context.Context, key string, offset, n int64) (io.ReadCloser, bucket.Object, error) {
	if err := check(ctx, key); err != nil {
		return nil, bucket.Object{}, err
	}
	if err := bucket.CheckRange(offset); err != nil {
		return nil, bucket.Object{}, err
	}
	if n == 0 {
		object, err := s.stat(ctx, key)
		return io.NopCloser(strings.NewReader("")), object, err
	}
	target, err := s.blob(key)
	if err != nil {
		return nil, bucket.Object{}, s.fault(ctx, err, key)
	}
	out, err := target.DownloadStream(ctx, &blob.DownloadStreamOptions{
		Range: blob.HTTPRange{Offset: offset, Count: max(n, 0)}, // count 0: to the end
	})
	if status(err) == http.StatusRequestedRangeNotSatisfiable { // it starts behind the end
		object, err := s.stat(ctx, key)
		return io.NopCloser(strings.NewReader("")), object, err
	}
	if err != nil {
		return nil, bucket.Object{}, s.fault(ctx, err, key)
	}
	object := bucket.Object{Key: key, Size: value(out.ContentLength), ETag: etag(out.ETag), Modified: value(out.LastModified)}
	if total := value(out.ContentRange); total != "" {
		if _, err := fmt.Sscan(total[strings.LastIndexByte(total, '/')+1:], &object.Size); err != nil {
			_ = out.Body.Close() // nothing of it was read
			return nil, bucket.Object{}, fault.New(fault.Unavailable, "the store gave a broken Content-Range").At(key)
		}
	}
	return out.Body, object, nil
}

func (s *Store) stat(ctx context.Context, key string) (bucket.Object, error) {
	target, err := s.blob(key)
	if err != nil {
		return bucket.Object{}, s.fault(ctx, err, key)
	}
	out, err := target.GetProperties(ctx, nil)
	if err != nil {
		return bucket.Object{}, s.fault(ctx, err, key)
	}
	return bucket.Object{Key: key, Size: value(out.ContentLength), ETag: etag(out.ETag), Modified: value(out.LastModified)}, nil
}

// Put implements bucket.Bucket. Up to 8 MiB go in one request, more in blocks that a last request makes an object.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, opt bucket.PutOptions) (bucket.Object, error) {
	if err := check(ctx, key); err != nil {
		return bucket.Object{}, err
	}
	target, err := s.blob(key)
	if err != nil {
		return bucket.Object{}, s.fault(ctx, err, key)
	}
	in := bucket.NewInput(ctx, r)
	data, err := next(in)
	if err != nil && !errors.Is(err, io.EOF) {
		return bucket.Object{}, err
	}
	conditions := &blob.AccessConditions{}
	if opt.IfAbsent {
		whatever := azcore.ETagAny
		conditions.ModifiedAccessConditions = &blob.ModifiedAccessConditions{IfNoneMatch: &whatever}
	}
	headers := &blob.HTTPHeaders{}
	if opt.ContentType != "" {
		headers.BlobContentType = &opt.ContentType
	}
	object := bucket.Object{Key: key, Modified: time.Now()}
	if errors.Is(err, io.EOF) {
		out, err := target.Upload(ctx, body(data), &blockblob.UploadOptions{AccessConditions: conditions, HTTPHeaders: headers})
		object.Size, object.ETag = in.Size(), etag(out.ETag)
		return object, s.fault(ctx, err, key)
	}
	ids, err := s.stage(ctx, target, key, data, in)
	if err != nil {
		return bucket.Object{}, err
	}
	out, err := target.CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{AccessConditions: conditions, HTTPHeaders: headers})
	if err != nil {
		return bucket.Object{}, s.settle(ctx, err, key, opt)
	}
	object.Size, object.ETag = in.Size(), etag(out.ETag)
	return object, nil
}

// stage uploads blocks under names of their own. They are no object yet; the service drops them after a week.
func (s *Store) stage(ctx context.Context, target *blockblob.Client, key string, data []byte, in *bucket.Input) ([]string, error) {
	var ids []string
	upload := rand.Text()
	for {
		if len(ids) == maxBlocks {
			return nil, fault.New(fault.TooLarge, "the object has more than 390 GiB").At(key)
		}
		id := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s-%06d", upload, len(ids)))
		if _, err := target.StageBlock(ctx, id, body(data), nil); err != nil {
			return nil, s.fault(ctx, err, key)
		}
		ids = append(ids, id)
		var err error
		data, err = next(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if len(data) == 0 {
			return ids, bucket.Canceled(ctx)
		}
	}
}

// settle gives the fault of a failed commit. The commit of another writer drops our blocks, and then the service
// complains of the list: the race is lost when the key is there now.
func (s *Store) settle(ctx context.Context, err error, key string, opt bucket.PutOptions) error {
	if opt.IfAbsent {
		if _, statErr := s.stat(ctx, key); statErr == nil {
			return bucket.Exists(key)
		}
	}
	if status(err) == http.StatusBadRequest {
		return fault.New(fault.Unavailable, "another upload of the key came between").At(key).Try("try again")
	}
	return s.fault(ctx, err, key)
}

// next reads a block; io.EOF comes with the last one.
func next(in *bucket.Input) ([]byte, error) {
	var data bytes.Buffer
	_, err := io.CopyN(&data, in, block)
	return data.Bytes(), err
}

func body(data []byte) io.ReadSeekCloser { return streaming.NopCloser(bytes.NewReader(data)) }

// Delete implements bucket.Bucket.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	target, err := s.blob(key)
	if err == nil {
		_, err = target.Delete(ctx, nil)
	}
	if err = s.fault(ctx, err, key); fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// URL implements bucket.Bucket. It needs the account's key, which signs. A PUT must carry x-ms-blob-type: BlockBlob.
func (s *Store) URL(ctx context.Context, key, method string, ttl time.Duration) (string, error) {
	if err := check(ctx, key); err != nil {
		return "", err
	}
	if ttl <= 0 || ttl > 7*24*time.Hour {
		return "", fault.New(fault.Invalid, "a presigned URL lives for up to seven days").At("ttl")
	}
	var rights sas.BlobPermissions
	switch method {
	case http.MethodGet:
		rights.Read = true
	case http.MethodPut:
		rights.Create, rights.Write = true, true
	default:
		return "", fault.New(fault.Invalid, "presigned URLs are for GET and PUT").At("method")
	}
	target, err := s.blob(key)
	if err != nil {
		return "", s.fault(ctx, err, key)
	}
	signed, err := target.GetSASURL(rights, time.Now().Add(ttl), nil)
	if err != nil {
		return "", fault.New(fault.Unsupported, "these credentials cannot sign URLs").At(s.name).Try("use the account's key")
	}
	return signed, nil
}

// etag leaves out the quotes, which answers have and lists have not.
func etag(tag *azcore.ETag) string { return trim(string(value(tag))) }

func trim(tag string) string { return strings.Trim(tag, `"`) }

func value[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

func check(ctx context.Context, key string) error {
	if err := bucket.CheckKey(key); err != nil {
		return err
	}
	return bucket.Canceled(ctx)
}
