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
	// The emulator takes time with the square of an upload's chunks: 2 s for 32 MB, 55 s for 256 MB were measured.
	buckettest.RunUpTo(t, b, 64<<20)
}

func TestBadAddresses(t *testing.T) {
	for _, address := range []string{"gs://", "gs://b?endpoint=x", "gs://user:pass@b"} {
		if _, err := bucket.OpenURL(t.Context(), address); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
