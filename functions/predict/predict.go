package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/jarvis-ml/jarvis/infra/lambda"
	"github.com/jarvis-ml/jarvis/infra/server"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// settings are what the environment says.
type settings struct {
	bucket   string        // JARVIS_BUCKET: address of the bucket
	gateway  bool          // JARVIS_AUTHORIZATION: "gateway": IAM or a JWT was checked before; "token": the function checks
	tokenRef string        // JARVIS_TOKEN_REF: ARN of the secret or parameter that holds the token
	refresh  time.Duration // JARVIS_REFRESH: how old the knowledge of the registry may be; "3s" when not set
}

// patience bounds how long a request waits for news of the registry. After it, it is answered with what is loaded.
const patience = 2 * time.Second

func read(getenv func(string) string) (s settings, err error) {
	s.bucket, s.tokenRef = getenv("JARVIS_BUCKET"), getenv("JARVIS_TOKEN_REF")
	if s.bucket == "" {
		return s, fault.New(fault.Invalid, "is not set").At("JARVIS_BUCKET").Try("set it to the address of the bucket, such as s3://NAME")
	}
	switch getenv("JARVIS_AUTHORIZATION") {
	case "gateway":
		s.gateway = true
	case "token":
		if s.tokenRef == "" {
			return s, fault.New(fault.Invalid, "is not set").At("JARVIS_TOKEN_REF").Try("set it to the ARN of the secret that holds the token")
		}
	default: // never open by accident
		return s, fault.New(fault.Invalid, "is neither gateway nor token").At("JARVIS_AUTHORIZATION")
	}
	s.refresh = 3 * time.Second
	if text := getenv("JARVIS_REFRESH"); text != "" {
		if s.refresh, err = time.ParseDuration(text); err != nil || s.refresh < 0 {
			return s, fault.New(fault.Invalid, "is not a duration such as 3s").At("JARVIS_REFRESH")
		}
	}
	return s, nil
}

// function is the server as Lambda sees it: no time passes between requests, so news are looked for within them.
type function struct {
	settings
	server *server.Server
	inner  string   // what the server knows as its token; who is let through here carries it
	token  [32]byte // SHA-256 of the token that callers must bring, unless gateway

	requests atomic.Int64
	settled  func() // called when the first request has been answered; may be nil

	mu      sync.Mutex
	checked time.Time // when the registry was last asked
}

// open reads the models and the token at the same time. A bucket that is out of reach is no reason not to start: the
// models are read when it is back, and until then readiness says so. A token that cannot be read is one.
func open(ctx context.Context, getenv func(string) string) (*function, error) {
	s, err := read(getenv)
	if err != nil {
		return nil, err
	}
	f := &function{settings: s, inner: rand.Text()}
	secret := make(chan error, 1)
	go func() { secret <- f.readToken(ctx) }()
	b, err := bucket.OpenURL(ctx, s.bucket)
	if err != nil {
		return nil, err
	}
	f.server = server.New(server.Options{Bucket: b, Token: f.inner, Public: true, Version: version})
	f.freshen(ctx, 8*time.Second) // of the ten that Lambda gives an init
	return f, <-secret
}

func (f *function) readToken(ctx context.Context) error {
	if f.gateway {
		return nil
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "the AWS configuration cannot be read")
	}
	token, err := lambda.Secret(ctx, cfg, f.tokenRef)
	f.token = sha256.Sum256([]byte(token))
	return err
}

// ServeHTTP answers one request.
func (f *function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.requests.Add(1) == 2 && f.settled != nil { // the environment may be frozen between the two
		f.settled()
	}
	f.freshen(r.Context(), patience)
	if f.allowed(r) {
		r.Header.Set("Authorization", "Bearer "+f.inner)
	} else {
		r.Header.Del("Authorization") // the server says what is missing
	}
	f.server.ServeHTTP(w, r)
}

// allowed reports whether the caller may ask. Behind a gateway everybody who comes this far may; what may be written is
// up to the function's role.
func (f *function) allowed(r *http.Request) bool {
	if f.gateway {
		return true
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	hash := sha256.Sum256([]byte(given))
	return ok && subtle.ConstantTimeCompare(hash[:], f.token[:]) == 1
}

// freshen looks for new versions when the last look is too long ago. One request looks; others that come meanwhile are
// answered with what is loaded.
func (f *function) freshen(ctx context.Context, atMost time.Duration) {
	if !f.mu.TryLock() {
		return
	}
	defer f.mu.Unlock()
	if !f.checked.IsZero() && time.Since(f.checked) < f.refresh {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	if err := f.server.Refresh(ctx); err != nil {
		slog.Warn("the registry could not be read; serving goes on with what is loaded", "error", err)
	}
	f.checked = time.Now()
}
