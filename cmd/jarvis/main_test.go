package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestMain is jarvis itself where a test starts this binary as a process.
func TestMain(m *testing.M) {
	if os.Getenv("JARVIS_TEST_MAIN") != "" {
		main()
		return
	}
	for _, e := range os.Environ() { // the environment of whoever runs the tests is no configuration
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "JARVIS_") {
			os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

// output is a buffer that a running command writes and a test reads.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// shell runs command lines in a folder of their own.
type shell struct {
	testing.TB
	data string // testdata
}

func newShell(t *testing.T) shell {
	t.Helper()
	data, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("USER", "tester")
	return shell{t, data}
}

func (s shell) penguins() string { return filepath.Join(s.data, "penguins", "penguins.csv") }

type result struct {
	code           int
	stdout, stderr string
}

// try runs one command line in this process.
func (s shell) try(stdin string, args ...string) result {
	s.Helper()
	return s.with(s.Context(), strings.NewReader(stdin), args...)
}

func (s shell) with(ctx context.Context, stdin io.Reader, args ...string) result {
	s.Helper()
	var stdout, stderr output
	a := &app{stdin: stdin, stdout: &stdout, stderr: &stderr}
	code := a.run(ctx, args)
	return result{code, stdout.String(), stderr.String()}
}

// do is try for a command that must succeed; it returns standard output.
func (s shell) do(args ...string) string {
	s.Helper()
	r := s.try("", args...)
	if r.code != 0 {
		s.Fatalf("jarvis %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// json runs a command with --json and reads its output.
func (s shell) json(into any, args ...string) {
	s.Helper()
	out := s.do(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		s.Fatalf("jarvis %s --json prints %q: %v", strings.Join(args, " "), out, err)
	}
}

func (s shell) write(name, text string) string {
	s.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
	return name
}

func (s shell) read(name string) string {
	s.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		s.Fatal(err)
	}
	return string(text)
}

// files lists what lies under a folder.
func (s shell) files(dir string) (names []string) {
	s.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		s.Fatal(err)
	}
	return names
}
