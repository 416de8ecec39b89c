package gcs

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// store opens a bucket whose store is a handler.
func store(t *testing.T, handler http.HandlerFunc) *Store {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
	s, err := New(t.Context(), "bucket")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func answerObject(w http.ResponseWriter, r resource) { _ = json.NewEncoder(w).Encode(r) }

// A store that is busy for a moment, or hangs up, is asked again; one that refuses is not.
func TestRepeats(t *testing.T) {
	for name, c := range map[string]struct {
		fail  func(w http.ResponseWriter)
		calls int
		want  fault.Code // "" works in the end
	}{
		"busy":    {func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, 2, ""},
		"hangs":   {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 2, ""},
		"slow":    {func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }, 2, ""},
		"refused": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, 1, fault.Denied},
		"absent":  {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, 1, fault.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			s := store(t, func(w http.ResponseWriter, _ *http.Request) {
				if calls++; calls == 1 {
					c.fail(w)
					return
				}
				answerObject(w, resource{Name: "x", Size: 1})
			})
			_, err := bucket.Stat(t.Context(), s, "x")
			if calls != c.calls || c.want == "" && err != nil || c.want != "" && !fault.Is(err, c.want) {
				t.Errorf("%d calls, %v", calls, err)
			}
		})
	}
}

// A creation whose first answer is lost finds its own object there, and has won; another's object is a conflict.
func TestLostAnswer(t *testing.T) {
	for _, ours := range []bool{true, false} {
		var id string
		s := store(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				if !ours {
					id = "another"
				}
				answerObject(w, resource{Name: "x", Size: 1, ETag: "e", Metadata: map[string]string{mark: id}})
				return
			}
			body, _ := io.ReadAll(r.Body)
			if id == "" {
				_, rest, _ := strings.Cut(string(body), mark+`":"`)
				id, _, _ = strings.Cut(rest, `"`)
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusPreconditionFailed)
		})
		o, err := s.Put(t.Context(), "x", strings.NewReader("1"), bucket.PutOptions{IfAbsent: true})
		if ours && (err != nil || o.ETag != "e") || !ours && !fault.Is(err, fault.Conflict) {
			t.Errorf("ours %v: %+v, %v", ours, o, err)
		}
	}
}

// sessions is a store with one resumable upload. Its lines break as cut says.
type sessions struct {
	mu      sync.Mutex
	data    []byte
	puts    int
	cut     func(puts int) (keep int, lost bool) // how many bytes of a request arrive, and whether its answer is lost
	sum     string
	deleted bool
}

func (s *sessions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method {
	case http.MethodPost:
		w.Header().Set("Location", "http://"+r.Host+"/session")
	case http.MethodDelete:
		s.deleted = true
	case http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		keep, lost := len(body), false
		if len(body) > 0 {
			s.puts++
			keep, lost = s.cut(s.puts)
			keep = min(keep, len(body))
		}
		span, total, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
		if from, _, found := strings.Cut(span, "-"); found && from != strconv.Itoa(len(s.data)) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.data = append(s.data, body[:keep]...)
		if lost {
			panic(http.ErrAbortHandler)
		}
		if total == strconv.Itoa(len(s.data)) {
			answerObject(w, resource{Name: "x", Size: int64(len(s.data)), CRC32C: s.sum, Generation: 7})
			return
		}
		if len(s.data) > 0 {
			w.Header().Set("Range", "bytes=0-"+strconv.Itoa(len(s.data)-1))
		}
		w.WriteHeader(http.StatusPermanentRedirect)
	}
}

// An upload goes on where the store is, whatever part of a chunk arrived and whichever answer was lost.
func TestUploadGoesOn(t *testing.T) {
	data := make([]byte, 2*chunk+1000)
	_, _ = rand.Read(data)
	all := len(data)
	for name, cut := range map[string]func(int) (int, bool){
		"smooth":        func(int) (int, bool) { return all, false },
		"half a chunk":  func(n int) (int, bool) { return 5 << 20, n == 1 },
		"nothing":       func(n int) (int, bool) { return all * min(n-1, 1), n == 1 },
		"answer":        func(n int) (int, bool) { return all, n == 2 },
		"last answer":   func(n int) (int, bool) { return all, n == 3 },
		"short, silent": func(int) (int, bool) { return 3 << 20, false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &sessions{cut: cut}
			s := &Store{client: &client{http: http.DefaultClient}, name: "bucket"}
			listener := httptest.NewServer(server)
			defer listener.Close()
			s.client.endpoint = listener.URL
			s.client.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			o, err := s.Put(t.Context(), "x", bytes.NewReader(data), bucket.PutOptions{})
			if err != nil || o.Size != int64(all) || !bytes.Equal(server.data, data) {
				t.Errorf("%+v, %d of %d bytes, %v", o, len(server.data), all, err)
			}
		})
	}
}

