// Package onnxfile opens ONNX files on disk with the data that they keep beside them. It maps files into memory where the system can, so that
// weights are read when they are used; what a model decodes to is package onnx's affair.
package onnxfile

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/onnx"
)

// File is an open model file. Its bytes and those of its external data stay valid until Close.
type File struct {
	Bytes []byte // the file

	root  *os.Root // its folder, which external data may not leave
	parts map[string][]byte
	undo  []func() error
}

// Open maps a file. Errors: fault.NotFound.
func Open(path string) (*File, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, unreadable(path, err)
	}
	f := &File{root: root, parts: map[string][]byte{}}
	if f.Bytes, err = f.bring(filepath.Base(path)); err != nil {
		return nil, errors.Join(unreadable(path, err), f.Close())
	}
	return f, nil
}

func unreadable(path string, err error) error {
	return fault.New(fault.NotFound, "cannot read the model file").At(path).Because(err)
}

// Option makes model.Load find the external data.
func (f *File) Option() model.Option { return model.External(f.External) }

// Close gives the memory back. No program that was made from the file may run afterwards.
func (f *File) Close() error {
	err := f.root.Close()
	for _, undo := range f.undo {
		err = errors.Join(err, undo())
	}
	f.Bytes, f.parts, f.undo = nil, nil, nil
	return err
}

// External finds a tensor's data. Errors: fault.BadModel for a place outside of the folder or of the file.
func (f *File) External(e onnx.External) ([]byte, error) {
	all, err := f.bring(e.Location)
	if err != nil {
		return nil, fault.New(fault.BadModel, "the external data cannot be read").At(e.Location).Because(err).
			Try("external data lies in the folder of the model file, or below it")
	}
	if e.Offset > int64(len(all)) || e.Length > int64(len(all))-e.Offset {
		return nil, fault.New(fault.BadModel, "the external data reaches beyond the end of its file").At(e.Location)
	}
	return all[e.Offset : e.Offset+e.Length : e.Offset+e.Length], nil
}

// bring maps a file of the folder, once.
func (f *File) bring(name string) ([]byte, error) {
	name = filepath.Clean(filepath.FromSlash(name))
	if b, ok := f.parts[name]; ok {
		return b, nil
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // read only
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	b, undo, err := contents(file, info.Size())
	if err != nil {
		return nil, err
	}
	f.parts[name] = b
	f.undo = append(f.undo, undo)
	return b, nil
}
