//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/infra/emulator"
	"github.com/jarvis-ml/jarvis/infra/lambda/lambdatest"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/job"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
	"github.com/jarvis-ml/jarvis/pipeline/source"
)

const secretARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:jarvis-AbCdEf"

// publish trains on the penguins and publishes the model as champion.
func publish(t testing.TB, b bucket.Bucket) registry.Version {
	t.Helper()
	ctx := t.Context()
	src, err := source.Open(ctx, "../../testdata/penguins/penguins.csv", source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := source.ReadAll(ctx, src)
	if err != nil {
		t.Fatal(err)
	}
	out, err := job.Train(ctx, rows, job.Spec{Target: "species", Model: "linear"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := job.Publish(ctx, registry.Open(b), "penguins", out, job.PublishOptions{Who: "test", Why: "test", Promote: true})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// request is the payload of an HTTP API or a Function URL.
func request(method, path, body string, header ...string) []byte {
	headers := map[string]string{"host": "example.execute-api.us-east-1.amazonaws.com", "content-type": "application/json"}
	for pair := range slices.Chunk(header, 2) {
		headers[pair[0]] = pair[1]
	}
	out, _ := json.Marshal(map[string]any{
		"version": "2.0", "rawPath": path, "body": body, "headers": headers,
		"requestContext": map[string]any{"stage": "$default", "http": map[string]string{"method": method, "sourceIp": "203.0.113.7"}},
	})
	return out
}

const adelie = `{"rows":[{"island":"Torgersen","bill_length_mm":39.1,"bill_depth_mm":18.7,"flipper_length_mm":181,"body_mass_g":3750,"sex":"male","year":2007}]}`

// answer is what a prediction gives.
type answer struct {
	Version     int `json:"version"`
	Predictions []struct {
		Label         string             `json:"label"`
		Probabilities map[string]float64 `json:"probabilities"`
	} `json:"predictions"`
}

func ask(t testing.TB, f *lambdatest.Function, payload []byte) (status int, body string) {
	t.Helper()
	r, err := f.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	if r.Error != nil {
		t.Fatalf("%v\n%s", r.Error, f.Output())
	}
	var a struct {
		StatusCode int
		Body       string
	}
	if err := json.Unmarshal(r.Payload, &a); err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, a.Body
}

func predict(t testing.TB, f *lambdatest.Function) answer {
	t.Helper()
	status, body := ask(t, f, request("POST", "/models/penguins/predict", adelie))
	var a answer
	if status != 200 || json.Unmarshal([]byte(body), &a) != nil || len(a.Predictions) != 1 {
		t.Fatalf("%d %s\n%s", status, body, f.Output())
	}
	return a
}

// The built binary, under the Runtime API and frozen between requests, against a real S3 server: it answers, takes up a
// new version, goes on from memory while the bucket is gone, and heals.
func TestPredictAsLambdaRunsIt(t *testing.T) {
	s3 := emulator.S3(t, emulator.S3Options{})
	s3.Setenv(t)
	b, err := bucket.OpenURL(t.Context(), s3.URL())
	if err != nil {
		t.Fatal(err)
	}
	publish(t, b)
	f, err := lambdatest.Start(t.Context(), lambdatest.Options{
		Binary: lambdatest.Build(t, "."), Timeout: 20 * time.Second,
		Env: append(s3.Env(), "JARVIS_BUCKET="+s3.URL(), "JARVIS_AUTHORIZATION=gateway", "JARVIS_REFRESH=200ms"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	first := predict(t, f)
	if p := first.Predictions[0]; first.Version != 1 || p.Label != "Adelie" || p.Probabilities["Adelie"] < 0.9 {
		t.Errorf("%+v", first)
	}
	t.Run("both protocols", func(t *testing.T) {
		if status, body := ask(t, f, request("GET", "/v2/models/penguins", "")); status != 200 || !strings.Contains(body, `"bill_length_mm"`) {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("wrong field", func(t *testing.T) {
		status, body := ask(t, f, request("POST", "/models/penguins/predict", `{"rows":[{"body_mass_g":"heavy"}]}`))
		if status < 400 || status > 499 || !strings.Contains(body, "body_mass_g") {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("new version", func(t *testing.T) {
		second := publish(t, b)
		time.Sleep(250 * time.Millisecond)
		if got := predict(t, f).Version; got != second.Number {
			t.Errorf("version %d is served after %d was promoted", got, second.Number)
		}
	})
	t.Run("bucket gone", func(t *testing.T) {
		s3.Stop()
		time.Sleep(250 * time.Millisecond)
		if got := predict(t, f).Version; got != 2 {
			t.Errorf("version %d", got)
		}
		if status, body := ask(t, f, request("GET", "/v2/health/ready", "")); !strings.Contains(body, "unreachable") {
			t.Errorf("ready is %d %s", status, body)
		}
		if err := s3.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(250 * time.Millisecond)
		if status, body := ask(t, f, request("GET", "/v2/health/ready", "")); status != 200 || strings.Contains(body, "unreachable") {
			t.Errorf("ready is %d %s after the bucket is back", status, body)
		}
	})
	if f.Starts() != 1 {
		t.Errorf("%d processes were needed", f.Starts())
	}
}

// getenv is an environment for open.
func getenv(pairs ...string) func(string) string {
	return func(name string) string {
		for pair := range slices.Chunk(pairs, 2) {
			if pair[0] == name {
				return pair[1]
			}
		}
		return ""
	}
}

func TestToken(t *testing.T) {
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"SecretString":"hunter2"}`) }))
	defer store.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": store.URL, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	f, err := open(t.Context(), getenv("JARVIS_BUCKET", "mem://", "JARVIS_AUTHORIZATION", "token", "JARVIS_TOKEN_REF", secretARN))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, header string
		want         int
	}{
		{"/api/models", "", 401},
		{"/api/models", "Bearer wrong", 401},
		{"/api/models", "Bearer ", 401},
		{"/api/models", "Bearer " + f.inner + "x", 401},
		{"/api/models", "hunter2", 401},
		{"/api/models", "Bearer hunter2", 200},
		{"/v2/health/live", "", 200},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s with %q: %d %s", c.path, c.header, w.Code, w.Body)
		}
	}
}

// A token that cannot be read must not leave the function open, nor running.
func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		env   []string
		field string
	}{
		{nil, "JARVIS_BUCKET"},
		{[]string{"JARVIS_BUCKET", "mem://"}, "JARVIS_AUTHORIZATION"},
		{[]string{"JARVIS_BUCKET", "mem://", "JARVIS_AUTHORIZATION", "none"}, "JARVIS_AUTHORIZATION"},
		{[]string{"JARVIS_BUCKET", "mem://", "JARVIS_AUTHORIZATION", "token"}, "JARVIS_TOKEN_REF"},
		{[]string{"JARVIS_BUCKET", "mem://", "JARVIS_AUTHORIZATION", "token", "JARVIS_TOKEN_REF", "hunter2"}, "hunter2"},
		{[]string{"JARVIS_BUCKET", "mem://", "JARVIS_AUTHORIZATION", "gateway", "JARVIS_REFRESH", "soon"}, "JARVIS_REFRESH"},
		{[]string{"JARVIS_BUCKET", "nothing://x", "JARVIS_AUTHORIZATION", "gateway"}, "bucket"},
	} {
		_, err := open(context.Background(), getenv(c.env...))
		if known := (*fault.Error)(nil); !errors.As(err, &known) || known.Field != c.field {
			t.Errorf("%v: %v", c.env, err)
		}
	}
}
