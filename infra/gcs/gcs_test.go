package gcs_test

import (
	"testing"

	"github.com/jarvis-ml/jarvis/infra/emulator"
	_ "github.com/jarvis-ml/jarvis/infra/gcs"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/bucket/buckettest"
)

func TestConformance(t *testing.T) {
	server := emulator.GCS(t)
	server.Setenv(t)
	b, err := bucket.OpenURL(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	buckettest.Run(t, b)
}

func TestBadAddresses(t *testing.T) {
	for _, address := range []string{"gs://", "gs://b?endpoint=x", "gs://user:pass@b"} {
		if _, err := bucket.OpenURL(t.Context(), address); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
