package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// errUnneeded means that the server does not wait for this attempt any more.
var errUnneeded = errors.New("nobody waits for this task any more")

// errNothing means that nothing is kept there.
var errNothing = errors.New("nothing is kept there")

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

// ask sends a request until it is answered and take has read the answer. body makes the content anew for each try.
func (s *server) ask(
	method, path, kind string, body func() (io.ReadCloser, error), take func(*http.Response) error,
) error {
	var end time.Time
	for {
		err := s.once(method, path, kind, body, take)
		var final refused
		if err == nil || errors.Is(err, errUnneeded) || errors.Is(err, errNothing) || errors.As(err, &final) {
			return err
		}
		if end.IsZero() {
			end = time.Now().Add(s.patience) // it was there until now, however long sending took
		}
		if time.Now().Add(s.pause).After(end) {
			return fmt.Errorf("the server has been away for %s: %w", s.patience, err)
		}
		time.Sleep(s.pause)
	}
}

func (s *server) once(
	method, path, kind string, body func() (io.ReadCloser, error), take func(*http.Response) error,
) error {
	var content io.Reader
	sent := &stream{}
	if body != nil {
		var err error
		if sent.from, err = body(); err != nil {
			return refused{err.Error()}
		}
		content = sent
	}
	request, err := http.NewRequest(method, s.base+path, content)
	if err != nil {
		return refused{err.Error()}
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		if broken := sent.broken(); broken != nil {
			return refused{broken.Error()} // it is the content that can't be read; the server is there
		}
		return err
	}
	received := &stream{from: answer.Body}
	answer.Body = received
	defer answer.Body.Close()
	if answer.StatusCode < 300 {
		err := take(answer)
		if err != nil && received.broken() == nil {
			return refused{err.Error()} // what came was whole; there is no place for it, say
		}
		return err
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
	message := string(text)
	var told struct{ Message string }
	if json.Unmarshal(text, &told) == nil && told.Message != "" {
		message = told.Message
	}
	switch {
	case answer.StatusCode == http.StatusConflict:
		return errUnneeded
	case answer.StatusCode == http.StatusNotFound && method == http.MethodGet:
		return errNothing
	case answer.StatusCode == http.StatusInsufficientStorage || answer.StatusCode < 500:
		return refused{message}
	}
	return fmt.Errorf("%s %s: %d %s", method, path, answer.StatusCode, message)
}

func (s *server) fetch(key string, take func(*http.Response) error) error {
	return s.ask(http.MethodGet, "/artifact/"+escape(key), "", nil, take)
}

func (s *server) store(key, kind string, body func() (io.ReadCloser, error)) error {
	return s.ask(http.MethodPut, "/artifact/"+escape(key), kind, body, passOver)
}

func (s *server) storeLog(written *output) error {
	return s.ask(http.MethodPut, "/attempt/log", "text/plain", func() (io.ReadCloser, error) {
		return io.NopCloser(written.kept()), nil
	}, passOver)
}

// begin says that the attempt starts. It must not where nobody waits for it, as when its pod started too late.
func (s *server) begin() error {
	return s.ask(http.MethodPost, "/attempt/start", "", nil, passOver)
}

// report says how the attempt ended. An answer may be lost on its way: then the result is sent once more, and where
// nobody waits for it now, the first one has arrived.
func (s *server) report(ended result) error {
	text, err := json.Marshal(ended)
	if err != nil {
		return err
	}
	tries := 0
	err = s.ask(http.MethodPost, "/attempt/result", "application/json", func() (io.ReadCloser, error) {
		tries++
		return io.NopCloser(bytes.NewReader(text)), nil
	}, passOver)
	if errors.Is(err, errUnneeded) && tries > 1 {
		return nil
	}
	return err
}

func passOver(answer *http.Response) error {
	_, err := io.Copy(io.Discard, answer.Body)
	return err
}

// stream remembers why reading failed, if it was not for being closed.
type stream struct {
	from   io.ReadCloser
	mu     sync.Mutex
	closed bool
	failed error
}

func (s *stream) Read(into []byte) (int, error) {
	number, err := s.from.Read(into)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && err != io.EOF && !s.closed {
		s.failed = err
	}
	return number, err
}

func (s *stream) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.from.Close()
}

func (s *stream) broken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func escape(key string) string {
	parts := strings.Split(key, "/")
	for number, part := range parts {
		parts[number] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
