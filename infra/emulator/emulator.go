// Package emulator starts real stores on this machine for tests: versitygw for S3, fake-gcs-server for Google Cloud
// Storage, Azurite for Azure. A test whose server is not installed is skipped with the reason, and fails instead where
// JARVIS_EMULATORS=required is set, as CI does.
package emulator

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// find looks for a program in PATH, $GOBIN, $GOPATH/bin and node_modules/.bin of the folders above.
func find(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	folders := []string{os.Getenv("GOBIN"), filepath.Join(os.Getenv("GOPATH"), "bin")}
	if home, err := os.UserHomeDir(); err == nil {
		folders = append(folders, filepath.Join(home, "go", "bin"))
	}
	if dir, err := os.Getwd(); err == nil {
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			folders = append(folders, filepath.Join(dir, "node_modules", ".bin"), filepath.Join(dir, ".tools", "node_modules", ".bin"), filepath.Join(dir, ".tools", "bin"))
		}
	}
	for _, folder := range folders {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); folder != "" && err == nil && !info.IsDir() {
			return path
		}
	}
	if os.Getenv("JARVIS_EMULATORS") == "required" {
		t.Fatalf("%s is not installed: run make tools", name)
	}
	t.Skipf("%s is not installed: run make tools", name)
	return ""
}

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on now.
func FreePort(t testing.TB) int {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

// Server is a process that a test started.
type Server struct {
	Endpoint string // http://127.0.0.1:PORT

	start  func() *exec.Cmd
	health string
	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	output bytes.Buffer
}

// launch starts a server and waits until it answers; the test's end stops it.
func launch(t testing.TB, port int, health string, start func() *exec.Cmd) *Server {
	t.Helper()
	s := &Server{Endpoint: "http://127.0.0.1:" + strconv.Itoa(port), health: health, start: start}
	t.Cleanup(s.Stop)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// Start starts the server again after Stop, on the same port and data, and waits until it answers.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmd, s.exited = s.start(), make(chan struct{})
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func(cmd *exec.Cmd, exited chan struct{}) { _ = cmd.Wait(); close(exited) }(s.cmd, s.exited)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+s.health, nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close() // that it answers is all
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%s ended at once: %s", s.cmd.Path, s.output.String())
		case <-ctx.Done():
			_ = s.cmd.Process.Kill() // one that has ended is what is wanted
			<-s.exited
			return fmt.Errorf("%s does not answer: %s", s.cmd.Path, s.output.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop kills the server: the store is gone. Its data stay.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}
