package lambda

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Secret reads the secret behind an ARN: a Secrets Manager secret (its current string) or a parameter of Parameter Store
// (decrypted). Space around it is cut off.
//
// One signed request to one of two JSON endpoints does not warrant two SDK packages in every function: it is written out
// here. An endpoint for tests or VPC endpoints comes from AWS_ENDPOINT_URL_SECRETS_MANAGER or AWS_ENDPOINT_URL_SSM, the
// names that the SDKs use.
func Secret(ctx context.Context, cfg aws.Config, reference string) (string, error) {
	call, err := secretCall(reference)
	if err != nil {
		return "", err
	}
	body, err := call.do(ctx, cfg)
	if err != nil {
		return "", err
	}
	var answer struct {
		SecretString string
		Parameter    struct{ Value string }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fault.New(fault.Unavailable, "the secret store answered with something that is not JSON").At(reference).Because(err)
	}
	secret := strings.TrimSpace(answer.SecretString + answer.Parameter.Value)
	if secret == "" {
		return "", fault.New(fault.Invalid, "the secret is empty, or binary").At(reference).Try("store it as a string")
	}
	return secret, nil
}

// secretRequest is one call of an AWS JSON 1.1 service.
type secretRequest struct {
	reference string
	service   string // as it is signed
	region    string
	target    string // X-Amz-Target
	endpoint  string
	input     map[string]any
}

func secretCall(reference string) (secretRequest, error) {
	bad := fault.New(fault.Invalid, "is not the ARN of a Secrets Manager secret or of an SSM parameter").At(reference)
	a, err := arn.Parse(reference)
	if err != nil {
		return secretRequest{}, bad
	}
	c := secretRequest{reference: reference, service: a.Service, region: a.Region}
	suffix := ".amazonaws.com"
	if strings.HasPrefix(a.Partition, "aws-cn") {
		suffix = ".amazonaws.com.cn"
	}
	c.endpoint = "https://" + a.Service + "." + a.Region + suffix
	switch {
	case a.Service == "secretsmanager" && strings.HasPrefix(a.Resource, "secret:"):
		c.target, c.input = "secretsmanager.GetSecretValue", map[string]any{"SecretId": reference}
		c.endpoint = endpointFrom("AWS_ENDPOINT_URL_SECRETS_MANAGER", c.endpoint)
	case a.Service == "ssm" && strings.HasPrefix(a.Resource, "parameter/"):
		c.target, c.input = "AmazonSSM.GetParameter", map[string]any{"Name": reference, "WithDecryption": true}
		c.endpoint = endpointFrom("AWS_ENDPOINT_URL_SSM", c.endpoint)
	default:
		return secretRequest{}, bad
	}
	return c, nil
}

func endpointFrom(variable, otherwise string) string {
	if set := os.Getenv(variable); set != "" {
		return strings.TrimSuffix(set, "/")
	}
	return otherwise
}

// do sends the request, three times at most when the service is busy or out of reach.
func (c secretRequest) do(ctx context.Context, cfg aws.Config) (body []byte, err error) {
	for try, pause := 0, 100*time.Millisecond; try < 3; try, pause = try+1, 3*pause {
		if try > 0 {
			select {
			case <-ctx.Done():
				return nil, fault.Wrap(context.Cause(ctx), fault.Canceled, "gave up before the secret was read")
			case <-time.After(pause):
			}
		}
		if body, err = c.once(ctx, cfg); !fault.Is(err, fault.Unavailable) {
			return body, err
		}
	}
	return nil, err
}

func (c secretRequest) once(ctx context.Context, cfg aws.Config) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	text, err := json.Marshal(c.input)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "cannot ask for the secret")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+"/", bytes.NewReader(text))
	if err != nil {
		return nil, fault.New(fault.Invalid, "the endpoint of the secret store is no URL").Because(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", c.target)
	if cfg.Credentials == nil {
		return nil, fault.New(fault.Denied, "there are no AWS credentials to read the secret with").At(c.reference)
	}
	keys, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fault.New(fault.Denied, "there are no AWS credentials to read the secret with").At(c.reference).Because(err)
	}
	hash := sha256.Sum256(text)
	if err := v4.NewSigner().SignHTTP(ctx, keys, r, hex.EncodeToString(hash[:]), c.service, c.region, time.Now()); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "cannot sign the request for the secret")
	}
	client := cfg.HTTPClient
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the secret store cannot be reached").At(c.reference).Because(err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the secret store hung up").At(c.reference).Because(err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, c.refused(answer.StatusCode, body)
	}
	return body, nil
}

// refused tells what to do about an answer other than 200. The body holds the kind of the error, never the secret.
func (c secretRequest) refused(status int, body []byte) error {
	var kind struct {
		Type string `json:"__type"`
	}
	_ = json.Unmarshal(body, &kind) // an answer without a type is told by its status
	name := kind.Type[strings.LastIndexByte(kind.Type, '#')+1:]
	switch {
	case strings.Contains(name, "NotFound"):
		return fault.New(fault.NotFound, "there is no such secret").At(c.reference)
	case strings.Contains(name, "Throttling") || status >= 500 || status == http.StatusTooManyRequests:
		return fault.New(fault.Unavailable, "the secret store answered "+http.StatusText(status)+" "+name).At(c.reference)
	}
	return fault.New(fault.Denied, "the secret may not be read: "+name).At(c.reference).
		Try("allow the function's role secretsmanager:GetSecretValue or ssm:GetParameter on it, and kms:Decrypt on its key")
}
