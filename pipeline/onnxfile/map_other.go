//go:build !unix

package onnxfile

import (
	"io"
	"os"
)

// contents reads a file where it cannot be mapped.
func contents(file *os.File, size int64) ([]byte, func() error, error) {
	b := make([]byte, size)
	_, err := io.ReadFull(file, b)
	return b, func() error { return nil }, err
}
