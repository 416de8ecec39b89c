//go:build js || wasip1

package source

import (
	"bytes"
	"context"
	"io"
)

// spool holds a stream in memory, where there are no temporary files.
type spool struct {
	bytes.Reader
	size int64
}

func newSpool(ctx context.Context, name string, r io.Reader, max int64) (*spool, error) {
	var b bytes.Buffer
	n, err := copyTo(ctx, name, &b, r, max)
	if err != nil {
		return nil, err
	}
	s := &spool{size: n}
	s.Reset(b.Bytes())
	return s, nil
}

func (s *spool) close() { s.Reset(nil) }
