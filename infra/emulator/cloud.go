package emulator

import (
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// GCSServer is a running fake-gcs-server with one bucket.
type GCSServer struct {
	*Server
	Bucket string
}

// GCS starts fake-gcs-server.
func GCS(t testing.TB) *GCSServer {
	t.Helper()
	binary, port := find(t, "fake-gcs-server"), FreePort(t)
	s := &GCSServer{Bucket: "jarvis"}
	s.Server = launch(t, port, "/_internal/healthcheck", func() *exec.Cmd {
		host := "127.0.0.1:" + strconv.Itoa(port)
		return exec.Command(binary, "-scheme", "http", "-host", "127.0.0.1", "-port", strconv.Itoa(port), "-backend", "memory", //nolint:noctx // Stop kills it: t.Context ends before the cleanups that still need it
			"-public-host", host, "-external-url", "http://"+host, "-log-level", "error")
	})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Endpoint+"/storage/v1/b?project=test", strings.NewReader(`{"name":"jarvis"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // the status is all
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the bucket cannot be made: %s", response.Status)
	}
	return s
}

// URL is the address of the bucket for bucket.OpenURL.
func (s *GCSServer) URL() string { return "gs://" + s.Bucket }

// Env is what a child process needs to reach the server.
func (s *GCSServer) Env() []string {
	return []string{"STORAGE_EMULATOR_HOST=" + strings.TrimPrefix(s.Endpoint, "http://")}
}

// Setenv puts Env into this process for the length of the test.
func (s *GCSServer) Setenv(t testing.TB) { setenv(t, s.Env()) }

// AzureServer is a running Azurite. Its account and key are the ones that Microsoft documents for every emulator.
type AzureServer struct {
	*Server
	Connection string // connection string
}

// Azure starts Azurite's blob service. The test makes the container.
func Azure(t testing.TB) *AzureServer {
	t.Helper()
	binary, port, dir := find(t, "azurite-blob"), FreePort(t), t.TempDir()
	s := &AzureServer{}
	s.Server = launch(t, port, "/", func() *exec.Cmd {
		return exec.Command(binary, "--blobHost", "127.0.0.1", "--blobPort", strconv.Itoa(port), "--location", dir, //nolint:noctx // Stop kills it: t.Context ends before the cleanups that still need it
			"--silent", "--skipApiVersionCheck", "--disableTelemetry")
	})
	s.Connection = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;" +
		"AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;" +
		"BlobEndpoint=" + s.Endpoint + "/devstoreaccount1;"
	return s
}

// Env is what a child process needs to reach the server.
func (s *AzureServer) Env() []string {
	return []string{"AZURE_STORAGE_CONNECTION_STRING=" + s.Connection}
}

// Setenv puts Env into this process for the length of the test.
func (s *AzureServer) Setenv(t testing.TB) { setenv(t, s.Env()) }

func setenv(t testing.TB, pairs []string) {
	t.Helper()
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
}
