package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// kept is a server of the kind that launchers talk to, in memory.
type kept struct {
	mu      sync.Mutex
	objects map[string][]byte
	kinds   map[string]string
	log     string
	started bool
	result  *result
	answers []int // codes to answer with before all goes well
}

func (k *kept) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.answers) > 0 {
		code := k.answers[0]
		k.answers = k.answers[1:]
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"message": "told so"}`)
		return
	}
	body, _ := io.ReadAll(r.Body)
	key, isArtifact := strings.CutPrefix(r.URL.Path, "/internal/artifact/")
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		w.WriteHeader(http.StatusUnauthorized)
	case isArtifact && r.Method == http.MethodPut:
		k.objects[key], k.kinds[key] = body, r.Header.Get("Content-Type")
	case isArtifact:
		content, found := k.objects[key]
		if !found {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"message": "artifact `+key+` not found"}`)
			return
		}
		w.Header().Set("Content-Type", k.kinds[key])
		_, _ = w.Write(content)
	case r.URL.Path == "/internal/attempt/start":
		k.started = true
	case r.URL.Path == "/internal/attempt/log":
		k.log = string(body)
	case r.URL.Path == "/internal/attempt/result":
		k.result = &result{}
		_ = json.Unmarshal(body, k.result)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func setUp(t *testing.T) (*kept, spec, *server) {
	t.Helper()
	held := &kept{objects: map[string][]byte{}, kinds: map[string]string{}}
	listening := httptest.NewServer(held)
	t.Cleanup(listening.Close)
	root := t.TempDir()
	t.Setenv("TMPDIR", root)
	given := spec{
		Server: listening.URL, Token: "secret", Prefix: filepath.Join(root, "minio"),
		OutputFile: filepath.Join(root, "minio", "out", "executor_output.json"),
	}
	to := newServer(given)
	to.pause, to.patience = 10*time.Millisecond, time.Second
	return held, given, to
}

func place(given spec, name string) placed {
	path := filepath.Join(given.Prefix, "out", name)
	return placed{Name: name, URI: path, Path: path}
}

func TestAnInputWithoutContentIsLeftAway(t *testing.T) {
	held, given, to := setUp(t)
	given.Inputs = []placed{place(given, "metrics")}
	code, err := perform(given, to, []string{"sh", "-c", `test ! -e "$0"`, given.Inputs[0].Path})
	if code != 0 || err != nil || held.result.Error != "" {
		t.Fatal(code, err, held.result)
	}
}

func TestATaskFromItsInputsToItsReport(t *testing.T) {
	held, given, to := setUp(t)
	held.objects["in/data with space"] = []byte("hello")
	input := filepath.Join(given.Prefix, "in", "data with space")
	given.Inputs = []placed{{URI: input, Path: input}, {URI: "s3://elsewhere/x", Path: "/s3/elsewhere/x"}}
	given.Outputs = []placed{place(given, "copy"), place(given, "never")}
	given.Parameters = []parameter{
		{"length", filepath.Join(given.Prefix, "out", "length")}, {"none", filepath.Join(given.Prefix, "out", "none")},
	}
	script := `cat "$0" >"$1"; printf 5 >"$2"; printf '%s' '{"parameterValues": {"big": 9007199254740993}}' >"$3"; echo said; test -z "$LAUNCH"`
	t.Setenv("LAUNCH", "hidden")
	code, err := perform(given, to, []string{"sh", "-c", script, input, given.Outputs[0].Path, given.Parameters[0].Path, given.OutputFile})
	if code != 0 || err != nil {
		t.Fatal(code, err)
	}
	if string(held.objects["out/copy"]) != "hello" || held.log != "said\n" || held.result.Parameters["length"] != "5" {
		t.Fatal(held.objects, held.log, held.result)
	}
	text, _ := json.Marshal(held.result.Output)
	for _, word := range []string{`"never"`, `"copy"`, `"parameterValues"`} {
		if !strings.Contains(string(text), word) {
			t.Error(word, "is not in", string(text))
		}
	}
}

