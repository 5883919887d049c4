package main

import (
	"strings"
	"unicode/utf8"
)

// wrapAt is how long a line may be before it is broken, in characters.
const wrapAt = 110

// wrap breaks the long lines of a report between words, with what follows indented below what came before.
func wrap(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))] + "    "
		for utf8.RuneCountInString(line) > wrapAt {
			cut := strings.LastIndexByte(cutRunes(line, wrapAt), ' ')
			if cut < len(indent) {
				break // one long word
			}
			b.WriteString(line[:cut] + "\n")
			line = indent + line[cut+1:]
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// cutRunes returns the first n characters of a text that has more.
func cutRunes(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
