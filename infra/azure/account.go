package azure

import (
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/jarvis-ml/jarvis/model/fault"
)

var options = azcore.ClientOptions{
	Retry: policy.RetryOptions{MaxRetries: 3, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 5 * time.Second},
}

// account is where the containers are, and what opens them: its key, or a token in every address.
type account struct {
	endpoint string                    // of the blob service, without a slash at its end
	key      *blob.SharedKeyCredential // nil: the token, if there is one
	token    string                    // shared access signature, without "?"
}

// address is the URL of an object, or of the container when key is empty. A key is one segment of the path, its slashes escaped.
func (a account) address(container, key string) string {
	address := a.endpoint + "/" + url.PathEscape(container)
	if key != "" {
		address += "/" + url.PathEscape(key)
	}
	if a.token != "" {
		address += "?" + a.token
	}
	return address
}

func environment(name string) (account, error) {
	if connection := os.Getenv("AZURE_STORAGE_CONNECTION_STRING"); connection != "" {
		return parse(connection, name)
	}
	fields := map[string]string{"AccountName": os.Getenv("AZURE_STORAGE_ACCOUNT")}
	if fields["AccountName"] == "" {
		return account{}, fault.New(fault.Denied, "no Azure account").At(name).
			Try("set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY")
	}
	if token := os.Getenv("AZURE_STORAGE_SAS_TOKEN"); token != "" {
		fields["SharedAccessSignature"] = token
	} else {
		fields["AccountKey"] = os.Getenv("AZURE_STORAGE_KEY")
	}
	return assemble(fields, name)
}

// parse reads a connection string: NAME=VALUE;NAME=VALUE.
func parse(connection, name string) (account, error) {
	fields := map[string]string{}
	for field := range strings.SplitSeq(strings.TrimRight(connection, ";"), ";") {
		key, value, found := strings.Cut(field, "=")
		if !found {
			return account{}, refused(name)
		}
		fields[key] = value
	}
	return assemble(fields, name)
}

func assemble(fields map[string]string, name string) (account, error) {
	endpoint := fields["BlobEndpoint"]
	if endpoint == "" && fields["AccountName"] != "" {
		endpoint = or(fields["DefaultEndpointsProtocol"], "https") + "://" + fields["AccountName"] + ".blob." +
			or(fields["EndpointSuffix"], "core.windows.net")
	}
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.RawQuery != "" {
		return account{}, refused(name)
	}
	a := account{endpoint: strings.TrimRight(endpoint, "/")}
	if fields["AccountKey"] == "" {
		if a.token = strings.TrimPrefix(fields["SharedAccessSignature"], "?"); a.token == "" {
			return account{}, refused(name)
		}
		return a, nil
	}
	key, err := blob.NewSharedKeyCredential(fields["AccountName"], fields["AccountKey"])
	if err != nil || fields["AccountName"] == "" {
		return account{}, refused(name)
	}
	a.key = key
	return a, nil
}

// refused keeps what was given out of the fault: it may be a secret.
func refused(name string) error {
	return fault.New(fault.Denied, "the Azure credentials cannot be used").At(name).
		Try("check AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY")
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
