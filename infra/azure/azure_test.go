package azure_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	_ "github.com/jarvis-ml/jarvis/infra/azure"
	"github.com/jarvis-ml/jarvis/infra/emulator"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/bucket/buckettest"
)

func TestConformance(t *testing.T) {
	server := emulator.Azure(t)
	server.Setenv(t)
	token := permit(t, server)
	endpoint := server.Endpoint + "/devstoreaccount1"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, endpoint+"/jarvis?restype=container&"+token, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // the status is all
	if response.StatusCode != http.StatusCreated {
		t.Fatalf("the container cannot be made: %s", response.Status)
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

// A token in place of the key reads, writes and lists, and cannot sign.
func TestToken(t *testing.T) {
	server := emulator.Azure(t)
	token := permit(t, server)
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "BlobEndpoint="+server.Endpoint+"/devstoreaccount1/;SharedAccessSignature=?"+token)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.Endpoint+"/devstoreaccount1/token?restype=container&"+token, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // a failure shows below
	b, err := bucket.OpenURL(t.Context(), "azblob://token/in/here")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "a b/c", strings.NewReader("x"), bucket.PutOptions{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for o, err := range b.List(t.Context(), "a b/") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	if len(keys) != 1 || keys[0] != "a b/c" {
		t.Errorf("listed %q", keys)
	}
	if _, err := b.URL(t.Context(), "a b/c", http.MethodGet, time.Minute); !fault.Is(err, fault.Unsupported) {
		t.Errorf("a token signs: %v", err)
	}
}

// permit signs a token for everything in the emulator's account.
func permit(t *testing.T, server *emulator.AzureServer) string {
	t.Helper()
	_, key, _ := strings.Cut(server.Connection, "AccountKey=")
	key, _, _ = strings.Cut(key, ";")
	credential, err := blob.NewSharedKeyCredential("devstoreaccount1", key)
	if err != nil {
		t.Fatal(err)
	}
	rights := sas.AccountPermissions{Read: true, Write: true, Delete: true, List: true, Create: true}
	kinds := sas.AccountResourceTypes{Container: true, Object: true}
	signed, err := sas.AccountSignatureValues{
		Permissions: rights.String(), ResourceTypes: kinds.String(), ExpiryTime: time.Now().UTC().Add(time.Hour),
	}.SignWithSharedKey(credential)
	if err != nil {
		t.Fatal(err)
	}
	return signed.Encode()
}

// The account comes from a connection string or from single variables; whatever cannot be used is refused.
func TestAccounts(t *testing.T) {
	for _, c := range []struct {
		connection, account, key, token string
		want                            fault.Code // "" works
	}{
		{connection: "AccountName=x;AccountKey=aGk=;EndpointSuffix=core.chinacloudapi.cn"},
		{connection: "AccountName=x;SharedAccessSignature=sv=1&sig=2"},
		{account: "x", key: "aGk="},
		{account: "x", token: "?sv=1&sig=2"},
		{want: fault.Denied},
		{account: "x", want: fault.Denied},
		{account: "x", key: "not base64!", want: fault.Denied},
		{connection: "AccountName=x", want: fault.Denied},
		{connection: "AccountKey=aGk=", want: fault.Denied},
		{connection: "BlobEndpoint=nonsense;SharedAccessSignature=s", want: fault.Denied},
	} {
		t.Setenv("AZURE_STORAGE_CONNECTION_STRING", c.connection)
		t.Setenv("AZURE_STORAGE_ACCOUNT", c.account)
		t.Setenv("AZURE_STORAGE_KEY", c.key)
		t.Setenv("AZURE_STORAGE_SAS_TOKEN", c.token)
		if _, err := bucket.OpenURL(t.Context(), "azblob://c"); (err != nil || c.want != "") && !fault.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
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
