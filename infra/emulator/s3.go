package emulator

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// S3Server is a running versitygw with one bucket.
type S3Server struct {
	*Server
	Region, AccessKey, SecretKey, Bucket string
	Dir                                  string // where the server keeps the objects, as files
}

// S3Options change how versitygw runs.
type S3Options struct {
	Webhook string // URL that gets S3 event JSON; it must listen before the start
}

// S3 starts versitygw.
func S3(t testing.TB, o S3Options) *S3Server {
	t.Helper()
	binary, port, dir := find(t, "versitygw"), FreePort(t), t.TempDir()
	s := &S3Server{Region: "us-east-1", AccessKey: "jarvis-test", SecretKey: "jarvis-test-secret", Bucket: "jarvis", Dir: filepath.Join(dir, "data", "jarvis")}
	for _, folder := range []string{s.Dir, filepath.Join(dir, "versions")} {
		if err := os.MkdirAll(folder, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	s.Server = launch(t, port, "/health", func() *exec.Cmd {
		args := []string{"--port", "127.0.0.1:" + strconv.Itoa(port), "--quiet", "--keep-alive", "--health", "/health"}
		if o.Webhook != "" {
			args = append(args, "--event-webhook-url", o.Webhook)
		}
		cmd := exec.Command(binary, append(args, "posix", filepath.Join(dir, "data"))...) //nolint:noctx // Stop kills it: t.Context ends before the cleanups that still need it
		cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.AccessKey, "ROOT_SECRET_KEY="+s.SecretKey)
		return cmd
	})
	return s
}

// URL is the address of the bucket for bucket.OpenURL.
func (s *S3Server) URL() string {
	return "s3://" + s.Bucket + "?" + url.Values{"endpoint": {s.Endpoint}, "region": {s.Region}, "path_style": {"true"}}.Encode()
}

// Env is what a child process needs to reach the server.
func (s *S3Server) Env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + s.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.SecretKey, "AWS_REGION=" + s.Region, "AWS_SESSION_TOKEN=",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
	}
}

// Setenv puts Env into this process for the length of the test.
func (s *S3Server) Setenv(t testing.TB) { setenv(t, s.Env()) }
