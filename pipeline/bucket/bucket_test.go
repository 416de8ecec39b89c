package bucket_test

import (
	"testing"

	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/bucket/buckettest"
)

func TestMemory(t *testing.T) { buckettest.Run(t, bucket.NewMemory()) }
