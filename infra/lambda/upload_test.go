package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
)

func TestUploads(t *testing.T) {
	notified := Upload{
		Bucket: "jarvis-test", Key: "inbox/penguins/new data (März) 1+2.csv", VersionID: "096fKKXTRTtl3on89fVO.nfljtsv6qko",
		ETag: "d41d8cd98f00b204e9800998ecf8427e-2", Sequencer: "0055AED6DCD90281E5", Size: 1024,
		Time: time.Date(2026, 3, 10, 5, 16, 23, 220e6, time.UTC),
	}
	bridged := Upload{
		Bucket: "jarvis-test", Key: "inbox/penguins/new data 100%+.csv", VersionID: "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
		ETag: "b1946ac92492d2347c6235b4d2611184", Sequencer: "00617F08299329D189", Size: 1024,
		Time: time.Date(2026, 3, 10, 5, 16, 23, 0, time.UTC),
	}
	s3, bridge := sample(t, "s3.json"), sample(t, "eventbridge.json")
	for _, c := range []struct {
		name    string
		payload string
		want    []Upload
	}{
		{"notification, removals left out", string(s3), []Upload{notified}},
		{"EventBridge", string(bridge), []Upload{bridged}},
		{"test event", string(sample(t, "s3-test.json")), nil},
		{"EventBridge removal", strings.Replace(string(bridge), "Object Created", "Object Deleted", 1), nil},
		{"queued", queued(string(s3), string(bridge)), []Upload{notified, bridged}},
		{"failed before", failed(string(s3)), []Upload{notified}},
		{"failed before, queued", queued(failed(string(s3))), []Upload{notified}},
		{"other store's name of the event", strings.Replace(string(s3), `"ObjectCreated:`, `"s3:ObjectCreated:`, 1), []Upload{notified}},
		{"no records", `{"Records":[]}`, nil},
	} {
		got, err := Uploads([]byte(c.payload))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

// queued is the payload of an SQS event source.
func queued(bodies ...string) string {
	var records []string
	for _, b := range bodies {
		text, _ := json.Marshal(b)
		records = append(records, fmt.Sprintf(`{"messageId":"1","eventSource":"aws:sqs","body":%s}`, text))
	}
	return `{"Records":[` + strings.Join(records, ",") + `]}`
}

// failed is what Lambda sends to an on-failure destination.
func failed(payload string) string {
	return `{"version":"1.0","timestamp":"2026-03-10T05:20:00.000Z","requestContext":{"condition":"RetriesExhausted"},"requestPayload":` + payload + `,"responsePayload":{"errorType":"x"}}`
}

func TestUploadsRefuses(t *testing.T) {
	deep := string(sample(t, "s3.json"))
	for range maxNesting {
		deep = queued(deep)
	}
	for _, c := range []struct{ payload, field string }{
		{``, ""},
		{`{}`, ""},
		{`{"rawPath":"/"}`, ""},
		{`{"Records":[{"eventSource":"aws:sns"}]}`, "Records[0].eventSource"},
		{`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"%zz"}}}]}`, "Records[0].s3.object.key"},
		{`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{}}}]}`, "Records[0]"},
		{`{"source":"aws.s3","detail-type":"Object Created","detail":7}`, "detail"},
		{deep, "Records[0].Records[0].Records[0].Records[0]"},
	} {
		got, err := Uploads([]byte(c.payload))
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%.80s: %v, %v", c.payload, got, err)
			continue
		}
		if e := (*fault.Error)(nil); !errors.As(err, &e) || e.Field != c.field {
			t.Errorf("%.80s: %v, want field %q", c.payload, err, c.field)
		}
	}
}

func FuzzUploads(f *testing.F) {
	for _, name := range []string{"s3.json", "eventbridge.json", "s3-test.json"} {
		f.Add(sample(f, name))
	}
	f.Add([]byte(queued(failed(`{"Records":[]}`))))
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := Uploads(payload)
		if err != nil && (got != nil || !fault.Is(err, fault.Invalid)) {
			t.Fatalf("%v, %v", got, err)
		}
		for _, u := range got {
			if u.Bucket == "" || u.Key == "" {
				t.Fatalf("%+v", u)
			}
		}
	})
}
