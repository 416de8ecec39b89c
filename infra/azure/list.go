package azure

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/jarvis-ml/jarvis/pipeline/bucket"
)

// listing is how long the signature in the address of a page is good: long enough for a slow clock and the retries.
const listing = time.Hour

// page is the part that is needed of an answer to List Blobs. Names that XML cannot hold come percent-encoded; no key is one.
type page struct {
	Blobs struct {
		Blob []struct {
			Name       string
			Properties struct {
				Modified string `xml:"Last-Modified"`
				ETag     string `xml:"Etag"`
				Size     int64  `xml:"Content-Length"`
			}
		}
	}
	NextMarker string
}

// List implements bucket.Bucket. The SDK's client of containers brings a whole in-memory format for a faster listing
// (see RATIONALE.md), so this one request goes through the SDK's pipeline by itself.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[bucket.Object, error] {
	if err := bucket.CheckPrefix(prefix); err != nil {
		return bucket.Failed(err)
	}
	return func(yield func(bucket.Object, error) bool) {
		pipeline := runtime.NewPipeline("azblob", "", runtime.PipelineOptions{}, &options)
		for marker := ""; ; {
			var p page
			if err := s.page(ctx, pipeline, prefix, marker, &p); err != nil {
				yield(bucket.Object{}, s.fault(ctx, err, prefix))
				return
			}
			for _, b := range p.Blobs.Blob {
				modified, err := time.Parse(http.TimeFormat, b.Properties.Modified)
				if err != nil || bucket.CheckKey(b.Name) != nil { // a stranger's
					continue
				}
				if !yield(bucket.Object{Key: b.Name, Size: b.Properties.Size, ETag: trim(b.Properties.ETag), Modified: modified}, nil) {
					return
				}
			}
			if marker = p.NextMarker; marker == "" {
				return
			}
		}
	}
}

func (s *Store) page(ctx context.Context, pipeline runtime.Pipeline, prefix, marker string, into *page) error {
	query := url.Values{}
	if s.account.key != nil {
		rights := sas.ContainerPermissions{List: true}
		signed, err := sas.BlobSignatureValues{
			ContainerName: s.name, Permissions: rights.String(), ExpiryTime: time.Now().UTC().Add(listing),
		}.SignWithSharedKey(s.account.key)
		if err != nil {
			return err
		}
		if query, err = url.ParseQuery(signed.Encode()); err != nil {
			return err
		}
	}
	request, err := runtime.NewRequest(ctx, http.MethodGet, s.account.address(s.name, ""))
	if err != nil {
		return err
	}
	for name, values := range request.Raw().URL.Query() { // the account's token, if that is what opens it
		query[name] = values
	}
	query.Set("restype", "container")
	query.Set("comp", "list")
	query.Set("prefix", prefix)
	if marker != "" {
		query.Set("marker", marker)
	}
	request.Raw().URL.RawQuery = query.Encode()
	request.Raw().Header.Set("x-ms-version", sas.Version)
	response, err := pipeline.Do(request) //nolint:bodyclose // both ways to read it close it
	if err != nil {
		return err
	}
	if !runtime.HasStatusCode(response, http.StatusOK) {
		return runtime.NewResponseError(response)
	}
	return runtime.UnmarshalAsXML(response, into)
}
