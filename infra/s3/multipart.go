package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

const (
	partSize = 8 << 20 // bytes; equal parts, because some stores demand them
	maxParts = 10_000  // the protocol's limit
	parallel = 2       // parts on their way at a time
)

// putParts uploads head and the rest of in. The object appears when the upload is completed, which is where If-None-Match
// decides; whatever fails before aborts it.
func (s *Store) putParts(ctx context.Context, key string, head []byte, in *bucket.Input, opt bucket.PutOptions) (bucket.Object, error) {
	if opt.IfAbsent { // spares the upload; completing it decides
		if _, err := s.stat(ctx, key); err == nil {
			return bucket.Object{}, bucket.Exists(key)
		}
	}
	create := &s3.CreateMultipartUploadInput{Bucket: &s.name, Key: &key}
	if opt.ContentType != "" {
		create.ContentType = &opt.ContentType
	}
	upload, err := s.client.CreateMultipartUpload(ctx, create)
	if err != nil {
		return bucket.Object{}, s.fault(ctx, err, key)
	}
	parts, err := s.upload(ctx, key, upload.UploadId, head, in)
	if err == nil {
		err = bucket.Canceled(ctx)
	}
	if err != nil {
		s.abort(ctx, key, upload.UploadId)
		return bucket.Object{}, err
	}
	complete := &s3.CompleteMultipartUploadInput{
		Bucket: &s.name, Key: &key, UploadId: upload.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	if opt.IfAbsent {
		complete.IfNoneMatch = aws.String("*")
	}
	out, err := s.client.CompleteMultipartUpload(ctx, complete)
	if err != nil {
		s.abort(ctx, key, upload.UploadId)
		return bucket.Object{}, s.settle(ctx, err, key, opt)
	}
	return bucket.Object{Key: key, Size: in.Size(), ETag: aws.ToString(out.ETag), Modified: time.Now()}, nil
}

// upload sends the parts, two at a time, and returns them in order.
func (s *Store) upload(ctx context.Context, key string, id *string, head []byte, in *bucket.Input) ([]types.CompletedPart, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu    sync.Mutex
		parts []types.CompletedPart
		wait  sync.WaitGroup
		slots = make(chan struct{}, parallel)
	)
	send := func(number int32, data []byte) {
		defer func() { <-slots }()
		out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &s.name, Key: &key, UploadId: id, PartNumber: &number,
			Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(len(data))),
		})
		if err != nil {
			cancel(s.fault(ctx, err, key))
			return
		}
		mu.Lock()
		parts = append(parts, types.CompletedPart{ETag: out.ETag, PartNumber: &number})
		mu.Unlock()
	}
	var readErr error
	for number, data := int32(1), head; len(data) > 0; number++ {
		if number > maxParts {
			readErr = fault.New(fault.TooLarge, "the object has more than 78 GiB").At(key)
			break
		}
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		part := data
		wait.Go(func() { send(number, part) })
		var next bytes.Buffer
		if _, err := io.CopyN(&next, in, partSize); err != nil && !errors.Is(err, io.EOF) {
			readErr = err
			break
		}
		data = next.Bytes()
	}
	wait.Wait()
	if readErr != nil {
		return nil, readErr
	}
	if ctx.Err() != nil {
		if err := context.Cause(ctx); fault.CodeOf(err) != fault.Internal {
			return nil, err
		}
		return nil, bucket.Canceled(ctx)
	}
	slices.SortFunc(parts, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })
	return parts, nil
}

// abort gives back the space of the parts. When it fails, the bucket's rule for incomplete uploads does.
func (s *Store) abort(ctx context.Context, key string, id *string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, _ = s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.name, Key: &key, UploadId: id})
}
