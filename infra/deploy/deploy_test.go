//go:build linux

// Package deploy has nothing to import: it tests the container image of this folder.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// image builds the image from the sources, without Docker and without a network.
func image(t *testing.T) (name string) {
	t.Helper()
	for _, program := range []string{"buildah", "podman", "runc"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("JARVIS_IMAGES") == "required" {
				t.Fatalf("%s is not installed: apt-get install buildah podman runc", program)
			}
			t.Skipf("%s is not installed: apt-get install buildah podman runc", program)
		}
	}
	dir := t.TempDir()
	run(t, "mkdir", "-p", filepath.Join(dir, "folders/data"), filepath.Join(dir, "folders/tmp"))
	run(t, "chmod", "1777", filepath.Join(dir, "folders/tmp"))
	certificates, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		t.Skip("this machine has no CA certificates to put into the image")
	}
	if err := os.WriteFile(filepath.Join(dir, "ca-certificates.crt"), certificates, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STORAGE_DRIVER", "vfs")
	t.Setenv("CGO_ENABLED", "0")
	run(t, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", filepath.Join(dir, "jarvis-"+runtime.GOARCH), "../../cmd/jarvis")
	name = "localhost/jarvis-image-test:latest"
	run(t, "buildah", "bud", "--isolation", "chroot", "--build-arg", "TARGETARCH="+runtime.GOARCH, "-f", "Dockerfile", "-t", name, dir)
	t.Cleanup(func() { _ = exec.Command("buildah", "rmi", "--force", name).Run() })
	return name
}

func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// The container trains, and does with an upload what AWS Batch has it do: without rights, without a network, and with a
// root file system that cannot be written.
func TestContainerTrainsAndRetrains(t *testing.T) {
	name := image(t)
	data := t.TempDir()
	if err := os.Chmod(data, 0o777); err != nil { // the container's user is not this test's
		t.Fatal(err)
	}
	in, err := filepath.Abs("../../testdata/penguins")
	if err != nil {
		t.Fatal(err)
	}
	jarvis := func(args ...string) string {
		t.Helper()
		return run(t, "podman", append([]string{
			"--runtime", "runc", "run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024",
			"-v", data + ":/data", "-v", in + ":/in:ro", name,
		}, args...)...)
	}
	jarvis("train", "/in/penguins.csv", "--target", "species", "--model", "linear", "--name", "penguins")

	inbox := filepath.Join(data, "bucket", "inbox", "penguins")
	run(t, "mkdir", "-p", inbox)
	run(t, "cp", filepath.Join(in, "penguins.csv"), inbox)
	run(t, "chmod", "-R", "a+rwX", data)
	if out := jarvis("retrain", "--bucket", "/data/bucket", "--margin", "0.5", "--", "inbox/penguins/penguins.csv"); !strings.Contains(out, "penguins promoted") {
		t.Errorf("retrain says %s", out)
	}
	if out := jarvis("models", "list"); !strings.Contains(out, "champion → 2") {
		t.Errorf("models list says %s", out)
	}
}
