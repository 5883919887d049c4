package tlsvet

import (
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// module judges the go.mod of the program that a file is of. What can't be read is not judged: the go command reads it too.
func (v *pass) module(file *ast.File) {
	if v.pass.Module == nil {
		return
	}
	imports := slices.ContainsFunc(v.pass.Files, func(f *ast.File) bool {
		return slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool {
			path, _ := strconv.Unquote(i.Path.Value)
			return path == "crypto/tls" || path == "net/http"
		})
	})
	if version := v.pass.Module.GoVersion; imports && beforeMLKEM(strings.TrimPrefix(version, "go")) {
		v.report(15, file.Name, nil, "the go line of go.mod, %s, gives the program old defaults, without post-quantum groups: raise it", version)
	}
	in := false
	for line := range strings.Lines(string(nearestModule(filepath.Dir(v.pass.Fset.Position(file.Package).Filename)))) {
		line, _, _ = strings.Cut(line, "//")
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "godebug" && words[1] == "(":
			in = true
		case len(words) == 1 && words[0] == ")":
			in = false
		case len(words) == 2 && words[0] == "godebug":
			v.weak(file.Name, words[1], "go.mod")
		case len(words) == 1 && in:
			v.weak(file.Name, words[0], "go.mod")
		}
	}
}

// nearestModule returns the go.mod of a directory or of the nearest above it.
func nearestModule(dir string) []byte {
	for {
		if data, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil {
			return data
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil
		}
		dir = up
	}
}
