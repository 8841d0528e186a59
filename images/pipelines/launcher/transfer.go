package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
)

const archive = "application/x-tar"

var notFinite = regexp.MustCompile(`^(NaN|Infinity)`) // as Python's json writes them

// fetchInputs puts the input artifacts where the command looks for them. One that is kept elsewhere is left to the
// command, which knows its URI. One that has no content, as Metrics have none, is its metadata alone, as with Kubeflow
// Pipelines (backend/src/v2/objectstore/object_store.go, DownloadBlob).
func fetchInputs(given spec, from *server) error {
	fetched := map[placed]bool{} // an artifact may be several inputs
	for _, input := range given.Inputs {
		key := given.key(input.URI)
		if key == "" || fetched[input] {
			continue
		}
		fetched[input] = true
		if err := fetchOne(key, input.Path, from); err != nil && !errors.Is(err, errNothing) {
			return err
		}
	}
	return nil
}

func fetchOne(key, path string, from *server) error {
	return from.fetch(key, func(answer *http.Response) error {
		err := receive(answer, path)
		if err != nil {
			_ = os.RemoveAll(path) // it comes once more, whole
		}
		return err
	})
}

func receive(answer *http.Response, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	if answer.Header.Get("Content-Type") == archive {
		return unpack(answer.Body, path)
	}
	return write(path, answer.Body, 0o666)
}

// makeRoom makes the folders that outputs go into.
func makeRoom(given spec) error {
	paths := []string{given.OutputFile}
	for _, output := range given.Outputs {
		paths = append(paths, output.Path)
	}
	for _, parameter := range given.Parameters {
		paths = append(paths, parameter.Path)
	}
	for _, path := range paths {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
	}
	return nil
}

// storeOutputs stores what the command made, and describes it.
func storeOutputs(given spec, to *server) (result, error) {
	output, err := readOutput(given.OutputFile)
	if err != nil {
		return result{}, fmt.Errorf("%s: %w", given.OutputFile, err)
	}
	told, _ := output["artifacts"].(map[string]any)
	artifacts := map[string]any{}
	for _, declared := range given.Outputs {
		stored, err := storeArtifact(given, to, declared, first(told[declared.Name]))
		if err != nil {
			return result{}, err
		}
		artifacts[declared.Name] = map[string]any{"artifacts": []any{stored}}
	}
	if len(artifacts) > 0 {
		output["artifacts"] = artifacts
	}
	parameters := map[string]string{}
	for _, parameter := range given.Parameters {
		text, err := os.ReadFile(parameter.Path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return result{}, err
		}
		parameters[parameter.Name] = string(text)
	}
	return result{Output: output, Parameters: parameters}, nil
}

// readOutput reads what the SDK's executor wrote; nothing if the command is no such one.
func readOutput(path string) (map[string]any, error) {
	output := map[string]any{}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return output, nil
	}
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a large integer stays what it is
	err = decoder.Decode(&output)
	var wrong *json.SyntaxError
	if errors.As(err, &wrong) && notFinite.Match(text[max(wrong.Offset-1, 0):]) {
		return nil, errors.New("an output or a metric is NaN or Infinity, which JSON does not have")
	}
	if output == nil { // null
		output = map[string]any{}
	}
	return output, err
}

// storeArtifact stores one artifact and gives its description: the executor's, if the command was one, with the URI
// that it was given unless the command chose one elsewhere.
func storeArtifact(given spec, to *server, declared placed, told map[string]any) (map[string]any, error) {
	uri, path := declared.URI, declared.Path
	if chosen, _ := told["uri"].(string); chosen != "" && chosen != declared.URI {
		if given.reads(chosen) {
			uri, path = chosen, "" // an input that is passed on: it is stored already
		} else if given.key(chosen) != "" {
			uri, path = chosen, local(chosen)
		} else if _, err := os.Stat(chosen); err == nil && filepath.IsAbs(chosen) {
			path = chosen // a file of the container: kept under the URI that was foreseen
		} else {
			uri, path = chosen, ""
		}
	}
	if custom, _ := told["custom_path"].(string); custom != "" {
		path = custom
	}
	if path != "" && given.key(uri) == "" {
		return nil, fmt.Errorf("%s: only what is below %s can be stored, not %s", declared.Name, given.Prefix, uri)
	}
	if path != "" {
		if err := upload(given.key(uri), path, to); err != nil {
			return nil, fmt.Errorf("%s: %w", declared.Name, err)
		}
	}
	described := map[string]any{"name": declared.Name, "uri": uri}
	if metadata, found := told["metadata"].(map[string]any); found {
		described["metadata"] = metadata
	}
	return described, nil
}

// upload stores a file or a folder. What is not there is no error: a command need not write every output.
func upload(key, path string, to *server) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		return to.store(key, archive, func() (io.ReadCloser, error) { return pack(path), nil })
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is neither a file nor a folder: %s", path, info.Mode())
	}
	return to.store(key, "application/octet-stream", func() (io.ReadCloser, error) { return os.Open(path) })
}

func write(path string, content io.Reader, mode fs.FileMode) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	return fill(file, content)
}

// fill writes a file's content and closes it.
func fill(file *os.File, content io.Reader) error {
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

func first(list any) map[string]any {
	entry, _ := list.(map[string]any)
	items, _ := entry["artifacts"].([]any)
	if len(items) == 0 {
		return nil
	}
	described, _ := items[0].(map[string]any)
	return described
}
