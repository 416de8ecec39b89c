package bucket

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// View is the state that a Log amounts to: the fold of its entries, read as far as was needed. It is safe for
// concurrent use; keep one for a log that is looked at often, because only new entries are read.
type View[S any] struct {
	log   *Log
	apply func(S, Entry) (S, error)
	lock  chan struct{} // a mutex that a context can give up on
	state S
	at    uint64 // number of the last entry in state
}

// maxTries bounds how often Append starts again because others were faster.
const maxTries = 1000

// NewView folds a log, from the state of an empty one. apply must leave its argument as it was, since readers hold it;
// an entry that it refuses stops the view there with fault.Corrupt.
func NewView[S any](log *Log, empty S, apply func(S, Entry) (S, error)) *View[S] {
	return &View[S]{log: log, apply: apply, lock: make(chan struct{}, 1), state: empty}
}

// Read brings the view up to date and returns the state with the number of the last entry (0: the log is empty).
func (v *View[S]) Read(ctx context.Context) (S, uint64, error) {
	if err := v.acquire(ctx); err != nil {
		var none S
		return none, 0, err
	}
	defer v.release()
	err := v.refresh(ctx)
	return v.state, v.at, err
}

// Append adds what decide makes of the newest state. decide is called again whenever another writer was faster, so
// that it always judges the state which its entry follows: compare-and-set. Its error refuses the entry and is
// returned; a nil value means that nothing is left to do, and the Entry returned has number 0. The state after the
// entry comes back too. With more than 1,000 collisions Append gives up with fault.Conflict.
func (v *View[S]) Append(ctx context.Context, decide func(S) (any, error)) (Entry, S, error) {
	if err := v.acquire(ctx); err != nil {
		var none S
		return Entry{}, none, err
	}
	defer v.release()
	for try := range maxTries {
		if err := v.refresh(ctx); err != nil {
			return Entry{}, v.state, err
		}
		data, err := decide(v.state)
		if err != nil || data == nil {
			return Entry{}, v.state, err
		}
		entry, err := v.log.Append(ctx, v.at+1, data)
		if err == nil {
			return entry, v.state, v.take(entry)
		}
		if !fault.Is(err, fault.Conflict) {
			return Entry{}, v.state, err
		}
		if err := pause(ctx, try); err != nil {
			return Entry{}, v.state, err
		}
	}
	return Entry{}, v.state, fault.New(fault.Conflict, "other writers were always faster").At(v.log.prefix).Try("try again")
}

func (v *View[S]) refresh(ctx context.Context) error {
	for entry, err := range v.log.Since(ctx, v.at) {
		if err != nil {
			return err
		}
		if err := v.take(entry); err != nil {
			return err
		}
	}
	return nil
}

func (v *View[S]) take(entry Entry) error {
	state, err := v.apply(v.state, entry)
	if err != nil {
		return damaged(v.log.Key(entry.Number), err)
	}
	v.state, v.at = state, entry.Number
	return nil
}

func (v *View[S]) acquire(ctx context.Context) error {
	select {
	case v.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return Canceled(ctx)
	}
}

func (v *View[S]) release() { <-v.lock }
