package tlsconfig

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// String returns the report as text: a line that counts, then each target with its findings and what was seen of it. The text is for people and may change from version to version.
func (r *Report) String() string {
	count := map[Severity]int{}
	for _, f := range r.Findings {
		count[f.Severity]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "policy %q: %s, %s", r.Policy, counted(count[SeverityViolation], "violation"), counted(count[SeverityWarning], "warning"))
	if n := r.unanswered(); n > 0 {
		fmt.Fprintf(&b, ", %s not seen whole", counted(n, "endpoint"))
	}
	b.WriteString("\n")
	done := map[string]bool{} // two targets of one name have their findings at the first
	for _, facts := range r.Facts {
		fmt.Fprintf(&b, "%s %q\n", facts.Kind, facts.Target)
		r.writeFindings(&b, facts.Target, done)
		facts.write(&b)
	}
	for _, f := range r.Findings { // somebody took the facts out
		if !done[f.Target] {
			fmt.Fprintf(&b, "%q\n", f.Target)
			r.writeFindings(&b, f.Target, done)
		}
	}
	return b.String()
}

// unanswered returns how many endpoints did not answer all.
func (r *Report) unanswered() (n int) {
	for _, f := range r.Facts {
		if f.Unanswered != "" {
			n++
		}
	}
	return n
}

// counted returns how many there are of something.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// writeFindings writes those of a target that is not done.
func (r *Report) writeFindings(b *strings.Builder, target string, done map[string]bool) {
	if done[target] {
		return
	}
	done[target] = true
	for _, f := range r.Findings {
		if f.Target != target {
			continue
		}
		trap := ""
		if f.Trap != 0 {
			trap = fmt.Sprintf(" (trap %d)", f.Trap)
		}
		fmt.Fprintf(b, "  %s%s: %s\n", f.Severity, trap, f.What)
		if f.Fix != "" {
			fmt.Fprintf(b, "    fix: %s\n", f.Fix)
		}
	}
}

// write writes what was seen, a line for each thing.
func (f *Facts) write(b *strings.Builder) {
	for _, line := range []struct {
		name   string
		values []string
	}{
		{"versions", f.Versions},
		{"TLS 1.2 suites", f.Suites},
		{"TLS 1.3 suites", f.Suites13},
		{"groups", f.Groups},
		{"protocols", f.Protocols},
		{"certificates for", quoted(f.Names)},
		{"first ends", one(f.NotAfter)},
		{"trust", one(f.Trust)},
		{"clients", one(f.Clients)},
		{"unknown name", one(f.UnknownName)},
		{"resumes", f.Resumes},
		{"Strict-Transport-Security", quoted(one(f.HSTS))},
		{"connections", number(f.Connections)},
		{"refuses", f.Refuses},
		{"takes", f.Takes},
		{"toolchain", one(f.Toolchain)},
		{"FIPS 140-3", one(f.FIPS)},
		{"GODEBUG", quoted(f.Godebug)},
	} {
		if len(line.values) > 0 {
			fmt.Fprintf(b, "  %s: %s\n", line.name, strings.Join(line.values, ", "))
		}
	}
	for _, what := range f.NotSeen {
		fmt.Fprintf(b, "  not seen: %s\n", what)
	}
}

// one returns a list of text, without it if it is empty.
func one(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// number returns a list of a number, without it if it is 0.
func number(n int) []string {
	if n == 0 {
		return nil
	}
	return []string{strconv.Itoa(n)}
}

// quoted returns texts from elsewhere so that they can't forge a line.
func quoted(texts []string) []string {
	list := make([]string, len(texts))
	for i, text := range texts {
		list[i] = fmt.Sprintf("%q", text)
	}
	return list
}

// WriteTo writes what String returns to w.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, r.String())
	return int64(n), err
}
