package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// spec describes a task; the server makes it (embedded/manifests.py).
type spec struct {
	Server     string      `json:"server"`      // address of the server
	Token      string      `json:"token"`       // lets this attempt in, and says which one it is
	Prefix     string      `json:"prefix"`      // root of the URIs that the server keeps
	Inputs     []placed    `json:"inputs"`      // artifacts to fetch
	Outputs    []placed    `json:"outputs"`     // artifacts that the command may write
	Parameters []parameter `json:"parameters"`  // files that the command may write
	OutputFile string      `json:"output_file"` // what the SDK's executor writes
}

// placed is an artifact and where the command finds or puts it.
type placed struct {
	Name string `json:"name,omitempty"`
	URI  string `json:"uri"`
	Path string `json:"path"`
}

type parameter struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// result is what is reported. An error makes it a failure.
type result struct {
	Error      string            `json:"error,omitempty"`
	ExitCode   int               `json:"exit_code"`
	Output     map[string]any    `json:"output,omitempty"`     // the executor's, with an entry for each artifact
	Parameters map[string]string `json:"parameters,omitempty"` // contents of parameter files
}

// readSpec passes over what it does not know: a pod that waited for its node while the server was upgraded has the
// older one's description and the newer one's launcher.
func readSpec(text string) (spec, error) {
	var given spec
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		return given, fmt.Errorf("the variable LAUNCH can't be read: %w", err)
	}
	if given.Server == "" || given.Token == "" || given.Prefix == "" || given.OutputFile == "" {
		return given, errors.New("the variable LAUNCH lacks one of server, token, prefix and output_file")
	}
	return given, nil
}

// key is what follows the root in a URI that the server keeps; empty for one that is elsewhere.
func (s spec) key(uri string) string {
	key, ours := strings.CutPrefix(uri, strings.TrimSuffix(s.Prefix, "/")+"/")
	if !ours {
		return ""
	}
	return key
}

// reads tells whether a URI is an input's.
func (s spec) reads(uri string) bool {
	return slices.ContainsFunc(s.Inputs, func(input placed) bool { return input.URI == uri })
}

// local is where the SDK's executor looks for a URI: minio://bucket/key is /minio/bucket/key.
func local(uri string) string {
	for scheme, folder := range map[string]string{"minio://": "/minio/", "s3://": "/s3/", "gs://": "/gcs/"} {
		if rest, found := strings.CutPrefix(uri, scheme); found {
			return folder + rest
		}
	}
	return uri
}
