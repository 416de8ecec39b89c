// Package s3 is a bucket in Amazon S3 or any store that speaks its protocol and honours If-None-Match: * on writes
// (versitygw, MinIO, Ceph, R2 and others).
//
// Credentials come from the usual places of the AWS SDK (environment, shared files, roles) and never stand in an
// address or an error.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

func init() { bucket.Register("s3", open) }

// Options say where a bucket is.
type Options struct {
	Bucket    string
	Endpoint  string // URL of the store; empty: AWS
	Region    string // empty: from the environment, else us-east-1
	PathStyle bool   // http://host/bucket/key instead of http://bucket.host/key
	Config    *aws.Config
}

// Store is a bucket.Bucket in S3.
type Store struct {
	client *s3.Client
	sign   *s3.PresignClient
	name   string
}

var _ bucket.Bucket = (*Store)(nil)

func open(ctx context.Context, u *url.URL) (bucket.Bucket, error) {
	if err := bucket.CheckOptions(u, "endpoint", "region", "path_style"); err != nil {
		return nil, err
	}
	query := u.Query()
	o := Options{Bucket: u.Host, Endpoint: query.Get("endpoint"), Region: query.Get("region")}
	switch query.Get("path_style") {
	case "true", "1":
		o.PathStyle = true
	case "", "false", "0":
	default:
		return nil, fault.New(fault.Invalid, "is neither true nor false").At("path_style")
	}
	store, err := New(ctx, o)
	if err != nil {
		return nil, err
	}
	return bucket.Sub(store, strings.Trim(u.Path, "/"))
}

// New opens a bucket. Nothing is asked of the store yet.
func New(ctx context.Context, o Options) (*Store, error) {
	if o.Bucket == "" {
		return nil, fault.New(fault.Invalid, "the address names no bucket").At("bucket").Try("write s3://BUCKET/PREFIX")
	}
	if o.Endpoint != "" {
		u, err := url.Parse(o.Endpoint)
		if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, fault.New(fault.Invalid, "not an address of a server").At("endpoint").Try("write https://host:port")
		}
	}
	if o.Config == nil {
		loaded, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "the AWS configuration cannot be read")
		}
		o.Config = &loaded
	}
	client := s3.NewFromConfig(*o.Config, func(c *s3.Options) {
		c.UsePathStyle = o.PathStyle
		c.Region = first(o.Region, c.Region, "us-east-1")
		c.Retryer = retry.AddWithMaxAttempts(retry.NewStandard(), 4)
		c.DisableLogOutputChecksumValidationSkipped = true
		if o.Endpoint != "" {
			c.BaseEndpoint = aws.String(o.Endpoint)
			// Other stores do not all know the SDK's default checksums.
			c.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			c.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		}
	})
	return &Store{client: client, sign: s3.NewPresignClient(client), name: o.Bucket}, nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
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
	in := &s3.GetObjectInput{Bucket: &s.name, Key: &key}
	if offset > 0 || n > 0 {
		in.Range = aws.String(byteRange(offset, n))
	}
	out, err := s.client.GetObject(ctx, in)
	if status(err) == http.StatusRequestedRangeNotSatisfiable { // it starts behind the end
		object, err := s.stat(ctx, key)
		return io.NopCloser(strings.NewReader("")), object, err
	}
	if err != nil {
		return nil, bucket.Object{}, s.fault(ctx, err, key)
	}
	size := aws.ToInt64(out.ContentLength)
	if total := aws.ToString(out.ContentRange); total != "" {
		if _, err := fmt.Sscan(total[strings.LastIndexByte(total, '/')+1:], &size); err != nil {
			_ = out.Body.Close() // nothing of it was read
			return nil, bucket.Object{}, fault.New(fault.Unavailable, "the store gave a broken Content-Range").At(key)
		}
	}
	object := bucket.Object{Key: key, Size: size, ETag: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified)}
	return out.Body, object, nil
}

func byteRange(offset, n int64) string {
	if n < 0 {
		return fmt.Sprintf("bytes=%d-", offset)
	}
	return fmt.Sprintf("bytes=%d-%d", offset, offset+n-1)
}

