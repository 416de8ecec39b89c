package gcs

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

const (
	chunk = 8 << 20         // bytes that an upload holds in memory, so that it can be sent again; a multiple of 256 KiB
	mark  = "jarvis-upload" // metadata by which an upload whose answer was lost knows its own object
)

// Put implements bucket.Bucket. Up to 8 MiB go in one request, more in chunks of a resumable upload.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, opt bucket.PutOptions) (bucket.Object, error) {
	if err := check(ctx, key); err != nil {
		return bucket.Object{}, err
	}
	in := bucket.NewInput(ctx, r)
	buffered := bufio.NewReader(in)
	var data bytes.Buffer
	last, err := fill(&data, buffered)
	if err != nil {
		return bucket.Object{}, err
	}
	var stored *resource
	if last {
		stored, err = s.whole(ctx, key, data.Bytes(), opt)
	} else {
		stored, err = s.chunks(ctx, key, &data, buffered, opt)
	}
	if err == nil && stored == nil {
		err = errors.New("the store did not say what it stored")
	}
	if err != nil {
		if in.Err() != nil {
			return bucket.Object{}, in.Err()
		}
		return bucket.Object{}, s.fault(ctx, err, key)
	}
	return stored.object(), nil
}

// fill reads the next chunk and says whether it is the last.
func fill(data *bytes.Buffer, in *bufio.Reader) (last bool, err error) {
	data.Reset()
	if _, err := io.CopyN(data, in, chunk); err != nil {
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		return false, err
	}
	if _, err := in.Peek(1); err != nil {
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		return false, err
	}
	return false, nil
}

// describe is the beginning of an upload: its address, and what the store shall know of the object.
func (s *Store) describe(kind, key string, opt bucket.PutOptions, sum string) (address string, metadata []byte, id string, err error) {
	query := url.Values{"uploadType": {kind}, "name": {key}}
	described := map[string]any{"name": key}
	if opt.ContentType != "" {
		described["contentType"] = opt.ContentType
	}
	if sum != "" {
		described["crc32c"] = sum // the store refuses other bytes
	}
	if opt.IfAbsent {
		query.Set("ifGenerationMatch", "0")
		id = rand.Text()
		described["metadata"] = map[string]string{mark: id}
	}
	metadata, err = json.Marshal(described)
	return s.client.endpoint + "/upload/storage/v1/b/" + url.PathEscape(s.name) + "/o?" + query.Encode(), metadata, id, err
}

// whole stores an object with one request: metadata and contents as the two parts of a multipart/related body.
func (s *Store) whole(ctx context.Context, key string, data []byte, opt bucket.PutOptions) (*resource, error) {
	address, metadata, id, err := s.describe("multipart", key, opt, checksum(crc32.Checksum(data, castagnoli)))
	if err != nil {
		return nil, err
	}
	boundary := rand.Text() + rand.Text()
	var body bytes.Buffer
	body.Grow(len(data) + len(metadata) + 512)
	fmt.Fprintf(&body, "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n", boundary, metadata)
	fmt.Fprintf(&body, "--%s\r\nContent-Type: %s\r\n\r\n", boundary, contentType(opt))
	body.Write(data)
	fmt.Fprintf(&body, "\r\n--%s--\r\n", boundary)
	var stored resource
	err = s.client.json(ctx, request{
		method: http.MethodPost, address: address, body: body.Bytes(), repeat: true,
		header: http.Header{"Content-Type": {"multipart/related; boundary=" + boundary}},
	}, &stored)
	if opt.IfAbsent && status(err) == http.StatusPreconditionFailed {
		return s.ours(ctx, key, id, err)
	}
	if err != nil {
		return nil, err
	}
	return &stored, nil
}

func contentType(opt bucket.PutOptions) string {
	if opt.ContentType == "" || strings.ContainsAny(opt.ContentType, "\r\n") {
		return "application/octet-stream"
	}
	return opt.ContentType
}

// ours settles a creation that found the key taken: a first try whose answer was lost may have taken it.
func (s *Store) ours(ctx context.Context, key, id string, conflict error) (*resource, error) {
	there, err := s.stat(ctx, key)
	if err != nil || there.Metadata[mark] != id {
		return nil, conflict
	}
	return there, nil
}

