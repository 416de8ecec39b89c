package folder

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// List implements bucket.Bucket. Files whose path is no valid key, symbolic links and .jarvis are no objects. The
// names of one folder are held in memory at a time, per level.
func (f *Folder) List(ctx context.Context, prefix string) iter.Seq2[bucket.Object, error] {
	if err := bucket.CheckPrefix(prefix); err != nil {
		return bucket.Failed(err)
	}
	return func(yield func(bucket.Object, error) bool) {
		root, err := f.current()
		if err != nil {
			yield(bucket.Object{}, err)
			return
		}
		folder := ""
		if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
			folder = prefix[:i+1]
		}
		w := walk{ctx, root, prefix, yield}
		w.folder(folder)
	}
}

type walk struct {
	ctx    context.Context
	root   *os.Root
	prefix string
	yield  func(bucket.Object, error) bool
}

// folder yields what lies under a folder ("" or with its slash) and reports whether to go on. Entries are sorted as
// their keys continue: a folder by its name with a slash, so that "a.csv" comes before "a/b".
func (w *walk) folder(folder string) bool {
	name := strings.TrimSuffix(folder, "/")
	if name == "" {
		name = "."
	} else if info, err := w.root.Lstat(name); err != nil || !info.IsDir() {
		return err == nil || errors.Is(err, fs.ErrNotExist) || w.fail(err, folder)
	}
	dir, err := w.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		return w.fail(err, folder)
	}
	entries, err := dir.ReadDir(-1)
	_ = dir.Close() // only read
	if err != nil {
		return w.fail(err, folder)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(sortName(a), sortName(b)) })
	for _, entry := range entries {
		if !w.entry(folder+entry.Name(), entry) {
			return false
		}
	}
	return true
}

func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

func (w *walk) entry(key string, entry fs.DirEntry) bool {
	if err := bucket.Canceled(w.ctx); err != nil {
		return w.yield(bucket.Object{}, err) && false
	}
	if entry.IsDir() {
		inside := strings.HasPrefix(key+"/", w.prefix) || strings.HasPrefix(w.prefix, key+"/")
		return !inside || bucket.CheckKey(key) != nil || w.folder(key+"/")
	}
	if !entry.Type().IsRegular() || !strings.HasPrefix(key, w.prefix) || bucket.CheckKey(key) != nil {
		return true
	}
	info, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) { // deleted since
		return true
	}
	if err != nil {
		return w.fail(err, key)
	}
	return w.yield(object(key, info), nil)
}

func (w *walk) fail(err error, key string) bool {
	if err = translate(err, key); fault.Is(err, fault.NotFound) {
		return true
	}
	w.yield(bucket.Object{}, err)
	return false
}
