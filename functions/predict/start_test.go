//go:build unix

package main

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/infra/emulator"
	"github.com/jarvis-ml/jarvis/infra/lambda/lambdatest"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

// inflate gives the champion a companion of 5 MB in its metadata, so that the file has the size of a larger model: what
// is measured is the start, not the arithmetic.
func inflate(t testing.TB, b bucket.Bucket) {
	t.Helper()
	r := registry.Open(b)
	v := publish(t, b)
	file, err := r.Load(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Decode(file, onnx.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var ballast strings.Builder
	for ballast.Len() < 5<<20 {
		ballast.WriteString(rand.Text())
	}
	m.Metadata["ballast"] = ballast.String()
	large, err := onnx.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Publish(t.Context(), "penguins", large, registry.PublishOptions{Who: "test", Why: "5 MB", Aliases: []string{registry.Champion}}); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkStart is the time from the start of the process to its first answer, with a model of 5 MB in an S3 server on
// this machine: init-ms until the function asks for work, first-ms until it has answered, peak-MB of memory.
func BenchmarkStart(bench *testing.B) {
	s3 := emulator.S3(bench, emulator.S3Options{})
	s3.Setenv(bench)
	b, err := bucket.OpenURL(bench.Context(), s3.URL())
	if err != nil {
		bench.Fatal(err)
	}
	inflate(bench, b)
	binary := lambdatest.Build(bench, ".")
	var inits, firsts time.Duration
	var peak int64
	for bench.Loop() {
		f, err := lambdatest.Start(bench.Context(), lambdatest.Options{
			Binary: binary, Env: append(s3.Env(), "JARVIS_BUCKET="+s3.URL(), "JARVIS_AUTHORIZATION=gateway"),
		})
		if err != nil {
			bench.Fatal(err)
		}
		r, err := f.Invoke(bench.Context(), request("POST", "/models/penguins/predict", adelie))
		if err != nil || r.Error != nil || !strings.Contains(string(r.Payload), "Adelie") {
			bench.Fatal(err, r.Error, string(r.Payload))
		}
		inits, firsts, peak = inits+r.Init, firsts+r.Init+r.Duration, max(peak, r.Peak)
		f.Close()
	}
	n := float64(bench.N)
	bench.ReportMetric(float64(inits.Microseconds())/1000/n, "init-ms")
	bench.ReportMetric(float64(firsts.Microseconds())/1000/n, "first-ms")
	bench.ReportMetric(float64(peak)/(1<<20), "peak-MB")
}
