package envelope

import "github.com/holdfast-go/holdfast/kms"

// Info is what a message's header says to anyone. None of it is authenticated: use it to find
// out what a message is, never to decide whether to trust it.
type Info struct {
	HeaderSize int           // bytes before the body
	Spare      int           // of them, how many a longer wrapped key may take
	Context    kms.Context   // the context that it claims
	Wrapped    []kms.Wrapped // the data key as wrapped for each recipient: one, or those of kms.AnyOf
}

// Inspect reads a header without any key. Bytes may follow the header. Errors: [ErrFormat], [ErrTruncated].
func Inspect(header []byte) (Info, error) {
	h, err := parseHeader(header)
	if err != nil {
		return edge(Info{}, err)
	}
	return Info{HeaderSize: h.size, Spare: h.spare, Context: h.context, Wrapped: h.list}, nil
}
