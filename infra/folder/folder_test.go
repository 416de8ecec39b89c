package folder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/bucket/buckettest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("JARVIS_FOLDER_CRASH"); dir != "" {
		crash(dir)
	}
	os.Exit(m.Run())
}

func open1(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConformance(t *testing.T) { buckettest.Run(t, open1(t, t.TempDir())) }

// The path that file systems without case take is exact on one with case as well, but for the pairs it refuses.
func TestFoldedCase(t *testing.T) {
	f := open1(t, t.TempDir())
	put(t, f, "Models/a", "x")
	f.folds.Store(true)
	put(t, f, "Models/b", "x")
	for _, key := range []string{"models/a", "Models/A", "Models/B"} {
		if _, err := f.Put(t.Context(), key, strings.NewReader("y"), bucket.PutOptions{}); !fault.Is(err, fault.Conflict) {
			t.Errorf("Put(%q): %v", key, err)
		}
	}
	if got, _, err := bucket.ReadAll(t.Context(), f, "Models/a", 10); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
}

func put(t *testing.T, f *Folder, key, text string) {
	t.Helper()
	if _, err := f.Put(t.Context(), key, strings.NewReader(text), bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestSymlinksDoNotEscape(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	f := open1(t, dir)
	put(t, f, "in/x", "x")
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	must(t, os.Symlink(outside, filepath.Join(dir, "out")))
	must(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "file")))
	for _, key := range []string{"out/secret", "file"} {
		if r, _, err := f.Open(t.Context(), key, 0, -1); err == nil {
			r.Close()
			t.Errorf("%s was read", key)
		}
	}
	if _, err := f.Put(t.Context(), "out/new", strings.NewReader("x"), bucket.PutOptions{}); err == nil {
		t.Error("a file was written outside")
	}
	put(t, f, "file", "new") // replaces the link, not what it points at
	if data, _ := os.ReadFile(filepath.Join(outside, "secret")); string(data) != "secret" {
		t.Errorf("the file outside became %q", data)
	}
	_ = f.Delete(t.Context(), "out/secret")
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Error("the file outside was deleted")
	}
	for o, err := range f.List(t.Context(), "") {
		if err != nil || (o.Key != "in/x" && o.Key != "file") {
			t.Errorf("listed %q, %v", o.Key, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFileAndFolderOfOneName(t *testing.T) {
	f := open1(t, t.TempDir())
	put(t, f, "a/b", "x")
	for _, opt := range []bucket.PutOptions{{}, {IfAbsent: true}} {
		for _, key := range []string{"a", "a/b/c"} {
			if _, err := f.Put(t.Context(), key, strings.NewReader("x"), opt); !fault.Is(err, fault.Invalid) {
				t.Errorf("Put(%q): %v", key, err)
			}
		}
	}
	must(t, f.Delete(t.Context(), "a/b"))
	put(t, f, "a", "x") // the empty folder that was left is no obstacle
}

// A folder that goes away is fault.Unavailable, not an empty bucket; it heals when it is back.
func TestFolderGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bucket")
	f := open1(t, dir)
	put(t, f, "a", "x")
	check := func(want fault.Code) {
		t.Helper()
		_, err := bucket.Stat(t.Context(), f, "a")
		if fault.CodeOf(err) != want {
			t.Errorf("got %v, want %q", err, want)
		}
		for _, err := range f.List(t.Context(), "") {
			if fault.CodeOf(err) != want {
				t.Errorf("List: got %v, want %q", err, want)
			}
		}
	}
	must(t, os.Rename(dir, dir+".away"))
	check(fault.Unavailable)
	must(t, os.Mkdir(dir, 0o777)) // an empty mount point
	check(fault.Unavailable)
	if _, err := f.Put(t.Context(), "b", strings.NewReader("x"), bucket.PutOptions{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Put: %v", err)
	}
	must(t, os.Remove(dir))
	must(t, os.Rename(dir+".away", dir))
	check("")
}

func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	f := open1(t, dir)
	put(t, f, "a", "x")
	old, young := filepath.Join(dir, tmp, "old"), filepath.Join(dir, tmp, "young")
	must(t, os.WriteFile(old, []byte("x"), 0o600))
	must(t, os.WriteFile(young, []byte("x"), 0o600))
	must(t, os.Chtimes(old, time.Time{}, time.Now().Add(-2*tmpAge)))
	open1(t, dir)
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Error("an old temporary file stayed")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("a young temporary file was removed")
	}
	for o, err := range f.List(t.Context(), "") {
		if err != nil || o.Key != "a" {
			t.Errorf("listed %q, %v", o.Key, err)
		}
	}
	if _, err := bucket.Stat(t.Context(), f, ".jarvis/tmp/young"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a temporary file can be opened: %v", err)
	}
}

func TestFullDiskAndDenied(t *testing.T) {
	if !fault.Is(translate(&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "k"), fault.Unavailable) {
		t.Error("a full disk is not unavailable")
	}
	if !fault.Is(translate(os.ErrPermission, "k"), fault.Denied) {
		t.Error("a permission is not denied")
	}
}

// content is what writer i stores: its length and bytes follow from i.
func content(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 200_000+i%1000) }

// crash overwrites one object and creates others until it is killed.
func crash(dir string) {
	f, err := New(dir)
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		ctx := context.Background()
		if _, err := f.Put(ctx, "hot", bytes.NewReader(content(i)), bucket.PutOptions{}); err != nil {
			panic(err)
		}
		key := fmt.Sprintf("cold/%d-%d", os.Getpid(), i)
		if _, err := f.Put(ctx, key, bytes.NewReader(content(i)), bucket.PutOptions{IfAbsent: true}); err != nil {
			panic(err)
		}
		fmt.Print(".") // it works; the test may kill it now
	}
}

// A process that is killed in mid-write, again and again, never leaves half an object.
func TestCrash(t *testing.T) {
	dir := t.TempDir()
	f := open1(t, dir)
	put(t, f, "hot", string(content(0)))
	rounds := 25
	if testing.Short() {
		rounds = 8
	}
	for round := range rounds {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "JARVIS_FOLDER_CRASH="+dir)
		alive, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		_, _ = alive.Read(make([]byte, 1))
		time.Sleep(time.Duration(1+7*round%60) * time.Millisecond)
		must(t, child.Process.Kill())
		_ = child.Wait()
	}
	seen := 0
	for o, err := range f.List(t.Context(), "") {
		must(t, err)
		data, _, err := bucket.ReadAll(t.Context(), f, o.Key, 1<<20)
		must(t, err)
		if len(data) < 200_000 || !bytes.Equal(data, bytes.Repeat(data[:1], len(data))) {
			t.Errorf("%s is half written: %d bytes", o.Key, len(data))
		}
		seen++
	}
	if seen < rounds {
		t.Errorf("only %d objects were written in %d rounds", seen, rounds)
	}
}
