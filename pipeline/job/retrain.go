package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
	"github.com/jarvis-ml/jarvis/pipeline/source"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Retrainer takes data from the inbox of a bucket: it checks a file, adds it to the dataset of its model, trains a
// challenger on old and new rows, and promotes it when it is not worse than the champion.
//
// Every step may be repeated: after a kill at any moment the next run for the same file goes on where the bucket says
// that things stand. Two runs for one file at the same time do its work once.
type Retrainer struct {
	Bucket  bucket.Bucket
	Policy  Policy
	Owner   string // names this process in claims and in the registry's log
	Threads int    // cores for training; 0 means all
	Version string // of Jarvis, for the provenance
	Report  func(Event)
	Lease   time.Duration // how long a silent worker keeps a file for itself; 0 means DefaultLease

	// Submit hands a large job over to a batch service; nil means that everything is trained here. It is called with
	// the inbox key, once a file unless it fails or the process dies in between. By then nobody holds the file, so the
	// job can begin at once.
	Submit func(ctx context.Context, name, key string) error
	// Inline is the size in bytes, of dataset and upload together, above which a job is submitted.
	Inline int64
}

// DefaultMaxUpload bounds an uploaded file.
const DefaultMaxUpload = 4 << 30

// DefaultLease is how long a file of a worker that was killed stays untouched. A living one shows a sign of life every
// third of that.
const DefaultLease = 30 * time.Second

// Actions that a retraining can end with.
const (
	Promoted    = "promoted"    // the challenger is champion now
	Kept        = "kept"        // the champion stays: the challenger is worse (and candidate now), or there is none (Version 0)
	Quarantined = "quarantined" // the file is unusable; it lies under quarantine/ with a report
	Submitted   = "submitted"   // handed over to the batch service, by this run
	Repeated    = "repeated"    // this very file was dealt with, or handed over, before
	Busy        = "busy"        // another process is at it
)

// Retrained is what became of one file.
type Retrained struct {
	Action     string             `json:"action"`
	Model      string             `json:"model"`
	Key        string             `json:"key"`
	Reason     string             `json:"reason"`
	Dataset    string             `json:"dataset,omitempty"` // NAME/VERSION
	Version    int                `json:"version,omitempty"` // of the challenger
	Challenger map[string]float64 `json:"challenger,omitempty"`
	Champion   map[string]float64 `json:"champion,omitempty"` // the champion on the same holdout
	Rows       int                `json:"rows,omitempty"`     // in the dataset now
}

// String is a line for a log.
func (r *Retrained) String() string { return r.Model + " " + r.Action + ": " + r.Reason }

// Run deals with one object of the inbox. An error means that it may be tried again; everything that is the file's own
// fault ends in quarantine, which is no error.
func (r *Retrainer) Run(ctx context.Context, key string) (*Retrained, error) {
	if err := r.Policy.Check(); err != nil {
		return nil, err
	}
	data := dataset.Open(r.Bucket)
	file, err := data.Upload(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return &Retrained{Action: Repeated, Model: file.Dataset, Key: key, Reason: "it is not in the inbox any more"}, nil
	} else if err != nil {
		return nil, err
	}
	u := &upload{Retrainer: r, file: file, registry: registry.Open(r.Bucket), data: data}
	if _, done, err := u.claims(retraining).Result(ctx, file.Event()); err != nil {
		return nil, err
	} else if done { // and cleared, unless the one who did it was killed before that
		return u.result(Repeated, "this file was dealt with before"), data.Settle(ctx, file)
	}
	if large, err := u.large(ctx); err != nil {
		return nil, err
	} else if large {
		return u.once(ctx, submission, u.submit)
	}
	result, err := u.once(ctx, retraining, u.process)
	if err != nil || result.Action == Busy {
		return result, err
	}
	return result, data.Settle(ctx, file)
}

// Works that a file is claimed for.
const (
	retraining = "jobs/retrain"
	submission = "jobs/submit"
)

func (u *upload) claims(folder string) *bucket.Claims {
	return bucket.NewClaims(u.Bucket, folder, u.Owner)
}

