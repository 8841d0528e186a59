package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAnInputThatIsCutOffComesOnceMore(t *testing.T) {
	held, given, to := setUp(t)
	data := filepath.Join(given.Prefix, "in", "data")
	held.objects["in/data"] = bytes.Repeat([]byte("0123456789"), 100_000)
	given.Inputs = []placed{{URI: data, Path: data}}
	tries := 0
	cutting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/internal/artifact/") {
			if tries++; tries <= 2 {
				w.Header().Set("Content-Length", "1000000")
				_, _ = w.Write(held.objects["in/data"][:500_000])
				panic(http.ErrAbortHandler) // the connection breaks
			}
		}
		held.ServeHTTP(w, r)
	}))
	defer cutting.Close()
	to.base = cutting.URL + "/internal"
	if code, err := perform(given, to, []string{"sh", "-c", `test "$(wc -c <"$0")" = 1000000`, data}); code != 0 || tries != 3 {
		t.Fatal(code, err, tries)
	}
}

func TestAnInputWithoutAPlaceIsSaidAtOnce(t *testing.T) {
	held, given, to := setUp(t)
	held.objects["in/data"] = []byte("hello")
	inTheWay := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	given.Inputs = []placed{{URI: filepath.Join(given.Prefix, "in", "data"), Path: filepath.Join(inTheWay, "data")}}
	to.patience = time.Minute
	code, _ := perform(given, to, []string{"true"})
	if code != exitLauncher || !strings.Contains(held.result.Error, "not a directory") {
		t.Fatal(code, held.result)
	}
}

func TestAServerThatIsAwayIsWaitedFor(t *testing.T) {
	held, given, to := setUp(t)
	held.answers = []int{503, 500, 502}
	if code, err := perform(given, to, []string{"true"}); code != 0 || held.result == nil || !held.started {
		t.Fatal(code, err)
	}
	held.answers = make([]int, 1000)
	for number := range held.answers {
		held.answers[number] = 503
	}
	to.patience = 100 * time.Millisecond
	if code, err := perform(given, to, []string{"true"}); code != exitLauncher || !strings.Contains(err.Error(), "has been away") {
		t.Fatal(code, err)
	}
}

func TestAResultWhoseAnswerIsLostHasArrived(t *testing.T) {
	for script, want := range map[string]int{"true": 0, "exit 3": 3} {
		held, given, to := setUp(t)
		reports := 0
		losing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/internal/attempt/result" {
				if reports++; reports > 1 {
					w.WriteHeader(http.StatusConflict)
					return
				}
				held.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler) // the server is killed before it answers
			}
			held.ServeHTTP(w, r)
		}))
		to.base = losing.URL + "/internal"
		code, err := perform(given, to, []string{"sh", "-c", script})
		losing.Close()
		if code != want || reports != 2 || held.result == nil || (err == nil) != (want == 0) {
			t.Error(script, code, err, reports)
		}
	}
}

func TestAFullStoreIsSaidAtOnce(t *testing.T) {
	held, given, to := setUp(t)
	given.Outputs = []placed{place(given, "data")}
	command := []string{"sh", "-c", `echo x >"$0"`, given.Outputs[0].Path}
	to.patience = time.Minute
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/internal/artifact/") {
			w.WriteHeader(http.StatusInsufficientStorage)
			_, _ = io.WriteString(w, `{"message": "no room"}`)
			return
		}
		held.ServeHTTP(w, r)
	}))
	defer full.Close()
	to.base = full.URL + "/internal"
	code, _ := perform(given, to, command)
	if code != exitLauncher || !strings.Contains(held.result.Error, "no room") {
		t.Fatal(code, held.result)
	}
}

func TestAnAttemptThatNobodyWaitsForEnds(t *testing.T) {
	held, given, to := setUp(t)
	held.answers = []int{409}
	ran := filepath.Join(t.TempDir(), "ran")
	if code, err := perform(given, to, []string{"touch", ran}); code != exitUnneeded || !errors.Is(err, errUnneeded) {
		t.Fatal(code, err)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Fatal("it ran all the same")
	}
}

func TestAnArtifactThatIsTwoInputsComesOnce(t *testing.T) {
	held, given, to := setUp(t)
	held.objects["in/data"] = []byte("hello")
	data := placed{URI: filepath.Join(given.Prefix, "in", "data"), Path: filepath.Join(given.Prefix, "in", "data")}
	given.Inputs = []placed{data, data}
	counted := 0
	counting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/internal/artifact/") {
			counted++
		}
		held.ServeHTTP(w, r)
	}))
	defer counting.Close()
	to.base = counting.URL + "/internal"
	if code, err := perform(given, to, []string{"test", "-s", data.Path}); code != 0 || counted != 1 {
		t.Fatal(code, err, counted)
	}
}
