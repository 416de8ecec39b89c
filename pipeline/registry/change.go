package registry

import (
	"context"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// PublishOptions say who publishes what.
type PublishOptions struct {
	Who, Why string
	Aliases  []string   // set together with the version, in the same entry
	Card     *card.Card // of the artifact; its summary is kept beside the version
	Key      string     // publishing twice with one key gives the first version: an event's name, say
}

// Publish stores an artifact as the next version of a model, which is made when it does not exist.
func (r *Registry) Publish(ctx context.Context, name string, artifact []byte, o PublishOptions) (Version, error) {
	if err := CheckName(name); err != nil {
		return Version{}, err
	}
	if err := checkWords(o.Who, o.Why); err != nil {
		return Version{}, err
	}
	for _, alias := range o.Aliases {
		if err := CheckAlias(alias); err != nil {
			return Version{}, err
		}
	}
	if len(artifact) == 0 || len(artifact) > MaxArtifact {
		return Version{}, fault.New(fault.Invalid, "an artifact has 1 byte to 2 GiB").At("artifact")
	}
	blob, err := r.store(ctx, artifact)
	if err != nil {
		return Version{}, err
	}
	entry := record{Kind: published, Who: o.Who, Why: o.Why, Aliases: o.Aliases, Key: o.Key, SHA256: blob.SHA256, Size: blob.Size}
	if o.Card != nil {
		summary := Summarize(*o.Card)
		entry.Summary = &summary
	}
	if _, err := r.b.Put(ctx, index+name, strings.NewReader(""), bucket.PutOptions{IfAbsent: true}); err != nil && !fault.Is(err, fault.Conflict) {
		return Version{}, err
	}
	number := 0
	_, s, err := r.view(name).Append(ctx, func(s state) (any, error) {
		if number = s.keys[o.Key]; o.Key != "" && number != 0 {
			return nil, nil
		}
		number = len(s.versions) + 1
		entry.Version = number
		return entry, nil
	})
	if err != nil {
		return Version{}, err
	}
	return s.fill(name, s.versions[number-1]), nil
}

// store keeps the artifact and lifts the quarantine of a damaged copy. A file that was quarantined for what it is
// stays out.
func (r *Registry) store(ctx context.Context, artifact []byte) (bucket.Blob, error) {
	blob, err := r.blobs.PutBytes(ctx, artifact)
	if err != nil {
		return blob, err
	}
	q, ok, err := r.Quarantined(ctx, blob.SHA256)
	if err != nil || !ok {
		return blob, err
	}
	if !q.Damaged {
		return blob, fault.New(fault.BadModel, "this file is quarantined: "+q.Why).At("artifact")
	}
	return blob, r.b.Delete(ctx, quarantineKey(blob.SHA256))
}

// checkWords bounds what people write into the log.
func checkWords(who, why string) error {
	if who == "" || len(who) > 200 {
		return fault.New(fault.Invalid, "who did it must have 1 to 200 bytes").At("who")
	}
	if len(why) > 4000 {
		return fault.New(fault.Invalid, "the reason has more than 4,000 bytes").At("why")
	}
	return nil
}

// Promote points an alias at a version.
func (r *Registry) Promote(ctx context.Context, name string, number int, alias, who, why string) error {
	return r.promote(ctx, name, number, alias, -1, who, why)
}

// PromoteIf is Promote under the condition that the alias points at expected (0: at nothing): fault.Conflict when
// somebody moved it since. So a comparison with the champion holds for the champion it was made with.
func (r *Registry) PromoteIf(ctx context.Context, name string, number int, alias string, expected int, who, why string) error {
	if expected < 0 {
		return fault.New(fault.Invalid, "the expected version is negative").At("expected")
	}
	return r.promote(ctx, name, number, alias, expected, who, why)
}

func (r *Registry) promote(ctx context.Context, name string, number int, alias string, expected int, who, why string) error {
	return r.change(ctx, name, alias, who, why, func(s state) (any, error) {
		if _, err := s.version(name, number); err != nil {
			return nil, err
		}
		now := s.target(alias)
		if expected >= 0 && now != expected {
			return nil, fault.New(fault.Conflict, alias+" of "+name+" points at "+strconv.Itoa(now)+" by now, not at "+strconv.Itoa(expected)).
				At("alias").Try("compare with the new one and try again")
		}
		return record{Kind: promoted, Who: who, Why: why, Version: number, Aliases: []string{alias}, Previous: now}, nil
	})
}

// Rollback points an alias at what it pointed at before; again, at what was before that. Deleted versions are passed
// over.
func (r *Registry) Rollback(ctx context.Context, name, alias, who, why string) (Version, error) {
	var target Version
	err := r.change(ctx, name, alias, who, why, func(s state) (any, error) {
		now, err := s.alias(name, alias)
		if err != nil {
			return nil, err
		}
		past := s.targets[alias]
		for i := len(past) - 2; i >= 0; i-- {
			if v, err := s.version(name, past[i]); err == nil && v.Number != now.Number {
				target = v
				return record{Kind: rolledBack, Who: who, Why: why, Version: v.Number, Aliases: []string{alias}, Previous: now.Number}, nil
			}
		}
		return nil, fault.New(fault.NotFound, alias+" of "+name+" never pointed at another version").At("alias").
			Try("promote one: its versions are " + s.numbers())
	})
	return target, err
}

// DeleteOption changes what Delete does.
type DeleteOption func(*deletion)

type deletion struct{ force bool }

// Force deletes a version that aliases point at, and the aliases with it.
func Force() DeleteOption { return func(d *deletion) { d.force = true } }

// Delete marks a version as deleted: it resolves no more and its number is never used again. The history keeps it, and
// the artifact's bytes stay in the bucket. A version that an alias points at is fault.Conflict, unless forced.
func (r *Registry) Delete(ctx context.Context, name string, number int, who, why string, opts ...DeleteOption) error {
	var d deletion
	for _, opt := range opts {
		opt(&d)
	}
	return r.change(ctx, name, Champion, who, why, func(s state) (any, error) {
		v, err := s.version(name, number)
		if err != nil {
			return nil, err
		}
		if len(v.Aliases) > 0 && !d.force {
			return nil, fault.New(fault.Conflict, v.Ref()+" is "+strings.Join(v.Aliases, ", ")).At("version").
				Try("promote another version first, or force it")
		}
		return record{Kind: deleted, Who: who, Why: why, Version: number, Aliases: v.Aliases}, nil
	})
}

// change appends what decide makes of a model that exists.
func (r *Registry) change(ctx context.Context, name, alias, who, why string, decide func(state) (any, error)) error {
	if err := CheckAlias(alias); err != nil {
		return err
	}
	if err := checkWords(who, why); err != nil {
		return err
	}
	if _, err := r.read(ctx, name); err != nil { // with its message about what exists
		return err
	}
	_, _, err := r.view(name).Append(ctx, decide)
	return err
}
