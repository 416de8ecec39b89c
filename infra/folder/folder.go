// Package folder is a bucket in a folder of the file system: the embedded default. Objects are plain files under their
// keys, so that a person can look at them and drop a file into the inbox with cp.
//
// A write goes to a temporary file in .jarvis/tmp, is synced, and is linked (create-if-absent) or renamed (overwrite)
// into place, so a crash at any moment leaves the old object or the new one. Files are reached through os.Root:
// neither a key nor a symbolic link leads outside. Symbolic links are no objects. The file system needs hard links.
package folder

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

func init() { bucket.Register("file", open) }

func open(_ context.Context, u *url.URL) (bucket.Bucket, error) {
	if err := bucket.CheckOptions(u); err != nil {
		return nil, err
	}
	if u.Host != "" && u.Host != "localhost" {
		return nil, fault.New(fault.Invalid, "a file address has no host").At("bucket").Try("write file:///path or the plain path")
	}
	return New(filepath.FromSlash(u.Path))
}

const (
	tmp    = bucket.Reserved + "/tmp"
	tmpAge = 24 * time.Hour // a temporary file of this age belongs to a process that died
)

// Folder is a bucket.Bucket in a folder.
type Folder struct {
	dir   string
	folds atomic.Bool // the file system takes "A" and "a" for one name

	mu     sync.Mutex
	root   *os.Root
	marked bool // .jarvis was there: when it is gone, so is the folder
}

var _ bucket.Bucket = (*Folder)(nil)

// New opens the bucket in dir, which is made when it is not there.
func New(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, translate(err, dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, translate(err, dir)
	}
	f := &Folder{dir: dir, root: root}
	if _, err := root.Lstat(bucket.Reserved); err == nil {
		f.marked = true
		f.folds.Store(foldsCase(root))
		f.sweep(time.Now())
	}
	return f, nil
}

// foldsCase asks the file system for a name in the other case.
func foldsCase(root *os.Root) bool {
	_, err := root.Lstat(strings.ToUpper(bucket.Reserved))
	return err == nil
}

// current returns the folder, opened anew when the one we knew was removed and another stands in its place.
func (f *Folder) current() (*os.Root, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := os.Stat(f.dir)
	if err != nil {
		return nil, gone(f.dir, err)
	}
	if known, err := f.root.Stat("."); err != nil || !os.SameFile(known, now) {
		root, err := os.OpenRoot(f.dir)
		if err != nil {
			return nil, gone(f.dir, err)
		}
		_ = f.root.Close() // of a folder that is gone
		f.root = root
	}
	if f.marked {
		if _, err := f.root.Lstat(bucket.Reserved); err != nil {
			return nil, gone(f.dir, err)
		}
	}
	return f.root, nil
}

func gone(dir string, cause error) error {
	return fault.New(fault.Unavailable, "the folder of the bucket is not there").At(dir).Because(cause).
		Try("mount or restore it; an empty folder in its place is not taken for it")
}

// prepare makes .jarvis/tmp. A folder that was marked once and is empty now is refused by current before.
func (f *Folder) prepare(root *os.Root) error {
	if err := root.MkdirAll(tmp, 0o777); err != nil {
		return translate(err, f.dir)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.marked {
		f.marked = true
		f.folds.Store(foldsCase(root))
	}
	return nil
}

// sweep removes temporary files of processes that died. Were one alive after all, its Put would fail, not corrupt.
func (f *Folder) sweep(now time.Time) {
	dir, err := f.root.Open(tmp)
	if err != nil {
		return
	}
	defer dir.Close() //nolint:errcheck // only read
	entries, _ := dir.ReadDir(-1)
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > tmpAge {
			_ = f.root.Remove(tmp + "/" + entry.Name()) // it is tried again at the next start
		}
	}
}

// Open implements bucket.Bucket.
func (f *Folder) Open(ctx context.Context, key string, offset, n int64) (io.ReadCloser, bucket.Object, error) {
	root, err := f.enter(ctx, key)
	if err != nil {
		return nil, bucket.Object{}, err
	}
	if err := bucket.CheckRange(offset); err != nil {
		return nil, bucket.Object{}, err
	}
	if found, err := root.Lstat(key); err != nil { // first, because opening a pipe would wait for its other end
		return nil, bucket.Object{}, translate(err, key)
	} else if !found.Mode().IsRegular() {
		return nil, bucket.Object{}, bucket.Missing(key)
	}
	if exact, err := f.exact(root, key); err != nil {
		return nil, bucket.Object{}, err
	} else if !exact {
		return nil, bucket.Object{}, bucket.Missing(key)
	}
	file, err := root.Open(key)
	if err != nil {
		return nil, bucket.Object{}, translate(err, key)
	}
	info, err := file.Stat()
	if err == nil && offset > 0 {
		_, err = file.Seek(offset, io.SeekStart)
	}
	if err != nil {
		_ = file.Close() // err says more
		return nil, bucket.Object{}, translate(err, key)
	}
	var r io.Reader = bucket.NewInput(ctx, file)
	if n >= 0 {
		r = io.LimitReader(r, n)
	}
	return struct {
		io.Reader
		io.Closer
	}{r, file}, object(key, info), nil
}

