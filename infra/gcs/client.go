package gcs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const (
	tries   = 5 // of a request that may be repeated
	pause   = 400 * time.Millisecond
	longest = 30 * time.Second // that a store's Retry-After is followed
	answer  = 64 << 20         // bytes of a JSON answer: a page of 1,000 keys is far below
)

// client sends requests to the store, again where that is harmless and can help.
type client struct {
	http     *http.Client // adds the token
	endpoint string       // https://storage.googleapis.com
	project  string       // that pays and counts, for a user's credentials; "" the bucket's own
	signer   *signer      // nil: nobody to sign with
}

// request is one call. Its body is in memory, so that it can be sent again.
type request struct {
	method, address string
	header          http.Header
	body            []byte
	repeat          bool // sending it twice does what sending it once does
}

// failure is an answer that is none of the expected ones.
type failure struct {
	status  int
	message string
}

func (f *failure) Error() string {
	return strings.TrimSpace(http.StatusText(f.status) + " " + f.message)
}

func status(err error) int {
	var f *failure
	if errors.As(err, &f) {
		return f.status
	}
	return 0
}

// json sends a request and decodes the answer; a nil into is not decoded.
func (c *client) json(ctx context.Context, r request, into any) error {
	response, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	return decode(response, into)
}

func decode(response *http.Response, into any) error {
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, answer)).Decode(into); err != nil {
		return fmt.Errorf("the answer is no JSON: %w", err)
	}
	return nil
}

// do sends a request until it succeeds, fails for good, or was tried often enough. The body of what it returns, which has a
// status of 2xx or is "resume incomplete" (308), is the caller's to close.
func (c *client) do(ctx context.Context, r request) (*http.Response, error) {
	for try := 1; ; try++ {
		response, err := c.send(ctx, r)
		if err == nil && (response.StatusCode/100 == 2 || response.StatusCode == http.StatusPermanentRedirect) {
			return response, nil
		}
		var after time.Duration
		if err == nil {
			after = retryAfter(response)
			err = refusal(response)
		}
		if try == tries || !again(err, r.repeat) || sleep(ctx, max(after, backoff(try))) != nil {
			return nil, err
		}
	}
}

func (c *client) send(ctx context.Context, r request) (*http.Response, error) {
	out, err := http.NewRequestWithContext(ctx, r.method, r.address, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	for name, values := range r.header {
		out.Header[name] = values
	}
	if c.project != "" {
		out.Header.Set("X-Goog-User-Project", c.project)
	}
	return c.http.Do(out)
}

// refusal reads what the store says. The JSON interface wraps it in an object, except where contents are asked for.
func refusal(response *http.Response) error {
	defer response.Body.Close() //nolint:errcheck // only read
	text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	var wrapped struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	f := &failure{status: response.StatusCode}
	if json.Unmarshal(text, &wrapped) == nil {
		f.message = wrapped.Error.Message
	} else if strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain") {
		f.message = string(text[:min(len(text), 500)])
	}
	return f
}

// again says whether a failed request is sent once more. The store itself asks for that with some statuses; after a broken
// connection nobody knows whether the request arrived, so that only what may arrive twice is.
func again(err error, repeat bool) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var token *oauth2.RetrieveError
	if errors.As(err, &token) {
		return repeat && token.Response != nil && passing(token.Response.StatusCode)
	}
	if s := status(err); s != 0 {
		return repeat && passing(s)
	}
	var network net.Error
	return repeat && (errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF))
}

func passing(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500 && status != http.StatusNotImplemented
}

// backoff doubles from try to try, and is random so that many clients spread.
func backoff(try int) time.Duration {
	full := pause << (try - 1)
	return full/2 + rand.N(full/2)
}

func retryAfter(response *http.Response) time.Duration {
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 3600))*time.Second, longest)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
