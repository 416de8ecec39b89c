package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The smallest program stands for the functions: what is tested is the zip and that building twice gives the same.
func TestReproducible(t *testing.T) {
	src := filepath.Join(t.TempDir(), "tiny")
	if err := os.Mkdir(src, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": "module tiny\n\ngo 1.24\n", "main.go": "package main\n\nvar version string\n\nfunc main() { println(version) }\n"} {
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(src)
	build := func(folder string) (map[string][]byte, string) {
		var out bytes.Buffer
		if err := run(t.Context(), []string{"-o", folder, "-version", "1.2.3", "."}, &out); err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{}
		for _, arch := range []string{"arm64", "amd64"} {
			raw, err := os.ReadFile(filepath.Join(folder, ".-"+arch+".zip"))
			if err != nil {
				t.Fatal(err)
			}
			files[arch] = raw
		}
		return files, out.String()
	}
	one, said := build(t.TempDir())
	two, _ := build(t.TempDir())
	for arch, raw := range one {
		if !bytes.Equal(raw, two[arch]) {
			t.Errorf("%s: two builds differ", arch)
		}
		if !strings.Contains(said, arch+".zip") {
			t.Errorf("%s is not told of: %s", arch, said)
		}
		checkZip(t, raw)
	}
	if bytes.Equal(one["arm64"], one["amd64"]) {
		t.Error("both processors got the same binary")
	}
}

// checkZip holds what Lambda needs: one executable file of this name at the root.
func checkZip(t *testing.T, raw []byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != 1 || z.File[0].Name != "bootstrap" || z.File[0].Mode() != 0o755 || !z.File[0].Modified.IsZero() && z.File[0].Modified.Year() > 1980 {
		t.Errorf("%+v", z.File[0].FileHeader)
	}
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	binary, err := io.ReadAll(f)
	if err != nil || !bytes.HasPrefix(binary, []byte("\x7fELF")) || !bytes.Contains(binary, []byte("1.2.3")) || bytes.Contains(binary, []byte(os.TempDir()+"/")) {
		t.Errorf("not the binary that was meant: %v", err)
	}
}

func TestErrors(t *testing.T) {
	if err := run(t.Context(), []string{"-o", t.TempDir()}, io.Discard); err == nil {
		t.Error("nothing to build is no error")
	}
	if err := run(t.Context(), []string{"-o", t.TempDir(), "./no-such-package"}, io.Discard); err == nil {
		t.Error("a failing build is no error")
	}
}
