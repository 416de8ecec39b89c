package lambda

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Upload is an object that was created in a bucket.
type Upload struct {
	Bucket    string
	Key       string // as it is in the bucket, decoded
	VersionID string // "" in a bucket without versions
	ETag      string
	Sequencer string // hexadecimal; of two events of one key the later has the greater one
	Size      int64  // bytes
	Time      time.Time
}

// maxNesting bounds events in events: S3 in an SQS message in a Lambda destination record is the deepest of them.
const maxNesting = 4

// Uploads reads the created objects from the payload of an invocation: an S3 notification, an EventBridge "Object
// Created" event, either of them in SQS messages, or the record of a failed invocation (to drive a dead-letter queue
// again). S3's test event and events of other kinds (removals) give none. The order is that of the event.
func Uploads(payload []byte) ([]Upload, error) { return uploads(payload, 0) }

// envelope has the fields by which the shapes are told apart.
type envelope struct {
	Records        []json.RawMessage `json:"Records"`
	Event          string            `json:"Event"`
	Source         string            `json:"source"`
	DetailType     string            `json:"detail-type"`
	Detail         json.RawMessage   `json:"detail"`
	Time           time.Time         `json:"time"`
	RequestPayload json.RawMessage   `json:"requestPayload"`
}

func uploads(payload []byte, depth int) ([]Upload, error) {
	if depth == maxNesting {
		return nil, fault.New(fault.Invalid, "the event has too many events inside each other")
	}
	var e envelope
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fault.New(fault.Invalid, "the payload is not an event").Because(err)
	}
	switch {
	case e.Event == "s3:TestEvent":
		return nil, nil
	case e.Records != nil:
		return records(e.Records, depth)
	case e.Source == "aws.s3":
		return bridged(e)
	case len(e.RequestPayload) > 0:
		return uploads(e.RequestPayload, depth+1)
	}
	return nil, fault.New(fault.Invalid, "the payload is not an event of S3").
		Try("start the function by an S3 notification, an EventBridge rule for \"Object Created\", or an SQS queue of these")
}

func records(all []json.RawMessage, depth int) ([]Upload, error) {
	var out []Upload
	for i, raw := range all {
		found, err := record(raw, depth)
		if err != nil {
			return nil, at("Records["+strconv.Itoa(i)+"]", err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// record reads one record of an S3 notification or of an SQS batch.
func record(raw []byte, depth int) ([]Upload, error) {
	var r struct {
		EventSource string    `json:"eventSource"`
		EventName   string    `json:"eventName"`
		EventTime   time.Time `json:"eventTime"`
		Body        string    `json:"body"`
		S3          struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object struct {
				Key       string `json:"key"`
				Size      int64  `json:"size"`
				ETag      string `json:"eTag"`
				VersionID string `json:"versionId"`
				Sequencer string `json:"sequencer"`
			} `json:"object"`
		} `json:"s3"`
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fault.New(fault.Invalid, "is not a record").Because(err)
	}
	switch {
	case r.EventSource == "aws:sqs":
		return uploads([]byte(r.Body), depth+1)
	case r.EventSource != "aws:s3":
		return nil, fault.New(fault.Invalid, "is not a record of S3 or SQS").At("eventSource")
	case !strings.HasPrefix(strings.TrimPrefix(r.EventName, "s3:"), "ObjectCreated:"):
		return nil, nil
	}
	// Notifications have keys in the encoding of HTML forms (S3 user guide, "Event message structure").
	key, err := url.QueryUnescape(r.S3.Object.Key)
	if err != nil {
		return nil, fault.New(fault.Invalid, "is not URL-encoded").At("s3.object.key").Because(err)
	}
	o := r.S3.Object
	return checked(Upload{
		Bucket: r.S3.Bucket.Name, Key: key, VersionID: o.VersionID, ETag: o.ETag,
		Sequencer: o.Sequencer, Size: o.Size, Time: r.EventTime,
	})
}

// bridged reads an event of EventBridge, whose keys are not encoded.
func bridged(e envelope) ([]Upload, error) {
	if e.DetailType != "Object Created" {
		return nil, nil
	}
	var d struct {
		Bucket struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			Size      int64  `json:"size"`
			ETag      string `json:"etag"`
			VersionID string `json:"version-id"`
			Sequencer string `json:"sequencer"`
		} `json:"object"`
	}
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		return nil, fault.New(fault.Invalid, "is not that of an S3 event").At("detail").Because(err)
	}
	return checked(Upload{
		Bucket: d.Bucket.Name, Key: d.Object.Key, VersionID: d.Object.VersionID, ETag: d.Object.ETag,
		Sequencer: d.Object.Sequencer, Size: d.Object.Size, Time: e.Time,
	})
}

func checked(u Upload) ([]Upload, error) {
	if u.Bucket == "" || u.Key == "" {
		return nil, fault.New(fault.Invalid, "the event names no bucket or no key")
	}
	return []Upload{u}, nil
}

// at puts a place in front of the field that an error names.
func at(place string, err error) error {
	known, ok := err.(*fault.Error) //nolint:errorlint // made above, never wrapped
	if !ok {
		return err
	}
	if known.Field != "" {
		place += "." + known.Field
	}
	return known.At(place)
}
