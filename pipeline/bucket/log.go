package bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"iter"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// MaxEntry is the most bytes that an entry of a Log may have, its envelope included.
const MaxEntry = 64 << 10

// Log is an append-only list of numbered JSON entries: PREFIX/00000000000000000001.json, …2.json and so on without a
// hole. An entry is made by creating its key if that does not exist, so of concurrent writers exactly one gets a
// number, and what was written is never changed. Order is that of the numbers; times only inform, so clocks that jump
// change nothing.
type Log struct {
	b      Bucket
	prefix string
}

// NewLog returns the log under a folder of a bucket; it needs no creation.
func NewLog(b Bucket, prefix string) *Log { return &Log{b, strings.TrimSuffix(prefix, "/")} }

// Entry is one line of a Log.
type Entry struct {
	Number uint64          `json:"number"` // from 1
	ID     string          `json:"id"`     // random: by it a writer recognises an entry whose answer was lost
	Time   time.Time       `json:"time"`   // by the writer's clock
	Data   json.RawMessage `json:"data"`
}

// Key is where entry number n lies.
func (l *Log) Key(n uint64) string { return fmt.Sprintf("%s/%020d.json", l.prefix, n) }

// Since yields the entries after number n. Finding nothing new costs one read; many entries are read in parallel. A
// broken entry ends the iteration with fault.Corrupt, and so does a hole where a later entry was read with it.
func (l *Log) Since(ctx context.Context, n uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for window := 1; ; window = min(2*window, 32) {
			found, end, err := l.window(ctx, n, window)
			for _, entry := range found {
				if !yield(entry, nil) {
					return
				}
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if end {
				return
			}
			n += uint64(len(found))
		}
	}
}

// window reads the entries n+1 … n+size; end says that the log ends among them.
func (l *Log) window(ctx context.Context, n uint64, size int) (found []Entry, end bool, err error) {
	type answer struct {
		entry Entry
		err   error
	}
	answers := make([]chan answer, size)
	for i := range answers {
		answers[i] = make(chan answer, 1)
		go func() {
			entry, err := l.read(ctx, n+1+uint64(i))
			answers[i] <- answer{entry, err}
		}()
	}
	missing := uint64(0)
	for i := range answers {
		a := <-answers[i]
		switch {
		case fault.Is(a.err, fault.NotFound):
			if missing == 0 {
				missing = n + 1 + uint64(i)
			}
		case a.err != nil:
			return found, false, a.err
		case missing == 0:
			found = append(found, a.entry)
		default: // written between two of our reads, and then the next window has it; or a hole
			return found, false, l.hole(ctx, missing)
		}
	}
	return found, missing != 0, nil
}

func (l *Log) hole(ctx context.Context, n uint64) error {
	_, err := l.read(ctx, n)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Corrupt, "an entry of the log is gone, later ones are there").At(l.Key(n)).
			Try("restore the object from the bucket's versions or a backup")
	}
	return err
}

func (l *Log) read(ctx context.Context, n uint64) (Entry, error) {
	key := l.Key(n)
	raw, _, err := ReadAll(ctx, l.b, key, MaxEntry)
	if fault.Is(err, fault.TooLarge) {
		return Entry{}, damaged(key, err)
	}
	if err != nil {
		return Entry{}, err
	}
	var entry Entry
	if err := json.Unmarshal(raw, &entry); err != nil {
		return Entry{}, damaged(key, err)
	}
	if entry.Number != n || entry.ID == "" || len(entry.Data) == 0 {
		return Entry{}, damaged(key, fault.New(fault.BadData, "number, id or data do not fit"))
	}
	return entry, nil
}

func damaged(key string, cause error) error {
	return fault.New(fault.Corrupt, "not an entry of a log").At(key).Because(cause).
		Try("restore the object from the bucket's versions or a backup")
}

// Append writes data as entry number n. It is fault.Conflict when the number is taken, fault.TooLarge when the entry
// would pass MaxEntry. A write whose answer was lost is recognised, and repeated when the store was away for a moment;
// after fault.Unavailable the entry may have been written or not.
func (l *Log) Append(ctx context.Context, n uint64, data any) (Entry, error) {
	payload, err := json.Marshal(data)
	if err != nil {
		return Entry{}, fault.Wrap(err, fault.Invalid, "the entry cannot be written as JSON")
	}
	entry := Entry{Number: n, ID: rand.Text(), Time: time.Now().UTC().Round(time.Microsecond), Data: payload}
	raw, err := json.Marshal(entry)
	if err != nil {
		return Entry{}, fault.Wrap(err, fault.Internal, "the entry cannot be written as JSON")
	}
	if len(raw) > MaxEntry {
		return Entry{}, fault.New(fault.TooLarge, fmt.Sprintf("an entry of %d bytes; a log takes at most %d", len(raw), MaxEntry)).At(l.prefix)
	}
	return entry, l.create(ctx, entry, raw)
}

func (l *Log) create(ctx context.Context, entry Entry, raw []byte) error {
	for try := 0; ; try++ {
		_, err := l.b.Put(ctx, l.Key(entry.Number), bytes.NewReader(raw), PutOptions{IfAbsent: true, ContentType: "application/json"})
		switch {
		case fault.Is(err, fault.Conflict):
			there, readErr := l.read(ctx, entry.Number)
			if readErr != nil {
				return readErr
			}
			if there.ID == entry.ID {
				return nil
			}
			return err
		case !fault.Is(err, fault.Unavailable) || try == 3:
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

// pause sleeps for a random time below 5 ms × 2^try, at most 0.5 s: writers that collided do so less the next time.
func pause(ctx context.Context, try int) error {
	top := min(5*time.Millisecond<<min(try, 10), 500*time.Millisecond)
	timer := time.NewTimer(time.Duration(mathrand.Int64N(int64(top))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return Canceled(ctx)
	}
}
