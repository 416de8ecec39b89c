package batch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/jarvis-ml/jarvis/model/fault"
)

var keys = aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "example", SessionToken: "session"}

// queueAt is a queue whose service is at a test server.
func queueAt(t *testing.T, answer http.HandlerFunc) *Queue {
	t.Helper()
	service := httptest.NewServer(answer)
	t.Cleanup(service.Close)
	q, err := New(aws.Config{
		Region: "eu-central-1", BaseEndpoint: &service.URL, RetryMaxAttempts: 1,
		Credentials: credentials.StaticCredentialsProvider{Value: keys},
	}, "arn:aws:batch:eu-central-1:123456789012:job-queue/jarvis-train", "jarvis-train")
	if err != nil {
		t.Fatal(err)
	}
	return q
}

var retrain = Job{
	Name:    "retrain penguins",
	Command: []string{"retrain", "--bucket", "s3://jarvis-test", "--", "inbox/penguins/new data (März).csv"},
}

// The request is that of the documented API, signed so that AWS would take it; the answer is a recorded one.
func TestSubmit(t *testing.T) {
	response, err := os.ReadFile("testdata/submit-response.json")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	q := queueAt(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.URL.Path != "/v1/submitjob" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"))
		}
		checkBody(t, body)
		checkSignature(t, r, body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(response)
	})
	id, err := q.Submit(t.Context(), retrain)
	if err != nil || id != "876da822-4198-45f2-a252-6cea32512ea8" || calls != 1 {
		t.Errorf("id %q, %v, %d calls", id, err, calls)
	}
}

func checkBody(t *testing.T, body []byte) {
	t.Helper()
	recorded, err := os.ReadFile("testdata/submit-request.json")
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if json.Unmarshal(body, &got) != nil || json.Unmarshal(recorded, &want) != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("request\n%s\nwant\n%s", body, recorded)
	}
}

// checkSignature signs what arrived once more, as the service does, and compares.
func checkSignature(t *testing.T, r *http.Request, body []byte) {
	t.Helper()
	signed := regexp.MustCompile(`Credential=AKIDEXAMPLE/\d{8}/eu-central-1/batch/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=`).
		FindStringSubmatch(r.Header.Get("Authorization"))
	if signed == nil {
		t.Fatalf("authorization %q", r.Header.Get("Authorization"))
	}
	again, _ := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	for name := range strings.SplitSeq(signed[1], ";") {
		if name != "host" && name != "content-length" {
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, again, hex.EncodeToString(hash[:]), "batch", "eu-central-1", at); err != nil {
		t.Fatal(err)
	}
	if again.Header.Get("Authorization") != r.Header.Get("Authorization") {
		t.Errorf("signature\n%s\nwant\n%s", r.Header.Get("Authorization"), again.Header.Get("Authorization"))
	}
}

func TestSubmitErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		kind   string
		want   fault.Code
	}{
		{400, "ClientException", fault.Invalid},
		{403, "AccessDeniedException", fault.Denied},
		{500, "ServerException", fault.Unavailable},
		{429, "TooManyRequestsException", fault.Unavailable},
	} {
		q := queueAt(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amzn-ErrorType", c.kind)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, `{"message":"JobQueue jarvis-train not found."}`)
		})
		id, err := q.Submit(t.Context(), retrain)
		if id != "" || !fault.Is(err, c.want) || !strings.Contains(err.Error(), "not found") {
			t.Errorf("%s: %q, %v", c.kind, id, err)
		}
	}
	q := queueAt(t, func(http.ResponseWriter, *http.Request) { t.Error("asked for nothing") })
	if _, err := q.Submit(t.Context(), Job{Name: "x"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("no command: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.Submit(ctx, retrain); !fault.Is(err, fault.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	for _, names := range [][2]string{{"", "d"}, {"q", ""}} {
		if _, err := New(aws.Config{}, names[0], names[1]); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", names, err)
		}
	}
}

func TestNames(t *testing.T) {
	allowed := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$`)
	seen := map[string]bool{}
	for _, j := range []Job{
		{Name: "retrain penguins", Command: []string{"a", "b"}},
		{Name: "retrain penguins", Command: []string{"ab"}},
		{Name: "", Command: []string{"a"}},
		{Name: "../../é", Command: []string{"b"}},
		{Name: strings.Repeat("x", 500), Command: []string{"a"}},
	} {
		n := name(j)
		if !allowed.MatchString(n) || seen[n] {
			t.Errorf("%q becomes %q", j.Name, n)
		}
		seen[n] = true
	}
}
