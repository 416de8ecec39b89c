package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// Quarantined says why an artifact must not be served. It holds for the content, whatever versions name it.
type Quarantined struct {
	SHA256  string    `json:"sha256"`
	Why     string    `json:"why"`
	Damaged bool      `json:"damaged"` // the stored copy has another hash; publishing the file again heals it
	Time    time.Time `json:"time"`    // by the writer's clock
}

func quarantineKey(sha string) string { return "quarantine-blobs/" + sha + ".json" }

// Quarantine records that an artifact cannot be loaded: not ONNX, an operator that is unknown, and so on. The first
// reason stays. Servers skip it and go on with what they have.
func (r *Registry) Quarantine(ctx context.Context, sha, why string) error {
	return r.record(ctx, Quarantined{SHA256: sha, Why: why})
}

func (r *Registry) record(ctx context.Context, q Quarantined) error {
	if _, err := bucket.BlobKey(q.SHA256); err != nil {
		return err
	}
	q.Why, q.Time = q.Why[:min(len(q.Why), 4000)], time.Now().UTC()
	raw, err := json.Marshal(q)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "a quarantine record cannot be written as JSON")
	}
	_, err = r.b.Put(ctx, quarantineKey(q.SHA256), bytes.NewReader(raw), bucket.PutOptions{IfAbsent: true, ContentType: "application/json"})
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

// Quarantined tells whether an artifact is quarantined, and why.
func (r *Registry) Quarantined(ctx context.Context, sha string) (q Quarantined, ok bool, err error) {
	if _, err := bucket.BlobKey(sha); err != nil {
		return q, false, err
	}
	raw, _, err := bucket.ReadAll(ctx, r.b, quarantineKey(sha), 64<<10)
	if fault.Is(err, fault.NotFound) {
		return q, false, nil
	}
	if err != nil {
		return q, false, err
	}
	if err := json.Unmarshal(raw, &q); err != nil || q.SHA256 != sha { // whoever wrote it did not want it served
		q = Quarantined{SHA256: sha, Why: "a quarantine record that cannot be read"}
	}
	return q, true, nil
}

// Release lifts a quarantine.
func (r *Registry) Release(ctx context.Context, sha string) error {
	if _, err := bucket.BlobKey(sha); err != nil {
		return err
	}
	return r.b.Delete(ctx, quarantineKey(sha))
}
