package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/jarvis-ml/jarvis/model/fault"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// invoke runs a handler on a payload and decodes the answer.
func invoke(t *testing.T, payload []byte, h http.HandlerFunc) events.APIGatewayV2HTTPResponse {
	t.Helper()
	out, err := HTTP(h).Invoke(context.Background(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var answer events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestHTTPAPIRequest(t *testing.T) {
	invoke(t, sample(t, "http-api.json"), func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		session, _ := r.Cookie("session")
		theme, _ := r.Cookie("theme")
		for _, c := range []struct{ what, got, want string }{
			{"method", r.Method, "POST"},
			{"path", r.URL.Path, "/models/penguins/predict"},
			{"uri", r.RequestURI, "/models/penguins/predict?alias=champion&tag=a&tag=b"},
			{"query", strings.Join(r.URL.Query()["tag"], " "), "a b"},
			{"host", r.Host, "abc123.execute-api.eu-central-1.amazonaws.com"},
			{"host header", r.Header.Get("Host"), ""},
			{"remote", r.RemoteAddr, "203.0.113.7:0"},
			{"agent", r.UserAgent(), "Mozilla/5.0 (X11; Linux x86_64) curl/8.5, like others"},
			{"accept", r.Header.Get("Accept"), "application/json, text/plain"},
			{"cookies", session.String() + " " + theme.String(), "session=1 theme=dark"},
			{"id", r.Header.Get("X-Request-Id"), "JKJaXmPLvHcESHA="},
			{"body", string(body), `{"rows":[{"island":"Biscoe"}]}`},
		} {
			if c.got != c.want {
				t.Errorf("%s is %q, want %q", c.what, c.got, c.want)
			}
		}
		if r.ContentLength != int64(len(body)) {
			t.Errorf("content length %d of %d bytes", r.ContentLength, len(body))
		}
	})
}

func TestFunctionURLRequest(t *testing.T) {
	invoke(t, sample(t, "function-url.json"), func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/models/café noir/predict" || r.RequestURI != "/models/caf%C3%A9%20noir/predict" {
			t.Errorf("path %q, uri %q", r.URL.Path, r.RequestURI)
		}
		if string(body) != "\x00\x01\xff\x80" {
			t.Errorf("body %q", body)
		}
		if r.RemoteAddr != "[2001:db8::7]:0" {
			t.Errorf("remote %q", r.RemoteAddr)
		}
	})
}

func TestPaths(t *testing.T) {
	for _, c := range []struct{ stage, raw, want string }{
		{"$default", "/", "/"},
		{"$default", "", "/"},
		{"$default", "v2", "/v2"},
		{"$default", "/a%2Fb", "/a/b"},
		{"$default", "/100%", "/100%"}, // decoded by the API already
		{"$default", "/ä b", "/ä b"},
		{"prod", "/prod/v2", "/v2"},
		{"prod", "/prod", "/"},
		{"prod", "/production/v2", "/production/v2"},
	} {
		var e events.APIGatewayV2HTTPRequest
		e.RawPath, e.RequestContext.Stage = c.raw, c.stage
		if got := requestURL(e).Path; got != c.want {
			t.Errorf("%s %q: path %q, want %q", c.stage, c.raw, got, c.want)
		}
	}
}

// A mux must route an encoded slash within a segment as net/http's server would.
func TestEncodedSlashIsNoSeparator(t *testing.T) {
	mux := http.NewServeMux()
	var got string
	mux.HandleFunc("GET /models/{name}", func(_ http.ResponseWriter, r *http.Request) { got = r.PathValue("name") })
	payload := `{"rawPath":"/models/a%2Fb","requestContext":{"http":{"method":"GET"}}}`
	if a := invoke(t, []byte(payload), mux.ServeHTTP); a.StatusCode != http.StatusOK || got != "a/b" {
		t.Errorf("status %d, name %q", a.StatusCode, got)
	}
}

