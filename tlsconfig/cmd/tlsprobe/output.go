package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// output is a policy file that is about to be written. What is there changes at once or not at all, and nobody else writes it meanwhile.
type output struct {
	path string
	temp *os.File // beside it, which is also what keeps others out
	last *before  // nil for none
}

// before is what a policy file says that a new one is to replace, whoever signed it.
type before struct {
	Version uint64          `json:"version"`
	Policy  json.RawMessage `json:"policy"`
}

// openOutput refuses to write over what is not a policy file. Close the output in the end.
func openOutput(path string) (*output, error) {
	temp, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%q is there: another tlsprobe is writing %q, or one was stopped while it did. Remove it if none is", path+".new", path)
	}
	if err != nil {
		return nil, err
	}
	o := &output{path: path, temp: temp}
	if o.last, err = readBefore(path); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// readBefore returns what is there, nil for nothing.
func readBefore(path string) (*before, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is there and is not a plain file: give -o the name of one", path)
	}
	foreign := fmt.Errorf("%q is there and is not a policy file: give -o another name", path)
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var file map[string]string // whose names count as they are written
	if json.Unmarshal(text, &file) != nil || len(file) != 4 || file["format"] != "holdfast tls policy 1" {
		return nil, foreign // no cause: it would tell of what is there
	}
	document, err := base64.StdEncoding.DecodeString(file["signed"])
	if err != nil {
		return nil, foreign
	}
	var last before
	if json.Unmarshal(document, &last) != nil || last.Version == 0 {
		return nil, foreign
	}
	return &last, nil
}

// follows refuses a document that readers of the last one would not take, or that takes back what it has them keep.
func (o *output) follows(d tlsconfig.PolicyDocument) error {
	switch {
	case o.last == nil:
		return nil
	case o.last.Version >= d.Version:
		return fmt.Errorf("%q has version %d: give -version a higher number, or remove the file if it is none of yours: who signed it was not looked at", o.path, o.last.Version)
	case o.last.Policy != nil && d.Policy == nil:
		return fmt.Errorf("%q has a policy that all keep, and would keep no more: repeat it with -policy, or give -policy what they are to keep instead", o.path)
	}
	return nil
}

// write puts the file there.
func (o *output) write(content []byte) error {
	if _, err := o.temp.Write(content); err != nil {
		return err
	}
	if err := o.temp.Chmod(0o644); err != nil { // services read it, whatever the umask
		return err
	}
	if err := o.temp.Sync(); err != nil {
		return err
	}
	if err := o.temp.Close(); err != nil { // Windows renames no open file
		return err
	}
	if err := os.Rename(o.temp.Name(), o.path); err != nil {
		return err
	}
	o.temp = nil // from here on a file of that name is another's
	return nil
}

// close lets others write, and removes what was not put there.
func (o *output) close() {
	if o.temp != nil {
		_ = o.temp.Close() // again, or of what nobody wants
		_ = os.Remove(o.temp.Name())
	}
}
