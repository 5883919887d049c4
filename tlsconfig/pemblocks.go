package tlsconfig

import (
	"bytes"
	"encoding/pem"
	"fmt"
)

// pemBlocks returns the PEM blocks of data, and whether there is text beside them: lines that are not blank and do not start with #.
// A block that can't be read is an error. encoding/pem skips it in silence, and so would take a half-written file for a whole one.
func pemBlocks(data []byte) (blocks []*pem.Block, text bool, err error) {
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		switch {
		case bytes.HasPrefix(line, []byte("-----BEGIN ")):
			size := blockSize(data)
			block, left := pem.Decode(data[:size])
			if block == nil || len(left) > 0 || bytes.Count(data[:size], []byte("-----BEGIN ")) > 1 {
				return nil, false, fmt.Errorf("PEM block %d is damaged or cut off", len(blocks)+1)
			}
			blocks = append(blocks, block)
			rest = data[size:]
		case bytes.Contains(line, []byte("-----")):
			return nil, false, fmt.Errorf("there is a damaged line before PEM block %d", len(blocks)+1)
		default:
			line = bytes.TrimSpace(line)
			text = text || len(line) > 0 && line[0] != '#'
		}
		data = rest
	}
	return blocks, text, nil
}

// blockSize returns how many bytes the block at the start of data has, up to the end of its last line.
func blockSize(data []byte) int {
	last := bytes.Index(data, []byte("\n-----END "))
	if last < 0 {
		return len(data)
	}
	if end := bytes.IndexByte(data[last+1:], '\n'); end >= 0 {
		return last + 1 + end + 1
	}
	return len(data)
}
