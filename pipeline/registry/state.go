package registry

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// The kinds of an Event.
const (
	published  = "publish"
	promoted   = "promote"
	rolledBack = "rollback"
	deleted    = "delete"
)

// record is the data of an entry of a model's log.
type record struct {
	Kind     string   `json:"kind"`
	Who      string   `json:"who"`
	Why      string   `json:"why"`
	Version  int      `json:"version"`
	Aliases  []string `json:"aliases,omitempty"`
	Previous int      `json:"previous,omitempty"`
	Key      string   `json:"key,omitempty"`    // publish: once per key
	SHA256   string   `json:"sha256,omitempty"` // publish
	Size     int64    `json:"size,omitempty"`
	Summary  *Summary `json:"summary,omitempty"`
}

// state is a model's log, folded. It is never changed once made: fold copies what it alters, and lengthens history and
// versions behind the end of what older states see.
type state struct {
	versions []Version        // number n at n-1; Aliases are filled in on the way out
	targets  map[string][]int // alias → what it pointed at, oldest first; the last is now
	keys     map[string]int   // publish keys → version
	history  []Event
}

// fold applies one entry; a record that contradicts the state is refused.
func fold(s state, e bucket.Entry) (state, error) {
	var r record
	if err := json.Unmarshal(e.Data, &r); err != nil {
		return s, err
	}
	event := Event{Number: e.Number, Time: e.Time, Kind: r.Kind, Who: r.Who, Why: r.Why, Version: r.Version, Aliases: r.Aliases, Previous: r.Previous}
	next := state{versions: s.versions, targets: maps.Clone(s.targets), keys: s.keys, history: append(s.history, event)}
	if next.targets == nil {
		next.targets = map[string][]int{}
	}
	if r.Kind == published {
		if _, err := bucket.BlobKey(r.SHA256); err != nil || r.Version != len(s.versions)+1 {
			return s, contradiction(r)
		}
		v := Version{Number: r.Version, SHA256: r.SHA256, Size: r.Size, Who: r.Who, Why: r.Why, Created: e.Time}
		if r.Summary != nil {
			v.Summary = *r.Summary
		}
		next.versions = append(s.versions, v)
		if r.Key != "" {
			next.keys = maps.Clone(s.keys)
			if next.keys == nil {
				next.keys = map[string]int{}
			}
			next.keys[r.Key] = r.Version
		}
	}
	if r.Version < 1 || r.Version > len(next.versions) {
		return s, contradiction(r)
	}
	switch r.Kind {
	case published, promoted:
		for _, alias := range r.Aliases {
			if past := next.targets[alias]; len(past) == 0 || past[len(past)-1] != r.Version {
				next.targets[alias] = append(slices.Clip(past), r.Version)
			}
		}
	case rolledBack:
		for _, alias := range r.Aliases {
			past := next.targets[alias]
			for len(past) > 0 && past[len(past)-1] != r.Version {
				past = past[:len(past)-1]
			}
			if len(past) == 0 {
				return s, contradiction(r)
			}
			next.targets[alias] = past
		}
	case deleted:
		next.versions = slices.Clone(s.versions)
		next.versions[r.Version-1].Deleted = &Deletion{Who: r.Who, Why: r.Why, When: e.Time}
		for _, alias := range r.Aliases {
			delete(next.targets, alias)
		}
	default:
		return s, fault.New(fault.Unsupported, "an entry of an unknown kind, written by a newer version").At(r.Kind)
	}
	return next, nil
}

func contradiction(r record) error {
	return fault.New(fault.BadData, "a "+r.Kind+" of version "+strconv.Itoa(r.Version)+" does not fit what came before")
}

// target is what an alias points at, 0 when there is none.
func (s state) target(alias string) int {
	if past := s.targets[alias]; len(past) > 0 {
		return past[len(past)-1]
	}
	return 0
}

// pointing lists the aliases that point at a version, sorted.
func (s state) pointing(number int) []string {
	found := []string{}
	for alias := range s.targets {
		if s.target(alias) == number {
			found = append(found, alias)
		}
	}
	slices.Sort(found)
	return found
}

func (s state) model(name string) Model {
	m := Model{Name: name, Versions: []Version{}, Aliases: map[string]int{}}
	for _, v := range s.versions {
		if v.Deleted == nil {
			m.Versions = append(m.Versions, s.fill(name, v))
		}
	}
	for alias := range s.targets {
		m.Aliases[alias] = s.target(alias)
	}
	return m
}

func (s state) fill(name string, v Version) Version {
	v.Model, v.Aliases = name, s.pointing(v.Number)
	return v
}

func (s state) version(name string, number int) (Version, error) {
	if number < 1 || number > len(s.versions) {
		return Version{}, fault.New(fault.NotFound, name+" has no version "+strconv.Itoa(number)).At("model").
			Try("its versions: " + s.numbers())
	}
	v := s.versions[number-1]
	if v.Deleted != nil {
		why := "deleted by " + v.Deleted.Who
		if v.Deleted.Why != "" {
			why += " (" + v.Deleted.Why + ")"
		}
		return Version{}, fault.New(fault.NotFound, name+"/"+strconv.Itoa(number)+" was "+why).At("model").
			Try("its versions: " + s.numbers())
	}
	return s.fill(name, v), nil
}

func (s state) alias(name, alias string) (Version, error) {
	number := s.target(alias)
	if number != 0 {
		return s.version(name, number)
	}
	hint := "it has no aliases; versions: " + s.numbers()
	if known := slices.Sorted(maps.Keys(s.targets)); len(known) > 0 {
		hint = "its aliases: " + enumerate(known) + "; versions: " + s.numbers()
	}
	return Version{}, fault.New(fault.NotFound, name+" has no "+alias).At("model").Try(hint)
}

func (s state) numbers() string {
	var all []string
	for _, v := range s.versions {
		if v.Deleted == nil {
			all = append(all, strconv.Itoa(v.Number))
		}
	}
	if len(all) == 0 {
		return "none"
	}
	if len(all) > 10 {
		return strings.Join(all[:3], ", ") + " … " + all[len(all)-1]
	}
	return strings.Join(all, ", ")
}
