package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/infra/server/front"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

// ways are two listeners before one server: net/http alone, and the front.
type ways struct {
	plain, front string // addresses
	hot          atomic.Int64
}

func newWays(t *testing.T, opt Options) *ways {
	t.Helper()
	opt.Bucket, opt.Log = bucket.NewMemory(), slog.New(slog.DiscardHandler)
	f := newFixture(t, opt)
	f.publish("flowers", flowers(t, 1), registry.Champion)
	f.publish("flowers", flowers(t, 2), registry.Candidate)
	f.refresh()
	w := new(ways)
	handler := http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if _, hot := r.Context().Deadline(); hot {
			w.hot.Add(1)
		}
		f.ServeHTTP(out, r)
	})
	listen := func() net.Listener {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	l, l2 := listen(), listen()
	w.plain, w.front = l.Addr().String(), l2.Addr().String()
	plain := &http.Server{Handler: handler, MaxHeaderBytes: 64 << 10, ReadHeaderTimeout: time.Minute, ErrorLog: quiet}
	go func() { _ = plain.Serve(l) }()
	quick := &front.Server{HTTP: &http.Server{Handler: handler, MaxHeaderBytes: 64 << 10, ReadHeaderTimeout: time.Minute, ErrorLog: quiet}, Hot: f.Hot, Timeout: time.Minute}
	go func() { _ = quick.Serve(l2) }()
	t.Cleanup(func() {
		_ = plain.Close()
		_ = quick.Shutdown(t.Context())
	})
	return w
}

// talk sends the parts of a conversation with a pause between them and returns the answers: as they came, and parsed.
func talk(t *testing.T, address, method string, answers int, parts []string) (raw string, parsed []string) {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		for i, p := range parts {
			if i > 0 {
				time.Sleep(30 * time.Millisecond)
			}
			_, _ = io.WriteString(c, strings.ReplaceAll(p, "ADDRESS", "127.0.0.1:80")) // the server may close before it has all
		}
	}()
	var heard bytes.Buffer
	r := bufio.NewReader(io.TeeReader(c, &heard))
	for range answers {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return heard.String(), append(parsed, err.Error())
		}
		body, _ := io.ReadAll(resp.Body) // an error page may be cut off by the reset that follows unread bytes
		for _, name := range []string{"Date", "Content-Length"} {
			resp.Header.Del(name)
		}
		parsed = append(parsed, fmt.Sprint(resp.Proto, resp.Status, resp.Header, resp.Close, string(body)))
		_ = resp.Body.Close()
	}
	return date.ReplaceAllString(heard.String(), "Date: now"), parsed
}

var date = regexp.MustCompile(`Date: [^\r]*`)

