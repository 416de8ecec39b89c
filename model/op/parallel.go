package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/kernel"
	"github.com/jarvis-ml/jarvis/model/reuse"
)

// turns is how many pieces a goroutine's share is cut into: some more than one, because another goroutine may come late, and because a run that is
// given up ends with a piece.
const turns = 4

// parallel runs f over [0, n) in pieces of at least grain, on up to so many goroutines. f must not panic and must not fail. When ctx ends, pieces
// are left out: the caller asks ctx.Err() where its results could be taken for whole.
func parallel(ctx context.Context, threads, n, grain int, f func(lo, hi int)) {
	spread(ctx, threads, n, grain, pieceFunc(f))
}

type pieceFunc func(lo, hi int)

func (f pieceFunc) Do(lo, hi int) { f(lo, hi) }

// spread is parallel for work in memory of its own, which allocates nothing.
func spread(ctx context.Context, threads, n, grain int, w kernel.Work) {
	done, pieces := ctx.Done(), n/max(grain, 1)
	switch all := max(threads, 1) * turns; {
	case pieces >= all:
		pieces = all
	case pieces > threads: // each goroutine gets as many
		pieces -= pieces % max(threads, 1)
	}
	if threads < 2 && done == nil {
		pieces = 1
	}
	kernel.Share(done, threads, n, pieces, w)
}

// kept are values that are used again from run to run.
type kept[A any] struct{ pool reuse.Pool[A] }

func (k *kept[A]) take() *A { return k.pool.Take() }

func (k *kept[A]) put(a *A) {
	var zero A
	*a = zero // keeps nothing else alive
	k.pool.Put(a)
}

// crew is parallel for arguments that rest in memory kept from run to run, so that nothing is allocated. f is a plain function, not one of a generic
// type (that allocates: use kept and spread); what it works on, it finds in its first argument.
type crew[A any] struct{ hands kept[hand[A]] }

func (c *crew[A]) run(ctx context.Context, threads, n, grain int, args A, f func(a *A, lo, hi int)) {
	h := c.hands.take()
	h.args, h.f = args, f
	spread(ctx, threads, n, grain, h)
	c.hands.put(h)
}

type hand[A any] struct {
	args A
	f    func(a *A, lo, hi int)
}

func (h *hand[A]) Do(lo, hi int) { h.f(&h.args, lo, hi) }
