package gcs

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// scope allows reading and writing objects; signing through IAM asks for a scope of its own.
const scope = "https://www.googleapis.com/auth/devstorage.read_write"

// connect makes the client. An emulator knows no credentials.
func connect(ctx context.Context) (*client, error) {
	base := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		// Contents are taken as they are stored; their checksum is that of the stored bytes.
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: 2 * time.Minute,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   32,
	}
	// 308 is no redirection here: it says how far an upload has come.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if host := os.Getenv("STORAGE_EMULATOR_HOST"); host != "" {
		if !strings.Contains(host, "://") {
			host = "http://" + host
		}
		return &client{http: &http.Client{Transport: base, CheckRedirect: stay}, endpoint: strings.TrimRight(host, "/")}, nil
	}
	found, err := google.FindDefaultCredentials(ctx, scope, signScope)
	if err != nil {
		return nil, err
	}
	universe, err := found.GetUniverseDomain()
	if err != nil {
		return nil, err
	}
	var file struct {
		Email        string `json:"client_email"`
		Key          string `json:"private_key"`
		Impersonated string `json:"service_account_impersonation_url"`
		Project      string `json:"quota_project_id"`
	}
	if len(found.JSON) > 0 {
		if err := json.Unmarshal(found.JSON, &file); err != nil {
			return nil, err
		}
	}
	if project := os.Getenv("GOOGLE_CLOUD_QUOTA_PROJECT"); project != "" {
		file.Project = project
	}
	c := &client{
		http:     &http.Client{Transport: &oauth2.Transport{Source: found.TokenSource, Base: base}, CheckRedirect: stay},
		endpoint: "https://storage." + universe,
		project:  file.Project,
	}
	c.signer = &signer{email: file.Email, key: file.Key, iam: "https://iamcredentials." + universe}
	if file.Impersonated != "" { // …/serviceAccounts/EMAIL:generateAccessToken
		email, _, _ := strings.Cut(file.Impersonated[strings.LastIndexByte(file.Impersonated, '/')+1:], ":")
		if email, err := url.PathUnescape(email); err == nil {
			c.signer.email = email
		}
	}
	c.signer.machine = len(found.JSON) == 0
	return c, nil
}
