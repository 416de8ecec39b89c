// Package lambda puts an http.Handler, or a job that objects in a bucket start, on AWS Lambda.
//
// HTTP API (API Gateway v2, payload format 2.0) and Function URL requests have the same shape, so one binary serves both.
// The package knows payloads and deadlines; what a request means is the handler's business.
package lambda

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

// MaxResponse is what Lambda takes as the answer to one invocation, in bytes of JSON (AWS Lambda quotas, "Invocation
// payload": 6 MB).
const MaxResponse = 6 << 20

// margin is the time that is left after a handler's deadline to write its error, before Lambda kills the process.
const margin = 200 * time.Millisecond

// Start hands the process over to the runtime and returns only when the runtime ends. stop is called when the
// environment is shut down (SIGTERM, sent only where an extension is registered), and may be nil.
func Start(h lambda.Handler, stop func()) {
	var options []lambda.Option
	if stop != nil {
		options = append(options, lambda.WithEnableSIGTERM(stop))
	}
	lambda.StartWithOptions(h, options...)
}

// inTime returns a context that ends a little before the invocation does, so that a handler that minds it can still say
// what happened. Invocations with very little time keep nine tenths of it.
func inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	return context.WithDeadline(ctx, deadline.Add(-min(margin, left/10)))
}
