package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// answer is what `load get` prints. A status of 0 means that no answer came, and error says why.
type answer struct {
	Status    int               `json:"status"`
	Headers   map[string]string `json:"headers"`
	Body      []byte            `json:"body"` // base64 in JSON
	Truncated bool              `json:"truncated"`
	Seconds   float64           `json:"seconds"`
	Error     string            `json:"error"`
}

// get sends one request, reads at most max_body bytes of what comes back, and prints it.
func get(in io.Reader, out io.Writer) error {
	var spec request
	if err := readSpec(bufio.NewReader(in), &spec); err != nil {
		return err
	}
	if err := spec.check(); err != nil {
		return err
	}
	began := time.Now()
	got, err := send(spec)
	got.Seconds = time.Since(began).Seconds()
	if err != nil {
		got.Status, got.Error = 0, err.Error()
	}
	return json.NewEncoder(out).Encode(got)
}

func send(spec request) (answer, error) {
	got := answer{Headers: map[string]string{}, Body: []byte{}}
	req, err := http.NewRequest(spec.Method, spec.URL, strings.NewReader(spec.Body))
	if err != nil {
		return got, err
	}
	req.Header = spec.header()
	response, err := newClient(spec.timeout(), false).Do(req)
	if err != nil {
		return got, err
	}
	defer response.Body.Close()
	got.Status = response.StatusCode
	for name := range response.Header {
		got.Headers[strings.ToLower(name)] = response.Header.Get(name)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, spec.MaxBody+1))
	if int64(len(body)) > spec.MaxBody {
		body, got.Truncated = body[:spec.MaxBody], true
	}
	got.Body = body
	return got, err
}