// Put implements bucket.Bucket.
func (f *Folder) Put(ctx context.Context, key string, r io.Reader, opt bucket.PutOptions) (bucket.Object, error) {
	root, err := f.enter(ctx, key)
	if err != nil {
		return bucket.Object{}, err
	}
	if err := f.prepare(root); err != nil {
		return bucket.Object{}, err
	}
	if opt.IfAbsent { // spares the writing; the link below decides
		if info, err := root.Lstat(key); err == nil && !info.IsDir() {
			return bucket.Object{}, bucket.Exists(key)
		}
	}
	name := tmp + "/" + rand.Text()
	info, err := write(ctx, root, name, r)
	if err != nil {
		_ = root.Remove(name)
		return bucket.Object{}, translate(err, key)
	}
	if opt.IfAbsent {
		err = f.place(root, key, func() error { return root.Link(name, key) })
		_ = root.Remove(name) // the object has its own link by now
	} else if err = f.place(root, key, func() error { return root.Rename(name, key) }); err != nil {
		_ = root.Remove(name)
	}
	if err != nil {
		return bucket.Object{}, err
	}
	return object(key, info), nil
}

// write fills the temporary file and syncs it.
func write(ctx context.Context, root *os.Root, name string, r io.Reader) (fs.FileInfo, error) {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // Sync gives the error
	in := bucket.NewInput(ctx, r)
	_, err = io.Copy(file, in)
	if in.Err() != nil {
		return nil, in.Err()
	}
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = bucket.Canceled(ctx)
	}
	if err != nil {
		return nil, err
	}
	return file.Stat()
}

// place brings a file to its key and syncs the folders that changed.
func (f *Folder) place(root *os.Root, key string, move func() error) error {
	if exact, err := f.exact(root, key); err != nil {
		return err
	} else if !exact {
		return fault.New(fault.Conflict, "another object differs only in upper and lower case").At(key).
			Try("this file system cannot keep both; choose another name")
	}
	folders := parents(key)
	fresh := len(folders) - 1 // the first folder to sync: the one above the first that is new
	for i := len(folders) - 1; i > 0; i-- {
		if _, err := root.Lstat(folders[i]); err == nil {
			break
		}
		fresh = i - 1
	}
	if err := root.MkdirAll(folders[len(folders)-1], 0o777); err != nil {
		return f.blocked(err, key)
	}
	err := move()
	if err != nil && isDir(root, key) && root.Remove(key) == nil { // an empty folder that was left over
		err = move()
	}
	if errors.Is(err, fs.ErrExist) && !isDir(root, key) {
		return bucket.Exists(key)
	}
	if err != nil {
		return f.blocked(err, key)
	}
	for _, folder := range folders[fresh:] {
		if err := syncDir(root, folder); err != nil {
			return translate(err, key)
		}
	}
	return nil
}

// blocked explains errors that come from a key being the folder of another.
func (f *Folder) blocked(err error, key string) error {
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.EISDIR) {
		return fault.New(fault.Invalid, "a file and a folder cannot have one name").At(key).Because(err).
			Try("choose a key that is not the folder of another object, and the other way round")
	}
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) {
		return fault.New(fault.Unsupported, "the file system has no hard links").At(key).Because(err).
			Try("put the bucket on a local disk")
	}
	return translate(err, key)
}

func isDir(root *os.Root, key string) bool {
	info, err := root.Lstat(key)
	return err == nil && info.IsDir()
}

// parents lists the folders above a key, from "." down.
func parents(key string) []string {
	all := []string{"."}
	for i, c := range key {
		if c == '/' {
			all = append(all, key[:i])
		}
	}
	return all
}

// exact reports whether no name along the key exists in another case. It costs nothing on file systems that tell
// upper from lower case.
func (f *Folder) exact(root *os.Root, key string) (bool, error) {
	if !f.folds.Load() {
		return true, nil
	}
	for _, folder := range parents(key) {
		rest := key
		if folder != "." {
			rest = key[len(folder)+1:]
		}
		name, _, _ := strings.Cut(rest, "/")
		entries, err := fs.ReadDir(root.FS(), folder)
		if errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
		if err != nil {
			return false, translate(err, key)
		}
		for _, entry := range entries {
			if entry.Name() != name && strings.EqualFold(entry.Name(), name) {
				return false, nil
			}
		}
	}
	return true, nil
}

// Delete implements bucket.Bucket. Folders stay.
func (f *Folder) Delete(ctx context.Context, key string) error {
	root, err := f.enter(ctx, key)
	if err != nil {
		return err
	}
	if info, err := root.Lstat(key); err != nil || !info.Mode().IsRegular() {
		if err = translate(err, key); fault.Is(err, fault.NotFound) {
			return nil
		}
		return err
	}
	if exact, err := f.exact(root, key); err != nil || !exact {
		return err
	}
	if err := root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return translate(err, key)
	}
	if err := syncDir(root, path.Dir(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return translate(err, key)
	}
	return nil
}

// URL implements bucket.Bucket: a folder has no URLs.
func (f *Folder) URL(context.Context, string, string, time.Duration) (string, error) {
	return "", fault.New(fault.Unsupported, "a folder has no presigned URLs").Try("read the object through the server")
}

func (f *Folder) enter(ctx context.Context, key string) (*os.Root, error) {
	if err := bucket.CheckKey(key); err != nil {
		return nil, err
	}
	if err := bucket.Canceled(ctx); err != nil {
		return nil, err
	}
	return f.current()
}

func translate(err error, where string) error {
	var known *fault.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return bucket.Missing(where)
	case errors.Is(err, fs.ErrPermission):
		return fault.New(fault.Denied, "the file system does not allow it").At(where).Because(err)
	case errors.Is(err, syscall.ENOSPC):
		return fault.New(fault.Unavailable, "the disk is full").At(where).Because(err).Try("make room and try again")
	case errors.Is(err, syscall.ENAMETOOLONG), strings.Contains(err.Error(), "escapes from parent"):
		return fault.New(fault.Invalid, "the file system does not take this key").At(where).Because(err)
	}
	return fault.New(fault.Unavailable, "the file system failed").At(where).Because(err)
}
