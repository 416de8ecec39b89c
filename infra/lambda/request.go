package lambda

import (
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// request is the http.Request that a server would have made of what the client sent.
func request(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	if e.RequestContext.HTTP.Method == "" {
		return nil, fault.New(fault.Invalid, "the payload has no HTTP method").At("requestContext.http.method").
			Try("invoke the function through its HTTP API (payload format 2.0) or its Function URL")
	}
	body, size, err := requestBody(e)
	if err != nil {
		return nil, err
	}
	u := requestURL(e)
	header := requestHeader(e)
	host := header.Get("Host")
	if host == "" {
		host = e.RequestContext.DomainName
	}
	header.Del("Host")              // as net/http has it
	header.Del("Transfer-Encoding") // the body is whole
	r := &http.Request{
		Method:        strings.ToUpper(e.RequestContext.HTTP.Method),
		URL:           u,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          body,
		ContentLength: size,
		Host:          host,
		RemoteAddr:    net.JoinHostPort(e.RequestContext.HTTP.SourceIP, "0"),
		RequestURI:    u.RequestURI(),
	}
	return r.WithContext(ctx), nil
}

func requestBody(e events.APIGatewayV2HTTPRequest) (io.ReadCloser, int64, error) {
	if e.Body == "" {
		return http.NoBody, 0, nil
	}
	if !e.IsBase64Encoded {
		return io.NopCloser(strings.NewReader(e.Body)), int64(len(e.Body)), nil
	}
	raw, err := base64.StdEncoding.DecodeString(e.Body)
	if err != nil {
		return nil, 0, fault.New(fault.Invalid, "is not base64, though isBase64Encoded says so").At("body").Because(err)
	}
	return io.NopCloser(strings.NewReader(string(raw))), int64(len(raw)), nil
}

// requestURL takes the raw path and query. An HTTP API gives the path decoded, a Function URL as it was sent: what does
// not parse as an encoded path is one that was decoded.
func requestURL(e events.APIGatewayV2HTTPRequest) *url.URL {
	raw := e.RawPath
	if raw == "" {
		raw = e.RequestContext.HTTP.Path
	}
	// A stage other than $default is part of the raw path, and none of the handler's business.
	if stage := e.RequestContext.Stage; stage != "" && stage != "$default" {
		if rest, ok := strings.CutPrefix(raw, "/"+stage); ok && (rest == "" || rest[0] == '/') {
			raw = rest
		}
	}
	if !strings.HasPrefix(raw, "/") {
		raw = "/" + raw
	}
	u := &url.URL{Path: raw, RawQuery: e.RawQueryString}
	if decoded, err := url.PathUnescape(raw); err == nil {
		u.Path, u.RawPath = decoded, raw // RawPath is ignored by net/url unless it is an encoding of Path
	}
	return u
}

// requestHeader has the values of a repeated header joined by commas, as both endpoints give them (RFC 9110, 5.3), and
// the cookies, which come apart from the headers, in one line again (RFC 6265, 5.4).
func requestHeader(e events.APIGatewayV2HTTPRequest) http.Header {
	header := make(http.Header, len(e.Headers)+2)
	for name, value := range e.Headers {
		header.Set(name, value)
	}
	if len(e.Cookies) > 0 {
		header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	if id := e.RequestContext.RequestID; id != "" && header.Get("X-Request-Id") == "" {
		header.Set("X-Request-Id", id)
	}
	return header
}
