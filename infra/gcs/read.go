package gcs

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is a CRC-32C as the store writes it.
func checksum(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// reader reads a range of one generation of an object. When the connection breaks it goes on where it was; an object that is
// read whole is held against its checksum.
type reader struct {
	ctx     context.Context
	open    func(ctx context.Context, offset, n int64) (io.ReadCloser, error)
	body    io.ReadCloser
	offset  int64
	left    int64
	sum     uint32
	want    string // checksum of the whole; "" when a part is read
	failed  int    // tries since bytes came
	problem error  // what all further reads give
}

// read asks for n > 0 bytes from offset on, by the generation, so that what is read is what was described.
func (s *Store) read(ctx context.Context, key string, object *resource, offset, n int64) (io.ReadCloser, error) {
	address := s.object(key) + "?alt=media&generation=" + strconv.FormatInt(object.Generation, 10)
	r := &reader{ctx: ctx, offset: offset, left: n, open: func(ctx context.Context, offset, n int64) (io.ReadCloser, error) {
		header := http.Header{}
		if object.Encoding == "gzip" { // else the store unpacks it, and neither size nor checksum fits
			header.Set("Accept-Encoding", "gzip")
		}
		if offset > 0 || n < object.Size {
			header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+n-1))
		}
		response, err := s.client.do(ctx, request{method: http.MethodGet, address: address, header: header, repeat: true})
		if err != nil {
			return nil, err
		}
		if header.Get("Range") != "" && response.StatusCode != http.StatusPartialContent {
			_ = response.Body.Close() // nothing of it was read
			return nil, fault.New(fault.Unavailable, "the store gave the whole object for a range").At(key)
		}
		return response.Body, nil
	}}
	if offset == 0 && n == object.Size {
		r.want = object.CRC32C
	}
	var err error
	r.body, err = r.open(ctx, offset, n)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.problem != nil {
			return 0, r.problem
		}
		if len(p) == 0 {
			return 0, nil
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.left)])
		if n > 0 {
			r.sum = crc32.Update(r.sum, castagnoli, p[:n])
			r.offset, r.left, r.failed = r.offset+int64(n), r.left-int64(n), 0
			if r.left == 0 {
				r.problem = r.end()
			}
			return n, nil
		}
		if err != nil {
			r.problem = r.resume(err)
		}
	}
}

// end is what comes after the last byte.
func (r *reader) end() error {
	if r.want != "" && checksum(r.sum) != r.want {
		return fault.New(fault.Unavailable, "other bytes arrived than were stored").Try("try again")
	}
	return io.EOF
}

// resume asks for what is left, after the answer broke off.
func (r *reader) resume(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	_ = r.body.Close() // it is broken
	r.body = http.NoBody
	if r.failed++; r.failed >= tries || r.ctx.Err() != nil || sleep(r.ctx, backoff(r.failed)) != nil {
		return err
	}
	body, err := r.open(r.ctx, r.offset, r.left)
	if err != nil {
		return err
	}
	r.body = body
	return nil
}

func (r *reader) Close() error {
	r.problem = errors.New("the object's reader is closed")
	return r.body.Close()
}
