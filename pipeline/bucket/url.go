package bucket

import (
	"context"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Opener opens the bucket that a URL names. The URL has no user part and no fragment.
type Opener func(ctx context.Context, u *url.URL) (Bucket, error)

var (
	openersMu sync.RWMutex
	openers   = map[string]Opener{"mem": openMemory}
	memories  = map[string]Bucket{}
)

// Register makes a driver known under a URL scheme. Drivers call it from init, so that a blank import links one.
func Register(scheme string, open Opener) {
	openersMu.Lock()
	defer openersMu.Unlock()
	openers[scheme] = open
}

// OpenURL opens a bucket by its address:
//
//	path, ./path, file:///path      a folder, made when it is not there
//	mem://name                      memory, shared in the process by name; mem:// is a new one
//	s3://bucket/prefix              with ?endpoint=http://127.0.0.1:7070&region=us-east-1&path_style=true
//	gs://bucket/prefix              Google Cloud Storage
//	azblob://container/prefix       Azure Blob Storage
//
// Secrets do not belong into the address: they come from each vendor's usual places. A scheme without a linked driver
// is fault.Unsupported, an option that the driver does not know fault.Invalid.
func OpenURL(ctx context.Context, address string) (Bucket, error) {
	u, err := parse(address)
	if err != nil {
		return nil, err
	}
	openersMu.RLock()
	open := openers[u.Scheme]
	openersMu.RUnlock()
	if open == nil {
		return nil, fault.New(fault.Unsupported, "this program has no driver for "+u.Scheme+"://").At("bucket").
			Try("known here: " + strings.Join(schemes(), ", "))
	}
	return open(ctx, u)
}

// SplitURL divides the address of one object into that of its bucket and its key:
// "s3://data/raw/a.csv?region=x" gives "s3://data?region=x" and "raw/a.csv". A folder's address has no such division.
func SplitURL(address string) (bucket, key string, err error) {
	u, err := parse(address)
	if err != nil {
		return "", "", err
	}
	if u.Scheme == "file" {
		return "", "", fault.New(fault.Invalid, "a path has no bucket in it").At("bucket")
	}
	key = strings.TrimPrefix(u.Path, "/")
	if err := CheckPrefix(key); err != nil {
		return "", "", err
	}
	u.Path, u.RawPath = "", ""
	return u.String(), key, nil
}

// IsURL reports whether a location is an address with a scheme rather than a path.
func IsURL(location string) bool {
	scheme, _, found := strings.Cut(location, "://")
	return found && len(scheme) > 1 && !strings.ContainsAny(scheme, `/\. `)
}

// CheckOptions refuses query options that a driver does not know, and reports the first by name.
func CheckOptions(u *url.URL, known ...string) error {
	for name := range u.Query() {
		if !slices.Contains(known, name) {
			return fault.New(fault.Invalid, "the bucket's address has an unknown option").At(name).
				Try("known options: " + strings.Join(known, ", "))
		}
	}
	return nil
}

func parse(address string) (*url.URL, error) {
	if address == "" {
		return nil, fault.New(fault.Invalid, "the bucket's address is empty").At("bucket")
	}
	if strings.ContainsRune(address, 0) {
		return nil, fault.New(fault.Invalid, "the bucket's address holds a NUL").At("bucket")
	}
	if !IsURL(address) {
		path, err := filepath.Abs(address)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "the bucket's path cannot be resolved")
		}
		return &url.URL{Scheme: "file", Path: path}, nil
	}
	u, err := url.Parse(address)
	if err != nil { // url.Error repeats the address, which may hold what should not be printed
		return nil, fault.New(fault.Invalid, "the bucket's address cannot be understood").At("bucket").
			Try("write it like s3://bucket/prefix?region=eu-central-1")
	}
	if u.User != nil || u.Fragment != "" {
		return nil, fault.New(fault.Invalid, "the bucket's address holds credentials or a fragment").At("bucket").
			Try("give credentials through the environment, not in the address")
	}
	return u, nil
}

func schemes() []string {
	openersMu.RLock()
	defer openersMu.RUnlock()
	var all []string
	for scheme := range openers {
		all = append(all, scheme+"://")
	}
	slices.Sort(all)
	return all
}

func openMemory(_ context.Context, u *url.URL) (Bucket, error) {
	if err := CheckOptions(u); err != nil {
		return nil, err
	}
	if u.Host == "" {
		return Sub(NewMemory(), strings.Trim(u.Path, "/"))
	}
	openersMu.Lock()
	b, ok := memories[u.Host]
	if !ok {
		b = NewMemory()
		memories[u.Host] = b
	}
	openersMu.Unlock()
	return Sub(b, strings.Trim(u.Path, "/"))
}
