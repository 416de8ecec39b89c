package bucket

import (
	"context"
	"io"
	"iter"
	"strings"
	"time"
)

// Sub is the part of a bucket under a folder: its key "x" is the bucket's "folder/x". It cannot reach outside.
func Sub(b Bucket, folder string) (Bucket, error) {
	folder = strings.TrimSuffix(folder, "/")
	if folder == "" {
		return b, nil
	}
	if err := CheckKey(folder); err != nil {
		return nil, err
	}
	return &sub{b, folder + "/"}, nil
}

type sub struct {
	outer  Bucket
	folder string // with its slash
}

func (s *sub) Open(ctx context.Context, key string, offset, n int64) (io.ReadCloser, Object, error) {
	if err := CheckKey(key); err != nil {
		return nil, Object{}, err
	}
	r, object, err := s.outer.Open(ctx, s.folder+key, offset, n)
	object.Key = key
	return r, object, err
}

func (s *sub) Put(ctx context.Context, key string, r io.Reader, opt PutOptions) (Object, error) {
	if err := CheckKey(key); err != nil {
		return Object{}, err
	}
	object, err := s.outer.Put(ctx, s.folder+key, r, opt)
	object.Key = key
	return object, err
}

func (s *sub) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	return s.outer.Delete(ctx, s.folder+key)
}

func (s *sub) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	if err := CheckPrefix(prefix); err != nil {
		return Failed(err)
	}
	return func(yield func(Object, error) bool) {
		for object, err := range s.outer.List(ctx, s.folder+prefix) {
			object.Key = strings.TrimPrefix(object.Key, s.folder)
			if !yield(object, err) || err != nil {
				return
			}
		}
	}
}

func (s *sub) URL(ctx context.Context, key, method string, ttl time.Duration) (string, error) {
	if err := CheckKey(key); err != nil {
		return "", err
	}
	return s.outer.URL(ctx, s.folder+key, method, ttl)
}
