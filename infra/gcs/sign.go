package gcs

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/compute/metadata"
)

// signScope lets the account sign through IAM. A service account's key signs by itself.
const signScope = "https://www.googleapis.com/auth/iam"

// signer signs for a service account: with its key, or by asking IAM to.
type signer struct {
	email   string // "" with machine: whoever the machine runs as
	key     string // PEM; "" where IAM has to sign
	machine bool   // credentials come from the metadata server
	iam     string // https://iamcredentials.googleapis.com
}

// sign returns a V4 signed URL (cloud.google.com/storage/docs/authentication/signatures).
func (c *client) sign(ctx context.Context, bucket, key, method string, now time.Time, ttl time.Duration) (string, error) {
	if c.signer == nil {
		return "", errors.New("an emulator has no accounts")
	}
	email := c.signer.email
	if email == "" && c.signer.machine {
		found, err := metadata.EmailWithContext(ctx, "")
		if err != nil {
			return "", err
		}
		email = found
	}
	if email == "" {
		return "", errors.New("these are a person's credentials")
	}
	toSign, address := prepare(c.endpoint, email, bucket, key, method, now.UTC(), ttl)
	signature, err := c.signature(ctx, email, []byte(toSign))
	if err != nil {
		return "", err
	}
	return address + "&X-Goog-Signature=" + hex.EncodeToString(signature), nil
}

// prepare gives the text to sign and the address without its signature.
func prepare(endpoint, email, bucket, key, method string, now time.Time, ttl time.Duration) (toSign, address string) {
	stamp, scope := now.Format("20060102T150405Z"), now.Format("20060102")+"/auto/storage/goog4_request"
	segments := strings.Split(key, "/")
	for i, segment := range segments {
		segments[i] = escape(segment)
	}
	path := "/" + bucket + "/" + strings.Join(segments, "/")
	query := fmt.Sprintf("X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=%s&X-Goog-Date=%s&X-Goog-Expires=%d&X-Goog-SignedHeaders=host",
		escape(email+"/"+scope), stamp, int64(ttl/time.Second))
	host := strings.TrimPrefix(endpoint, "https://")
	hash := sha256.Sum256([]byte(method + "\n" + path + "\n" + query + "\nhost:" + host + "\n\nhost\nUNSIGNED-PAYLOAD"))
	return "GOOG4-RSA-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(hash[:]), endpoint + path + "?" + query
}

// escape leaves letters, digits and -_.~ as they are (RFC 3986).
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func (c *client) signature(ctx context.Context, email string, data []byte) ([]byte, error) {
	if c.signer.key == "" {
		return c.remote(ctx, email, data)
	}
	block, _ := pem.Decode([]byte(c.signer.key))
	if block == nil {
		return nil, errors.New("the account's key is no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return nil, errors.New("the account's key cannot be read")
		}
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the account's key is not RSA")
	}
	hash := sha256.Sum256(data)
	return rsa.SignPKCS1v15(nil, private, crypto.SHA256, hash[:])
}

// remote has IAM sign (iamcredentials.signBlob).
func (c *client) remote(ctx context.Context, email string, data []byte) ([]byte, error) {
	body, err := json.Marshal(map[string][]byte{"payload": data})
	if err != nil {
		return nil, err
	}
	var signed struct {
		Signature string `json:"signedBlob"`
	}
	err = c.json(ctx, request{
		method: http.MethodPost, address: c.signer.iam + "/v1/projects/-/serviceAccounts/" + url.PathEscape(email) + ":signBlob",
		header: http.Header{"Content-Type": {"application/json"}}, body: body, repeat: true,
	}, &signed)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(signed.Signature)
}