// once does a work that is done once for a file, by one process at a time.
func (u *upload) once(ctx context.Context, folder string, work func(context.Context) (*Retrained, error)) (*Retrained, error) {
	lease := u.Lease
	if lease == 0 {
		lease = DefaultLease
	}
	held, err := u.claims(folder).Claim(ctx, u.file.Event(), lease)
	switch {
	case errors.Is(err, bucket.ErrDone):
		return u.result(Repeated, "this file was dealt with before"), nil
	case errors.Is(err, bucket.ErrHeld):
		return u.result(Busy, "another process is at it"), nil
	case err != nil:
		return nil, err
	}
	kept, stop := held.Keep(ctx)
	defer stop()
	result, err := work(kept)
	if err == nil {
		result.Reason = shorten(result.Reason)
		err = held.Done(kept, result)
	}
	if err != nil {
		stop()
		// Best effort: whoever tries again need not wait for the lease to end. Where it fails, the lease ends by itself.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = held.Release(last)
		return nil, err
	}
	return result, nil
}

// shorten bounds a reason: it stands in log entries, which have a limit, and may quote the data.
func shorten(s string) string {
	const limit = 2000
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// submit hands the file over.
func (u *upload) submit(ctx context.Context) (*Retrained, error) {
	if err := u.Submit(ctx, u.file.Dataset, u.file.Object.Key); err != nil {
		return nil, err
	}
	return u.result(Submitted, "too large to train here"), nil
}

// upload is the state of one Run.
type upload struct {
	*Retrainer
	file     dataset.Upload
	registry *registry.Registry
	data     *dataset.Datasets
	champion *predict.Model
	version  registry.Version // of the champion
}

func (u *upload) process(ctx context.Context) (*Retrained, error) {
	if err := u.loadChampion(ctx); err != nil {
		if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
			return u.quarantine(ctx, err, nil)
		}
		return nil, err
	}
	fresh, err := u.readUpload(ctx)
	if err != nil {
		if bad(err) {
			return u.quarantine(ctx, err, nil)
		}
		return nil, err
	}
	sig := u.champion.Card.Signature
	if c := check.Conform(fresh, sig.Inputs, sig.Target); !c.OK() {
		return u.quarantine(ctx, fault.New(fault.BadData, "the rows do not fit the model's schema"), c)
	}
	stored, err := u.store(ctx, fresh)
	if err != nil {
		return nil, err
	}
	return u.challenge(ctx, stored)
}

// large reports whether a job is one for the batch service.
func (u *upload) large(ctx context.Context) (bool, error) {
	if u.Submit == nil {
		return false, nil
	}
	v, err := u.data.Resolve(ctx, u.file.Dataset)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return false, err
	}
	return v.Bytes+u.file.Object.Size > u.Inline, nil
}

func (u *upload) result(action, reason string) *Retrained {
	return &Retrained{Action: action, Model: u.file.Dataset, Key: u.file.Object.Key, Reason: reason}
}

// bad reports whether an error is the file's own fault.
func bad(err error) bool {
	switch fault.CodeOf(err) {
	case fault.BadData, fault.Invalid, fault.TooLarge, fault.Unsupported:
		return true
	}
	return false
}

func (u *upload) loadChampion(ctx context.Context) error {
	v, err := u.registry.Resolve(ctx, u.file.Dataset)
	if err != nil {
		return err
	}
	file, err := u.registry.Load(ctx, v)
	if fault.Is(err, fault.NotFound) { // the champion's fault, not the upload's
		return fault.Wrap(err, fault.Corrupt, "the champion's file is gone")
	} else if err != nil {
		return err
	}
	if u.champion, err = predict.Open(file); err != nil {
		return err
	}
	if !u.champion.HasCard {
		return fault.New(fault.Invalid, "the champion was not trained by Jarvis, so it cannot be retrained").At(v.Ref()).
			Try("train one with 'jarvis train DATA --target COL --name " + u.file.Dataset + " --promote'")
	}
	u.version = v
	return nil
}

func (u *upload) readUpload(ctx context.Context) (*table.Table, error) {
	limit := u.Policy.MaxBytes
	if limit == 0 {
		limit = DefaultMaxUpload
	}
	if u.file.Object.Size > limit {
		return nil, fault.New(fault.TooLarge, fmt.Sprintf("the file has %d bytes, more than %d", u.file.Object.Size, limit))
	}
	body, err := u.data.Open(ctx, u.file)
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // only read
	return u.readTable(ctx, u.file.File, body)
}

// kinds says how to read a file for the champion: as text what it takes as text, and the target as what it was.
func (u *upload) kinds() map[string]table.Kind {
	kinds := maps.Clone(u.champion.TextColumns())
	sig := u.champion.Card.Signature
	switch {
	case sig.Task == string(fit.Regression):
		kinds[sig.Target] = table.Number
	case !slices.ContainsFunc(sig.Classes, isNoNumber):
		// Classes such as 0 and 1 were numbers once, and may be written "1.0" now; join writes them as the champion has them.
	default:
		kinds[sig.Target] = table.Text
	}
	return kinds
}