func TestResponses(t *testing.T) {
	get := []byte(`{"rawPath":"/","requestContext":{"http":{"method":"GET"}}}`)
	t.Run("nothing written", func(t *testing.T) {
		if a := invoke(t, get, func(http.ResponseWriter, *http.Request) {}); a.StatusCode != http.StatusOK || a.Body != "" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("text", func(t *testing.T) {
		a := invoke(t, get, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Vary", "Accept")
			w.Header().Add("Vary", "Origin")
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
			http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusTeapot) // too late
			w.Header().Set("X-Late", "lost") // too late
			_, _ = io.WriteString(w, "čau")
		})
		if a.StatusCode != http.StatusCreated || a.Body != "čau" || a.IsBase64Encoded || a.Headers["Vary"] != "Accept, Origin" ||
			a.Headers["X-Late"] != "" || strings.Join(a.Cookies, " ") != "a=1 b=2" || a.Headers["Set-Cookie"] != "" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("guessed type", func(t *testing.T) {
		a := invoke(t, get, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
		if a.Headers["Content-Type"] != "text/html; charset=utf-8" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("binary", func(t *testing.T) {
		a := invoke(t, get, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0xff, 0}) })
		if raw, err := base64.StdEncoding.DecodeString(a.Body); !a.IsBase64Encoded || err != nil || string(raw) != "\xff\x00" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("compressed", func(t *testing.T) {
		a := invoke(t, get, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "looks like text")
		})
		if !a.IsBase64Encoded {
			t.Error("an encoded body went out as text")
		}
	})
	t.Run("too large", func(t *testing.T) {
		a := invoke(t, get, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 5<<20)) })
		if a.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(a.Body, `"code":"too_large"`) {
			t.Errorf("%d %s", a.StatusCode, a.Body[:min(len(a.Body), 200)])
		}
	})
	t.Run("panic", func(t *testing.T) {
		a := invoke(t, get, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half of an answer")
			panic("defect")
		})
		if a.StatusCode != http.StatusInternalServerError || a.Headers["Content-Type"] != "application/problem+json" || strings.Contains(a.Body, "half") || strings.Contains(a.Body, "defect") {
			t.Errorf("%+v", a)
		}
	})
}

func TestHandlerSeesTheDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	end, _ := ctx.Deadline()
	_, err := HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, ok := r.Context().Deadline()
		if before := end.Sub(got); !ok || before != margin {
			t.Errorf("the handler's deadline is %v before Lambda's", before)
		}
	})).Invoke(ctx, []byte(`{"rawPath":"/","requestContext":{"http":{"method":"GET"}}}`))
	if err != nil {
		t.Fatal(err)
	}
}

func TestNotHTTP(t *testing.T) {
	for _, payload := range []string{``, `[]`, `{}`, `"x"`, `{"rawPath":"/"}`, `{"body":"%","isBase64Encoded":true,"requestContext":{"http":{"method":"POST"}}}`} {
		_, err := HTTP(http.NotFoundHandler()).Invoke(context.Background(), []byte(payload))
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%q gave %v", payload, err)
		}
	}
}

// Whatever the payload, there is an answer or fault.Invalid, never a panic.
func FuzzHTTP(f *testing.F) {
	f.Add(sample(f, "http-api.json"))
	f.Add(sample(f, "function-url.json"))
	f.Add([]byte(`{"rawPath":"//%zz?#","cookies":["\n"],"requestContext":{"stage":"s","http":{"method":"\u0000"}}}`))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /models/{name}/predict", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	f.Fuzz(func(t *testing.T, payload []byte) {
		out, err := HTTP(mux).Invoke(context.Background(), payload)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%v", err)
			}
			return
		}
		var a events.APIGatewayV2HTTPResponse
		if err := json.Unmarshal(out, &a); err != nil || a.StatusCode < 200 {
			t.Fatalf("%s: %v", out, err)
		}
		if a.StatusCode == http.StatusInternalServerError {
			t.Fatalf("the handler panicked on %q", payload)
		}
	})
}
