package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/infra/folder"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

// process is a jarvis that runs as one.
type process struct {
	*exec.Cmd
	t      testing.TB
	stdout output
	stderr output
	ended  chan struct{}
}

// start runs this test binary as jarvis, in the shell's folder.
func (s shell) start(args ...string) *process {
	s.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...), t: s, ended: make(chan struct{})}
	p.Env = append(os.Environ(), "JARVIS_TEST_MAIN=1")
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	if err := p.Start(); err != nil {
		s.Fatal(err)
	}
	go func() {
		_ = p.Wait() // the state says how it ended
		close(p.ended)
	}()
	s.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.ended
	})
	return p
}

// says waits until standard error matches, and returns the first group.
func (p *process) says(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if m := re.FindStringSubmatch(p.stderr.String()); m != nil {
			return m[len(m)-1]
		}
	}
	p.t.Fatalf("no %q in\n%s", pattern, p.stderr.String())
	return ""
}

// end waits for the end and returns the exit code, -1 for a signal.
func (p *process) end() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.t.Fatalf("it does not end:\n%s", p.stderr.String())
	}
	return p.ProcessState.ExitCode()
}

func (p *process) signal(sig os.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// champion trains on every other penguin, and puts the others into the inbox when asked. Its estimator is the slowest, so
// that there is a training to be in the midst of.
func (s shell) champion() (upload func(name string)) {
	s.Helper()
	lines := strings.SplitAfter(s.read(s.penguins()), "\n")
	parts := [2]string{lines[0], lines[0]}
	for i, line := range lines[1:] {
		parts[i%2] += line
	}
	s.write("first.csv", parts[0])
	s.do("train", "first.csv", "--target", "species", "--model", "mlp", "--name", "p")
	return func(name string) { s.write(".jarvis/inbox/p/"+name, parts[1]) }
}

// state is what the bucket holds: versions of the model, of the data, and files in the inbox.
func (s shell) state() (models, data, waiting int) {
	s.Helper()
	b, err := folder.New(".jarvis")
	if err != nil {
		s.Fatal(err)
	}
	m, err := registry.Open(b).Show(s.Context(), "p")
	if err != nil {
		s.Fatal(err)
	}
	d, err := dataset.Open(b).Resolve(s.Context(), "p")
	if err != nil {
		s.Fatal(err)
	}
	return len(m.Versions), d.Number, len(s.files(".jarvis/inbox"))
}

func (s shell) finished(when string) {
	s.Helper()
	var models, data, waiting int
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if models, data, waiting = s.state(); waiting == 0 {
			break
		}
	}
	if models != 2 || data != 2 || waiting != 0 {
		s.Errorf("%s: %d versions of the model, %d of the data, %d files wait", when, models, data, waiting)
	}
}

// kill -9 in mid-training, then a restart: the file is learned from exactly once.
func TestKillRetrain(t *testing.T) {
	s := newShell(t)
	s.champion()("a.csv")
	p := s.start("retrain", "inbox/p/a.csv", "--lease", "1s")
	p.says("rows to train on") // and then the fit begins
	p.signal(os.Kill)
	p.end()
	if models, _, waiting := s.state(); models != 1 || waiting != 1 {
		t.Fatalf("killed too late: %d versions, %d files", models, waiting)
	}
	for {
		r := s.try("", "retrain", "inbox/p/a.csv", "--lease", "1s")
		if r.code == 0 {
			break
		}
		if r.code != 5 { // the lease of the dead one
			t.Fatalf("exit %d: %s", r.code, r.stderr)
		}
		time.Sleep(200 * time.Millisecond)
	}
	s.finished("after the restart")
	if out := s.do("retrain", "inbox/p/a.csv"); !strings.Contains(out, "repeated") {
		t.Errorf("the same event again: %s", out)
	}
}

