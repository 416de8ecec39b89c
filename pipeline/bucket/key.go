package bucket

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Limits on keys. They are those of the narrowest store, so that what fits one fits all.
const (
	MaxKey     = 1000 // bytes in a key; S3 and GCS allow 1,024
	MaxSegment = 240  // bytes between two slashes; file systems allow 255
)

// Reserved is the first segment that drivers keep for themselves (the folder's temporary files).
const Reserved = ".jarvis"

// CheckKey reports why a key cannot be used, as fault.Invalid. Every driver calls it first, so a path that climbs out
// of its store never reaches one. A key is valid UTF-8 of 1 to MaxKey bytes; its segments are not empty, have at most
// MaxSegment bytes, do not end in a dot (so neither "." nor ".." is one), and hold no backslash and no control
// character. A key should not be the folder of another ("a" and "a/b"): folders refuse the second.
func CheckKey(key string) error {
	if key == "" {
		return badKey(key, "is empty")
	}
	if len(key) > MaxKey {
		return badKey(key[:40]+"…", "has more than 1,000 bytes")
	}
	return checkPath(key)
}

// CheckPrefix is CheckKey for the argument of List: it may be empty and end anywhere, also in a slash.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if len(prefix) > MaxKey {
		return badKey(prefix[:40]+"…", "has more than 1,000 bytes")
	}
	folders, last := splitLast(prefix)
	if folders != "" {
		if err := checkPath(folders); err != nil {
			return err
		}
	} else if strings.HasPrefix(prefix, "/") {
		return badKey(prefix, "starts with a slash")
	}
	if last = strings.TrimRight(last, "."); last == "" {
		return nil
	}
	return checkPath("x/" + last)
}

func splitLast(path string) (folders, last string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

func checkPath(path string) error {
	if !utf8.ValidString(path) {
		return badKey("key", "is not UTF-8")
	}
	for _, r := range path {
		if r == '\\' || unicode.IsControl(r) || r == 0xfffe || r == 0xffff {
			return badKey(path, "holds a backslash or a control character")
		}
	}
	for i, rest := 0, path; ; i++ {
		segment, after, more := strings.Cut(rest, "/")
		switch {
		case segment == "":
			return badKey(path, "has an empty segment or a slash at an end")
		case strings.HasSuffix(segment, "."):
			return badKey(path, "has a segment that ends in a dot")
		case len(segment) > MaxSegment:
			return badKey(path, "has a segment of more than 240 bytes")
		case i == 0 && segment == Reserved:
			return badKey(path, "starts with the reserved segment "+Reserved)
		}
		if !more {
			return nil
		}
		rest = after
	}
}

func badKey(key, why string) error {
	return fault.New(fault.Invalid, "the key "+why).At(strings.ToValidUTF8(strings.Map(visible, key), "?")).
		Try(`use a relative path such as "models/penguins/1.onnx"`)
}

func visible(r rune) rune {
	if unicode.IsControl(r) {
		return '?'
	}
	return r
}
