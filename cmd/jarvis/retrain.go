package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/job"
)

// retrainPolicy are the flags that rule retraining, of serve and retrain alike.
type retrainPolicy struct {
	Metric           string        `help:"Metric of the holdout that decides on promotion: log_loss, accuracy, balanced_accuracy, f1_macro or roc_auc, rmse, mae or r2. By default, and for models of the other task, log_loss or rmse." placeholder:"NAME"`
	Margin           float64       `help:"How much worse than the champion the challenger may be and still be promoted, as a share of the champion's score." default:"0"`
	AutoPromote      bool          `help:"Promote challengers that are not worse; otherwise they stay candidates." default:"true" negatable:""`
	RetrainTimeLimit time.Duration `help:"Time limit of a retraining; 0 means none." default:"0s"`
	RetrainThreads   int           `help:"Cores for retraining; 0 means all." default:"0"`
	Lease            time.Duration `help:"How long the file of a worker that was killed stays untouched; at least 1s." default:"30s"`
	MaxUpload        int64         `help:"Bytes of an uploaded file at most; larger ones go to quarantine." default:"4294967296"`
}

func (p retrainPolicy) retrainer(b bucket.Bucket) *job.Retrainer {
	host, err := os.Hostname()
	if err != nil {
		host = "jarvis"
	}
	return &job.Retrainer{
		Bucket: b, Owner: fmt.Sprintf("%s/%d", host, os.Getpid()), Threads: p.RetrainThreads, Version: version(),
		Policy: p.policy(), Lease: p.Lease,
	}
}

func (p retrainPolicy) policy() job.Policy {
	return job.Policy{Metric: p.Metric, Margin: p.Margin, Never: !p.AutoPromote, TimeLimit: p.RetrainTimeLimit, MaxBytes: p.MaxUpload}
}

// check finds a wrong rule at the start, not when the first file lands.
func (p retrainPolicy) check() error {
	if p.Lease < bucket.MinTTL {
		return fault.New(fault.Invalid, "the lease is shorter than a second").At("--lease")
	}
	return p.policy().Check()
}

type retrainCommand struct {
	Key string `arg:"" help:"Key of the data file in the bucket: inbox/NAME/FILE."`

	Policy retrainPolicy `embed:""`
}

func (c retrainCommand) Run(ctx context.Context, a *app) error {
	if err := c.Policy.check(); err != nil {
		return err
	}
	b, err := a.bucket(ctx)
	if err != nil {
		return err
	}
	bar := a.progress()
	defer bar.close()
	r := c.Policy.retrainer(b)
	r.Report = bar.event
	result, err := r.Run(ctx, c.Key)
	bar.close()
	if err != nil {
		return err
	}
	if result.Action == job.Busy { // an exit code by which batch services try again
		return fault.New(fault.Conflict, "another process is at this file").At(c.Key).Try("try again when it is done")
	}
	if a.flags.JSON {
		return a.print(result)
	}
	_, err = fmt.Fprintln(a.stdout, result)
	return err
}
