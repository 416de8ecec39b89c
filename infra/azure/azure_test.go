package azure_test

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	_ "github.com/jarvis-ml/jarvis/infra/azure"
	"github.com/jarvis-ml/jarvis/infra/emulator"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/bucket/buckettest"
)

func TestConformance(t *testing.T) {
	server := emulator.Azure(t)
	server.Setenv(t)
	client, err := container.NewClientFromConnectionString(server.Connection, "jarvis", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b, err := bucket.OpenURL(t.Context(), "azblob://jarvis")
	if err != nil {
		t.Fatal(err)
	}
	buckettest.Run(t, b)

	other, err := bucket.OpenURL(t.Context(), "azblob://another")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Open(t.Context(), "x", 0, -1); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a missing container: %v", err)
	}
}

// A connection string that cannot be used is not repeated.
func TestBrokenConnection(t *testing.T) {
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=x;AccountKey=hush-hush;Nonsense")
	_, err := bucket.OpenURL(t.Context(), "azblob://c")
	if !fault.Is(err, fault.Denied) || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v", err)
	}
}
