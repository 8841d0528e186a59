package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const leftRunning = 5 * time.Second // that what a command leaves running may still write to its output

// runCommand runs the command to its end, its output going to ours and being kept. The second value says why it
// failed, with the last line that it wrote; it is empty if it did not.
//
// What the command leaves running may hold its output open; that is waited for no longer than patience.
func runCommand(words []string, kept *output, patience time.Duration) (int, string) {
	command := exec.Command(words[0], words[1:]...)
	command.Stdout = io.MultiWriter(os.Stdout, kept)
	command.Stderr = command.Stdout // one writer for both keeps their order
	command.Env = without(os.Environ(), "LAUNCH=")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.WaitDelay = patience
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	if err := command.Start(); err != nil {
		return exitNotStarted, "its command can't be started: " + err.Error()
	}
	var told atomic.Bool
	go func() {
		for received := range signals {
			told.Store(true)
			_ = syscall.Kill(-command.Process.Pid, received.(syscall.Signal))
		}
	}()
	err := command.Wait()
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
	if told.Load() {
		how += " after its pod was told to end" // by a deadline, or as its node goes away: the pod's events say why
	}
	if last := kept.last(); last != "" {
		how += ": " + last
	}
	return code, how
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
