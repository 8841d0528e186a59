// Load sends requests to a Service from inside the cluster.
//
// `load serve` idles: it is what the pod runs. The checker starts the other two in that pod:
// `load attack` sends requests on a fixed schedule, which it reads as one line of JSON, and
// streams one result for each; `load ask` sends a single request for each line that comes, and
// prints its answer. Neither sends anything to a host outside the cluster.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = "usage: load serve | attack | ask"

// The exit codes say whose fault it was: 2 means that the specification can't be used.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(exitUsage)
	}
	var err error
	switch os.Args[1] {
	case "serve":
		err = serve()
	case "attack":
		err = attack(os.Stdin, os.Stdout)
	case "ask":
		err = ask(os.Stdin, os.Stdout)
	default:
		err = badSpec{usage}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		var bad badSpec
		if errors.As(err, &bad) {
			os.Exit(exitUsage)
		}
		os.Exit(exitFailed)
	}
}

// serve waits for the signal that ends the pod. As process 1 it gets no default action for
// SIGTERM, so without this the kubelet would have to kill it after the grace period.
func serve() error {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
	return nil
}

// readSpec decodes the first line of the input. Unknown fields are refused, because a
// misspelt limit that is silently ignored is a limit that does not exist.
func readSpec(in *bufio.Reader, into any) error {
	line, err := in.ReadBytes('\n')
	if err != nil && !(errors.Is(err, io.EOF) && len(line) > 0) {
		return badSpec{"no specification on standard input"}
	}
	return decodeStrictly(line, into)
}

func decodeStrictly(line []byte, into any) error {
	decoder := json.NewDecoder(bytesReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return badSpec{"specification: " + err.Error()}
	}
	return nil
}
