package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

var built = fstest.MapFS{
	".gitkeep":                 {},
	"index.html":               {Data: []byte("<!doctype html><title>page</title>")},
	"index.html.br":            {Data: []byte("index in br")},
	"jarvis-predict.wasm":      {Data: []byte("\x00asm\x01\x00\x00\x00")},
	"jarvis-predict.wasm.br":   {Data: []byte("wasm in br")},
	"jarvis-predict.wasm.gz":   {Data: []byte("wasm in gzip")},
	"assets/index-Dx12ab.js":   {Data: []byte("export {}")},
	"assets/geist-Ab34.woff2":  {Data: []byte("wOF2")},
	"assets/worker-Biyc4GT.js": {Data: []byte("onmessage = null")},
}

func get(t *testing.T, h http.Handler, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPaths(t *testing.T) {
	const immutable, fresh = "public, max-age=31536000, immutable", "no-cache"
	for _, c := range []struct {
		path, kind, cache, body string
		status                  int
	}{
		{"/", "text/html; charset=utf-8", fresh, "<title>page", 200},
		{"/model/penguins", "text/html; charset=utf-8", fresh, "<title>page", 200},
		{"/model/a.b", "text/html; charset=utf-8", fresh, "<title>page", 200},
		{"/model/%2e%2e%2fetc", "text/html; charset=utf-8", fresh, "<title>page", 200},
		{"/assets/index-Dx12ab.js", "text/javascript; charset=utf-8", immutable, "export", 200},
		{"/assets/geist-Ab34.woff2", "font/woff2", immutable, "wOF2", 200},
		{"/jarvis-predict.wasm", "application/wasm", fresh, "\x00asm", 200},
		{"/assets/gone-00000000.js", "text/plain; charset=utf-8", "", "not found", 404},
		{"/model/penguins.json", "text/html; charset=utf-8", fresh, "<title>page", 200},
		{"/favicon.ico", "text/plain; charset=utf-8", "", "not found", 404},
		{"/.gitkeep", "text/html; charset=utf-8", fresh, "<title>page", 200},
	} {
		r := get(t, New(built), "GET", c.path)
		if body := text(t, r); r.StatusCode != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s: %d %q, want %d with %q", c.path, r.StatusCode, body, c.status, c.body)
		}
		if kind := r.Header.Get("Content-Type"); kind != c.kind {
			t.Errorf("%s: Content-Type %q, want %q", c.path, kind, c.kind)
		}
		if cache := r.Header.Get("Cache-Control"); c.cache != "" && cache != c.cache {
			t.Errorf("%s: Cache-Control %q, want %q", c.path, cache, c.cache)
		}
	}
}

func TestPrecompressed(t *testing.T) {
	for _, c := range []struct{ path, accept, encoding, body string }{
		{"/jarvis-predict.wasm", "gzip, deflate, br", "br", "wasm in br"},
		{"/jarvis-predict.wasm", "gzip", "gzip", "wasm in gzip"},
		{"/jarvis-predict.wasm", "br;q=0, gzip;q=0.5", "gzip", "wasm in gzip"},
		{"/jarvis-predict.wasm", "*", "br", "wasm in br"},
		{"/jarvis-predict.wasm", "br; q=0.000, *;q=0", "", "\x00asm\x01\x00\x00\x00"},
		{"/jarvis-predict.wasm", "", "", "\x00asm\x01\x00\x00\x00"},
		{"/model/penguins", "br", "br", "index in br"},
		{"/assets/index-Dx12ab.js", "br", "", "export {}"},
	} {
		r := get(t, New(built), "GET", c.path, "Accept-Encoding", c.accept)
		if got := r.Header.Get("Content-Encoding"); got != c.encoding {
			t.Errorf("%s accepting %q: encoding %q, want %q", c.path, c.accept, got, c.encoding)
		}
		if body := text(t, r); body != c.body {
			t.Errorf("%s accepting %q: %q, want %q", c.path, c.accept, body, c.body)
		}
		if r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: no Vary", c.path)
		}
	}
}

func TestRevalidation(t *testing.T) {
	h := New(built)
	plain := get(t, h, "GET", "/jarvis-predict.wasm").Header.Get("ETag")
	packed := get(t, h, "GET", "/jarvis-predict.wasm", "Accept-Encoding", "br").Header.Get("ETag")
	if plain == "" || plain == packed {
		t.Fatalf("ETags %q and %q: want two that differ", plain, packed)
	}
	if r := get(t, h, "GET", "/jarvis-predict.wasm", "If-None-Match", plain); r.StatusCode != http.StatusNotModified {
		t.Errorf("status %d for a known ETag, want 304", r.StatusCode)
	}
	if r := get(t, h, "HEAD", "/"); r.StatusCode != http.StatusOK || text(t, r) != "" {
		t.Errorf("HEAD: status %d, or a body", r.StatusCode)
	}
}

func TestHeaders(t *testing.T) {
	for _, path := range []string{"/", "/assets/worker-Biyc4GT.js", "/assets/gone.js"} {
		r := get(t, New(built), "GET", path)
		csp := r.Header.Get("Content-Security-Policy")
		for _, want := range []string{"script-src 'self' 'wasm-unsafe-eval';", "worker-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %q", path, csp, want)
			}
		}
		if strings.Contains(csp, "'unsafe-eval'") || strings.Contains(csp, "script-src 'self' 'unsafe-inline'") {
			t.Errorf("%s: policy lets foreign scripts run: %q", path, csp)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Cross-Origin-Embedder-Policy") != "require-corp" {
			t.Errorf("%s: headers %v", path, r.Header)
		}
	}
}

func TestOnlyReads(t *testing.T) {
	r := get(t, New(built), "POST", "/")
	if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", r.StatusCode, r.Header.Get("Allow"))
	}
}

func TestNotBuilt(t *testing.T) {
	h := New(fstest.MapFS{".gitkeep": {}})
	if body := text(t, get(t, h, "GET", "/")); !strings.Contains(body, "built without the web page: run <code>make web</code>") {
		t.Errorf("got %q", body)
	}
	if r := get(t, h, "GET", "/jarvis-predict.wasm"); r.StatusCode != http.StatusNotFound {
		t.Errorf("a missing asset gave %d, want 404", r.StatusCode)
	}
}

// The embedded files are the folder's, whether built or not.
func TestEmbedded(t *testing.T) {
	r := get(t, Handler(), "GET", "/")
	if body := text(t, r); r.StatusCode != http.StatusOK || Built() == strings.Contains(body, "built without the web page") {
		t.Errorf("Built() is %v, and / gave %d %q", Built(), r.StatusCode, body)
	}
}
