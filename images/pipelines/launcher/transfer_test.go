package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatTheExecutorSaysOfAnArtifactCounts(t *testing.T) {
	held, given, to := setUp(t)
	given.Outputs = []placed{place(given, "a"), place(given, "b"), place(given, "c"), place(given, "d")}
	held.objects["in/data"] = []byte("hello")
	input := filepath.Join(given.Prefix, "in", "data")
	given.Inputs = []placed{{URI: input, Path: input}}
	own := filepath.Join(t.TempDir(), "own")
	if err := os.WriteFile(own, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	artifact := func(uri string, more ...any) map[string]any {
		described := map[string]any{"uri": uri, "metadata": map[string]any{"n": 1}}
		if len(more) > 0 {
			described["custom_path"] = more[0]
		}
		return map[string]any{"artifacts": []any{described}}
	}
	output := map[string]any{"artifacts": map[string]any{
		"a": artifact(own), "b": artifact("s3://elsewhere/b"), "c": artifact(given.Outputs[2].URI, own),
		"d": artifact(input),
	}}
	text, _ := json.Marshal(output)
	if code, err := perform(given, to, []string{"sh", "-c", `printf '%s' "$1" >"$0"`, given.OutputFile, string(text)}); code != 0 {
		t.Fatal(err)
	}
	if string(held.objects["out/a"]) != "mine" || string(held.objects["out/c"]) != "mine" || held.objects["out/b"] != nil {
		t.Fatal(held.objects)
	}
	if d := first(held.result.Output["artifacts"].(map[string]any)["d"]); d["uri"] != input || held.kinds["in/data"] != "" {
		t.Fatal("an input that is passed on is not stored again:", d, held.kinds)
	}
	b := first(held.result.Output["artifacts"].(map[string]any)["b"])
	if b["uri"] != "s3://elsewhere/b" || b["metadata"].(map[string]any)["n"] != 1.0 || b["custom_path"] != nil {
		t.Fatal(b)
	}
}

func TestWhatTheExecutorWroteIsReadOrRefusedInWords(t *testing.T) {
	name := filepath.Join(t.TempDir(), "executor_output.json")
	if output, err := readOutput(name); err != nil || output == nil || len(output) > 0 {
		t.Error("no file:", output, err)
	}
	finite := "is NaN or Infinity"
	for text, want := range map[string]string{
		`null`: "", `{"parameterValues": {"NaN": 1}}`: "",
		`{"parameterValues": {"loss": NaN}}`: finite, `{"a": [-Infinity, 1]}`: finite, `Infinity`: finite,
		`{"parameterValues": {"NaN": x}}`: "invalid character 'x'", ``: "EOF", `{"a": `: "unexpected EOF",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		output, err := readOutput(name)
		if want == "" && (err != nil || output == nil) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v %v", text, output, err)
		}
	}
}

func TestWhatIsStoredElsewhereIsNotSentHere(t *testing.T) {
	held, given, to := setUp(t)
	given.Outputs = []placed{place(given, "a")}
	text := `{"artifacts": {"a": {"artifacts": [{"uri": "s3://elsewhere/a", "custom_path": "/etc/hostname"}]}}}`
	code, _ := perform(given, to, []string{"sh", "-c", `printf '%s' "$1" >"$0"`, given.OutputFile, text})
	if code != exitLauncher || !strings.Contains(held.result.Error, "can be stored, not s3://elsewhere/a") {
		t.Fatal(code, held.result)
	}
}
