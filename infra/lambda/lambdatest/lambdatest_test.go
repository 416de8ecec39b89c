//go:build unix

package lambdatest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	runtime "github.com/aws/aws-lambda-go/lambda"

	"github.com/jarvis-ml/jarvis/infra/lambda"
	"github.com/jarvis-ml/jarvis/infra/lambda/lambdatest"
)

// The test binary is the bootstrap too: Lambda's own variable tells it which of the two it is.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(m.Run())
	}
	switch os.Getenv("START") {
	case "exits":
		fmt.Fprintln(os.Stderr, "no such bucket")
		os.Exit(3)
	case "hangs":
		time.Sleep(time.Minute)
	case "counts":
		runtime.Start(runtime.NewHandler(counter()))
	default:
		lambda.Start(lambda.HTTP(http.HandlerFunc(serve)), nil)
	}
}

// counter counts in the background; an invocation returns the count.
func counter() func() (int64, error) {
	var n atomic.Int64
	go func() {
		for range time.Tick(time.Millisecond) {
			n.Add(1)
		}
	}()
	return func() (int64, error) { return n.Load(), nil }
}

var served int

func serve(w http.ResponseWriter, r *http.Request) {
	served++
	switch r.URL.Path {
	case "/sleep":
		time.Sleep(time.Minute)
	case "/deadline":
		<-r.Context().Done()
		w.WriteHeader(http.StatusGatewayTimeout)
	case "/exit":
		os.Exit(7)
	case "/env":
		_, _ = io.WriteString(w, strings.Join(os.Environ(), "\n"))
	default:
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Served", fmt.Sprint(served))
		_, _ = w.Write(body)
	}
}

