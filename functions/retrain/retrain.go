package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/jarvis-ml/jarvis/infra/batch"
	"github.com/jarvis-ml/jarvis/infra/lambda"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/job"
)

// settings are what the environment says.
type settings struct {
	bucket     string  // JARVIS_BUCKET: address of the bucket
	prefix     string  // JARVIS_RETRAIN_PREFIX: where uploads go; "inbox/" when not set
	margin     float64 // JARVIS_RETRAIN_MARGIN: see job.Policy.Margin; 0 when not set
	queue      string  // JARVIS_BATCH_QUEUE: job queue for large jobs; all are done here when not set
	definition string  // JARVIS_BATCH_DEFINITION: job definition for them
	inline     int64   // JARVIS_BATCH_FROM_MB, in bytes: data of this size and more is a large job; 50 MB when not set
}

func read(getenv func(string) string) (settings, error) {
	s := settings{
		bucket: getenv("JARVIS_BUCKET"), prefix: getenv("JARVIS_RETRAIN_PREFIX"),
		queue: getenv("JARVIS_BATCH_QUEUE"), definition: getenv("JARVIS_BATCH_DEFINITION"), inline: 50 << 20,
	}
	if s.bucket == "" {
		return s, fault.New(fault.Invalid, "is not set").At("JARVIS_BUCKET").Try("set it to the address of the bucket, such as s3://NAME")
	}
	if s.prefix == "" {
		s.prefix = "inbox/"
	}
	if text := getenv("JARVIS_RETRAIN_MARGIN"); text != "" {
		margin, err := strconv.ParseFloat(text, 64)
		if err != nil || !(margin >= 0) {
			return s, fault.New(fault.Invalid, "is not a number of at least 0").At("JARVIS_RETRAIN_MARGIN")
		}
		s.margin = margin
	}
	if text := getenv("JARVIS_BATCH_FROM_MB"); text != "" {
		mb, err := strconv.ParseInt(text, 10, 32)
		if err != nil || mb < 1 {
			return s, fault.New(fault.Invalid, "is not a number of megabytes").At("JARVIS_BATCH_FROM_MB")
		}
		s.inline = mb << 20
	}
	return s, nil
}

// function retrains models when objects arrive.
type function struct {
	settings
	retrainer job.Retrainer
	patience  time.Duration // how long to wait for another process that is at the same file
	pause     time.Duration // between two looks at it
}

func open(ctx context.Context, getenv func(string) string) (*function, error) {
	s, err := read(getenv)
	if err != nil {
		return nil, err
	}
	b, err := bucket.OpenURL(ctx, s.bucket)
	if err != nil {
		return nil, err
	}
	f := &function{settings: s, patience: 90 * time.Second, pause: 3 * time.Second, retrainer: job.Retrainer{
		Bucket: b, Owner: "lambda/" + getenv("AWS_LAMBDA_FUNCTION_NAME"), Version: version, Policy: job.Policy{Margin: s.margin},
	}}
	if s.queue == "" {
		return f, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the AWS configuration cannot be read")
	}
	queue, err := batch.New(cfg, s.queue, s.definition)
	if err != nil {
		return nil, err
	}
	f.retrainer.Inline = s.inline
	f.retrainer.Submit = func(ctx context.Context, name, key string) error {
		id, err := queue.Submit(ctx, batch.Job{Name: "retrain-" + name, Command: f.command(key)})
		if err == nil {
			slog.Info("handed to AWS Batch", "model", name, "key", key, "job", id)
		}
		return err
	}
	return f, nil
}

// command is what the container runs to do what this function would do with a key.
func (f *function) command(key string) []string {
	return []string{"retrain", "--bucket", f.bucket, "--margin", strconv.FormatFloat(f.margin, 'g', -1, 64), "--", key}
}

// Invoke deals with the uploads of one event and answers with what became of each. One that fails does not stop the
// others; the invocation fails then, and Lambda tries the event again: what is done already is seen to be done.
func (f *function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	found, err := lambda.Uploads(payload)
	if err != nil {
		return nil, err
	}
	results, failures := []*job.Retrained{}, []error(nil)
	for _, u := range found {
		key, ours := f.key(u)
		if !ours {
			slog.Warn("not an upload to the inbox", "bucket", u.Bucket, "key", u.Key)
			continue
		}
		result, err := f.run(ctx, key)
		if err != nil {
			slog.Error("retraining failed", "key", key, "error", err)
			failures = append(failures, err)
			continue
		}
		slog.Info("retraining", "key", key, "action", result.Action, "reason", result.Reason)
		results = append(results, result)
	}
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	return json.Marshal(results)
}

// run deals with one file. When another process is at it, run waits longer than a lease lasts: a holder that was killed
// (its invocation timed out, and this is Lambda's second try) has lost the file by then, and nobody else would come. One
// that still holds it is alive, and has an invocation of its own that is tried again should it fail.
func (f *function) run(ctx context.Context, key string) (*job.Retrained, error) {
	r := f.retrainer
	for until := time.Now().Add(f.patience); ; {
		if deadline, ok := ctx.Deadline(); ok {
			r.Policy.TimeLimit = time.Until(deadline) / 2 // what comes after the training takes time too
		}
		result, err := r.Run(ctx, key)
		if err != nil || result.Action != job.Busy || time.Now().After(until) {
			return result, err
		}
		select {
		case <-ctx.Done():
			return nil, fault.Wrap(context.Cause(ctx), fault.Canceled, "another process is at the file")
		case <-time.After(f.pause):
		}
	}
}

// key is that of an upload in our bucket, which may be a folder of the real one. Folders, which consoles create as empty
// objects, are none.
func (f *function) key(u lambda.Upload) (key string, ours bool) {
	key = u.Key
	if at, err := url.Parse(f.bucket); err == nil && at.Scheme == "s3" {
		if u.Bucket != at.Host {
			return "", false
		}
		if folder := strings.Trim(at.Path, "/"); folder != "" {
			if key, ours = strings.CutPrefix(key, folder+"/"); !ours {
				return "", false
			}
		}
	}
	return key, strings.HasPrefix(key, f.prefix) && !strings.HasSuffix(key, "/")
}
