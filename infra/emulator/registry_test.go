package emulator_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/infra/emulator"
	_ "github.com/jarvis-ml/jarvis/infra/folder"
	_ "github.com/jarvis-ml/jarvis/infra/s3"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

// The registry is held here to what only operating-system processes on a real store can show.

const (
	processes = 8
	each      = 25 // promotions of one process: 200 in all
)

func TestMain(m *testing.M) {
	switch os.Getenv("JARVIS_CHILD") {
	case "promote":
		exit(promote())
	case "publish":
		exit(publishForever())
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func openRegistry(ctx context.Context) (*registry.Registry, error) {
	b, err := bucket.OpenURL(ctx, os.Getenv("JARVIS_BUCKET"))
	if err != nil {
		return nil, err
	}
	return registry.Open(b), nil
}

// promote is a child: all its promotions at the same time, each with a reason of its own.
func promote() error {
	ctx := context.Background()
	r, err := openRegistry(ctx)
	if err != nil {
		return err
	}
	who, errs := os.Getenv("JARVIS_WHO"), make(chan error)
	for i := range each {
		go func() { errs <- r.Promote(ctx, "m", 1+i%3, registry.Champion, who, strconv.Itoa(i)) }()
	}
	for range each {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// publishForever is a child that publishes and promotes until it is killed.
func publishForever() error {
	ctx := context.Background()
	r, err := openRegistry(ctx)
	for i := 0; err == nil; i++ {
		artifact := bytes.Repeat(fmt.Appendf(nil, "%d-%d ", os.Getpid(), i), 20_000)
		_, err = r.Publish(ctx, "m", artifact, registry.PublishOptions{Who: "child", Aliases: []string{registry.Champion}})
		fmt.Print(".") // it works; the test may kill it now
	}
	return err
}

func child(mode, who, address string, env []string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), env...), "JARVIS_CHILD="+mode, "JARVIS_WHO="+who, "JARVIS_BUCKET="+address)
	return cmd
}

func stores(t *testing.T, test func(t *testing.T, address string, env []string)) {
	t.Run("folder", func(t *testing.T) { test(t, t.TempDir(), nil) })
	t.Run("s3", func(t *testing.T) {
		server := emulator.S3(t, emulator.S3Options{})
		server.Setenv(t)
		test(t, server.URL(), server.Env())
	})
}

func open(t *testing.T, address string) *registry.Registry {
	t.Helper()
	b, err := bucket.OpenURL(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return registry.Open(b)
}

// Two hundred concurrent promotions from eight processes leave one linear history and lose nothing.
func TestConcurrentPromotions(t *testing.T) {
	stores(t, func(t *testing.T, address string, env []string) {
		r := open(t, address)
		for i := range 3 {
			if _, err := r.Publish(t.Context(), "m", fmt.Appendf(nil, "%d", i), registry.PublishOptions{Who: "test"}); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		results := make(chan error)
		for p := range processes {
			go func() {
				output, err := child("promote", fmt.Sprint(p), address, env).CombinedOutput()
				if err != nil {
					err = fmt.Errorf("%w: %s", err, output)
				}
				results <- err
			}()
		}
		for range processes {
			if err := <-results; err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%d promotions from %d processes in %v", processes*each, processes, time.Since(start).Round(time.Millisecond))
		history, err := open(t, address).History(t.Context(), "m")
		if err != nil {
			t.Fatal(err)
		}
		seen, champion := map[string]bool{}, 0
		for i, e := range history {
			if e.Number != uint64(i+1) {
				t.Fatalf("entry %d has number %d", i, e.Number)
			}
			if e.Kind != "promote" {
				continue
			}
			if e.Previous != champion {
				t.Fatalf("entry %d follows champion %d, but says %d", e.Number, champion, e.Previous)
			}
			champion = e.Version
			seen[e.Who+" "+e.Why] = true
		}
		if len(seen) != processes*each || len(history) != 3+processes*each {
			t.Errorf("%d promotions in %d entries; want %d in %d", len(seen), len(history), processes*each, 3+processes*each)
		}
		if v, err := r.Resolve(t.Context(), "m"); err != nil || v.Number != champion {
			t.Errorf("the champion is %d, the history says %d, %v", v.Number, champion, err)
		}
	})
}

// A process that is killed in mid-publication, again and again, leaves no version without its artifact, no alias
// without its version, and nothing that stops the next.
func TestKilledPublishers(t *testing.T) {
	stores(t, func(t *testing.T, address string, env []string) {
		for round := range 8 {
			cmd := child("publish", "", address, env)
			var output strings.Builder
			cmd.Stderr = &output
			alive, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_, _ = alive.Read(make([]byte, 1))
			time.Sleep(time.Duration(3+7*round) * time.Millisecond)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if output.Len() > 0 {
				t.Fatal(output.String())
			}
		}
		r := open(t, address)
		m, err := r.Show(t.Context(), "m")
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range m.Versions {
			if v.Number != i+1 {
				t.Errorf("version %d has number %d", i+1, v.Number)
			}
			if _, err := r.Load(t.Context(), v); err != nil {
				t.Error(err)
			}
		}
		if m.Aliases[registry.Champion] != len(m.Versions) {
			t.Errorf("the champion is %d of %d", m.Aliases[registry.Champion], len(m.Versions))
		}
		t.Logf("%d versions", len(m.Versions))
		if _, err := r.Publish(t.Context(), "m", []byte("after"), registry.PublishOptions{Who: "test"}); err != nil {
			t.Error(err)
		}
	})
}

// While the store is away a reader keeps what it has and gets fault.Unavailable; it goes on when the store is back.
func TestStoreAway(t *testing.T) {
	server := emulator.S3(t, emulator.S3Options{})
	server.Setenv(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	r := open(t, server.URL())
	if _, err := r.Publish(t.Context(), "m", []byte("1"), registry.PublishOptions{Who: "test", Aliases: []string{registry.Champion}}); err != nil {
		t.Fatal(err)
	}
	w := r.Watcher("m")
	if changed, err := w.Poll(t.Context()); err != nil || len(changed) != 1 {
		t.Fatal(changed, err)
	}
	server.Stop()
	if changed, err := w.Poll(t.Context()); err == nil || len(changed) != 0 {
		t.Errorf("%q, %v while the store is away", changed, err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if changed, err := w.Poll(t.Context()); err != nil || len(changed) != 0 {
		t.Errorf("%q, %v when it is back", changed, err)
	}
	if err := r.Promote(t.Context(), "m", 1, "blue", "test", ""); err != nil {
		t.Error(err)
	}
	if changed, err := w.Poll(t.Context()); err != nil || len(changed) != 1 {
		t.Errorf("%q, %v after a change", changed, err)
	}
}