// What the store received otherwise than it was sent is taken back.
func TestDamagedUpload(t *testing.T) {
	server := &sessions{cut: func(int) (int, bool) { return 1 << 30, false }, sum: "AAAAAA=="}
	s := store(t, server.ServeHTTP)
	_, err := s.Put(t.Context(), "x", bytes.NewReader(make([]byte, chunk+1)), bucket.PutOptions{})
	if !fault.Is(err, fault.Unavailable) || !server.deleted {
		t.Errorf("%v, deleted: %v", err, server.deleted)
	}
}

// A download goes on after a broken connection, by ranges of the same generation; damaged bytes are a fault.
func TestDownloadGoesOn(t *testing.T) {
	data := []byte("0123456789")
	for name, c := range map[string]struct {
		sum  string
		want fault.Code
	}{"whole": {"", ""}, "damaged": {"AAAAAA==", fault.Unavailable}} {
		t.Run(name, func(t *testing.T) {
			broken := false
			s := store(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("alt") != "media" {
					answerObject(w, resource{Name: "x", Size: 10, Generation: 3, CRC32C: c.sum})
					return
				}
				if r.URL.Query().Get("generation") != "3" {
					t.Errorf("asked for %s", r.URL)
				}
				if !broken {
					broken = true
					w.Header().Set("Content-Length", "10")
					_, _ = w.Write(data[:4])
					return
				}
				if got := r.Header.Get("Range"); got != "bytes=4-9" {
					t.Errorf("Range %q", got)
				}
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(data[4:])
			})
			got, _, err := bucket.ReadAll(t.Context(), s, "x", 100)
			if c.want == "" && (err != nil || !bytes.Equal(got, data)) || c.want != "" && !fault.Is(err, c.want) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// The text to sign is that of Google's conformance tests (googleapis/conformance-tests, storage/v1/v4_signatures.json, "Simple
// GET" and "Simple PUT"), and the signature is the key's.
func TestSignedURL(t *testing.T) {
	now := time.Date(2019, 2, 1, 9, 0, 0, 0, time.UTC)
	email := "test-iam-credentials@dummy-project-id.iam.gserviceaccount.com"
	for method, want := range map[string]string{
		"GET": "00e2fb794ea93d7adb703edaebdd509821fcc7d4f1a79ac5c8d2b394df109320",
		"PUT": "78742860705da91404222d5d66ff89850292471199c3c2808d116ad12e6177b4",
	} {
		toSign, _ := prepare("https://storage.googleapis.com", email, "test-bucket", "test-object", method, now, 10*time.Second)
		if toSign != "GOOG4-RSA-SHA256\n20190201T090000Z\n20190201/auto/storage/goog4_request\n"+want {
			t.Errorf("%s: %q", method, toSign)
		}
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{endpoint: "https://storage.googleapis.com", signer: &signer{
		email: email, key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}}
	address, err := c.sign(t.Context(), "test-bucket", "a b/ü+%", "GET", now, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || u.Path != "/test-bucket/a b/ü+%" {
		t.Fatalf("%s, %v", address, err)
	}
	signature, err := hex.DecodeString(u.Query().Get("X-Goog-Signature"))
	if err != nil {
		t.Fatal(err)
	}
	toSign, _ := prepare(c.endpoint, email, "test-bucket", "a b/ü+%", "GET", now, time.Minute)
	hash := sha256.Sum256([]byte(toSign))
	if err := rsa.VerifyPKCS1v15(&private.PublicKey, crypto.SHA256, hash[:], signature); err != nil {
		t.Error(err)
	}
}

// A service account's file gives a token, which goes with every request; without rights to one it is the credentials' fault.
func TestServiceAccount(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	refuse := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			if refuse {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token":"sesame","token_type":"Bearer","expires_in":3600}`)
			return
		}
		if r.Header.Get("Authorization") != "Bearer sesame" || r.Header.Get("X-Goog-User-Project") != "payer" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answerObject(w, resource{Name: "x", Size: 1})
	}))
	defer server.Close()
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "who@example.com", "token_uri": server.URL + "/token", "quota_project_id": "payer",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
	for _, refuse = range []bool{false, true} {
		s, err := New(t.Context(), "bucket")
		if err != nil {
			t.Fatal(err)
		}
		if s.client.endpoint != "https://storage.googleapis.com" || s.client.signer.email != "who@example.com" {
			t.Errorf("%+v", s.client)
		}
		s.client.endpoint = server.URL
		_, err = bucket.Stat(t.Context(), s, "x")
		if !refuse && err != nil || refuse && !fault.Is(err, fault.Denied) {
			t.Errorf("refused %v: %v", refuse, err)
		}
	}
	if err := os.WriteFile(path, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), "bucket"); !fault.Is(err, fault.Denied) || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a broken file: %v", err)
	}
}