func TestACommandMayMakeItsOwnTemporaryFolder(t *testing.T) {
	held, given, to := setUp(t)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "later"))
	code, err := perform(given, to, []string{"sh", "-c", `mkdir "$TMPDIR" && echo made`})
	if code != 0 || held.log != "made\n" {
		t.Fatal(code, err, held.log)
	}
}

func TestWhatACommandLeavesRunningIsNoFailure(t *testing.T) {
	for script, want := range map[string]int{
		"sleep 60 & echo $!; echo done": 0,
		"sleep 60 & echo $!; exit 3":    3,
	} {
		file, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		code, why := runCommand([]string{"sh", "-c", script}, newOutput(file), 10*time.Millisecond)
		text, _ := os.ReadFile(file.Name())
		var left int
		if _, err := fmt.Sscan(string(text), &left); err != nil || syscall.Kill(left, syscall.SIGKILL) != nil {
			t.Error("nothing was left running:", string(text), err)
		}
		if code != want || (why == "") != (want == 0) {
			t.Errorf("%s: %d %q", script, code, why)
		}
	}
}

func TestAFailureIsReportedWithItsReason(t *testing.T) {
	for script, want := range map[string]struct {
		code   int
		reason string
	}{
		"echo first; echo last >&2; exit 3": {3, "exit code 3: last"},
		"kill -9 $$":                        {137, "killed by signal killed"},
		"exit 1":                            {1, "exit code 1"},
	} {
		held, given, to := setUp(t)
		code, _ := perform(given, to, []string{"sh", "-c", script})
		if code != want.code || held.result.Error != want.reason {
			t.Errorf("%s: %d %q", script, code, held.result.Error)
		}
	}
	held, given, to := setUp(t)
	if code, _ := perform(given, to, []string{"/no/such/program"}); code != exitNotStarted || !strings.Contains(held.result.Error, "can't be started") {
		t.Error(code, held.result.Error)
	}
	held, given, to = setUp(t)
	given.Inputs = []placed{place(given, "secret")}
	held.answers = []int{http.StatusOK, http.StatusForbidden} // to the start, and to who asks for the input
	if code, _ := perform(given, to, []string{"true"}); code != exitLauncher || held.result.Error != "its inputs could not be fetched: told so" {
		t.Error(code, held.result.Error)
	}
}

func TestCommandLineAndSpecification(t *testing.T) {
	if got := local("minio://bucket/key"); got != "/minio/bucket/key" {
		t.Error(got)
	}
	for _, text := range []string{"", "{", `{"surprise": 1}`} {
		if _, err := readSpec(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	text := `{"server": "http://x", "token": "t", "prefix": "minio://p", "output_file": "/o", "attempt": "of an older server"}`
	if given, err := readSpec(text); err != nil || given.Token != "t" {
		t.Error(given, err)
	}
	if code, err := launch([]string{"--"}, "{}"); code != 2 || err == nil {
		t.Error(code, err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if code, err := launch([]string{"--copy", copied}, ""); code != 0 || err != nil {
		t.Fatal(code, err)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Fatal(info, err)
	}
}

func TestASignalReachesTheCommandAndIsNamed(t *testing.T) {
	loop := `i=0; while [ $i -lt 5000000 ]; do i=$((i+1)); done; exit 9` // seconds, without a process of its own
	for script, want := range map[string]struct {
		code   int
		reason string
	}{
		"trap 'exit 7' TERM; kill -TERM $PPID; $loop":             {7, "exit code 7 after its pod was told to end"},
		"kill -TERM $PPID; $loop":                                 {143, "killed by signal terminated after its pod was told to end"},
		"trap 'echo saved; exit 0' TERM; kill -TERM $PPID; $loop": {0, ""},
	} {
		held, given, to := setUp(t)
		code, _ := perform(given, to, []string{"sh", "-c", strings.ReplaceAll(script, "$loop", loop)})
		if code != want.code || held.result == nil || held.result.Error != want.reason {
			t.Errorf("%s: %d %v", script, code, held.result)
		}
	}
}
