package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// errUnneeded means that the server does not wait for this attempt any more.
var errUnneeded = errors.New("nobody waits for this task any more")

// refused is an answer that would be the same if asked again.
type refused struct{ reason string }

func (r refused) Error() string { return r.reason }

// server is the server as this attempt may use it. It may be away for a while, for an upgrade say: then each request
// is sent again until it has been away for too long.
type server struct {
	base, token string
	client      *http.Client
	patience    time.Duration
	pause       time.Duration
}

func newServer(given spec) *server {
	return &server{
		base:  strings.TrimSuffix(given.Server, "/") + "/internal",
		token: given.Token,
		// No limit for a whole request: an artifact may be large. Connecting and waiting for an answer have one.
		client: &http.Client{Transport: &http.Transport{
			Proxy:                 nil, // the server is inside the cluster
			ResponseHeaderTimeout: 2 * time.Minute,
			IdleConnTimeout:       30 * time.Second,
		}},
		patience: 15 * time.Minute,
		pause:    time.Second,
	}
}

// ask sends a request until it is answered. body makes the content anew for each try.
func (s *server) ask(method, path, kind string, body func() (io.ReadCloser, error)) (*http.Response, error) {
	end := time.Now().Add(s.patience)
	for {
		answer, err := s.once(method, path, kind, body)
		var final refused
		if err == nil || errors.Is(err, errUnneeded) || errors.As(err, &final) {
			return answer, err
		}
		if time.Now().Add(s.pause).After(end) {
			return nil, fmt.Errorf("the server has been away for %s: %w", s.patience, err)
		}
		time.Sleep(s.pause)
	}
}

func (s *server) once(method, path, kind string, body func() (io.ReadCloser, error)) (*http.Response, error) {
	var content io.ReadCloser
	if body != nil {
		var err error
		if content, err = body(); err != nil {
			return nil, refused{err.Error()}
		}
	}
	request, err := http.NewRequest(method, s.base+path, content)
	if err != nil {
		return nil, refused{err.Error()}
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
	message := string(text)
	var told struct{ Message string }
	if json.Unmarshal(text, &told) == nil && told.Message != "" {
		message = told.Message
	}
	switch {
	case answer.StatusCode == http.StatusConflict:
		return nil, errUnneeded
	case answer.StatusCode == http.StatusInsufficientStorage || answer.StatusCode < 500:
		return nil, refused{message}
	}
	return nil, fmt.Errorf("%s %s: %d %s", method, path, answer.StatusCode, message)
}

func (s *server) fetch(key string) (*http.Response, error) {
	return s.ask(http.MethodGet, "/artifact/"+escape(key), "", nil)
}

func (s *server) store(key, kind string, body func() (io.ReadCloser, error)) error {
	return done(s.ask(http.MethodPut, "/artifact/"+escape(key), kind, body))
}

func (s *server) storeLog(path string) error {
	return done(s.ask(http.MethodPut, "/attempt/log", "text/plain", func() (io.ReadCloser, error) { return os.Open(path) }))
}

// begin says that the attempt starts. It must not where nobody waits for it, as when its pod started too late.
func (s *server) begin() error {
	return done(s.ask(http.MethodPost, "/attempt/start", "", nil))
}

func (s *server) report(ended result) error {
	text, err := json.Marshal(ended)
	if err != nil {
		return err
	}
	return done(s.ask(http.MethodPost, "/attempt/result", "application/json", func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(text)), nil
	}))
}

func done(answer *http.Response, err error) error {
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	return err
}

func escape(key string) string {
	parts := strings.Split(key, "/")
	for number, part := range parts {
		parts[number] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
