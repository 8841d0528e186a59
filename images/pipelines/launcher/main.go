// Launch wraps the command of one task of a pipeline, in whatever image the task has.
//
// `launch --copy PATH` copies this program: an init container does that, into a volume that the task's container has
// too. `launch -- COMMAND ARG...` is what that container runs: it fetches the task's input artifacts, runs the
// command, stores what the command made, and tells the server how it ended. It needs nothing of the image.
//
// The task is described by the variable LAUNCH (see spec.go), which is not passed on. That hides nothing: the command
// can read its parent's variables, so the token in it must open no more than the task may have.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Exit codes of our own; the command's own code is passed on.
const (
	exitLauncher   = 70 // inputs could not be fetched, or results not be stored
	exitUnneeded   = 75 // nobody waits for this task any more
	exitNotStarted = 127
)

const usage = "usage: launch --copy PATH | launch -- COMMAND [ARG...]"

func main() {
	code, err := launch(os.Args[1:], os.Getenv("LAUNCH"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "launch:", err)
	}
	os.Exit(code)
}

func launch(args []string, text string) (int, error) {
	switch {
	case len(args) == 2 && args[0] == "--copy":
		if err := copySelf(args[1]); err != nil {
			return exitLauncher, err
		}
		return 0, nil
	case len(args) < 2 || args[0] != "--":
		return 2, errors.New(usage)
	}
	given, err := readSpec(text)
	if err != nil {
		return 2, err
	}
	return perform(given, newServer(given), args[1:])
}

// perform runs a task from its inputs to its report.
func perform(given spec, to *server, command []string) (int, error) {
	if err := to.begin(); err != nil {
		if errors.Is(err, errUnneeded) {
			return exitUnneeded, err
		}
		return exitLauncher, err
	}
	if err := fetchInputs(given, to); err != nil {
		return report(to, exitLauncher, result{Error: "its inputs could not be fetched: " + err.Error()})
	}
	if err := makeRoom(given); err != nil {
		return report(to, exitLauncher, result{Error: "no place for its outputs: " + err.Error()})
	}
	file, err := os.CreateTemp("", "launch-*.log")
	if err != nil { // TMPDIR is the command's, which may have yet to make it
		file, err = os.CreateTemp("/tmp", "launch-*.log")
	}
	if err != nil {
		return report(to, exitLauncher, result{Error: err.Error()})
	}
	defer os.Remove(file.Name())
	defer file.Close()
	output := newOutput(file)
	code, ended := runCommand(command, output, leftRunning)
	if err := to.storeLog(output); err != nil && !errors.Is(err, errUnneeded) {
		fmt.Fprintln(os.Stderr, "launch: the output could not be kept:", err)
	}
	if ended != "" {
		return report(to, code, result{Error: ended, ExitCode: code})
	}
	made, err := storeOutputs(given, to)
	if err != nil {
		return report(to, exitLauncher, result{Error: "its results could not be stored: " + err.Error()})
	}
	return report(to, 0, made)
}

func report(to *server, code int, ended result) (int, error) {
	err := to.report(ended)
	if errors.Is(err, errUnneeded) {
		return exitUnneeded, err
	}
	if err != nil {
		return exitLauncher, err
	}
	if ended.Error != "" {
		return code, errors.New(ended.Error)
	}
	return code, nil
}

func copySelf(path string) error {
	own, err := os.Executable()
	if err != nil {
		return err
	}
	source, err := os.Open(own)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		return err
	}
	return target.Close()
}
