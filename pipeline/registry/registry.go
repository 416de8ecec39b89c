// Package registry keeps trained models in a bucket: numbered versions, aliases that point at them, and who moved
// what, when and why. It knows nothing of ONNX: an artifact is bytes with a hash.
//
// A model is an append-only log, models/NAME/log/…, and its state is the fold of that log; artifacts are blobs under
// their hash, and index/models/NAME says that a name exists. An artifact is stored before the entry that names it, so
// a crash at any moment leaves at most a blob that nobody names.
package registry

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// Aliases with a meaning; any other valid name can be one too.
const (
	Champion  = "champion"  // serves: what a plain model name resolves to
	Candidate = "candidate" // was trained, and waits for a comparison or a person
)

// MaxArtifact is the largest artifact that is stored and loaded, in bytes.
const MaxArtifact = 2 << 30

// Registry is the models of a bucket. It is safe for concurrent use and remembers what it has read, so keep one.
type Registry struct {
	b     bucket.Bucket
	blobs *bucket.Blobs

	mu    sync.Mutex
	views map[string]*bucket.View[state]
}

// Open returns the registry of a bucket; it needs no creation.
func Open(b bucket.Bucket) *Registry {
	return &Registry{b: b, blobs: bucket.NewBlobs(b), views: map[string]*bucket.View[state]{}}
}

// Version is one version of a model.
type Version struct {
	Model   string    `json:"model"`
	Number  int       `json:"number"` // from 1
	SHA256  string    `json:"sha256"`
	Size    int64     `json:"size"` // bytes
	Who     string    `json:"who"`
	Why     string    `json:"why"`
	Created time.Time `json:"created"`
	Aliases []string  `json:"aliases"` // that point here now, sorted
	Summary Summary   `json:"summary"`
	Deleted *Deletion `json:"deleted,omitempty"`
}

// Ref is how to name exactly this version: "penguins/3".
func (v Version) Ref() string { return v.Model + "/" + strconv.Itoa(v.Number) }

// Deletion says who deleted a version.
type Deletion struct {
	Who  string    `json:"who"`
	Why  string    `json:"why"`
	When time.Time `json:"when"`
}

// Summary is the part of an artifact's card that lists and tables show, kept beside the version so that nothing has to
// read the artifact. It is empty for files without a card.
type Summary struct {
	Task       string             `json:"task,omitempty"`
	Target     string             `json:"target,omitempty"`
	Classes    int                `json:"classes,omitempty"`
	Inputs     int                `json:"inputs,omitempty"`
	Estimator  string             `json:"estimator,omitempty"`
	Metrics    map[string]float64 `json:"metrics,omitempty"`  // on the holdout
	Baseline   map[string]float64 `json:"baseline,omitempty"` // of the most frequent class or the mean
	Rows       int                `json:"rows,omitempty"`     // in training and holdout
	DataSHA256 string             `json:"data_sha256,omitempty"`
	Dataset    string             `json:"dataset,omitempty"` // NAME/VERSION
}

// Summarize takes the summary from a card.
func Summarize(c card.Card) Summary {
	return Summary{
		Task: c.Signature.Task, Target: c.Signature.Target, Classes: len(c.Signature.Classes), Inputs: len(c.Signature.Inputs),
		Estimator: c.Provenance.Estimator, Metrics: c.Metrics.Holdout, Baseline: c.Metrics.Baseline,
		Rows: c.Provenance.Rows, DataSHA256: c.Provenance.DataSHA256, Dataset: c.Provenance.Dataset,
	}
}

// Model is a name with its versions.
type Model struct {
	Name     string         `json:"name"`
	Versions []Version      `json:"versions"` // not deleted, by number
	Aliases  map[string]int `json:"aliases"`
}

// Event is one line of a model's history.
type Event struct {
	Number   uint64    `json:"number"` // from 1, without holes
	Time     time.Time `json:"time"`   // by the writer's clock; order is that of Number
	Kind     string    `json:"kind"`   // "publish", "promote", "rollback" or "delete"
	Who      string    `json:"who"`
	Why      string    `json:"why"`
	Version  int       `json:"version"`
	Aliases  []string  `json:"aliases,omitempty"`  // that were set or, on deletion, removed
	Previous int       `json:"previous,omitempty"` // what the alias pointed at before
}

