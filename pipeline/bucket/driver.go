package bucket

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Input is the reader that a driver stores from. It stops when the context ends and remembers how reading failed, so
// that a driver can tell a broken upload from a broken store.
type Input struct {
	ctx  context.Context
	r    io.Reader
	err  error
	size int64
}

// NewInput wraps the reader given to Put.
func NewInput(ctx context.Context, r io.Reader) *Input { return &Input{ctx: ctx, r: r} }

// Read reads; after the context's end it fails.
func (i *Input) Read(p []byte) (int, error) {
	if i.err != nil {
		return 0, i.err
	}
	if err := Canceled(i.ctx); err != nil {
		i.err = err
		return 0, err
	}
	n, err := i.r.Read(p)
	i.size += int64(n)
	if err != nil && err != io.EOF {
		i.err = readFault(i.ctx, err)
		err = i.err
	}
	return n, err
}

// Err is why reading failed, as a fault; nil when it did not.
func (i *Input) Err() error { return i.err }

// Size is the number of bytes read so far.
func (i *Input) Size() int64 { return i.size }

func readFault(ctx context.Context, err error) error {
	if canceled := Canceled(ctx); canceled != nil {
		return canceled
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	return fault.Wrap(err, fault.BadData, "cannot read what was to be stored")
}

// Canceled returns fault.Canceled when the context has ended, otherwise nil.
func Canceled(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fault.Wrap(context.Cause(ctx), fault.Canceled, "gave up before the store had answered")
}

// CheckRange refuses offsets that no driver understands.
func CheckRange(offset int64) error {
	if offset < 0 {
		return fault.New(fault.Invalid, "the offset is negative").At("offset")
	}
	return nil
}

// Failed is the List of one error.
func Failed(err error) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) { yield(Object{}, err) }
}

// Missing is the NotFound that all drivers give.
func Missing(key string) *fault.Error { return fault.New(fault.NotFound, "no such object").At(key) }

// Exists is the Conflict that all drivers give for IfAbsent.
func Exists(key string) *fault.Error {
	return fault.New(fault.Conflict, "the object exists already").At(key)
}