// chunks stores an object by a resumable upload. It appears with the last chunk.
func (s *Store) chunks(ctx context.Context, key string, data *bytes.Buffer, in *bufio.Reader, opt bucket.PutOptions) (*resource, error) {
	address, metadata, id, err := s.describe("resumable", key, opt, "")
	if err != nil {
		return nil, err
	}
	response, err := s.client.do(ctx, request{
		method: http.MethodPost, address: address, body: metadata, repeat: true, // a session more is dropped after a week
		header: http.Header{"Content-Type": {"application/json; charset=UTF-8"}, "X-Upload-Content-Type": {contentType(opt)}},
	})
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close() // the header is all
	u := &upload{client: s.client, session: response.Header.Get("Location")}
	if u.session == "" {
		return nil, errors.New("the store opened no upload")
	}
	var sum uint32
	for last := false; ; {
		sum = crc32.Update(sum, castagnoli, data.Bytes())
		stored, err := u.send(ctx, data.Bytes(), last, sum)
		if opt.IfAbsent && status(err) == http.StatusPreconditionFailed {
			stored, err = s.ours(ctx, key, id, err)
		}
		if err == nil && (stored != nil) != last {
			err = errors.New("the store ended the upload at another byte")
		}
		if err == nil && last {
			return stored, s.verify(ctx, key, stored, sum)
		}
		if err == nil {
			last, err = fill(data, in)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			u.abandon(ctx)
			return nil, err
		}
	}
}

// verify takes an object back whose checksum is not that of what was sent.
func (s *Store) verify(ctx context.Context, key string, stored *resource, sum uint32) error {
	if stored.CRC32C == "" || stored.CRC32C == checksum(sum) {
		return nil
	}
	err := s.client.json(ctx, request{
		method: http.MethodDelete, repeat: true, address: s.object(key) + "?generation=" + strconv.FormatInt(stored.Generation, 10),
	}, nil)
	return errors.Join(fault.New(fault.Unavailable, "other bytes were stored than were sent").At(key).Try("try again"), err)
}

// upload is the session of a resumable upload.
type upload struct {
	client  *client
	session string // address
	offset  int64  // of the next byte that the store waits for
}

// send gives the store the next bytes. It returns the object when the upload is complete.
func (u *upload) send(ctx context.Context, data []byte, last bool, sum uint32) (*resource, error) {
	start, end, total, header := u.offset, u.offset+int64(len(data)), "*", http.Header{}
	if last {
		total = strconv.FormatInt(end, 10)
		header.Set("X-Goog-Hash", "crc32c="+checksum(sum))
	}
	for failed := 0; ; {
		before := u.offset
		stored, err := u.put(ctx, header, data[before-start:], before, total)
		if err != nil && !again(err, true) {
			return nil, err
		}
		if err != nil { // ask what the store has, and go on from there
			if failed++; failed >= tries || sleep(ctx, backoff(failed)) != nil {
				return nil, err
			}
			if stored, err = u.put(ctx, http.Header{}, nil, 0, total); err != nil {
				if again(err, true) {
					continue
				}
				return nil, err
			}
		}
		if stored != nil || u.offset == end && !last {
			return stored, nil
		}
		if u.offset < start || u.offset > end {
			return nil, errors.New("the store lost a part of the upload")
		}
		if u.offset > before {
			failed = 0
		} else if failed++; failed >= tries {
			return nil, errors.New("the upload does not get on")
		}
	}
}

// put sends one request of the session, with bytes from an offset on or, without any, as a question. It takes over the offset
// that the store has come to.
func (u *upload) put(ctx context.Context, header http.Header, body []byte, offset int64, total string) (*resource, error) {
	span := "*"
	if len(body) > 0 {
		span = fmt.Sprintf("%d-%d", offset, offset+int64(len(body))-1)
	}
	header.Set("Content-Range", "bytes "+span+"/"+total)
	response, err := u.client.do(ctx, request{method: http.MethodPut, address: u.session, header: header, body: body})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusPermanentRedirect {
		var stored resource
		return &stored, decode(response, &stored)
	}
	u.offset = 0
	if held := response.Header.Get("Range"); held != "" { // bytes=0-N
		n, err := strconv.ParseInt(strings.TrimPrefix(held, "bytes=0-"), 10, 64)
		if err != nil || n < 0 {
			return nil, errors.New("the store gave a broken Range")
		}
		u.offset = n + 1
	}
	return nil, nil
}

// abandon gives back what the upload holds. When it fails, the store drops it after a week.
func (u *upload) abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if response, err := u.client.do(ctx, request{method: http.MethodDelete, address: u.session}); err == nil {
		_ = response.Body.Close() // nobody waits for it
	}
}
