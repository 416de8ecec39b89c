// Command predict is the Lambda function that answers predictions, behind an HTTP API or a Function URL. It serves what
// jarvis serve does, without the page. Settings come from the environment: see settings.
package main

import (
	"context"
	"log/slog"
	"os"

	_ "github.com/jarvis-ml/jarvis/infra/folder"
	"github.com/jarvis-ml/jarvis/infra/lambda"
	_ "github.com/jarvis-ml/jarvis/infra/s3"
)

var version = "dev" // set by the linker

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	collect := delayCollection(os.Getenv)
	f, err := open(context.Background(), os.Getenv)
	if err != nil {
		slog.Error("the function cannot start", "error", err)
		os.Exit(1)
	}
	f.settled = collect
	lambda.Start(lambda.HTTP(f), nil)
}
