package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

const index = "index.html"

// policy lets the page run its own scripts and WebAssembly, and nothing else. Mantine sets its colours through style
// elements, hence 'unsafe-inline' for styles alone.
const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; " +
	"form-action 'self'; frame-ancestors 'none'"

// types are the media types of what a build holds. The system's own table is not asked: it differs between machines,
// and a wrong one stops modules and WebAssembly from loading.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon",
	".json": "application/json", ".map": "application/json", ".webmanifest": "application/manifest+json",
	".wasm": "application/wasm", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
}

// encodings are the forms that the build writes beside large files, the smallest first.
var encodings = []struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}}

// notBuilt is all that a binary without the page can show.
const notBuilt = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Jarvis</title>
<style>body{font:16px/1.5 system-ui;max-width:34em;margin:4em auto;padding:0 1em;color-scheme:light dark}</style>
<h1>Jarvis</h1><p>This binary was built without the web page: run <code>make web</code> and build it again.</p>
<p>The API works all the same: <a href="/docs">/docs</a>.</p></html>
`

type site struct {
	files fs.FS

	mu   sync.Mutex
	tags map[string]string // ETag of a file, by its name; files never change while the process lives
}

// ServeHTTP answers GET and HEAD.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	// Isolated pages get clocks of 5 µs instead of 100, which the latencies on the page are measured with.
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Embedder-Policy", "require-corp")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name, ok := s.find(r.URL.Path)
	if !ok {
		header.Set("Cache-Control", "no-store")
		if name != index {
			http.Error(w, "not found", http.StatusNotFound)
			return
		}
		header.Set("Content-Type", types[".html"])
		_, _ = w.Write([]byte(notBuilt)) // the reader may be gone
		return
	}
	s.serve(w, r, name)
}

// find maps a path to a file. A path without a file and without an extension is one of the page's own addresses. The
// name of a file that does not exist comes back too, so that the caller can tell a missing page from a missing asset.
func (s *site) find(urlPath string) (string, bool) {
	name := strings.TrimPrefix(path.Clean("/"+urlPath), "/")
	if name == "" {
		name = index
	}
	if s.isFile(name) && !strings.HasPrefix(path.Base(name), ".") {
		return name, true
	}
	atRoot := !strings.Contains(name, "/")
	if strings.HasPrefix(name, "assets/") || atRoot && types[path.Ext(name)] != "" && name != index {
		return name, false
	}
	return index, s.isFile(index)
}

func (s *site) isFile(name string) bool {
	if !fs.ValidPath(name) {
		return false
	}
	info, err := fs.Stat(s.files, name)
	return err == nil && info.Mode().IsRegular()
}

func (s *site) serve(w http.ResponseWriter, r *http.Request, name string) {
	header := w.Header()
	header.Set("Content-Type", typeOf(name))
	if strings.HasPrefix(name, "assets/") {
		header.Set("Cache-Control", "public, max-age=31536000, immutable") // the name holds a hash of the content
	} else {
		header.Set("Cache-Control", "no-cache")
	}
	header.Set("Vary", "Accept-Encoding")
	file := name
	for _, encoding := range encodings {
		if accepts(r.Header.Get("Accept-Encoding"), encoding.name) && s.isFile(name+encoding.suffix) {
			file = name + encoding.suffix
			header.Set("Content-Encoding", encoding.name)
			break
		}
	}
	content, err := fs.ReadFile(s.files, file)
	if err != nil {
		header.Del("Content-Encoding")
		http.Error(w, "the page cannot be read", http.StatusInternalServerError)
		return
	}
	header.Set("ETag", s.tag(file, content))
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
}

func typeOf(name string) string {
	if known := types[path.Ext(name)]; known != "" {
		return known
	}
	if known := mime.TypeByExtension(path.Ext(name)); known != "" {
		return known
	}
	return "application/octet-stream"
}

func (s *site) tag(file string, content []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tag, ok := s.tags[file]; ok {
		return tag
	}
	sum := sha256.Sum256(content)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	s.tags[file] = tag
	return tag
}

// accepts reads Accept-Encoding (RFC 9110, 12.5.3): a coding that is listed, or covered by *, with a weight above 0.
func accepts(header, coding string) bool {
	star := false
	for part := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		weight, found := strings.CutPrefix(strings.ReplaceAll(parameters, " ", ""), "q=")
		wanted := !found || strings.Trim(weight, "0.") != ""
		switch strings.ToLower(strings.TrimSpace(name)) {
		case coding:
			return wanted
		case "*":
			star = wanted
		}
	}
	return star
}
