package bucket

import (
	"bytes"
	"context"
	"io"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// ReadAll reads a whole object of at most limit bytes; a larger one is fault.TooLarge, and not read.
func ReadAll(ctx context.Context, b Bucket, key string, limit int64) ([]byte, Object, error) {
	return readAll(ctx, b, key, limit, func([]byte) {})
}

// readAll is ReadAll that shows every piece when it has come.
func readAll(ctx context.Context, b Bucket, key string, limit int64, seen func(piece []byte)) ([]byte, Object, error) {
	r, object, err := b.Open(ctx, key, 0, -1)
	if err != nil {
		return nil, Object{}, err
	}
	defer r.Close() //nolint:errcheck // only read
	tooLarge := fault.New(fault.TooLarge, "the object has more than "+strconv.FormatInt(limit, 10)+" bytes").At(key)
	if object.Size > limit {
		return nil, object, tooLarge
	}
	var data bytes.Buffer
	data.Grow(int(max(object.Size, 0)) + bytes.MinRead)
	if _, err := data.ReadFrom(&shown{io.LimitReader(r, limit+1), seen}); err != nil {
		if canceled := Canceled(ctx); canceled != nil {
			return nil, object, canceled
		}
		return nil, object, fault.Wrap(err, fault.Unavailable, "reading "+key+" broke off")
	}
	if int64(data.Len()) > limit {
		return nil, object, tooLarge
	}
	return data.Bytes(), object, nil
}

// shown is a reader whose pieces somebody else gets to see. They stay as they are: a bytes.Buffer writes only behind them.
type shown struct {
	io.Reader
	seen func([]byte)
}

func (s *shown) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if n > 0 {
		s.seen(p[:n])
	}
	return n, err
}

// Stat describes an object without reading it.
func Stat(ctx context.Context, b Bucket, key string) (Object, error) {
	r, object, err := b.Open(ctx, key, 0, 0)
	if err != nil {
		return Object{}, err
	}
	return object, r.Close()
}