// isNoNumber reports whether a class label is something else than a number as check.FormatNumber writes it.
func isNoNumber(label string) bool {
	v, ok := check.ParseNumber(label)
	return !ok || check.FormatNumber(v) != label
}

// readTable reads a file as kinds says.
func (u *upload) readTable(ctx context.Context, name string, body io.Reader) (*table.Table, error) {
	s, err := source.FromReader(name, body, source.Options{Kinds: u.kinds()})
	if err != nil {
		return nil, err
	}
	return source.ReadAll(ctx, s)
}

// quarantine moves the file out of the inbox and leaves a report beside it that says what is wrong, row by row.
func (u *upload) quarantine(ctx context.Context, why error, rows *check.Conformity) (*Retrained, error) {
	report := map[string]any{
		"model": u.file.Dataset, "file": u.file.File, "time": time.Now().UTC(), "code": fault.CodeOf(why), "message": why.Error(), "hint": fault.HintOf(why),
	}
	reason := why.Error()
	if rows != nil {
		report["rows"] = rows
		reason += ": " + misfits(rows)
		report["message"], report["hint"] = reason, "correct the file and upload it again, under any name"
	}
	if _, err := u.data.Quarantine(ctx, u.file, report); err != nil {
		return nil, err
	}
	return u.result(Quarantined, reason), nil
}

// misfits says in one line what does not fit: the columns first, then the first bad cell.
func misfits(c *check.Conformity) string {
	var parts []string
	for _, p := range c.Problems {
		if p.Severity != check.Error {
			continue
		}
		if len(parts) == 3 {
			parts = append(parts, "and more columns")
			break
		}
		parts = append(parts, strings.TrimPrefix(p.Column+": "+p.Message, ": "))
	}
	if c.BadRows > 0 && len(c.Failures) > 0 {
		f := c.Failures[0]
		parts = append(parts, fmt.Sprintf("%d of %d rows are bad, the first of them row %d: %s: %s", c.BadRows, c.Rows, f.Row, f.Column, f.Why))
	}
	return strings.Join(parts, "; ")
}

// store adds the file to the dataset; the same event twice is stored once.
func (u *upload) store(ctx context.Context, t *table.Table) (dataset.Version, error) {
	body, err := u.data.Open(ctx, u.file)
	if err != nil {
		return dataset.Version{}, err
	}
	defer body.Close() //nolint:errcheck // only read
	return u.data.Append(ctx, u.file.Dataset, dataset.AppendOptions{Name: u.file.File, Rows: int64(t.Rows), Schema: columns(t), Who: u.Owner, Why: "upload", Event: u.file.Event()}, body)
}

// challenge trains on the whole dataset and puts challenger and champion to the same test.
func (u *upload) challenge(ctx context.Context, stored dataset.Version) (*Retrained, error) {
	all, err := u.readAll(ctx, stored)
	if err != nil {
		return nil, err
	}
	spec, err := u.spec(stored)
	if err != nil {
		return nil, err
	}
	result := u.result(Kept, "")
	result.Dataset, result.Rows = spec.Dataset, all.Rows
	out, err := u.learn(ctx, all, spec)
	if bad(err) { // the rows are good ones and stay; they are not enough, or do not agree with the older ones
		result.Reason = "the rows are added, but no model can be trained: " + err.Error()
		return result, nil
	} else if err != nil {
		return nil, err
	}
	return result, u.contest(ctx, out, result)
}

// learn trains anew what was trained from nothing, and has a champion that was fine-tuned go on learning.
func (u *upload) learn(ctx context.Context, all *table.Table, spec Spec) (*Outcome, error) {
	how, err := tuningOf(u.champion.Card)
	if err != nil {
		return nil, err
	}
	if how == nil {
		return Train(ctx, all, spec, u.Report)
	}
	if how.Model, err = u.registry.Load(ctx, u.version); err != nil {
		return nil, err
	}
	how.Name = u.version.Ref()
	return FineTune(ctx, all, spec, *how, u.Report)
}

// contests is how often a challenger is compared anew because the champion was changed meanwhile.
const contests = 10