// Whatever a client sends, it cannot tell the front from net/http.
func TestBothWaysAnswerAlike(t *testing.T) {
	post := func(path, header, body string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: ADDRESS\r\n" + header + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body
	}
	predict := func(header, body string) string { return post(flowersPath, header, body) }
	row := oneRow[len(`{"rows":[`) : len(oneRow)-2]
	many := func(n int) string { return "[" + strings.Repeat(row+",", n-1) + row + "]" }
	good := predict("Content-Type: application/json\r\n", oneRow)
	head, body, _ := strings.Cut(good, "\r\n\r\n")
	head += "\r\n\r\n"
	w := newWays(t, Options{MaxBody: 40000})
	const first = "POST " + flowersPath + " HTTP/1.1\r\n"
	for name, c := range map[string]struct {
		parts   []string
		hot     int64 // how many the front must answer itself
		answers int   // 1 when 0
		loose   bool  // the length may be told in another way
		method  string
	}{
		"a row":                        {parts: []string{good}, hot: 1},
		"no content type":              {parts: []string{predict("", oneRow)}, hot: 1},
		"lower case":                   {parts: []string{"POST " + flowersPath + " HTTP/1.1\r\nhost: ADDRESS\r\ncontent-type: Application/JSON; charset=utf-8\r\ncontent-length: " + fmt.Sprint(len(oneRow)) + "\r\n\r\n" + oneRow}, hot: 1},
		"one after the other":          {parts: []string{good, good, predict("", many(3)), good}, hot: 4, answers: 4},
		"pipelined":                    {parts: []string{good + good + predict("X-A: b\r\n", many(2)) + predict("X-A: b\r\n", many(20)) + good}, hot: 5, answers: 5},
		"pipelined to another path":    {parts: []string{good + "GET /v2/health/live HTTP/1.1\r\nHost: ADDRESS\r\n\r\n" + good}, hot: 1, answers: 3},
		"head and body apart":          {parts: []string{head, body}, hot: 1},
		"in small pieces":              {parts: []string{"PO", "ST /mod", head[9:40], head[40 : len(head)-2], "\r\n" + body[:5], body[5:] + good[:30], good[30:]}, hot: 2, answers: 2},
		"infer":                        {parts: []string{post("/v2/models/flowers/infer", "Content-Type: application/json\r\n", oneCall)}, hot: 1},
		"version":                      {parts: []string{post("/models/flowers/versions/2/predict", "", oneRow)}, hot: 1},
		"query":                        {parts: []string{post("/models/flowers/predict?alias=candidate", "", oneRow)}, hot: 1},
		"wrong query":                  {parts: []string{post("/models/flowers/predict?version=x", "", oneRow)}, hot: 1},
		"escaped path":                 {parts: []string{post("/models/flow%65rs/predict", "", oneRow)}, hot: 1},
		"unclean path":                 {parts: []string{post("/models//flowers/./predict", "", oneRow)}, hot: 1, answers: 1},
		"unknown model":                {parts: []string{post("/models/weeds/predict", "", oneRow), good}, hot: 2, answers: 2},
		"unknown version":              {parts: []string{post("/models/flowers/versions/9/predict", "", oneRow)}, hot: 1},
		"deeper path":                  {parts: []string{post("/models/a/b/c/predict", "", oneRow)}, hot: 1},
		"broken JSON":                  {parts: []string{predict("", `{"rows":[`), good}, hot: 2, answers: 2},
		"no body":                      {parts: []string{predict("", ""), good}, hot: 2, answers: 2},
		"unknown field":                {parts: []string{predict("", `[{"size":1,"weight":2}]`)}, hot: 1},
		"not JSON":                     {parts: []string{predict("Content-Type: text/csv\r\n", oneRow)}, hot: 1},
		"another host":                 {parts: []string{"POST " + flowersPath + " HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n[]" + good}, hot: 2, answers: 2},
		"strange host":                 {parts: []string{"POST " + flowersPath + " HTTP/1.1\r\nHost: a b/\r\nContent-Length: 2\r\n\r\n[]"}},
		"no host":                      {parts: []string{first + "Content-Length: 2\r\n\r\n[]"}},
		"two hosts":                    {parts: []string{first + "Host: localhost\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n[]"}},
		"too large":                    {parts: []string{predict("", many(1000))}, hot: 1},
		"much too large":               {parts: []string{predict("", many(5000))}},
		"length is no number":          {parts: []string{first + "Host: ADDRESS\r\nContent-Length: 2x\r\n\r\n[]"}},
		"negative length":              {parts: []string{first + "Host: ADDRESS\r\nContent-Length: -2\r\n\r\n[]"}},
		"length with zeros":            {parts: []string{first + "Host: ADDRESS\r\nContent-Length: 002\r\n\r\n[]"}},
		"zeros after none":             {parts: []string{predict("", "{}") + strings.Replace(predict("", "[]"), ": 2\r", ": 002\r", 1)}, hot: 2, answers: 2},
		"length beyond reason":         {parts: []string{first + "Host: ADDRESS\r\nContent-Length: 99999999999999999999\r\n\r\n[]"}},
		"length twice":                 {parts: []string{first + "Host: ADDRESS\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n[]"}},
		"two lengths":                  {parts: []string{first + "Host: ADDRESS\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]"}},
		"no length":                    {parts: []string{first + "Host: ADDRESS\r\n\r\n"}},
		"chunked":                      {parts: []string{first + "Host: ADDRESS\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(oneRow), oneRow) + good}, answers: 2},
		"chunked with a length":        {parts: []string{first + "Host: ADDRESS\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(oneRow), oneRow)}},
		"expect":                       {parts: []string{strings.Replace(head, "\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n", 1), body}, answers: 2},
		"another expectation":          {parts: []string{predict("Expect: mercy\r\n", oneRow)}},
		"folded":                       {parts: []string{predict("X-A: b\r\n c\r\n", oneRow)}},
		"line feeds only":              {parts: []string{strings.ReplaceAll(head, "\r\n", "\n") + body}},
		"a lone line feed":             {parts: []string{predict("X-A: b\nX-C: d\r\n", oneRow)}},
		"a lone carriage return":       {parts: []string{predict("X-A: b\rX-C: d\r\n", oneRow)}},
		"space before the colon":       {parts: []string{predict("X-A : b\r\n", oneRow)}},
		"a name of nothing":            {parts: []string{predict(": b\r\n", oneRow)}},
		"no colon":                     {parts: []string{predict("hello\r\n", oneRow)}},
		"control character":            {parts: []string{predict("X-A: \x01\r\n", oneRow)}},
		"latin":                        {parts: []string{predict("X-A: \xe9\r\n", oneRow)}},
		"old protocol":                 {parts: []string{strings.Replace(good, "HTTP/1.1", "HTTP/1.0", 1)}},
		"old protocol, kept":           {parts: []string{strings.Replace(predict("Connection: keep-alive\r\n", oneRow), "HTTP/1.1", "HTTP/1.0", 1)}},
		"new protocol":                 {parts: []string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}},
		"keep-alive":                   {parts: []string{predict("Connection: Keep-Alive\r\n", oneRow) + good}, hot: 2, answers: 2},
		"close":                        {parts: []string{predict("Connection: close\r\n", oneRow)}},
		"upgrade":                      {parts: []string{predict("Connection: upgrade\r\nUpgrade: h2c\r\n", oneRow)}},
		"absolute":                     {parts: []string{post("http://ADDRESS"+flowersPath, "", oneRow)}},
		"long head":                    {parts: []string{predict("X-A: "+strings.Repeat("b", 20000)+"\r\n", oneRow)}},
		"head too long":                {parts: []string{predict("X-A: "+strings.Repeat("b", 200000)+"\r\n", oneRow)}},
		"gzip for little":              {parts: []string{predict("Accept-Encoding: gzip, deflate\r\n", oneRow) + good}, hot: 2, answers: 2},
		"gzip for more":                {parts: []string{predict("Accept-Encoding: gzip\r\n", many(30)) + good}, hot: 2, answers: 2},
		"gzip for much":                {parts: []string{predict("Accept-Encoding: gzip\r\n", many(500)) + good}, hot: 2, answers: 2, loose: true},
		"much":                         {parts: []string{predict("", many(500)) + good}, hot: 2, answers: 2},
		"gzip body":                    {parts: []string{predict("Content-Encoding: gzip\r\n", zipped(t, []byte(oneRow))) + good}, answers: 2},
		"unknown coding":               {parts: []string{predict("Content-Encoding: br\r\n", oneRow)}},
		"get":                          {parts: []string{"GET " + flowersPath + " HTTP/1.1\r\nHost: ADDRESS\r\n\r\n" + good}, answers: 2},
		"head":                         {parts: []string{"HEAD /v2/health/live HTTP/1.1\r\nHost: ADDRESS\r\n\r\n"}, method: "HEAD"},
		"write without a token":        {parts: []string{post("/api/models/flowers/promote", "", `{"version":2}`)}},
		"write with a wrong token":     {parts: []string{post("/api/models/flowers/promote", "Authorization: Bearer no\r\n", `{"version":2}`)}},
		"download":                     {parts: []string{"GET /api/models/flowers/versions/1/model.onnx HTTP/1.1\r\nHost: ADDRESS\r\n\r\n" + good}, answers: 2},
		"part of a download":           {parts: []string{"GET /api/models/flowers/versions/1/model.onnx HTTP/1.1\r\nHost: ADDRESS\r\nRange: bytes=10-99\r\n\r\n"}},
		"nothing there":                {parts: []string{"GET /v2/nothing HTTP/1.1\r\nHost: ADDRESS\r\n\r\n"}},
		"garbage":                      {parts: []string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"}},
		"post of garbage":              {parts: []string{"POST /\r\n\r\n"}},
		"a length that grows and ends": {parts: []string{predict("", "[]") + predict("", many(4)) + predict("", many(5000))}, hot: 2, answers: 3},
	} {
		t.Run(name, func(t *testing.T) {
			w.hot.Store(0)
			answers := max(c.answers, 1)
			raw, parsed := talk(t, w.plain, c.method, answers, c.parts)
			if w.hot.Load() != 0 {
				t.Fatal("net/http gives a deadline: the test cannot tell who answers")
			}
			raw2, parsed2 := talk(t, w.front, c.method, answers, c.parts)
			if fmt.Sprint(parsed) != fmt.Sprint(parsed2) || !c.loose && raw != raw2 {
				t.Errorf("net/http:\n%.1500s\nthe front:\n%.1500s", raw, raw2)
			}
			if w.hot.Load() != c.hot {
				t.Errorf("the front answered %d, not %d", w.hot.Load(), c.hot)
			}
		})
	}
}

// A server that others can reach asks for the token on both ways.
func TestBothWaysAskForTheToken(t *testing.T) {
	w := newWays(t, Options{Public: true})
	ask := func(header string) string {
		return "POST " + flowersPath + " HTTP/1.1\r\nHost: models.example\r\n" + header + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(oneRow)) + oneRow
	}
	parts := []string{ask("") + ask("Authorization: Bearer no\r\n") + ask("Authorization: Bearer "+token+"\r\n") + ask("Authorization: bearer "+token+"\r\n")}
	raw, _ := talk(t, w.plain, "", 4, parts)
	raw2, _ := talk(t, w.front, "", 4, parts)
	if raw != raw2 || strings.Count(raw, "HTTP/1.1 401") != 2 || strings.Count(raw, "HTTP/1.1 200") != 2 || w.hot.Load() != 4 {
		t.Errorf("%d hot\n%s\n%s", w.hot.Load(), raw, raw2)
	}
}
