//go:build unix

package folder

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// object describes a file. The inode is in the ETag because an overwrite is always a new file, while sizes and the
// clock's ticks can be the same.
func object(key string, info fs.FileInfo) bucket.Object {
	var inode uint64
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = stat.Ino
	}
	etag := strconv.FormatUint(inode, 36) + "-" + strconv.FormatInt(info.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(info.Size(), 36)
	return bucket.Object{Key: key, Size: info.Size(), ETag: etag, Modified: info.ModTime()}
}

// syncDir makes the names in a folder durable.
func syncDir(root *os.Root, folder string) error {
	dir, err := root.Open(folder)
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // Sync gives the error
	return dir.Sync()
}
