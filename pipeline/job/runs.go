package job

import (
	"bytes"
	"context"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
)

// Runs keeps the trainings of nets for a model: runs/NAME/ID/checkpoint.safetensors, from which a training that was killed goes on, and the log
// runs/NAME/ID/metrics/.
type Runs struct {
	Bucket bucket.Bucket
	Name   string
	Fresh  bool // begin anew, whatever checkpoint there is
}

// mostCheckpoint bounds a checkpoint that is read: 64 Mi weights, their moments and best values.
const mostCheckpoint = 4 << 30

// Store implements what Spec.Store asks for.
func (r Runs) Store(id string) neural.Store {
	return &run{fresh: r.Fresh, b: r.Bucket, prefix: r.prefix(id), log: bucket.NewLog(r.Bucket, r.prefix(id)+"/metrics")}
}

func (r Runs) prefix(id string) string { return "runs/" + r.Name + "/" + id }

// Finish removes the checkpoint of a training whose model is kept. Its metrics stay.
func (r Runs) Finish(ctx context.Context, id string) error {
	return r.Bucket.Delete(ctx, r.prefix(id)+checkpoint)
}

const checkpoint = "/checkpoint.safetensors"

// run is the store of one training.
type run struct {
	b      bucket.Bucket
	prefix string
	fresh  bool
	log    *bucket.Log
	last   uint64 // entry of the log, once it is known
	known  bool
}

// Load implements neural.Store.
func (r *run) Load(ctx context.Context) ([]byte, error) {
	if r.fresh {
		return nil, nil
	}
	state, _, err := bucket.ReadAll(ctx, r.b, r.prefix+checkpoint, mostCheckpoint)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return state, err
}

// Save implements neural.Store.
func (r *run) Save(ctx context.Context, state []byte) error {
	_, err := r.b.Put(ctx, r.prefix+checkpoint, bytes.NewReader(state), bucket.PutOptions{ContentType: "application/octet-stream"})
	return err
}

// Log implements neural.Store.
func (r *run) Log(ctx context.Context, m neural.Measured) error {
	if !r.known { // an earlier process may have written some
		for entry, err := range r.log.Since(ctx, 0) {
			if err != nil {
				return err
			}
			r.last = entry.Number
		}
		r.known = true
	}
	_, err := r.log.Append(ctx, r.last+1, m)
	if err == nil {
		r.last++
	}
	return err
}
