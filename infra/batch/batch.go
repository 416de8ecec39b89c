// Package batch hands jobs to AWS Batch: the same container as everywhere, with the command of one job. Where jobs run,
// with how much memory and for how long, is the job definition's business (terraform/modules/batch).
package batch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/batch"
	"github.com/aws/aws-sdk-go-v2/service/batch/types"
	"github.com/aws/smithy-go"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Queue is a job queue with the job definition that its jobs are made by.
type Queue struct {
	client     *batch.Client
	queue      string
	definition string
}

// Job is one run of the container.
type Job struct {
	Name    string   // for people; what Batch does not allow in a name is replaced
	Command []string // arguments of jarvis, such as "retrain"
}

// New returns the queue and the job definition of these names or ARNs. A definition without a revision means the
// newest. An endpoint other than AWS's comes from AWS_ENDPOINT_URL_BATCH. Nothing is asked of the service yet.
func New(cfg aws.Config, queue, definition string) (*Queue, error) {
	switch {
	case queue == "":
		return nil, fault.New(fault.Invalid, "no job queue is named").At("queue")
	case definition == "":
		return nil, fault.New(fault.Invalid, "no job definition is named").At("definition")
	}
	return &Queue{client: batch.NewFromConfig(cfg), queue: queue, definition: definition}, nil
}

// Submit queues a job and returns its id. It may be called again for the same work: a job that finds its work done ends
// at once. Errors are fault.Denied, fault.Invalid (the queue or definition is wrong), and fault.Unavailable.
func (q *Queue) Submit(ctx context.Context, j Job) (id string, err error) {
	if len(j.Command) == 0 {
		return "", fault.New(fault.Invalid, "the job has no command").At("command")
	}
	out, err := q.client.SubmitJob(ctx, &batch.SubmitJobInput{
		JobName:            aws.String(name(j)),
		JobQueue:           &q.queue,
		JobDefinition:      &q.definition,
		ContainerOverrides: &types.ContainerOverrides{Command: j.Command},
		PropagateTags:      aws.Bool(true),
	})
	if err != nil {
		return "", q.explain(ctx, err)
	}
	return aws.ToString(out.JobId), nil
}

// name makes a job name of what Batch allows: at most 128 letters, digits, hyphens and underscores, the first a letter
// or digit. Eight digits of the command's hash keep apart what was replaced or cut.
func name(j Job) string {
	hash := sha256.Sum256([]byte(strings.Join(j.Command, "\x00")))
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, j.Name)
	clean = strings.TrimLeft(clean, "-_")
	if clean == "" {
		clean = "job"
	}
	return clean[:min(len(clean), 119)] + "-" + hex.EncodeToString(hash[:4])
}

func (q *Queue) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fault.Wrap(context.Cause(ctx), fault.Canceled, "gave up before the job was queued")
	}
	var answer smithy.APIError
	if !errors.As(err, &answer) {
		return fault.Wrap(err, fault.Unavailable, "AWS Batch cannot be reached")
	}
	switch code := answer.ErrorCode(); {
	case code == "AccessDeniedException" || code == "UnrecognizedClientException" || strings.HasPrefix(code, "ExpiredToken"):
		return fault.New(fault.Denied, "the job may not be submitted").At(q.queue).Because(err).
			Try("allow batch:SubmitJob on the queue and on the job definition")
	case code == "ClientException" || code == "ValidationException":
		return fault.New(fault.Invalid, "AWS Batch refuses the job").At(q.queue).Because(err).
			Try("check that the queue and the job definition " + q.definition + " exist and are enabled")
	}
	return fault.Wrap(err, fault.Unavailable, "AWS Batch could not queue the job")
}
