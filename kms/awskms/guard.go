package awskms

import (
	"context"
	"io"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxAnswer is how much is read of an answer, in bytes. The longest is that of DescribeKey, whose description has up to 8192
// characters, of 6 bytes each when escaped.
const maxAnswer = 64 << 10

// guarded goes with every call. It looks at the last moment where the request goes, because an endpoint may
// be decided for each, and bounds what is read of the answer: the rest counts as cut off.
func guarded(o *sdk.Options) {
	guard := middleware.DeserializeMiddlewareFunc("HoldfastGuard", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		if r, ok := in.Request.(*smithyhttp.Request); !ok || !confidential(r.URL) {
			return middleware.DeserializeOutput{}, middleware.Metadata{}, errClear
		}
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if r, ok := out.RawResponse.(*smithyhttp.Response); ok && r.Response != nil && r.Body != nil {
			r.Body = bounded{io.LimitReader(r.Body, maxAnswer), r.Body}
		}
		return out, metadata, err
	})
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		return s.Deserialize.Add(guard, middleware.After) // next to the network
	})
}

// bounded is the part of a body that is read.
type bounded struct {
	io.Reader
	io.Closer
}
