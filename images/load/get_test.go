package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func fetch(t *testing.T, spec map[string]any) answer {
	t.Helper()
	line, _ := json.Marshal(spec)
	var out bytes.Buffer
	if err := get(bytes.NewReader(append(line, '\n')), &out); err != nil {
		t.Fatal(err)
	}
	var got answer
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestGetAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Kind", "test")
		switch r.URL.Path {
		case "/large":
			w.Write(bytes.Repeat([]byte("x"), 1000))
		case "/hang":
			time.Sleep(500 * time.Millisecond)
		case "/away":
			http.Redirect(w, r, "/large", http.StatusFound)
		default:
			w.WriteHeader(http.StatusTeapot)
			w.Write([]byte(r.Method))
		}
	}))
	defer server.Close()
	got := fetch(t, map[string]any{"url": server.URL + "/x", "method": "PUT", "body": "{}"})
	if got.Status != 418 || string(got.Body) != "PUT" || got.Headers["x-kind"] != "test" || got.Truncated || got.Error != "" {
		t.Errorf("%+v", got)
	}
	if got := fetch(t, map[string]any{"url": server.URL + "/large", "max_body": 100}); len(got.Body) != 100 || !got.Truncated {
		t.Errorf("%d bytes, truncated %t", len(got.Body), got.Truncated)
	}
	if got := fetch(t, map[string]any{"url": server.URL + "/away"}); got.Status != 302 {
		t.Errorf("followed a redirect: %+v", got)
	}
	if got := fetch(t, map[string]any{"url": server.URL + "/hang", "timeout_s": 0.1}); got.Status != 0 || !strings.Contains(got.Error, "Timeout") {
		t.Errorf("%+v", got)
	}
}

func TestAddressesOutliveDNSAndTakeTurns(t *testing.T) {
	found, failure := []string{"::1", "127.0.0.1", "127.0.0.2"}, error(nil)
	a := &addresses{lookup: func(context.Context, string) ([]string, error) { return found, failure }}
	seen := map[string]int{}
	for range 9 {
		address, err := a.pick(context.Background(), "model.lab-10.svc")
		if err != nil {
			t.Fatal(err)
		}
		seen[address]++
	}
	if len(seen) != 2 || seen["127.0.0.1"] < 4 || seen["127.0.0.2"] < 4 {
		t.Errorf("%v, want turns among the IPv4 addresses", seen)
	}
	failure = errors.New("dns is away")
	a.since = time.Time{}
	if _, err := a.pick(context.Background(), "model.lab-10.svc"); err != nil {
		t.Errorf("a name that was found is lost when DNS is away: %v", err)
	}
	if _, err := a.pick(context.Background(), "other.lab-10.svc"); err == nil {
		t.Error("an unknown name was found")
	}
}