func TestKillServe(t *testing.T) {
	s := newShell(t)
	upload := s.champion()
	serve := []string{"serve", "--address", "127.0.0.1:0", "--poll", "100ms", "--lease", "1s", "--log-level", "debug"}
	p := s.start(serve...)
	p.says(`http://\S+`)
	upload("a.csv")
	for { // until the data is stored, which is before the training
		if _, data, _ := s.state(); data == 2 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	p.signal(os.Kill)
	p.end()
	if models, _, waiting := s.state(); models != 1 || waiting != 1 {
		t.Fatalf("killed too late: %d versions, %d files", models, waiting)
	}
	p = s.start(serve...)
	s.finished("after the restart")
	p.signal(os.Interrupt)
	if code := p.end(); code != 0 {
		t.Errorf("Ctrl-C ends it with %d:\n%s", code, p.stderr.String())
	}
}

// Two processes at one file: one of them does the work.
func TestTwoProcesses(t *testing.T) {
	s := newShell(t)
	s.champion()("a.csv")
	a, b := s.start("retrain", "inbox/p/a.csv"), s.start("retrain", "inbox/p/a.csv")
	codes := [2]int{a.end(), b.end()}
	for _, code := range codes {
		if code != 0 && code != 5 {
			t.Errorf("exits %v\n%s%s", codes, a.stderr.String(), b.stderr.String())
		}
	}
	s.finished("two processes")
}

// Ctrl-C in a training ends it with 130, and a retraining gives its file back.
func TestInterrupt(t *testing.T) {
	s := newShell(t)
	upload := s.champion()
	before := s.files(".jarvis")
	p := s.start("train", s.penguins(), "--target", "species", "--model", "mlp", "--name", "p")
	p.says("rows to train on")
	p.signal(os.Interrupt)
	if code := p.end(); code != 130 || !strings.Contains(p.stderr.String(), "interrupted") {
		t.Errorf("exit %d:\n%s", code, p.stderr.String())
	}
	if after := s.files(".jarvis"); len(after) != len(before) {
		t.Errorf("it left %v", after)
	}
	upload("a.csv")
	p = s.start("retrain", "inbox/p/a.csv")
	p.says("rows to train on")
	p.signal(os.Interrupt)
	if code := p.end(); code != 130 {
		t.Errorf("exit %d:\n%s", code, p.stderr.String())
	}
	s.do("retrain", "inbox/p/a.csv")
	s.finished("after the interruption")
}

// serve answers, retrains what lands in the inbox, serves the new champion and ends in order.
func TestServe(t *testing.T) {
	s := newShell(t)
	upload := s.champion()
	ctx, stop := context.WithCancel(t.Context())
	var stderr output
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr}
	ended := make(chan int)
	go func() {
		ended <- a.run(ctx, []string{"serve", "--address", "127.0.0.1:0", "--poll", "50ms", "--margin", "1000"})
	}()
	defer stop()
	var address string
	for end := time.Now().Add(time.Minute); address == "" && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if m := regexp.MustCompile(`http://\S+`).FindString(stderr.String()); m != "" {
			address = m
		}
	}
	row := `{"rows":[{"island":"Biscoe","bill_length_mm":46,"bill_depth_mm":14,"flipper_length_mm":215,"body_mass_g":5000,"sex":"female","year":2008}]}`
	ask := func() string {
		t.Helper()
		r, err := http.Post(address+"/models/p/predict", "application/json", strings.NewReader(row))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s (%v)", r.Status, body, err)
		}
		return string(body)
	}
	if !strings.Contains(ask(), `"Gentoo"`) {
		t.Errorf("it answers %s", ask())
	}
	upload("a.csv")
	s.finished("an upload")
	for end := time.Now().Add(5 * time.Second); !strings.Contains(ask(), `"version":2`); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 5 s it still answers %s", ask())
		}
	}
	for end := time.Now().Add(5 * time.Second); !strings.Contains(stderr.String(), "promoted"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) { // the line comes after the file has gone
			t.Fatalf("the log is\n%s", stderr.String())
		}
	}
	stop()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("it ends with %d:\n%s", code, stderr.String())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
	if strings.Contains(stderr.String(), "level=ERROR") {
		t.Errorf("the log has errors:\n%s", stderr.String())
	}
	if token, err := os.ReadFile(os.Getenv("XDG_CONFIG_HOME") + "/jarvis/token"); err != nil || len(bytes.TrimSpace(token)) < 20 {
		t.Errorf("the token is %q: %v", token, err)
	}
}