var nameRule = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$`)

// CheckName reports as fault.Invalid why a text cannot name a model or a dataset: 1 to 100 letters, digits, dots,
// hyphens and underscores, with a letter or digit at both ends.
func CheckName(name string) error {
	if nameRule.MatchString(name) && !strings.Contains(name, "..") {
		return nil
	}
	return fault.New(fault.Invalid, "not a valid name").At(strconv.QuoteToASCII(name[:min(len(name), 100)])).
		Try(`use up to 100 letters, digits, "-", "_" and ".", such as "penguins" or "churn-2026"`)
}

// CheckAlias is CheckName for aliases; a number cannot be one.
func CheckAlias(alias string) error {
	if _, err := strconv.Atoi(alias); err == nil || !nameRule.MatchString(alias) {
		return fault.New(fault.Invalid, "not a valid alias").At(strconv.QuoteToASCII(alias[:min(len(alias), 100)])).
			Try(`use letters, digits, "-", "_" and ".", such as "champion"`)
	}
	return nil
}

// Reference is a parsed "name", "name@alias" or "name/3".
type Reference struct {
	Name   string
	Alias  string // "" when Number is set
	Number int    // 0 when Alias is set
}

// ParseRef parses a reference to a version; a plain name means its champion.
func ParseRef(ref string) (Reference, error) {
	if name, alias, ok := strings.Cut(ref, "@"); ok {
		if err := CheckName(name); err != nil {
			return Reference{}, err
		}
		return Reference{Name: name, Alias: alias}, CheckAlias(alias)
	}
	name, number, ok := strings.Cut(ref, "/")
	if err := CheckName(name); err != nil {
		if ok { // show the whole: the reader meant a path
			err = fault.New(fault.Invalid, "not a model").At(strconv.QuoteToASCII(ref[:min(len(ref), 200)])).
				Try(`write "name", "name@alias" or "name/3"`)
		}
		return Reference{}, err
	}
	if !ok {
		return Reference{Name: name, Alias: Champion}, nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || strconv.Itoa(n) != number {
		return Reference{}, fault.New(fault.Invalid, "not a version").At(strconv.QuoteToASCII(ref[:min(len(ref), 200)])).
			Try(`write "name", "name@alias" or "name/3"`)
	}
	return Reference{Name: name, Number: n}, nil
}

// Resolve finds the version that "name", "name@alias" or "name/3" means. fault.NotFound says what there is instead.
func (r *Registry) Resolve(ctx context.Context, ref string) (Version, error) {
	parsed, err := ParseRef(ref)
	if err != nil {
		return Version{}, err
	}
	s, err := r.read(ctx, parsed.Name)
	if err != nil {
		return Version{}, err
	}
	if parsed.Alias != "" {
		return s.alias(parsed.Name, parsed.Alias)
	}
	return s.version(parsed.Name, parsed.Number)
}

// Load reads the artifact of a version and checks its hash. A damaged artifact is recorded as quarantined and gives
// fault.Corrupt; publishing the same file again heals it.
func (r *Registry) Load(ctx context.Context, v Version) ([]byte, error) {
	data, err := r.blobs.ReadAll(ctx, v.SHA256, MaxArtifact)
	if fault.Is(err, fault.Corrupt) { // once more: the line may have cut it short
		data, err = r.blobs.ReadAll(ctx, v.SHA256, MaxArtifact)
	}
	if fault.Is(err, fault.Corrupt) {
		if recordErr := r.record(ctx, Quarantined{SHA256: v.SHA256, Why: err.Error(), Damaged: true}); recordErr != nil {
			return nil, recordErr
		}
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.CodeOf(err), "the artifact of "+v.Ref()+" cannot be read")
	}
	return data, nil
}

// Show gives a model with its versions.
func (r *Registry) Show(ctx context.Context, name string) (Model, error) {
	s, err := r.read(ctx, name)
	if err != nil {
		return Model{}, err
	}
	return s.model(name), nil
}

// History gives everything that was done to a model, oldest first.
func (r *Registry) History(ctx context.Context, name string) ([]Event, error) {
	s, err := r.read(ctx, name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(s.history), nil
}

// List gives all models by name. A model that cannot be read does not hide the others: they are returned with the first
// error.
func (r *Registry) List(ctx context.Context) ([]Model, error) {
	names, err := r.names(ctx)
	if err != nil {
		return nil, err
	}
	states, err := r.readAll(ctx, names)
	var models []Model
	for i, name := range names {
		if len(states[i].versions) > 0 {
			models = append(models, states[i].model(name))
		}
	}
	return models, err
}

const index = "index/models/"

func (r *Registry) names(ctx context.Context) (names []string, err error) {
	for o, err := range r.b.List(ctx, index) {
		if err != nil {
			return nil, err
		}
		if name := strings.TrimPrefix(o.Key, index); CheckName(name) == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

// readAll brings many models up to date, eight at a time. With an error, the states are as far as they could be read.
func (r *Registry) readAll(ctx context.Context, names []string) ([]state, error) {
	states, errs := make([]state, len(names)), make([]error, len(names))
	var wait sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, name := range names {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			states[i], _, errs[i] = r.view(name).Read(ctx)
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return states, err
		}
	}
	return states, nil
}

// read gives the state of a model that exists.
func (r *Registry) read(ctx context.Context, name string) (state, error) {
	if err := CheckName(name); err != nil {
		return state{}, err
	}
	s, _, err := r.view(name).Read(ctx)
	if err != nil {
		return state{}, err
	}
	if len(s.versions) > 0 {
		return s, nil
	}
	r.forget(name)
	names, err := r.names(ctx)
	if err != nil {
		return state{}, err
	}
	hint := "there are no models yet; jarvis train DATA --target COLUMN --name " + name + " makes one"
	if len(names) > 0 {
		hint = "there are: " + enumerate(names)
	}
	return state{}, fault.New(fault.NotFound, "there is no model "+name).At("model").Try(hint)
}

func (r *Registry) view(name string) *bucket.View[state] {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.views[name]
	if !ok {
		v = bucket.NewView(bucket.NewLog(r.b, "models/"+name+"/log"), state{}, fold)
		r.views[name] = v
	}
	return v
}

// forget keeps requests for names that do not exist from filling the memory.
func (r *Registry) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.views, name)
}

// enumerate lists up to ten names.
func enumerate(names []string) string {
	if len(names) > 10 {
		return strings.Join(names[:10], ", ") + fmt.Sprintf(" and %d more", len(names)-10)
	}
	return strings.Join(names, ", ")
}
