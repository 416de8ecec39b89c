package source

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// mostFile is the largest file that is opened by its name, in bytes.
const mostFile = 256 << 20

// opener reads the file that a value of the data names.
type opener = func(ctx context.Context, ref string) ([]byte, error)

// Files returns what opens the files that values of a source name, such as pictures: paths (or keys) within the folder that was opened, or within the folder
// of the file that was. What leads out of it is refused. Nil for a source that lies in no folder, as standard input.
// Errors: fault.NotFound, fault.Denied, fault.TooLarge beyond 256 MiB, and those of the bucket.
func Files(src Source) func(ctx context.Context, ref string) ([]byte, error) {
	if f, ok := src.(interface {
		Files() func(ctx context.Context, ref string) ([]byte, error)
	}); ok {
		return f.Files()
	}
	return nil
}

// within makes a reference one relative to a folder, with slashes.
func within(folder, ref string) (string, error) {
	if rest, ok := strings.CutPrefix(ref, strings.TrimSuffix(folder, "/")+"/"); ok && folder != "" {
		ref = rest
	}
	if strings.Contains(ref, "://") {
		return "", fault.New(fault.Unsupported, "a file at another place, which is not opened").At(ref).Try("copy the files into the folder of the data, and name them by their paths in it")
	}
	clean := path.Clean(filepath.ToSlash(ref))
	if clean == "." || path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") || !filepath.IsLocal(filepath.FromSlash(clean)) || strings.Contains(clean, "\x00") {
		return "", fault.New(fault.Denied, "a file outside of the data's folder is not opened").At(ref).Try("put the files into the folder of the data, and name them by their paths in it")
	}
	return clean, nil
}

// filesIn opens files in a folder.
func filesIn(folder string) opener {
	whole, err := filepath.Abs(folder)
	if err != nil {
		whole = folder
	}
	return func(ctx context.Context, ref string) ([]byte, error) {
		if err := ctx.Err(); err != nil {
			return nil, canceled(err)
		}
		in, err := within(filepath.ToSlash(whole), strings.TrimPrefix(ref, "file://"))
		if err != nil {
			return nil, err
		}
		name := filepath.Join(folder, filepath.FromSlash(in))
		info, err := os.Stat(name)
		if err != nil {
			return nil, readFault(ref, err)
		}
		if !info.Mode().IsRegular() {
			return nil, fault.New(fault.BadData, "not a file").At(ref)
		}
		if info.Size() > mostFile {
			return nil, largeFile(ref)
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, readFault(ref, err)
		}
		defer f.Close() //nolint:errcheck // only read
		return readFile(ref, f, info.Size())
	}
}

// objectsIn opens objects whose keys begin with a prefix, which ends with a slash or is empty.
func objectsIn(b bucket.Bucket, location, prefix string) opener {
	return func(ctx context.Context, ref string) ([]byte, error) {
		in, err := within(location, ref)
		if err != nil {
			return nil, err
		}
		r, o, err := b.Open(ctx, prefix+in, 0, -1)
		if err != nil {
			if fault.Is(err, fault.NotFound) {
				return nil, fault.New(fault.NotFound, "no such object").At(ref).Try("check the key")
			}
			return nil, err
		}
		defer r.Close() //nolint:errcheck // only read
		if o.Size > mostFile {
			return nil, largeFile(ref)
		}
		return readFile(ref, r, o.Size)
	}
}

func largeFile(ref string) error {
	return fault.New(fault.TooLarge, "a file of more than "+strconv.Itoa(mostFile>>20)+" MiB").At(ref).Try("make it smaller, or leave it out")
}

// readFile reads what is about size bytes long.
func readFile(ref string, r io.Reader, size int64) ([]byte, error) {
	b := make([]byte, 0, max(size, 0)+512)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return nil, readFault(ref, err)
		}
		if len(b) > mostFile {
			return nil, largeFile(ref)
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}
