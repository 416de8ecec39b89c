//go:build unix

package lambdatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one execution environment: a running bootstrap and the Runtime API that it talks to.
type process struct {
	arn    string
	cmd    *exec.Cmd
	server *http.Server
	init   time.Duration // from the start of the process to its first call for work
	used   bool          // it has been given an invocation

	idle   chan struct{} // the runtime waits for work
	work   chan *invocation
	failed chan *Error   // init/error
	exited chan struct{} // closed when the process has ended
	log    *tail

	mu      sync.Mutex
	current *invocation
}

// boot starts the binary and waits until it asks for work, says that it cannot, ends, or takes too long.
func boot(ctx context.Context, o Options) (*process, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &process{
		arn:    "arn:aws:lambda:us-east-1:123456789012:function:" + o.Name,
		idle:   make(chan struct{}),
		work:   make(chan *invocation),
		failed: make(chan *Error, 1),
		exited: make(chan struct{}),
		log:    &tail{also: o.Log},
	}
	p.server = &http.Server{Handler: p.routes(), ReadHeaderTimeout: 10 * time.Second}
	go p.server.Serve(listener)    //nolint:errcheck // ends with Close
	p.cmd = exec.Command(o.Binary) //nolint:noctx // ctx is that of one invocation; the process lives until stop
	p.cmd.Dir = filepath.Dir(o.Binary)
	p.cmd.Env = environment(o, listener.Addr().String())
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	start := time.Now()
	if err := p.cmd.Start(); err != nil {
		_ = p.server.Close() // err says more
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.exited)
	}()
	timeout := time.NewTimer(o.InitTimeout)
	defer timeout.Stop()
	select {
	case <-p.idle:
		p.init = time.Since(start)
		return p, nil
	case e := <-p.failed:
		err = e
	case <-p.exited:
		err = &Error{Type: "Runtime.ExitError", Message: p.ending()}
	case <-timeout.C:
		err = &Error{Type: "Sandbox.Timedout", Message: fmt.Sprintf("init took longer than %v", o.InitTimeout)}
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.kill()
	return nil, fmt.Errorf("lambdatest: init failed: %w\n%s", err, p.log)
}

// environment is what a function of the provided.al2023 runtime finds (developer guide, "Defined runtime environment
// variables"), and what the test adds. Nothing of the test's own environment gets in.
func environment(o Options, api string) []string {
	return append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + api,
		"_HANDLER=bootstrap",
		"LAMBDA_TASK_ROOT=" + filepath.Dir(o.Binary),
		"LAMBDA_RUNTIME_DIR=/var/runtime",
		"AWS_LAMBDA_FUNCTION_NAME=" + o.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(o.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + o.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
		"AWS_REGION=us-east-1",
		"AWS_DEFAULT_REGION=us-east-1",
		"AWS_XRAY_CONTEXT_MISSING=LOG_ERROR",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
		"PATH=/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"TMPDIR=" + os.TempDir(),
	}, o.Env...)
}

// freeze stops the process as Lambda does between invocations; thaw lets it go on.
func (p *process) freeze() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) } // one that has ended needs no freezing
func (p *process) thaw()   { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// kill ends the process at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // one that has ended is what is wanted
	<-p.exited
	_ = p.server.Close() // nobody asks it any more
}

// stop asks the process to end, and kills it when it does not within half a second.
func (p *process) stop() {
	p.thaw()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		_ = p.server.Close() // nobody asks it any more
	case <-time.After(500 * time.Millisecond):
		p.kill()
	}
}

func (p *process) ending() string {
	return "the runtime exited with " + p.cmd.ProcessState.String()
}

// peak is the most memory that the process had resident so far, in bytes; 0 where the system does not tell.
func (p *process) peak() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64) // the kernel writes a number
			return kb << 10
		}
	}
	return 0
}

// tail keeps the last of what a process writes.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
	also io.Writer
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(b)
	if over := t.text.Len() - 64<<10; over > 0 {
		t.text.Next(over)
	}
	if t.also == nil {
		return len(b), nil
	}
	return t.also.Write(b)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

var errClosed = errors.New("lambdatest: the function is closed")
