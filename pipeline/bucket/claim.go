package bucket

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Claims let any number of processes share work through a bucket, with no coordinator: who claims a key has the work,
// until it is done, given back, or its owner has been silent for the time to live.
//
// What is guaranteed, whatever clocks and networks do:
//   - A key has at most one holder in the order of its log. A holder that was given up for dead learns of it at its
//     next Renew or Done, which fail with ErrLost; nobody's Done is overwritten.
//   - Done is final: from then on every Claim of the key returns ErrDone. So effects that are published by Done, or by
//     an entry of another Log that carries the key, happen once.
//
// What is not: that two processes never *work* on a key at the same moment. A holder that is frozen for longer than
// its time to live goes on for a while, until it looks. Waste, not harm.
//
// Whether an owner is dead is judged without trusting anybody's wall clock: either this process has seen no sign of
// life for the time to live by its monotonic clock, or the store's own time stamps say so (the claimant writes an entry
// and compares its time with that of the owner's last). A clock that jumps delays or hastens a takeover, no more.
type Claims struct {
	b      Bucket
	prefix string
	owner  string
	nonce  string

	mu   sync.Mutex
	seen map[string]sign // last sign of life by key, and when this process first saw it
	now  func() time.Time
}

type sign struct {
	beat uint64
	at   time.Time
}

// MinTTL is the shortest time to live. Stores count whole seconds, so a takeover comes up to a second late.
const MinTTL = time.Second

// Why a claim or a lease was refused; all are fault.Conflict.
var (
	ErrHeld = errors.New("another owner holds it")
	ErrDone = errors.New("the work is done already")
	ErrLost = errors.New("the lease was lost to another owner")
)

// NewClaims returns the claims under a folder of a bucket. owner is a name for people (host, process); two Claims are
// different owners even with the same name.
func NewClaims(b Bucket, prefix, owner string) *Claims {
	return &Claims{b: b, prefix: strings.TrimSuffix(prefix, "/"), owner: owner, nonce: rand.Text(), seen: map[string]sign{}, now: time.Now}
}

// Lease is a claim that was granted.
type Lease struct {
	view  *View[claim]
	token uint64
	nonce string
	owner string
	ttl   time.Duration
}

// claim is the state of one key's log.
type claim struct {
	Holder string
	Nonce  string
	Token  uint64 // number of the entry that took it
	Beat   uint64 // number of the holder's last entry
	TTL    time.Duration
	Held   bool
	Done   bool
	Result json.RawMessage
}

