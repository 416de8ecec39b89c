//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jarvis-ml/jarvis/infra/s3"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

const (
	bucketName = "jarvis"
	onnxKey    = "peers/model.onnx"
	pickleKey  = "peers/model.joblib"
	access     = "jarvis-bench"
	secret     = "jarvis-bench-secret" //nolint:gosec // of a server that lives as long as the benchmark, on loopback
)

// server is a running versitygw with one bucket in a folder.
type server struct {
	endpoint string
	cmd      *exec.Cmd
}

func startS3(ctx context.Context, binary, dir string) (*server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(filepath.Join(data, bucketName), 0o755); err != nil {
		return nil, err
	}
	s := &server{endpoint: "http://" + address}
	s.cmd = exec.CommandContext(ctx, binary, "--port", address, "--quiet", "--keep-alive", "--health", "/health", "posix", data)
	s.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+access, "ROOT_SECRET_KEY="+secret)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for range 500 {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.endpoint+"/health", nil)
		if err != nil {
			return nil, err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close() // the status is all
			return s, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("%s does not answer", binary)
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill() // one that has ended is what is wanted
	_ = s.cmd.Wait()
}

func (s *server) url() string {
	return "s3://" + bucketName + "?" + url.Values{"endpoint": {s.endpoint}, "region": {"us-east-1"}, "path_style": {"true"}}.Encode()
}

func (s *server) env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + access, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
	}
}

// fill publishes the model in Jarvis' registry, and lays the peers' files beside it.
func (s *server) fill(ctx context.Context, o options) error {
	for _, pair := range s.env() {
		name, value, _ := strings.Cut(pair, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	b, err := bucket.OpenURL(ctx, s.url())
	if err != nil {
		return err
	}
	file, err := os.ReadFile(o.model)
	if err != nil {
		return err
	}
	if _, err := registry.Open(b).Publish(ctx, "diamonds", file, registry.PublishOptions{Who: "bench", Why: "cold starts", Aliases: []string{registry.Champion}}); err != nil {
		return err
	}
	files := map[string]string{onnxKey: o.model}
	if o.script != "" {
		files[pickleKey] = o.pickle
	}
	for key, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if _, err := b.Put(ctx, key, bytes.NewReader(raw), bucket.PutOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// executable writes a program with a first line that names its interpreter, and returns its path.
func executable(dir, program, interpreter string) (string, error) {
	interpreter, err := exec.LookPath(interpreter)
	if err != nil {
		return "", err
	}
	if interpreter, err = filepath.Abs(interpreter); err != nil {
		return "", err
	}
	text, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bootstrap")
	return path, os.WriteFile(path, append([]byte("#!"+interpreter+"\n"), text...), 0o755)
}
