package s3_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/infra/emulator"
	_ "github.com/jarvis-ml/jarvis/infra/s3"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/bucket/buckettest"
)

func openURL(t *testing.T, address string) bucket.Bucket {
	t.Helper()
	b, err := bucket.OpenURL(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) {
	server := emulator.S3(t, emulator.S3Options{})
	server.Setenv(t)
	buckettest.Run(t, openURL(t, server.URL()))
}

// What the credentials may not do, what is not there and what does not answer have codes of their own, and no error
// shows a secret.
func TestFaults(t *testing.T) {
	server := emulator.S3(t, emulator.S3Options{})
	server.Setenv(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	stat := func(address string) error {
		t.Helper()
		_, _, err := openURL(t, address).Open(t.Context(), "a/b", 0, -1)
		if err != nil && (strings.Contains(err.Error(), "Signature") && strings.Contains(err.Error(), "AWS4") || strings.Contains(err.Error(), server.SecretKey)) {
			t.Errorf("the error tells too much: %v", err)
		}
		return err
	}
	if err := stat(server.URL()); !fault.Is(err, fault.NotFound) {
		t.Errorf("a missing object: %v", err)
	}
	if err := stat(strings.Replace(server.URL(), "s3://jarvis", "s3://another", 1)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a missing bucket: %v", err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	if err := stat(server.URL()); !fault.Is(err, fault.Denied) {
		t.Errorf("a wrong secret: %v", err)
	}
	server.Setenv(t)
	server.Stop()
	if err := stat(server.URL()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a server that is gone: %v", err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := stat(server.URL()); !fault.Is(err, fault.NotFound) {
		t.Errorf("a server that is back: %v", err)
	}
}

func TestBadAddresses(t *testing.T) {
	for _, address := range []string{
		"s3://", "s3:///prefix", "s3://b?endpoint=nonsense", "s3://b?endpoint=ftp://x", "s3://b?path_style=maybe", "s3://b?secret=x",
		"s3://key:secret@b", "s3://b/../x", "s3://b?endpoint=http://key:secret@host",
	} {
		_, err := bucket.OpenURL(t.Context(), address)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", address, err)
		} else if strings.Contains(err.Error(), "secret@") {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}

// AWS answers 409 when two conditional writes of a key overlap; the driver asks again.
func TestUndecidedRace(t *testing.T) {
	tries := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries++
		if r.Header.Get("If-None-Match") != "*" {
			t.Errorf("If-None-Match is %q", r.Header.Get("If-None-Match"))
		}
		code, status := "ConditionalRequestConflict", 409
		if tries > 2 {
			code, status = "PreconditionFailed", 412
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<Error><Code>" + code + "</Code><Message>m</Message></Error>"))
	}))
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	b := openURL(t, "s3://b?path_style=true&endpoint="+server.URL)
	_, err := b.Put(t.Context(), "k", strings.NewReader("x"), bucket.PutOptions{IfAbsent: true})
	if !fault.Is(err, fault.Conflict) || tries != 3 {
		t.Errorf("%v after %d tries", err, tries)
	}
}
