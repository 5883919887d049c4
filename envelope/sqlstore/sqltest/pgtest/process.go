package pgtest

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// guard runs a server until its own standard input ends, as it does when the process that holds the other end closes it or dies. Then it ends the server with the
// signal $1, by its process id. It also ends when the server does. A shell gives its background commands an empty standard input, hence the 3.
const guard = `exec 3<&0; signal=$1; shift
"$@" </dev/null 3<&- & server=$!
{ cat >/dev/null; kill -s "$signal" "$server" 2>/dev/null; } <&3 &
wait "$server"
kill $! 2>/dev/null
true`

// process is a server under guard.
type process struct {
	leash io.Closer // the guard's standard input
	done  chan struct{}
}

// run starts a server, which signal ends and which writes to the file log.
func run(log, signal string, command ...string) (*process, error) {
	logged, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer logged.Close()
	cmd := as(append([]string{"sh", "-c", guard, "sh", signal}, command...)...)
	cmd.Stdout, cmd.Stderr = logged, logged
	leash, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{leash: leash, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		cmd.Wait() // how it ends is in the log
	}()
	return p, nil
}

// stop returns when the server has ended. A nil process has.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	err := p.leash.Close()
	<-p.done
	if errors.Is(err, os.ErrClosed) { // by Wait: the server had ended by itself
		return nil
	}
	return err
}

func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// as returns the command, run by the user postgres if we are root.
func as(command ...string) *exec.Cmd {
	if os.Geteuid() == 0 {
		command = append([]string{"runuser", "-u", "postgres", "--"}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = filepath.Dir(os.TempDir() + "/") // that user may not enter the current folder
	return cmd
}
