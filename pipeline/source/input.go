package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// input is one file's worth of bytes that can be read from the beginning as often as it takes.
type input struct {
	name string // as messages show it
	open func(ctx context.Context) (io.ReadCloser, error)
	size int64 // of what open gives, 0 where that is not known before reading

	release func() // lets go of a stream's copy, nil where there is none

	mu    sync.Mutex
	plain *spool // the decompressed bytes, where random access asked for them
}

// bytesInput reads from memory.
func bytesInput(name string, b []byte) *input {
	return &input{name: name, size: int64(len(b)), open: func(context.Context) (io.ReadCloser, error) {
		return section{io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))}, nil
	}}
}

// section is a part of something with random access, as a file that need not be closed.
type section struct{ *io.SectionReader }

func (section) Close() error { return nil }

// sectionInput reads what already has random access.
func sectionInput(name string, r io.ReaderAt, size int64) *input {
	return &input{name: name, size: size, open: func(context.Context) (io.ReadCloser, error) {
		return section{io.NewSectionReader(r, 0, size)}, nil
	}}
}

// streamInput copies a stream that can be read once into a spool, when it is first opened.
func streamInput(name string, r io.Reader, limit int64) *input {
	in := &input{name: name}
	var (
		mu   sync.Mutex
		kept *spool
		err  error
	)
	in.open = func(ctx context.Context) (io.ReadCloser, error) {
		mu.Lock()
		defer mu.Unlock()
		if kept == nil && err == nil {
			if kept, err = newSpool(ctx, name, r, limit); err == nil {
				in.size = kept.size
			}
		}
		if err != nil {
			return nil, err
		}
		return section{io.NewSectionReader(kept, 0, kept.size)}, nil
	}
	in.release = func() {
		mu.Lock()
		defer mu.Unlock()
		if kept != nil {
			kept.close()
			kept, err = nil, fault.New(fault.Invalid, "the source is closed").At(name)
		}
	}
	return in
}

// content opens the bytes behind gzip, held to MaxBytes.
func (in *input) content(ctx context.Context, o *Options) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, canceled(err)
	}
	f, err := in.open(ctx)
	if err != nil {
		return nil, readFault(in.name, err)
	}
	c := &content{name: in.name, file: f, r: f, max: o.MaxBytes, left: o.MaxBytes}
	b := bufio.NewReaderSize(f, 1<<16)
	head, err := b.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		_ = f.Close() // only read
		return nil, readFault(in.name, err)
	}
	if len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		c.zipped = true
		if c.r, err = gzip.NewReader(b); err != nil {
			_ = f.Close() // only read
			return nil, readFault(in.name, err)
		}
		return c, nil
	}
	c.r = b
	return c, nil
}

// content is an input being read.
type content struct {
	name   string
	file   io.Closer
	r      io.Reader
	max    int64
	left   int64
	zipped bool
}

func (c *content) Close() error { return c.file.Close() }

func (c *content) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, fault.New(fault.TooLarge, "more than "+strconv.FormatInt(c.max, 10)+" bytes of data").At(c.name).
			Try("split the file, or raise the limit on bytes")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = readFault(c.name, err)
	}
	return n, err
}

// head returns up to n bytes from the beginning.
func (in *input) head(ctx context.Context, n int, o *Options) ([]byte, error) {
	c, err := in.content(ctx, o)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // only read
	b := make([]byte, n)
	k, err := io.ReadFull(c, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return b[:k], nil
}

// random gives random access to the content; what has none of its own, and what is compressed, is spooled once.
func (in *input) random(ctx context.Context, o *Options) (at io.ReaderAt, size int64, done func(), err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.plain == nil {
		f, err := in.open(ctx)
		if err != nil {
			return nil, 0, nil, readFault(in.name, err)
		}
		var magic [2]byte
		if at, ok := f.(io.ReaderAt); ok && in.size > 0 {
			if _, err := at.ReadAt(magic[:], 0); err == nil && magic != [2]byte{0x1f, 0x8b} {
				return at, in.size, func() { _ = f.Close() }, nil // only read
			}
		}
		_ = f.Close() // only read
		c, err := in.content(ctx, o)
		if err != nil {
			return nil, 0, nil, err
		}
		defer c.Close() //nolint:errcheck // only read
		if in.plain, err = newSpool(ctx, in.name, c, o.MaxBytes); err != nil {
			return nil, 0, nil, err
		}
	}
	return in.plain, in.plain.size, func() {}, nil
}

func (in *input) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.plain != nil {
		in.plain.close()
		in.plain = nil
	}
	if in.release != nil {
		in.release()
	}
}

// readFault gives an error of the outside a code; those that have one keep it.
func readFault(name string, err error) error {
	var known *fault.Error
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return canceled(err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.BadData, "the gzip data ends too early").At(name).Try("the file is cut off: copy or download it again")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return fault.New(fault.BadData, "the gzip data is damaged").At(name).Because(err).Try("copy or download the file again")
	case errors.Is(err, fs.ErrNotExist):
		return fault.New(fault.NotFound, "no such file or folder").At(name).Try("check the path")
	case errors.Is(err, fs.ErrPermission):
		return fault.New(fault.Denied, "it may not be read").At(name).Try("check the permissions of the file")
	}
	return fault.New(fault.Unavailable, "it cannot be read").At(name).Because(err)
}

func canceled(err error) error { return fault.Wrap(err, fault.Canceled, "reading was given up") }

// copyTo copies r until its end, the limit, or the end of ctx.
func copyTo(ctx context.Context, name string, w io.Writer, r io.Reader, limit int64) (int64, error) {
	buf, total := make([]byte, 1<<18), int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return 0, canceled(err)
		}
		n, err := r.Read(buf)
		if total += int64(n); total > limit {
			return 0, fault.New(fault.TooLarge, "more than "+strconv.FormatInt(limit, 10)+" bytes of data").At(name).
				Try("split the file, or raise the limit on bytes")
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return 0, fault.Wrap(err, fault.Unavailable, "no room for a temporary copy of "+name)
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return 0, readFault(name, err)
		}
	}
}
