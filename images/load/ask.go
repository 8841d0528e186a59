package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// How many questions are asked at the same time; more wait for their turn.
const maxAsked = 64

// question is a line of `load ask`; its answer bears the same number.
type question struct {
	request
	Number int64 `json:"number"`
}

// answer is what `load ask` prints for a question. A status of 0 means that no answer came, and
// error says why; refused says why the question was not asked at all.
type answer struct {
	Number    int64             `json:"number"`
	Refused   string            `json:"refused"`
	Status    int               `json:"status"`
	Headers   map[string]string `json:"headers"`
	Body      []byte            `json:"body"` // base64 in JSON
	Truncated bool              `json:"truncated"`
	Seconds   float64           `json:"seconds"`
	Error     string            `json:"error"`
}

// ask sends each request that comes, reads at most max_body bytes of what comes back, and prints
// that as soon as it is there, until the input ends. One program for many questions: starting one
// in a container takes more CPU time than a request.
func ask(in io.Reader, out io.Writer) error {
	reader, writer := bufio.NewReader(in), json.NewEncoder(out)
	var printing sync.Mutex
	var open sync.WaitGroup
	defer open.Wait()
	turns := make(chan struct{}, maxAsked)
	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		open.Add(1)
		turns <- struct{}{}
		go func() {
			defer open.Done()
			defer func() { <-turns }()
			got := asked(line)
			printing.Lock()
			defer printing.Unlock()
			writer.Encode(got) // where nobody reads any more, the input ends too
		}()
	}
}

// asked is the answer to one line.
func asked(line []byte) answer {
	var one question
	if err := decodeStrictly(line, &one); err != nil {
		return answer{Number: one.Number, Refused: err.Error()}
	}
	if err := one.check(); err != nil {
		return answer{Number: one.Number, Refused: err.Error()}
	}
	began := time.Now()
	got, err := send(one.request)
	got.Number, got.Seconds = one.Number, time.Since(began).Seconds()
	if err != nil {
		got.Status, got.Error = 0, err.Error()
	}
	return got
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
