package lambda

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/jarvis-ml/jarvis/model/fault"
)

const (
	secretARN    = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:jarvis-token-AbCdEf"
	parameterARN = "arn:aws:ssm:eu-central-1:123456789012:parameter/jarvis/token"
)

func TestSecret(t *testing.T) {
	var calls atomic.Int32
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		body, _ := io.ReadAll(r.Body)
		var in map[string]any
		_ = json.Unmarshal(body, &in)
		scope := strings.Split(r.Header.Get("Authorization"), "/")
		if len(scope) < 5 || scope[2] != "eu-central-1" || !strings.Contains(r.Header.Get("Authorization"), "x-amz-target") {
			t.Errorf("the request is not signed for its region: %q", r.Header.Get("Authorization"))
			return
		}
		reply := func(status int, text string) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
		switch id, _ := in["SecretId"].(string); {
		case r.Header.Get("X-Amz-Target") == "AmazonSSM.GetParameter" && scope[3] == "ssm" && in["WithDecryption"] == true:
			reply(200, `{"Parameter":{"Name":"/jarvis/token","Type":"SecureString","Value":"from-ssm\n"}}`)
		case r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || scope[3] != "secretsmanager":
			reply(400, `{"__type":"UnknownOperationException"}`)
		case strings.HasSuffix(id, "missing"):
			reply(400, `{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."}`)
		case strings.HasSuffix(id, "binary"):
			reply(200, `{"SecretBinary":"AAE="}`)
		case strings.HasSuffix(id, "denied"):
			reply(400, `{"__type":"com.amazon.coral.service#AccessDeniedException"}`)
		case strings.HasSuffix(id, "busy") && calls.Load() < 3:
			reply(503, ``)
		default:
			reply(200, `{"ARN":"x","SecretString":"from-secrets-manager"}`)
		}
	}))
	defer store.Close()
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", store.URL)
	t.Setenv("AWS_ENDPOINT_URL_SSM", store.URL)
	cfg := aws.Config{Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", "")}

	for _, c := range []struct {
		ref, want string
		code      fault.Code
		calls     int32
	}{
		{secretARN, "from-secrets-manager", "", 1},
		{parameterARN, "from-ssm", "", 1},
		{secretARN + "-busy", "from-secrets-manager", "", 3},
		{secretARN + "-missing", "", fault.NotFound, 1},
		{secretARN + "-denied", "", fault.Denied, 1},
		{secretARN + "-binary", "", fault.Invalid, 1},
		{"hunter2", "", fault.Invalid, 0},
		{"arn:aws:s3:::bucket", "", fault.Invalid, 0},
	} {
		calls.Store(0)
		got, err := Secret(context.Background(), cfg, c.ref)
		if got != c.want || fault.CodeOf(err) != c.code || calls.Load() != c.calls {
			t.Errorf("%s: %q, %v after %d calls", c.ref, got, err, calls.Load())
		}
	}
	if _, err := Secret(context.Background(), aws.Config{}, secretARN); !fault.Is(err, fault.Denied) {
		t.Errorf("without credentials: %v", err)
	}
}