func (s *Store) stat(ctx context.Context, key string) (bucket.Object, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.name, Key: &key})
	if err != nil {
		return bucket.Object{}, s.fault(ctx, err, key)
	}
	return bucket.Object{Key: key, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified)}, nil
}

// Put implements bucket.Bucket. Up to 8 MiB go in one request, more as a multipart upload with 8 MiB parts (so at most
// 78 GiB, and some 24 MiB of memory).
func (s *Store) Put(ctx context.Context, key string, r io.Reader, opt bucket.PutOptions) (bucket.Object, error) {
	if err := check(ctx, key); err != nil {
		return bucket.Object{}, err
	}
	in := bucket.NewInput(ctx, r)
	var head bytes.Buffer
	_, err := io.CopyN(&head, in, partSize)
	if errors.Is(err, io.EOF) {
		return s.putWhole(ctx, key, head.Bytes(), opt)
	}
	if err != nil {
		return bucket.Object{}, err
	}
	return s.putParts(ctx, key, head.Bytes(), in, opt)
}

func (s *Store) putWhole(ctx context.Context, key string, data []byte, opt bucket.PutOptions) (bucket.Object, error) {
	in := &s3.PutObjectInput{Bucket: &s.name, Key: &key, Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(len(data)))}
	if opt.ContentType != "" {
		in.ContentType = &opt.ContentType
	}
	if opt.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	out, err := s.client.PutObject(ctx, in)
	for try := 0; raced(err) && try < 4; try++ { // 409: another conditional write of the key is under way
		if err := sleep(ctx, 50*time.Millisecond<<try); err != nil {
			return bucket.Object{}, err
		}
		in.Body = bytes.NewReader(data)
		out, err = s.client.PutObject(ctx, in)
	}
	if err != nil {
		return bucket.Object{}, s.settle(ctx, err, key, opt)
	}
	return bucket.Object{Key: key, Size: int64(len(data)), ETag: aws.ToString(out.ETag), Modified: time.Now()}, nil
}

// settle gives the fault of a failed write. A race that the store did not decide is lost when the key is there now.
func (s *Store) settle(ctx context.Context, err error, key string, opt bucket.PutOptions) error {
	if opt.IfAbsent && raced(err) {
		if _, statErr := s.stat(ctx, key); statErr == nil {
			return bucket.Exists(key)
		}
	}
	return s.fault(ctx, err, key)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return bucket.Canceled(ctx)
	}
}

// Delete implements bucket.Bucket.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.name, Key: &key})
	if err = s.fault(ctx, err, key); fault.Is(err, fault.NotFound) {
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
		pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.name, Prefix: &prefix})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(bucket.Object{}, s.fault(ctx, err, prefix))
				return
			}
			for _, o := range page.Contents {
				key := aws.ToString(o.Key)
				if bucket.CheckKey(key) != nil { // a console's "folder/", or a stranger's key: no object of ours
					continue
				}
				object := bucket.Object{Key: key, Size: aws.ToInt64(o.Size), ETag: aws.ToString(o.ETag), Modified: aws.ToTime(o.LastModified)}
				if !yield(object, nil) {
					return
				}
			}
		}
	}
}

// URL implements bucket.Bucket.
func (s *Store) URL(ctx context.Context, key, method string, ttl time.Duration) (string, error) {
	if err := check(ctx, key); err != nil {
		return "", err
	}
	if ttl <= 0 || ttl > 7*24*time.Hour {
		return "", fault.New(fault.Invalid, "a presigned URL lives for up to seven days").At("ttl")
	}
	expires := s3.WithPresignExpires(ttl)
	switch method {
	case http.MethodGet:
		request, err := s.sign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &s.name, Key: &key}, expires)
		if err != nil {
			return "", s.fault(ctx, err, key)
		}
		return request.URL, nil
	case http.MethodPut:
		request, err := s.sign.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &s.name, Key: &key}, expires)
		if err != nil {
			return "", s.fault(ctx, err, key)
		}
		return request.URL, nil
	}
	return "", fault.New(fault.Invalid, "presigned URLs are for GET and PUT").At("method")
}

func check(ctx context.Context, key string) error {
	if err := bucket.CheckKey(key); err != nil {
		return err
	}
	return bucket.Canceled(ctx)
}
