//go:build !js && !wasip1

package source

import (
	"context"
	"io"
	"os"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// spool is a temporary file that holds a stream, so that it can be read more than once without being held in memory.
type spool struct {
	f    *os.File
	size int64
}

// newSpool copies r. The file's name is gone at once where the system allows it, so that nothing is left after a crash.
func newSpool(ctx context.Context, name string, r io.Reader, limit int64) (*spool, error) {
	f, err := os.CreateTemp("", "jarvis-*")
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "no temporary file for "+name)
	}
	s := &spool{f: f}
	_ = os.Remove(f.Name()) // Windows refuses here; close tries again
	if s.size, err = copyTo(ctx, name, f, r, limit); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *spool) ReadAt(p []byte, off int64) (int, error) { return s.f.ReadAt(p, off) }

func (s *spool) close() {
	_ = s.f.Close()           // it is thrown away
	_ = os.Remove(s.f.Name()) // already gone, except on Windows
}
