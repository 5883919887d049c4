// Package judges has tests only. Servers of tlsconfig, one for each profile and kind of key, are judged from outside, by programs that others wrote: sslscan, nmap, testssl.sh, OpenSSL and Chromium, and by a prober that asks for every cipher suite and group
// there can be. What each of them finds must be what the profile says: nothing missing and nothing besides. A program that is not there skips its test with the text "missing component".
package judges