func start(t *testing.T, o lambdatest.Options) *lambdatest.Function {
	t.Helper()
	var err error
	if o.Binary, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	f, err := lambdatest.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func request(path, body string) []byte {
	out, _ := json.Marshal(map[string]any{
		"version": "2.0", "rawPath": path, "body": body,
		"requestContext": map[string]any{"http": map[string]string{"method": "POST", "sourceIp": "203.0.113.7"}},
	})
	return out
}

// call invokes and decodes an HTTP answer.
func call(t *testing.T, f *lambdatest.Function, path, body string) (status int, header map[string]string, text string, r lambdatest.Result) {
	t.Helper()
	r, err := f.Invoke(t.Context(), request(path, body))
	if err != nil {
		t.Fatal(err)
	}
	if r.Error != nil {
		return 0, nil, "", r
	}
	var a struct {
		StatusCode int
		Headers    map[string]string
		Body       string
	}
	if err := json.Unmarshal(r.Payload, &a); err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, a.Headers, a.Body, r
}

func TestWarmInvocations(t *testing.T) {
	f := start(t, lambdatest.Options{})
	for i := range 5 {
		body := strings.Repeat("é", i*1000)
		status, header, text, r := call(t, f, "/echo", body)
		if status != 200 || text != body || header["X-Served"] != fmt.Sprint(i+1) {
			t.Fatalf("invocation %d: %d %v", i, status, header)
		}
		if r.Cold != (i == 0) || r.Cold != (r.Init > 0) || r.Duration <= 0 {
			t.Errorf("invocation %d: cold %v, init %v, duration %v", i, r.Cold, r.Init, r.Duration)
		}
	}
	if f.Starts() != 1 {
		t.Errorf("%d starts", f.Starts())
	}
}

func TestEnvironmentIsLambdas(t *testing.T) {
	t.Setenv("SECRET_OF_THE_TEST", "x")
	f := start(t, lambdatest.Options{Name: "fn", MemoryMB: 1024, Env: []string{"JARVIS_BUCKET=mem://"}})
	_, _, text, _ := call(t, f, "/env", "")
	env := "\n" + text + "\n"
	for _, want := range []string{"AWS_LAMBDA_FUNCTION_NAME=fn", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=1024", "_HANDLER=bootstrap", "JARVIS_BUCKET=mem://"} {
		if !strings.Contains(env, "\n"+want+"\n") {
			t.Errorf("no %s in the environment", want)
		}
	}
	if strings.Contains(env, "SECRET_OF_THE_TEST") {
		t.Error("the test's environment got in")
	}
}

// A process that runs on between invocations would hide that a function relies on it.
func TestFrozenBetweenInvocations(t *testing.T) {
	count := func(f *lambdatest.Function) (n int) {
		r, err := f.Invoke(t.Context(), []byte(`{}`))
		if err != nil || r.Error != nil {
			t.Fatal(err, r.Error)
		}
		if err := json.Unmarshal(r.Payload, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	gained := func(o lambdatest.Options) int {
		o.Env = []string{"START=counts"}
		f := start(t, o)
		before := count(f)
		time.Sleep(300 * time.Millisecond)
		return count(f) - before
	}
	frozen, thawed := gained(lambdatest.Options{}), gained(lambdatest.Options{Thawed: true})
	if frozen > 60 || thawed < 100 {
		t.Errorf("counted %d while frozen and %d while not", frozen, thawed)
	}
}

func TestTimeoutKillsAndStartsAnew(t *testing.T) {
	f := start(t, lambdatest.Options{Timeout: 300 * time.Millisecond})
	_, _, _, r := call(t, f, "/sleep", "")
	if r.Error == nil || r.Error.Type != "Sandbox.Timedout" {
		t.Fatalf("%+v", r)
	}
	status, header, _, r := call(t, f, "/echo", "")
	if status != 200 || header["X-Served"] != "1" || !r.Cold || f.Starts() != 2 {
		t.Errorf("%d %v, cold %v, %d starts", status, header, r.Cold, f.Starts())
	}
}

// The handler is told before the process is killed, so the client gets an answer and the process lives on.
func TestDeadlineReachesTheHandler(t *testing.T) {
	f := start(t, lambdatest.Options{Timeout: time.Second})
	status, _, _, r := call(t, f, "/deadline", "")
	if status != http.StatusGatewayTimeout || f.Starts() != 1 {
		t.Errorf("%d %v, %d starts", status, r.Error, f.Starts())
	}
}

func TestExitDuringInvocation(t *testing.T) {
	f := start(t, lambdatest.Options{})
	if _, _, _, r := call(t, f, "/exit", ""); r.Error == nil || r.Error.Type != "Runtime.ExitError" || !strings.Contains(r.Error.Message, "7") {
		t.Errorf("%+v", r)
	}
	if status, _, _, _ := call(t, f, "/echo", "x"); status != 200 {
		t.Errorf("after an exit: %d", status)
	}
}

func TestFunctionErrors(t *testing.T) {
	f := start(t, lambdatest.Options{})
	r, err := f.Invoke(t.Context(), []byte(`{"not":"http"}`))
	if err != nil || r.Error == nil || !strings.Contains(r.Error.Message, "no HTTP method") {
		t.Errorf("%+v, %v", r, err)
	}
	if status, _, _, _ := call(t, f, "/echo", "x"); status != 200 || f.Starts() != 1 {
		t.Errorf("after an error: %d, %d starts", status, f.Starts())
	}
}

func TestFailedStarts(t *testing.T) {
	binary, _ := os.Executable()
	for _, c := range []struct{ start, want, output string }{
		{"exits", "Runtime.ExitError", "no such bucket"},
		{"hangs", "Sandbox.Timedout", ""},
	} {
		var log bytes.Buffer
		_, err := lambdatest.Start(context.Background(), lambdatest.Options{
			Binary: binary, Env: []string{"START=" + c.start}, InitTimeout: time.Second, Log: &log,
		})
		var e *lambdatest.Error
		if !errors.As(err, &e) || e.Type != c.want || !strings.Contains(err.Error(), c.output) || !strings.Contains(log.String(), c.output) {
			t.Errorf("%s: %v", c.start, err)
		}
	}
}

func BenchmarkWarm(b *testing.B) {
	binary, _ := os.Executable()
	f, err := lambdatest.Start(b.Context(), lambdatest.Options{Binary: binary})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for b.Loop() {
		if _, err := f.Invoke(b.Context(), request("/echo", "x")); err != nil {
			b.Fatal(err)
		}
	}
}
