package bucket

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// NewMemory returns an empty bucket that lives as long as the process: for tests, and for trials without a folder.
func NewMemory() Bucket { return &memory{objects: map[string]stored{}} }

type memory struct {
	mu      sync.RWMutex
	objects map[string]stored
	writes  uint64
}

type stored struct {
	Object
	data []byte // never changed once stored
}

func (m *memory) Open(ctx context.Context, key string, offset, n int64) (io.ReadCloser, Object, error) {
	if err := first(CheckKey(key), CheckRange(offset), Canceled(ctx)); err != nil {
		return nil, Object{}, err
	}
	m.mu.RLock()
	o, ok := m.objects[key]
	m.mu.RUnlock()
	if !ok {
		return nil, Object{}, Missing(key)
	}
	data := o.data[min(offset, o.Size):]
	if n >= 0 {
		data = data[:min(n, int64(len(data)))]
	}
	return io.NopCloser(bytes.NewReader(data)), o.Object, nil
}

func (m *memory) Put(ctx context.Context, key string, r io.Reader, opt PutOptions) (Object, error) {
	if err := first(CheckKey(key), Canceled(ctx)); err != nil {
		return Object{}, err
	}
	data, err := io.ReadAll(NewInput(ctx, r))
	if err == nil {
		err = Canceled(ctx)
	}
	if err != nil {
		return Object{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[key]; ok && opt.IfAbsent {
		return Object{}, Exists(key)
	}
	m.writes++
	o := Object{Key: key, Size: int64(len(data)), ETag: strconv.FormatUint(m.writes, 36), Modified: time.Now()}
	m.objects[key] = stored{o, data}
	return o, nil
}

func (m *memory) Delete(ctx context.Context, key string) error {
	if err := first(CheckKey(key), Canceled(ctx)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

func (m *memory) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	if err := CheckPrefix(prefix); err != nil {
		return Failed(err)
	}
	return func(yield func(Object, error) bool) {
		m.mu.RLock()
		var found []Object
		for key, o := range m.objects {
			if strings.HasPrefix(key, prefix) {
				found = append(found, o.Object)
			}
		}
		m.mu.RUnlock()
		slices.SortFunc(found, func(a, b Object) int { return strings.Compare(a.Key, b.Key) })
		for _, o := range found {
			if err := Canceled(ctx); err != nil {
				yield(Object{}, err)
				return
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (m *memory) URL(context.Context, string, string, time.Duration) (string, error) {
	return "", fault.New(fault.Unsupported, "a bucket in memory has no URLs")
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