type claimEntry struct {
	Kind   string          `json:"kind"` // take, renew, release, done, doubt
	Owner  string          `json:"owner"`
	Nonce  string          `json:"nonce,omitempty"`
	Millis int64           `json:"ttl_ms,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// Claim takes the work called key, any text. It fails with ErrHeld or ErrDone inside a fault.Conflict.
func (c *Claims) Claim(ctx context.Context, key string, ttl time.Duration) (*Lease, error) {
	if ttl < MinTTL {
		return nil, fault.New(fault.Invalid, "the time to live is below a second").At("ttl")
	}
	view := c.view(key)
	state, _, err := view.Read(ctx)
	if err != nil {
		return nil, err
	}
	dead := uint64(0) // the sign of life after which the holder counts as dead
	if state.Held && !state.Done {
		gone, err := c.silent(ctx, view, key, state)
		if err != nil {
			return nil, err
		}
		if !gone {
			return nil, refuse(ErrHeld, state.Holder)
		}
		dead = state.Beat
	}
	entry, _, err := view.Append(ctx, func(s claim) (any, error) {
		if s.Done {
			return nil, refuse(ErrDone, s.Holder)
		}
		if s.Held && s.Beat != dead {
			return nil, refuse(ErrHeld, s.Holder)
		}
		return claimEntry{Kind: "take", Owner: c.owner, Nonce: c.nonce, Millis: ttl.Milliseconds()}, nil
	})
	if err != nil {
		return nil, err
	}
	return &Lease{view: view, token: entry.Number, nonce: c.nonce, owner: c.owner, ttl: ttl}, nil
}

// Result is what Done left for a key; ok is false while the work is not done.
func (c *Claims) Result(ctx context.Context, key string) (result json.RawMessage, ok bool, err error) {
	state, _, err := c.view(key).Read(ctx)
	return state.Result, state.Done, err
}

// silent judges whether the holder is dead.
func (c *Claims) silent(ctx context.Context, view *View[claim], key string, s claim) (bool, error) {
	patience := s.TTL + time.Second
	c.mu.Lock()
	last, known := c.seen[key]
	if !known || last.beat != s.Beat {
		last = sign{s.Beat, c.now()}
		c.seen[key] = last
	}
	c.mu.Unlock()
	if c.now().Sub(last.at) >= patience {
		return true, nil
	}
	beat, err := Stat(ctx, c.b, view.log.Key(s.Beat))
	if err != nil {
		return false, err
	}
	if time.Since(beat.Modified) < patience {
		return false, nil // by our clock it lives: not worth an entry, and if our clock is wrong we have the monotonic one
	}
	doubt, _, err := view.Append(ctx, func(now claim) (any, error) {
		if now.Beat != s.Beat || !now.Held {
			return nil, nil
		}
		return claimEntry{Kind: "doubt", Owner: c.owner}, nil
	})
	if err != nil || doubt.Number == 0 {
		return false, err
	}
	witness, err := Stat(ctx, c.b, view.log.Key(doubt.Number))
	return err == nil && witness.Modified.Sub(beat.Modified) >= patience, err
}

func (c *Claims) view(key string) *View[claim] {
	sum := sha256.Sum256([]byte(key))
	return NewView(NewLog(c.b, c.prefix+"/"+hex.EncodeToString(sum[:])), claim{}, applyClaim)
}

func applyClaim(s claim, e Entry) (claim, error) {
	var entry claimEntry
	if err := json.Unmarshal(e.Data, &entry); err != nil {
		return s, err
	}
	switch entry.Kind {
	case "take":
		s = claim{Holder: entry.Owner, Nonce: entry.Nonce, Token: e.Number, Beat: e.Number, Held: true}
		s.TTL = max(MinTTL, time.Duration(min(entry.Millis, 1<<40))*time.Millisecond)
	case "renew":
		s.Beat = e.Number
	case "release":
		s.Held = false
	case "done":
		s.Done, s.Held, s.Result = true, false, entry.Result
	case "doubt":
	default:
		return s, fault.New(fault.Unsupported, "an entry of an unknown kind, written by a newer version").At(entry.Kind)
	}
	return s, nil
}

func refuse(why error, holder string) error {
	return fault.New(fault.Conflict, "not granted").At(holder).Because(why)
}

// Token grows with every holder of the key: a fence for stores that can compare.
func (l *Lease) Token() uint64 { return l.token }

// Renew shows a sign of life; ErrLost when another owner has taken over.
func (l *Lease) Renew(ctx context.Context) error {
	return l.append(ctx, claimEntry{Kind: "renew", Owner: l.owner})
}

// Done ends the work for good and keeps result (JSON of at most some 60 KB, or nil) for those who ask later.
func (l *Lease) Done(ctx context.Context, result any) error {
	raw, err := json.Marshal(result)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "the result cannot be written as JSON")
	}
	return l.append(ctx, claimEntry{Kind: "done", Owner: l.owner, Result: raw})
}

// Release gives the work back, for anybody to claim at once.
func (l *Lease) Release(ctx context.Context) error {
	return l.append(ctx, claimEntry{Kind: "release", Owner: l.owner})
}

func (l *Lease) append(ctx context.Context, entry claimEntry) error {
	_, _, err := l.view.Append(ctx, func(s claim) (any, error) {
		if !s.Held || s.Token != l.token || s.Nonce != l.nonce {
			return nil, refuse(ErrLost, s.Holder)
		}
		return entry, nil
	})
	return err
}

// Keep renews the lease every third of its time to live, until stop is called. The context it returns ends, with the
// reason as its cause, when the lease is lost or could not be renewed for its time to live.
func (l *Lease) Keep(ctx context.Context) (kept context.Context, stop func()) {
	kept, cancel := context.WithCancelCause(ctx)
	go func() {
		ticker := time.NewTicker(l.ttl / 3)
		defer ticker.Stop()
		alive := time.Now()
		for {
			select {
			case <-kept.Done():
				return
			case <-ticker.C:
			}
			attempt, done := context.WithTimeout(kept, l.ttl/3)
			err := l.Renew(attempt)
			done()
			switch {
			case err == nil:
				alive = time.Now()
			case errors.Is(err, ErrLost), time.Since(alive) > l.ttl:
				cancel(err)
				return
			}
		}
	}()
	return kept, func() { cancel(context.Canceled) }
}
