package main

import (
	"encoding/json"
	"os"
	"path/filepath"
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
