package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/infra/server"
	"github.com/jarvis-ml/jarvis/infra/server/docs"
	"github.com/jarvis-ml/jarvis/infra/server/front"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/job"
	"github.com/jarvis-ml/jarvis/web"
)

type serveCommand struct {
	Address   string        `help:"Address to listen on. Anything but loopback needs a token for every request." default:"127.0.0.1:8080"`
	Token     string        `help:"Bearer token for writes; better given by --token-file or JARVIS_TOKEN than on the command line." secret:""`
	TokenFile string        `help:"File that holds the token; on loopback one is made in your configuration folder when none is named." placeholder:"FILE"`
	Poll      time.Duration `help:"How often the bucket is asked for new versions and new data." default:"1s"`
	Threads   int           `help:"Cores for one prediction at most; 0 means all." default:"0"`
	MaxBody   int64         `help:"Bytes of a request body at most." default:"16777216"`
	Watch     bool          `help:"Retrain when data lands under inbox/NAME/ of the bucket." default:"true" negatable:""`

	Policy retrainPolicy `embed:""`
}

func (c serveCommand) Run(ctx context.Context, a *app) error {
	if err := c.Policy.check(); err != nil {
		return err
	}
	token, err := c.token(a)
	if err != nil {
		return err
	}
	b, err := a.bucket(ctx)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Address)
	if err != nil {
		return fault.New(fault.Invalid, "cannot listen there").At(c.Address).Because(err).Try("name another with --address 127.0.0.1:PORT")
	}
	wake := make(chan struct{}, 1)
	s := server.New(server.Options{
		Bucket: b, Token: token, Public: !loopback(c.Address), Page: web.Handler(), Docs: docs.Handler, Threads: c.Threads, MaxBody: c.MaxBody,
		Version: version(), Wake: func() { nudge(wake) },
	})
	if err := s.Refresh(ctx); err != nil {
		slog.Warn("the bucket cannot be read yet; it is tried again and again", "error", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go s.Run(ctx, c.Poll)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if c.Watch {
			c.watch(ctx, b, wake)
		}
	}()
	a.notice("Jarvis is on http://%s", listener.Addr())
	err = serveUntil(ctx, listener, s, s.Hot)
	stop()
	<-watched
	return err
}

// serveUntil answers until ctx ends, and then lets what was begun come to its end.
func serveUntil(ctx context.Context, l net.Listener, h http.Handler, hot func(*http.Request) bool) error {
	srv := &front.Server{Hot: hot, Timeout: server.DefaultTimeout, HTTP: &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fault.Wrap(err, fault.Internal, "the server stopped")
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		return fault.Wrap(err, fault.Canceled, "requests were cut off at shutdown")
	}
	return nil
}

// token reads or makes the token. A server that others can reach is not started without one.
func (c serveCommand) token(a *app) (string, error) {
	if c.Token != "" {
		return c.Token, nil
	}
	if c.TokenFile != "" {
		text, err := os.ReadFile(c.TokenFile)
		if token := strings.TrimSpace(string(text)); err == nil && token != "" {
			return token, nil
		}
		return "", fault.New(fault.Invalid, "the token file is empty or cannot be read").At(c.TokenFile).Because(err)
	}
	if !loopback(c.Address) {
		return "", fault.New(fault.Denied, "a server that other machines can reach needs a token").At("--address").
			Try("give one with --token-file FILE or JARVIS_TOKEN")
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", nil //nolint:nilerr // no home: without a token nothing can be written, and the answer to a write says so
	}
	return ownToken(a, filepath.Join(dir, "jarvis", "token"))
}

// ownToken reads the user's token, and makes it at the first time.
func ownToken(a *app, path string) (string, error) {
	text, err := os.ReadFile(path)
	if err == nil && len(text) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fault.New(fault.Invalid, "the token file cannot be read").At(path).Because(err)
	}
	token := rand.Text()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", nil //nolint:nilerr // a read-only home: as with no home
	}
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return "", nil //nolint:nilerr // as above
	}
	a.notice("the token for writes is in %s", path)
	return token, nil
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watch retrains what lands in the inbox, one file after the other.
func (c serveCommand) watch(ctx context.Context, b bucket.Bucket, wake <-chan struct{}) {
	r := c.Policy.retrainer(b)
	r.Report = func(e job.Event) {
		if e.Message != "" {
			slog.Info("training", "step", e.Stage, "message", e.Message)
		}
	}
	w := &job.Watcher{Retrainer: r}
	tick := time.NewTicker(max(c.Poll, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C:
		}
		w.Look(ctx, func(key string, result *job.Retrained, err error) {
			switch {
			case err != nil && key == "":
				slog.Warn("the inbox cannot be read; it is tried again and again", "error", err)
				return
			case err != nil:
				slog.Error("retraining failed; it is tried again", "key", key, "error", err, "hint", fault.HintOf(err))
				return
			}
			slog.Info("retraining", "key", key, "result", result.String())
		})
	}
}
