package tlsvet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// pass is one run of one analyzer.
type pass struct {
	*facts
	pass    *analysis.Pass
	options *Options
	demands *demands
	ignored map[string]map[int]map[string]bool // file, line, trap
	said    map[string]bool
}

// ignore is the comment that silences traps on its line and the next.
var ignore = regexp.MustCompile(`^//tlsvet:ignore (trap\d+(?:,trap\d+)*) \S`)

func newPass(p *analysis.Pass, o *Options, d *demands) *pass {
	v := &pass{p.ResultOf[collector].(*facts), p, o, d, map[string]map[int]map[string]bool{}, map[string]bool{}}
	for _, file := range p.Files {
		for _, group := range file.Comments {
			for _, c := range group.List {
				m := ignore.FindStringSubmatch(c.Text)
				if m == nil {
					continue
				}
				at := p.Fset.Position(c.Pos())
				if v.ignored[at.Filename] == nil {
					v.ignored[at.Filename] = map[int]map[string]bool{}
				}
				for _, line := range []int{at.Line, at.Line + 1} {
					if v.ignored[at.Filename][line] == nil {
						v.ignored[at.Filename][line] = map[string]bool{}
					}
					for trap := range strings.SplitSeq(m[1], ",") {
						v.ignored[at.Filename][line][trap] = true
					}
				}
			}
		}
	}
	return v
}

// report reports a trap, once at a place.
func (v *pass) report(trap int, at ast.Node, fixes []analysis.SuggestedFix, format string, args ...any) {
	category := fmt.Sprintf("trap%d", trap)
	where := v.pass.Fset.Position(at.Pos())
	if !v.options.Tests && strings.HasSuffix(where.Filename, "_test.go") || v.ignored[where.Filename][where.Line][category] {
		return
	}
	if once := fmt.Sprint(category, at.Pos()); v.said[once] {
		return
	} else {
		v.said[once] = true
	}
	v.pass.Report(analysis.Diagnostic{
		Pos: at.Pos(), End: at.End(), Category: category, SuggestedFixes: fixes,
		Message: category + ": " + fmt.Sprintf(format, args...),
	})
}

// ignores reports the comments that are meant to silence something and do not.
func (v *pass) ignores() {
	for _, file := range v.pass.Files {
		for _, group := range file.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//tlsvet:") && !ignore.MatchString(c.Text) {
					v.pass.Report(analysis.Diagnostic{
						Pos: c.Pos(), End: c.End(), Category: "ignore",
						Message: "this comment silences nothing: write //tlsvet:ignore trapN and the reason",
					})
				}
			}
		}
	}
}

func fix(message string, from, to token.Pos, text string) []analysis.SuggestedFix {
	return []analysis.SuggestedFix{{Message: message, TextEdits: []analysis.TextEdit{{Pos: from, End: to, NewText: []byte(text)}}}}
}

// replace suggests another value, unless that leaves a variable that nothing uses, which does not compile.
func (v *pass) replace(e ast.Expr, text string) []analysis.SuggestedFix {
	local := false
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			obj, ok := v.info.Uses[id].(*types.Var)
			local = local || ok && obj.Kind() == types.LocalVar && (obj.Pos() < e.Pos() || e.End() < obj.Pos())
		}
		return !local
	})
	if local || v.isNil(e) {
		return nil
	}
	return fix("write "+text, e.Pos(), e.End(), text)
}

// rename suggests another constant of the same package: e is written pkg.Name.
func (v *pass) rename(e ast.Expr, name string) []analysis.SuggestedFix {
	if sel, ok := ast.Unparen(e).(*ast.SelectorExpr); ok && v.constant(e) != nil {
		return fix("use "+name, sel.Sel.Pos(), sel.Sel.End(), name)
	}
	return nil
}

// insert suggests one more field in a literal with named fields.
func (v *pass) insert(lit *ast.CompositeLit, field string) []analysis.SuggestedFix {
	if lit == nil || len(lit.Elts) == 0 {
		return nil
	}
	at := lit.Elts[0].Pos()
	return fix("set "+field, at, at, field+", ")
}

// each calls do for every setting of a field that is not nil.
func (v *pass) each(field string, do func(*setting)) {
	for _, s := range v.settings {
		if s.field == field && !v.isNil(s.value) {
			do(s)
		}
	}
}

// has says whether one of the fields is set in s, or may be where this package does not say.
func (v *pass) has(s *subject, fields ...string) bool {
	for _, field := range fields {
		for _, set := range s.set[field] {
			if !v.isNil(set.value) {
				return true
			}
		}
		if len(s.set[field]) == 0 && slices.ContainsFunc(v.loose[field], func(obj types.Object) bool { return obj == nil || v.holds(obj, s) }) {
			return true
		}
	}
	return false
}

// sets says whether one of the fields is seen to be set in s.
func sets(s *subject, fields ...string) bool {
	for _, field := range fields {
		if len(s.set[field]) > 0 {
			return true
		}
	}
	return false
}

// place returns what stands for s in a report.
func place(s *subject, otherwise ast.Node) ast.Node {
	if s.lit != nil {
		return s.lit.Type
	}
	return otherwise
}