// contest compares the challenger with the champion, publishes it, and promotes it if the rule allows: under the
// condition that the champion is still the one that it was compared with. Otherwise it is compared with the new one.
func (u *upload) contest(ctx context.Context, out *Outcome, result *Retrained) error {
	for range contests {
		if err := u.judge(ctx, out, result); err != nil {
			return err
		}
		if result.Version == 0 {
			version, err := Publish(ctx, u.registry, u.file.Dataset, out, PublishOptions{
				Who: u.Owner, Why: shorten("retrained on " + u.file.File + ": " + result.Reason), Key: u.file.Event(),
			})
			if err != nil {
				return err
			}
			result.Version = version.Number
			if out.Run != "" { // the model is safe; a checkpoint that stays is only litter
				_ = Runs{Bucket: u.Bucket, Name: u.file.Dataset}.Finish(ctx, out.Run)
			}
		}
		if u.version.Number == result.Version { // this run repeats one that was killed after the promotion
			result.Action = Promoted
			return nil
		}
		if result.Action != Promoted {
			return nil
		}
		err := u.registry.PromoteIf(ctx, u.file.Dataset, result.Version, registry.Champion, u.version.Number, u.Owner, result.Reason)
		if !fault.Is(err, fault.Conflict) {
			return err
		}
		if err := u.loadChampion(ctx); err != nil {
			return err
		}
	}
	result.Action, result.Reason = Kept, "the champion was changed again and again meanwhile"
	return nil
}

// judge scores the champion on the rows that the challenger was scored on, and decides by the policy.
func (u *upload) judge(ctx context.Context, out *Outcome, result *Retrained) error {
	champion, _, err := score(ctx, u.champion, out.held, out.truth)
	if bad(err) {
		result.Action, result.Reason = Kept, "the champion cannot answer the rows of the holdout: "+err.Error()
		return nil
	} else if err != nil {
		return err
	}
	result.Champion, result.Challenger = defined(champion), out.Card.Metrics.Holdout
	result.Action, result.Reason = u.Policy.decide(u.Policy.metric(out.truth.task), result.Champion, result.Challenger)
	return nil
}

// spec asks for what the champion was asked for, and for its holdout.
func (u *upload) spec(stored dataset.Version) (Spec, error) {
	p := u.champion.Card.Provenance
	asked, _ := p.Config["model"].(string)
	s := Spec{
		Target: u.champion.Card.Signature.Target, Task: u.champion.Card.Signature.Task, Model: asked, Seed: p.Seed, Threads: u.Threads,
		TimeLimit: u.Policy.TimeLimit, DataName: u.file.File, Dataset: stored.Ref(), Version: u.Version,
		HoldoutBy: holdoutColumns(u.champion.Card),
	}
	s.Weight, _ = p.Config[weightConfig].(string)
	if share, ok := p.Config["holdout"].(float64); ok {
		s.Holdout = share
	}
	if asked != "" && asked != "auto" {
		s.Params, _ = p.Config["parameters"].(map[string]any)
	}
	s.Store = Runs{Bucket: u.Bucket, Name: u.file.Dataset}.Store
	var err error
	s.Net, err = netOf(u.champion.Card)
	return s, err
}

// readAll joins the files of a dataset version into one table of the columns that the champion's training used.
func (u *upload) readAll(ctx context.Context, v dataset.Version) (*table.Table, error) {
	var parts []*table.Table
	for r, err := range u.data.OpenVersion(ctx, v) {
		if err != nil {
			return nil, err
		}
		t, err := u.readTable(ctx, r.File.Name, r)
		if err != nil {
			return nil, fmt.Errorf("dataset %s, file %s: %w", v.Ref(), r.File.Name, err)
		}
		parts = append(parts, t)
	}
	return join(u.schema(), parts), nil
}

// schema is the columns to retrain on: those of the champion's training, and the target.
func (u *upload) schema() table.Schema {
	sig := u.champion.Card.Signature
	numbers := map[string]bool{sig.Target: sig.Task == string(fit.Regression)}
	for _, in := range sig.Inputs {
		numbers[in.Name] = in.Kind == card.Number
	}
	var schema table.Schema
	names := append(holdoutColumns(u.champion.Card), sig.Target)
	if weight, _ := u.champion.Card.Provenance.Config[weightConfig].(string); weight != "" {
		numbers[weight], names = true, append(names, weight)
	}
	for _, name := range names {
		f := table.Field{Name: name, Kind: table.Text}
		if numbers[name] {
			f.Kind = table.Number
		}
		schema = append(schema, f)
	}
	return schema
}

// holdoutColumns are the columns whose values decide which rows are held out, as the champion's training recorded them.
func holdoutColumns(c card.Card) []string {
	var names []string
	if list, ok := c.Provenance.Config["holdout_by"].([]any); ok {
		for _, v := range list {
			if s, ok := v.(string); ok {
				names = append(names, s)
			}
		}
	}
	if len(names) == 0 {
		for _, in := range c.Signature.Inputs {
			names = append(names, in.Name)
		}
	}
	return names
}
