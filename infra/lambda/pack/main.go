// Command pack builds Lambda functions and writes each as a zip with one file, bootstrap, for arm64 and amd64:
//
//	go run ./infra/lambda/pack [-o dist/lambda] [-arch arm64,amd64] [-version V] ./functions/predict ./functions/retrain
//
// The same source and the same Go give the same bytes, wherever and whenever it runs.
package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

// maxSize is what a zip may have at most, in bytes; larger ones start slower.
const maxSize = 12 << 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("pack", flag.ContinueOnError)
	folder := flags.String("o", "dist/lambda", "folder to write to")
	archs := flags.String("arch", "arm64,amd64", "processors, with commas between")
	version := flags.String("version", "dev", "version that the functions report")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return fmt.Errorf("name the packages to build, such as ./functions/predict")
	}
	if err := os.MkdirAll(*folder, 0o755); err != nil {
		return err
	}
	for _, pkg := range flags.Args() {
		for arch := range strings.SplitSeq(*archs, ",") {
			path := filepath.Join(*folder, filepath.Base(pkg)+"-"+arch+".zip")
			packed, size, err := pack(ctx, pkg, arch, *version)
			if err != nil {
				return fmt.Errorf("%s for %s: %w", pkg, arch, err)
			}
			if err := os.WriteFile(path, packed, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(out, "%s  %.1f MB (%.1f MB unpacked)  sha256 %x\n", path, float64(len(packed))/1e6, float64(size)/1e6, sha256.Sum256(packed))
			if len(packed) > maxSize {
				return fmt.Errorf("%s has %d bytes, more than %d", path, len(packed), maxSize)
			}
		}
	}
	return nil
}

// pack builds one package for one processor.
func pack(ctx context.Context, pkg, arch, version string) (packed []byte, size int, err error) {
	dir, err := os.MkdirTemp("", "pack")
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system empties its temporary folder
	path := filepath.Join(dir, "bootstrap")
	// lambda.norpc leaves out the protocol of the retired go1.x runtime. Neither paths nor the state of the work tree
	// get into the binary.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc",
		"-ldflags", "-s -w -buildid= -X main.version="+version, "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, 0, err
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	packed, err = archive(binary)
	return packed, len(binary), err
}

// archive is a zip with bootstrap in it: no time, no user, always the same compression.
func archive(binary []byte) ([]byte, error) {
	var buffer bytes.Buffer
	z := zip.NewWriter(&buffer)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	header.SetMode(fs.FileMode(0o755))
	w, err := z.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(binary); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}
