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

func asking(t *testing.T, specs ...map[string]any) []answer {
	t.Helper()
	var in, out bytes.Buffer
	for _, spec := range specs {
		line, _ := json.Marshal(spec)
		in.Write(append(line, '\n'))
	}
	if err := ask(&in, &out); err != nil {
		t.Fatal(err)
	}
	var found []answer
	for decoder := json.NewDecoder(&out); decoder.More(); {
		var got answer
		if err := decoder.Decode(&got); err != nil {
			t.Fatal(err)
		}
		found = append(found, got)
	}
	return found
}

func fetch(t *testing.T, spec map[string]any) answer {
	t.Helper()
	found := asking(t, spec)
	if len(found) != 1 {
		t.Fatalf("%d answers", len(found))
	}
	return found[0]
}

func TestQuestionsAreAskedSideBySide(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(300 * time.Millisecond)
		}
		w.Write([]byte(r.URL.Path))
	}))
	defer server.Close()
	found := asking(t,
		map[string]any{"number": 1, "url": server.URL + "/slow"},
		map[string]any{"number": 2, "url": "http://example.com/"},
		map[string]any{"number": 3, "url": server.URL + "/quick"},
		map[string]any{"number": 4, "url": server.URL, "misspelt": 1},
	)
	seen := map[int64]answer{}
	for _, got := range found {
		seen[got.Number] = got
	}
	if len(found) != 4 || found[3].Number != 1 {
		t.Errorf("the slow answer is not the last of %+v", found)
	}
	if string(seen[1].Body) != "/slow" || string(seen[3].Body) != "/quick" {
		t.Errorf("%+v", seen)
	}
	if !strings.Contains(seen[2].Refused, "neither a Service") || !strings.Contains(seen[4].Refused, "misspelt") {
		t.Errorf("%q, %q", seen[2].Refused, seen[4].Refused)
	}
}

func TestAskAnswers(t *testing.T) {
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
