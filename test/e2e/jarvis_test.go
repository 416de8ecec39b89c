package e2e

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is the built command; make builds it before these tests.
func binary(t *testing.T) string {
	t.Helper()
	if os.Getenv("JARVIS_E2E") == "" {
		t.Skip("end-to-end tests run with JARVIS_E2E=1, as `make test-e2e` does: they need the built binary, the built page and Chromium")
	}
	path, err := filepath.Abs("../../bin/jarvis")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("there is no bin/jarvis: run `make build`")
	}
	return path
}

// run runs a command to its end and returns its standard output.
func run(t *testing.T, jarvis string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), jarvis, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("jarvis %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

// serve starts a server on a free port and returns its address once it listens. The test's end interrupts it, and
// fails when it does not stop cleanly.
func serve(t *testing.T, jarvis, bucket string, args ...string) string {
	t.Helper()
	cmd := exec.Command(jarvis, append([]string{"--bucket", bucket, "serve", "--address", "127.0.0.1:0"}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if _, url, ok := strings.Cut(lines.Text(), "Jarvis is on "); ok {
				address <- url
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("jarvis serve did not stop cleanly: %v", err)
		}
	})
	select {
	case url := <-address:
		return url
	case <-time.After(30 * time.Second):
		t.Fatal("jarvis serve did not start")
		return ""
	}
}

// post sends JSON and returns the body of a 200.
func post(t *testing.T, url, token string, body []byte) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", url, response.Status, text)
	}
	return text
}
