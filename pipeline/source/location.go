package source

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/pixels"
)

// Open returns the Source at a location: the path of a file, a folder of files of one schema, "-" for standard input,
// or the URL of an object or prefix in a bucket (s3://bucket/path). CSV, JSON lines and Parquet are read, each also
// compressed with gzip. Errors: NotFound, Denied, Invalid options; what is wrong with the content is said by the
// Source's methods, with file and line.
//
// In a folder, or under a prefix that ends with a slash or names no object, the files are taken in the byte order of
// their paths, folders within included. Names that begin with a dot or underscore are left out (_SUCCESS, .DS_Store),
// those without a known extension with a notice.
//
// A folder of pictures without data files, and the file of a picture, is a table of the columns image, each picture's
// path within the folder, and label, the name of the first folder on that path, where there is one. Files opens them.
func Open(ctx context.Context, location string, o Options) (Source, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, canceled(err)
	}
	switch {
	case location == "":
		return nil, fault.New(fault.Invalid, "no data is named").At("data").Try("name a file, a folder, a bucket URL, or - for standard input")
	case location == "-":
		in := o.Stdin
		if in == nil {
			in = os.Stdin
		}
		return newReader("standard input", []*input{streamInput("standard input", in, o.MaxBytes)}, o)
	case bucket.IsURL(location) && !strings.HasPrefix(location, "file://"):
		return openBucket(ctx, location, o)
	}
	location = strings.TrimPrefix(location, "file://")
	info, err := os.Stat(location)
	if err != nil {
		return nil, readFault(location, err)
	}
	if info.IsDir() {
		return openFolder(location, o)
	}
	if !info.Mode().IsRegular() { // a pipe or a device
		f, err := os.Open(location)
		if err != nil {
			return nil, readFault(location, err)
		}
		return newReader(location, []*input{streamInput(location, f, o.MaxBytes)}, o)
	}
	folder := filesIn(filepath.Dir(location))
	if o.Format == Auto && pixels.Named(location) {
		return (&found{name: location, pictures: []string{filepath.Base(location)}}).gallery(o, folder)
	}
	return at(location, fileInput(location, info), o, folder)
}

// at makes a reader of one file, beside which there may be others that it names.
func at(location string, in *input, o Options, open opener) (Source, error) {
	r, err := newReader(location, []*input{in}, o)
	if err != nil {
		return nil, err
	}
	r.beside = open
	return r, nil
}

// fileInput reads a file, and refuses to go on with one that is not the same any more.
func fileInput(path string, seen fs.FileInfo) *input {
	return &input{name: path, size: seen.Size(), open: func(context.Context) (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fault.New(fault.NotFound, "the file is gone").At(path).Try("it was there a moment ago: put it back, or name another")
			}
			return nil, err
		}
		now, err := f.Stat()
		if err != nil {
			_ = f.Close() // only read
			return nil, err
		}
		if now.Size() != seen.Size() || !now.ModTime().Equal(seen.ModTime()) {
			_ = f.Close() // only read
			return nil, changed(path)
		}
		return f, nil
	}}
}

// openFolder finds the files of a folder.
func openFolder(folder string, o Options) (Source, error) {
	all := found{name: folder}
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == folder {
			return nil
		}
		if hidden(e.Name()) {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		within, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		within = filepath.ToSlash(within)
		if e.IsDir() {
			all.folder(within + "/")
			return nil
		}
		info, err := os.Stat(path) // through a link
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			all.add(within, func() *input { return fileInput(path, info) })
		}
		return nil
	})
	if err != nil {
		return nil, readFault(folder, err)
	}
	return all.source(o, filesIn(folder))
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") }

// openBucket reads one object, or those under a prefix.
func openBucket(ctx context.Context, location string, o Options) (Source, error) {
	address, key, err := bucket.SplitURL(location)
	if err != nil {
		return nil, err
	}
	open := o.Bucket
	if open == nil {
		open = bucket.OpenURL
	}
	location, _, _ = strings.Cut(location, "?") // options of the bucket
	b, err := open(ctx, address)
	if err != nil {
		return nil, err
	}
	folder := strings.TrimSuffix(key, "/")
	if folder != "" {
		folder += "/"
	}
	all, empty := found{name: location}, true
	for object, err := range b.List(ctx, strings.TrimSuffix(key, "/")) {
		if err != nil {
			return nil, err
		}
		if object.Key == key && !strings.HasSuffix(key, "/") { // an object of just this name, which is also before all others in the order of keys
			base := location[strings.LastIndexByte(location, '/')+1:]
			beside := objectsIn(b, strings.TrimSuffix(location, base), strings.TrimSuffix(key, base))
			if o.Format == Auto && pixels.Named(key) {
				return (&found{name: location, pictures: []string{base}}).gallery(o, beside)
			}
			return at(location, objectInput(b, location, object), o, beside)
		}
		within, under := strings.CutPrefix(object.Key, folder)
		if !under || hiddenPath(strings.TrimSuffix(within, "/")) {
			continue
		}
		if empty = false; object.Size == 0 && strings.HasSuffix(within, "/") {
			all.folder(within)
			continue
		}
		all.add(within, func() *input { return objectInput(b, all.path(within), object) })
	}
	if empty {
		return nil, fault.New(fault.NotFound, "no such object, and none under this prefix").At(location).Try("check bucket and key")
	}
	return all.source(o, objectsIn(b, location, folder))
}

func hiddenPath(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if hidden(part) {
			return true
		}
	}
	return false
}

// objectInput reads an object, and refuses to go on with one that was replaced.
func objectInput(b bucket.Bucket, name string, seen bucket.Object) *input {
	return &input{name: name, size: seen.Size, open: func(ctx context.Context) (io.ReadCloser, error) {
		r, now, err := b.Open(ctx, seen.Key, 0, -1)
		if err != nil {
			return nil, err
		}
		if now.ETag != seen.ETag {
			_ = r.Close() // nothing of it was read
			return nil, changed(name)
		}
		return r, nil
	}}
}
