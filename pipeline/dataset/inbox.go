package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"iter"
	"path"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

const (
	inbox      = "inbox/"
	quarantine = "quarantine/"
	reportEnd  = ".report.json"
	maxReport  = 4 << 20 // bytes
)

// Upload is a file that waits under inbox/NAME/.
type Upload struct {
	Dataset string
	File    string // name below inbox/NAME/, possibly with folders
	Object  bucket.Object
}

// Event identifies this content under this key: the same upload seen twice has the same Event, another file under the
// same name has its own. It is what AppendOptions.Event and bucket.Claims want.
func (u Upload) Event() string { return u.Object.Key + "#" + u.Object.ETag }

// ParseInbox tells the dataset and the file of a key such as "inbox/penguins/may.csv"; ok is false for other keys.
func ParseInbox(key string) (name, file string, ok bool) {
	rest, found := strings.CutPrefix(key, inbox)
	name, file, more := strings.Cut(rest, "/")
	return name, file, found && more && file != "" && registry.CheckName(name) == nil && bucket.CheckKey(key) == nil
}

// Inbox yields what waits for one dataset, or for all when name is empty, by key.
func (d *Datasets) Inbox(ctx context.Context, name string) iter.Seq2[Upload, error] {
	return func(yield func(Upload, error) bool) {
		prefix := inbox
		if name != "" {
			if err := registry.CheckName(name); err != nil {
				yield(Upload{}, err)
				return
			}
			prefix += name + "/"
		}
		for o, err := range d.b.List(ctx, prefix) {
			if err != nil {
				yield(Upload{}, err)
				return
			}
			if name, file, ok := ParseInbox(o.Key); ok && !yield(Upload{name, file, o}, nil) {
				return
			}
		}
	}
}

// Upload finds what lies under a key of the inbox now.
func (d *Datasets) Upload(ctx context.Context, key string) (Upload, error) {
	name, file, ok := ParseInbox(key)
	if !ok {
		return Upload{}, fault.New(fault.Invalid, "not a key of the inbox").At("key").Try("files go to inbox/NAME/FILE")
	}
	o, err := bucket.Stat(ctx, d.b, key)
	return Upload{name, file, o}, err
}

// Open reads an upload; fault.Conflict when another file has taken its key since.
func (d *Datasets) Open(ctx context.Context, u Upload) (io.ReadCloser, error) {
	r, o, err := d.b.Open(ctx, u.Object.Key, 0, -1)
	if err != nil {
		return nil, err
	}
	if o.ETag != u.Object.ETag {
		_ = r.Close() // nothing of it was read
		return nil, fault.New(fault.Conflict, "another file was uploaded under this name").At(u.Object.Key).Try("look again")
	}
	return r, nil
}

// Settle removes an upload that is in the dataset or in quarantine, unless another file has taken its key since. (A
// file that arrives between the look and the removal is lost: stores cannot remove on a condition. Upload under new
// names, or keep versions in the bucket, as the Terraform module does.)
func (d *Datasets) Settle(ctx context.Context, u Upload) error {
	o, err := bucket.Stat(ctx, d.b, u.Object.Key)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil || o.ETag != u.Object.ETag {
		return err
	}
	return d.b.Delete(ctx, u.Object.Key)
}

// Quarantined is a file under quarantine/NAME/.
type Quarantined struct {
	Dataset string
	File    string // name below quarantine/NAME/
	Object  bucket.Object
}

// Quarantine moves an upload to quarantine/NAME/FILE with the report, any JSON value, in FILE.report.json beside it.
// Where another file has the name, the content's hash goes before it. It can be repeated after a crash at any point.
func (d *Datasets) Quarantine(ctx context.Context, u Upload, report any) (Quarantined, error) {
	raw, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return Quarantined{}, fault.Wrap(err, fault.Invalid, "the report cannot be written as JSON")
	}
	sum, err := d.sum(ctx, u.Object.Key)
	if err != nil {
		return Quarantined{}, err
	}
	folder, base := path.Split(u.File)
	for _, file := range []string{u.File, folder + sum[:12] + "-" + base} {
		key := quarantine + u.Dataset + "/" + file
		taken, err := d.copyTo(ctx, u, key, sum)
		if err != nil {
			return Quarantined{}, err
		}
		if taken {
			continue
		}
		if _, err := d.b.Put(ctx, key+reportEnd, bytes.NewReader(raw), bucket.PutOptions{ContentType: "application/json"}); err != nil {
			return Quarantined{}, err
		}
		o, err := bucket.Stat(ctx, d.b, key)
		if err != nil {
			return Quarantined{}, err
		}
		return Quarantined{u.Dataset, file, o}, d.Settle(ctx, u)
	}
	return Quarantined{}, fault.New(fault.Conflict, "the name is taken in quarantine").At(u.Object.Key)
}

// copyTo brings an upload to a key of the quarantine; taken says that another content has that key.
func (d *Datasets) copyTo(ctx context.Context, u Upload, key, sum string) (taken bool, err error) {
	r, err := d.Open(ctx, u)
	if err != nil {
		return false, err
	}
	defer r.Close() //nolint:errcheck // only read
	_, err = d.b.Put(ctx, key, r, bucket.PutOptions{IfAbsent: true})
	if !fault.Is(err, fault.Conflict) {
		return false, err
	}
	there, err := d.sum(ctx, key)
	return there != sum, err
}

func (d *Datasets) sum(ctx context.Context, key string) (string, error) {
	r, _, err := d.b.Open(ctx, key, 0, -1)
	if err != nil {
		return "", err
	}
	defer r.Close() //nolint:errcheck // only read
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "reading "+key+" broke off")
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// InQuarantine yields the files in quarantine of one dataset, by name; reports are not among them.
func (d *Datasets) InQuarantine(ctx context.Context, name string) iter.Seq2[Quarantined, error] {
	return func(yield func(Quarantined, error) bool) {
		if err := registry.CheckName(name); err != nil {
			yield(Quarantined{}, err)
			return
		}
		prefix := quarantine + name + "/"
		for o, err := range d.b.List(ctx, prefix) {
			if err != nil {
				yield(Quarantined{}, err)
				return
			}
			file := strings.TrimPrefix(o.Key, prefix)
			if !strings.HasSuffix(file, reportEnd) && !yield(Quarantined{name, file, o}, nil) {
				return
			}
		}
	}
}

// Report reads the report of a file in quarantine.
func (d *Datasets) Report(ctx context.Context, q Quarantined) (json.RawMessage, error) {
	raw, _, err := bucket.ReadAll(ctx, d.b, quarantine+q.Dataset+"/"+q.File+reportEnd, maxReport)
	return raw, err
}
