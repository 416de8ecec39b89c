//go:build unix

package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/infra/emulator"
	"github.com/jarvis-ml/jarvis/infra/lambda"
	"github.com/jarvis-ml/jarvis/infra/lambda/lambdatest"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
	"github.com/jarvis-ml/jarvis/pipeline/job"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
	"github.com/jarvis-ml/jarvis/pipeline/source"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

const penguins = "../../testdata/penguins/penguins.csv"

func rows(t *testing.T) *table.Table {
	t.Helper()
	src, err := source.Open(t.Context(), penguins, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := source.ReadAll(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// publish puts a champion and its data into a bucket, as jarvis train does.
func publish(t *testing.T, b bucket.Bucket) {
	t.Helper()
	all := rows(t)
	out, err := job.Train(t.Context(), all, job.Spec{Target: "species", Model: "linear"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.Publish(t.Context(), registry.Open(b), "penguins", out, job.PublishOptions{Who: "test", Why: "test"}); err != nil {
		t.Fatal(err)
	}
	if _, err := job.KeepData(t.Context(), dataset.Open(b), "penguins", all, nil, "penguins.csv", "test"); err != nil {
		t.Fatal(err)
	}
}

// event is a notification of S3 about an object.
func event(bucketName, key string) []byte {
	return []byte(`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"` + bucketName +
		`"},"object":{"key":"` + url.QueryEscape(key) + `"}}}]}`)
}

func put(t *testing.T, b bucket.Bucket, key, text string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, strings.NewReader(text), bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// The built binary against a real S3 server: an upload makes a new version, a bad one ends in quarantine, and the same
// event twice does nothing the second time.
func TestRetrainAsLambdaRunsIt(t *testing.T) {
	s3 := emulator.S3(t, emulator.S3Options{})
	s3.Setenv(t)
	b, err := bucket.OpenURL(t.Context(), s3.URL())
	if err != nil {
		t.Fatal(err)
	}
	publish(t, b)
	f, err := lambdatest.Start(t.Context(), lambdatest.Options{
		Binary: lambdatest.Build(t, "."), Timeout: 2 * time.Minute, Name: "retrain",
		Env: append(s3.Env(), "JARVIS_BUCKET="+s3.URL(), "JARVIS_RETRAIN_MARGIN=0.5"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	invoke := func(payload []byte) []job.Retrained {
		t.Helper()
		r, err := f.Invoke(t.Context(), payload)
		if err != nil || r.Error != nil {
			t.Fatalf("%v %v\n%s", err, r.Error, f.Output())
		}
		var results []job.Retrained
		if err := json.Unmarshal(r.Payload, &results); err != nil {
			t.Fatal(err)
		}
		return results
	}

	whole, err := os.ReadFile(penguins)
	if err != nil {
		t.Fatal(err)
	}
	put(t, b, "inbox/penguins/more data (May).csv", string(whole))
	got := invoke(event(s3.Bucket, "inbox/penguins/more data (May).csv"))
	if len(got) != 1 || got[0].Action != job.Promoted || got[0].Version != 2 {
		t.Fatalf("%+v\n%s", got, f.Output())
	}
	if again := invoke(event(s3.Bucket, "inbox/penguins/more data (May).csv")); len(again) != 1 || again[0].Action != job.Repeated {
		t.Errorf("the same event twice: %+v", again)
	}
	put(t, b, "inbox/penguins/bad.csv", "island,species\nBiscoe,Adelie,extra,fields\n")
	if bad := invoke(event(s3.Bucket, "inbox/penguins/bad.csv")); len(bad) != 1 || bad[0].Action != job.Quarantined {
		t.Errorf("a bad file: %+v", bad)
	}
	if none := invoke([]byte(`{"Service":"Amazon S3","Event":"s3:TestEvent"}`)); len(none) != 0 {
		t.Errorf("a test event: %+v", none)
	}
	r, err := f.Invoke(t.Context(), []byte(`{"hello":"world"}`))
	if err != nil || r.Error == nil {
		t.Errorf("not an event: %+v, %v", r, err)
	}
}

// Large jobs go to AWS Batch with the command that the container understands.
func TestLargeJobsAreSubmitted(t *testing.T) {
	var asked struct {
		JobName, JobQueue, JobDefinition string
		ContainerOverrides               struct{ Command []string }
	}
	calls := 0
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &asked); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, `{"jobId":"876da822","jobName":"x"}`)
	}))
	defer service.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_BATCH": service.URL, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	f, err := open(t.Context(), env(map[string]string{
		"JARVIS_BUCKET": "mem://batch", "JARVIS_BATCH_QUEUE": "q", "JARVIS_BATCH_DEFINITION": "d", "JARVIS_BATCH_FROM_MB": "1",
	}))
	if err != nil {
		t.Fatal(err)
	}
	b := f.retrainer.Bucket
	publish(t, b)
	key := "inbox/penguins/big.csv"
	put(t, b, key, strings.Repeat("x", 2<<20))
	out, err := f.Invoke(t.Context(), event("any", key))
	if err != nil || !strings.Contains(string(out), `"submitted"`) || calls != 1 {
		t.Fatalf("%s, %v, %d calls", out, err, calls)
	}
	if want := []string{"retrain", "--bucket", "mem://batch", "--margin", "0", "--", key}; !reflect.DeepEqual(asked.ContainerOverrides.Command, want) {
		t.Errorf("command %q", asked.ContainerOverrides.Command)
	}
	if asked.JobQueue != "q" || asked.JobDefinition != "d" || !strings.HasPrefix(asked.JobName, "retrain-penguins-") {
		t.Errorf("%+v", asked)
	}
	if _, err := bucket.Stat(t.Context(), b, key); err != nil {
		t.Errorf("the upload must wait for the job: %v", err)
	}
	// The job finds the file free: it is not kept by the function that handed it over.
	worker := f.retrainer
	worker.Submit = nil
	if r, err := worker.Run(t.Context(), key); err != nil || r.Action == job.Busy {
		t.Errorf("%+v, %v", r, err)
	}
}

// A holder that was killed must not cost the file: the second try waits until the file is free.
func TestWaitsForAnotherProcess(t *testing.T) {
	f, err := open(t.Context(), env(map[string]string{"JARVIS_BUCKET": "mem://busy"}))
	if err != nil {
		t.Fatal(err)
	}
	b := f.retrainer.Bucket
	publish(t, b)
	key := "inbox/penguins/bad.csv"
	put(t, b, key, "island,species\nBiscoe,Adelie,extra,fields\n")
	file, err := dataset.Open(b).Upload(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	held, err := bucket.NewClaims(b, "jobs/retrain", "another").Claim(t.Context(), file.Event(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	f.patience, f.pause = 30*time.Millisecond, 5*time.Millisecond
	if out, err := f.Invoke(t.Context(), event("any", key)); err != nil || !strings.Contains(string(out), `"busy"`) {
		t.Errorf("while it is held: %s, %v", out, err)
	}
	f.patience = time.Minute
	time.AfterFunc(50*time.Millisecond, func() { _ = held.Release(context.Background()) })
	if out, err := f.Invoke(t.Context(), event("any", key)); err != nil || !strings.Contains(string(out), `"quarantined"`) {
		t.Errorf("once it is free: %s, %v", out, err)
	}
}

func env(set map[string]string) func(string) string {
	return func(name string) string { return set[name] }
}

func TestWhichKeysAreOurs(t *testing.T) {
	for _, c := range []struct {
		bucket, event, key, want string
	}{
		{"s3://b", "b", "inbox/m/f.csv", "inbox/m/f.csv"},
		{"s3://b", "other", "inbox/m/f.csv", ""},
		{"s3://b", "b", "models/m/log/1", ""},
		{"s3://b", "b", "inbox/m/", ""},
		{"s3://b/team/a?region=x", "b", "team/a/inbox/m/f.csv", "inbox/m/f.csv"},
		{"s3://b/team/a", "b", "team/b/inbox/m/f.csv", ""},
		{"mem://", "any", "inbox/m/f.csv", "inbox/m/f.csv"},
	} {
		f := &function{settings: settings{bucket: c.bucket, prefix: "inbox/"}}
		if key, ok := f.key(lambda.Upload{Bucket: c.event, Key: c.key}); ok != (c.want != "") || ok && key != c.want {
			t.Errorf("%s, %s, %s: %q %v", c.bucket, c.event, c.key, key, ok)
		}
	}
}

func TestSettings(t *testing.T) {
	for _, set := range []map[string]string{
		{},
		{"JARVIS_BUCKET": "mem://", "JARVIS_RETRAIN_MARGIN": "-1"},
		{"JARVIS_BUCKET": "mem://", "JARVIS_RETRAIN_MARGIN": "NaN"},
		{"JARVIS_BUCKET": "mem://", "JARVIS_BATCH_FROM_MB": "0"},
		{"JARVIS_BUCKET": "mem://", "JARVIS_BATCH_QUEUE": "q"},
		{"JARVIS_BUCKET": "nothing://"},
	} {
		if _, err := open(t.Context(), env(set)); err == nil {
			t.Errorf("%v is no error", set)
		}
	}
}
