package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Blobs keeps contents under their own SHA-256, blobs/sha256/ab/abcd…: the same bytes are stored once, and what is
// read is checked against its name.
type Blobs struct{ b Bucket }

// NewBlobs returns the blobs of a bucket.
func NewBlobs(b Bucket) *Blobs { return &Blobs{b} }

// Blob names a content.
type Blob struct {
	SHA256 string `json:"sha256"` // 64 lower-case hexadecimal digits
	Size   int64  `json:"size"`   // bytes
}

// spoolAt is the size from which Put keeps a stream in a temporary file instead of memory, while its hash is unknown.
const spoolAt = 8 << 20

// BlobKey is where a content lies; fault.Invalid when sha is not a SHA-256 in lower-case hexadecimal.
func BlobKey(sha string) (string, error) {
	if raw, err := hex.DecodeString(sha); err != nil || len(raw) != sha256.Size || hex.EncodeToString(raw) != sha {
		return "", fault.New(fault.Invalid, "not a SHA-256 in lower-case hexadecimal").At("sha256")
	}
	return "blobs/sha256/" + sha[:2] + "/" + sha, nil
}

// PutBytes stores data. Where the name is taken the stored content is checked, and replaced when it is damaged.
func (s *Blobs) PutBytes(ctx context.Context, data []byte) (Blob, error) {
	sum := sha256.Sum256(data)
	blob := Blob{hex.EncodeToString(sum[:]), int64(len(data))}
	return blob, s.put(ctx, blob, func() (io.Reader, error) { return bytes.NewReader(data), nil })
}

// Put stores what r gives. More than 8 MiB wait in a temporary file of the machine until their hash is known.
func (s *Blobs) Put(ctx context.Context, r io.Reader) (Blob, error) {
	in := NewInput(ctx, r)
	var head bytes.Buffer
	if _, err := io.CopyN(&head, in, spoolAt); errors.Is(err, io.EOF) {
		return s.PutBytes(ctx, head.Bytes())
	} else if err != nil {
		return Blob{}, err
	}
	file, err := os.CreateTemp("", "jarvis-blob-*")
	if err != nil {
		return Blob{}, fault.Wrap(err, fault.Unavailable, "no temporary file for a large upload")
	}
	defer os.Remove(file.Name()) //nolint:errcheck // the system empties its temporary folder
	defer file.Close()           //nolint:errcheck // it is thrown away
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, sum), io.MultiReader(&head, in))
	if in.Err() != nil {
		return Blob{}, in.Err()
	}
	if err != nil {
		return Blob{}, fault.Wrap(err, fault.Unavailable, "the temporary file for a large upload cannot be written")
	}
	blob := Blob{hex.EncodeToString(sum.Sum(nil)), size}
	return blob, s.put(ctx, blob, func() (io.Reader, error) {
		_, err := file.Seek(0, io.SeekStart)
		return file, err
	})
}

func (s *Blobs) put(ctx context.Context, blob Blob, content func() (io.Reader, error)) error {
	key, err := BlobKey(blob.SHA256)
	if err != nil {
		return err
	}
	r, err := content()
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "cannot read the upload again")
	}
	_, err = s.b.Put(ctx, key, r, PutOptions{IfAbsent: true})
	if !fault.Is(err, fault.Conflict) {
		return err
	}
	err = s.Check(ctx, blob.SHA256)
	if !fault.Is(err, fault.Corrupt) {
		return err
	}
	if r, err = content(); err != nil {
		return fault.Wrap(err, fault.Unavailable, "cannot read the upload again")
	}
	_, err = s.b.Put(ctx, key, r, PutOptions{})
	return err
}

// Open reads a blob as a stream. Its last Read gives fault.Corrupt in place of io.EOF when the bytes do not have the
// hash, so act on nothing before the end has come.
func (s *Blobs) Open(ctx context.Context, sha string) (io.ReadCloser, Object, error) {
	key, err := BlobKey(sha)
	if err != nil {
		return nil, Object{}, err
	}
	r, object, err := s.b.Open(ctx, key, 0, -1)
	if err != nil {
		return nil, Object{}, err
	}
	return &checked{r, sha256.New(), sha}, object, nil
}

// ReadAll reads a blob of at most limit bytes and checks its hash: fault.Corrupt when it is another.
func (s *Blobs) ReadAll(ctx context.Context, sha string, limit int64) ([]byte, error) {
	key, err := BlobKey(sha)
	if err != nil {
		return nil, err
	}
	pieces, sum := make(chan []byte, 64), make(chan []byte, 1)
	go func() { // the hash is made while the rest is on its way
		h := sha256.New()
		for piece := range pieces {
			h.Write(piece)
		}
		sum <- h.Sum(nil)
	}()
	data, _, err := readAll(ctx, s.b, key, limit, func(piece []byte) { pieces <- piece })
	close(pieces)
	got := <-sum
	if err != nil {
		return nil, err
	}
	if hex.EncodeToString(got) != sha {
		return nil, corrupt(sha)
	}
	return data, nil
}

// Check reads a blob through and reports fault.Corrupt when it does not have its hash.
func (s *Blobs) Check(ctx context.Context, sha string) error {
	r, _, err := s.Open(ctx, sha)
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // only read
	_, err = io.Copy(io.Discard, r)
	return err
}

type checked struct {
	io.ReadCloser
	sum hash.Hash
	sha string
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && hex.EncodeToString(c.sum.Sum(nil)) != c.sha {
		return n, corrupt(c.sha)
	}
	return n, err
}

func corrupt(sha string) error {
	return fault.New(fault.Corrupt, "the stored bytes do not have the hash they were stored under").At("blob " + sha[:12]).
		Try("store the file again: that replaces the damaged copy")
}
