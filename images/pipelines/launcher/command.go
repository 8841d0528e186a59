package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const leftRunning = 5 * time.Second // that what a command leaves running may still write to its output

const mostOutput = 16 << 20 // bytes of output that are kept; the pod's own log has all

// runCommand runs the command to its end, its output going to ours and to the file. The second value says why it
// failed, with the last line that it wrote; it is empty if it did not.
//
// What the command leaves running may hold its output open; that is waited for no longer than patience.
func runCommand(words []string, kept *os.File, patience time.Duration) (int, string) {
	defer kept.Close()
	output := &limited{file: kept}
	command := exec.Command(words[0], words[1:]...)
	command.Stdout = io.MultiWriter(os.Stdout, output)
	command.Stderr = command.Stdout // one writer for both keeps their order
	command.Env = without(os.Environ(), "LAUNCH=")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.WaitDelay = patience
	if err := command.Start(); err != nil {
		return exitNotStarted, "its command can't be started: " + err.Error()
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for received := range signals {
			_ = syscall.Kill(-command.Process.Pid, received.(syscall.Signal))
		}
	}()
	err := command.Wait()
	signal.Stop(signals)
	if err == nil || errors.Is(err, exec.ErrWaitDelay) { // it ended well, and left something running
		return 0, ""
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return exitLauncher, err.Error()
	}
	status := exit.Sys().(syscall.WaitStatus)
	code, how := status.ExitStatus(), fmt.Sprintf("exit code %d", status.ExitStatus())
	if status.Signaled() {
		code, how = 128+int(status.Signal()), "killed by signal "+status.Signal().String()
	}
	if last := output.last(); last != "" {
		how += ": " + last
	}
	return code, how
}

// limited keeps the beginning of what is written, and the end of it in memory for the last line.
type limited struct {
	file *os.File
	size int
	end  []byte
}

func (l *limited) Write(text []byte) (int, error) {
	if room := mostOutput - l.size; room > 0 {
		written, err := l.file.Write(text[:min(len(text), room)])
		l.size += written
		if err != nil {
			l.size = mostOutput // a full disk must not end the command
		}
	}
	l.end = append(l.end, text...)
	if len(l.end) > 4096 {
		l.end = l.end[len(l.end)-2048:]
	}
	return len(text), nil
}

func (l *limited) last() string {
	lines := strings.Split(strings.TrimSpace(string(l.end)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

func without(variables []string, prefix string) []string {
	var left []string
	for _, variable := range variables {
		if !strings.HasPrefix(variable, prefix) {
			left = append(left, variable)
		}
	}
	return left
}
