//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/infra/emulator"
	"github.com/jarvis-ml/jarvis/infra/lambda/lambdatest"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// rie finds AWS's own Runtime Interface Emulator: PyPI's aws-sam-cli carries the binary as
// samcli/local/rapid/aws-lambda-rie-x86_64.
func rie(t *testing.T) string {
	t.Helper()
	for _, path := range []string{os.Getenv("AWS_LAMBDA_RIE"), "../../.tools/bin/aws-lambda-rie"} {
		if info, err := os.Stat(path); path != "" && err == nil && !info.IsDir() {
			absolute, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			return absolute
		}
	}
	path, err := exec.LookPath("aws-lambda-rie")
	if err != nil {
		t.Skip("aws-lambda-rie is not installed: set AWS_LAMBDA_RIE to the binary that aws-sam-cli carries")
	}
	return path
}

// The same binary under the emulator that AWS maintains: our own emulator and our adapter could be wrong together.
func TestPredictUnderAWSEmulator(t *testing.T) {
	emulatorPath := rie(t)
	s3 := emulator.S3(t, emulator.S3Options{})
	s3.Setenv(t)
	b, err := bucket.OpenURL(t.Context(), s3.URL())
	if err != nil {
		t.Fatal(err)
	}
	publish(t, b)
	front, api := emulator.FreePort(t), emulator.FreePort(t)
	var output bytes.Buffer
	cmd := exec.Command(emulatorPath, "--runtime-interface-emulator-address", fmt.Sprintf("127.0.0.1:%d", front),
		"--runtime-api-address", fmt.Sprintf("127.0.0.1:%d", api), lambdatest.Build(t, "."))
	cmd.Env = append(s3.Env(), "PATH="+os.Getenv("PATH"), "JARVIS_BUCKET="+s3.URL(), "JARVIS_AUTHORIZATION=gateway", "AWS_LAMBDA_FUNCTION_TIMEOUT=20")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 3 {
		var a struct {
			StatusCode int
			Body       string
		}
		answered := post(t, fmt.Sprintf("http://127.0.0.1:%d/2015-03-31/functions/function/invocations", front), request("POST", "/models/penguins/predict", adelie))
		if err := json.Unmarshal(answered, &a); err != nil || a.StatusCode != http.StatusOK || !strings.Contains(a.Body, `"label":"Adelie"`) {
			t.Fatalf("%s\n%s", answered, output.String())
		}
	}
}

// post sends a payload, and waits for the emulator to listen first.
func post(t *testing.T, url string, payload []byte) []byte {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); ; {
		response, err := http.Post(url, "application/json", bytes.NewReader(payload))
		if err == nil {
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			return body
		}
		if time.Now().After(until) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
