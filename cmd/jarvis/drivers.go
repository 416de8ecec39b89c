package main

// The stores that --bucket can name: each registers its URL scheme.
import (
	_ "github.com/jarvis-ml/jarvis/infra/azure"
	_ "github.com/jarvis-ml/jarvis/infra/folder"
	_ "github.com/jarvis-ml/jarvis/infra/gcs"
	_ "github.com/jarvis-ml/jarvis/infra/s3"
)
