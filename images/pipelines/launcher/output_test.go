package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOutputIsKeptWithItsBeginningAndItsEnd(t *testing.T) {
	lines := func(first, last int) string {
		var text strings.Builder
		for number := first; number <= last; number++ {
			fmt.Fprintf(&text, "line %03d\n", number) // 9 bytes
		}
		return text.String()
	}
	for name, given := range map[string]struct{ text, want string }{
		"all":         {lines(1, 13), lines(1, 13)},
		"full":        {lines(1, 13) + "end", lines(1, 13) + "end"},
		"one more":    {lines(1, 13) + "end\n", "line 001\nli\n[7 bytes of output are left out here]\n" + lines(3, 13) + "end\n"},
		"often round": {lines(1, 500), "line 001\nli\n[4381 bytes of output are left out here]\n" + lines(489, 500)},
		"long lines": {"ab" + strings.Repeat("x", 300),
			"ab" + strings.Repeat("x", 9) + "\n[182 bytes of output are left out here]\n" + strings.Repeat("x", 109)},
	} {
		for _, step := range []int{1, 7, 1000} {
			file, err := os.CreateTemp(t.TempDir(), "")
			if err != nil {
				t.Fatal(err)
			}
			written := &output{file: file, head: 11, tail: 109}
			for rest := []byte(given.text); len(rest) > 0; rest = rest[min(step, len(rest)):] {
				_, _ = written.Write(rest[:min(step, len(rest))])
			}
			for range 2 { // it can be sent again
				if kept, _ := io.ReadAll(written.kept()); string(kept) != given.want {
					t.Errorf("%s, %d at once: %q", name, step, kept)
				}
			}
		}
	}
}

func TestTheEndOfMuchOutputArrives(t *testing.T) {
	held, given, to := setUp(t)
	screen := os.Stdout
	defer func() { os.Stdout = screen }()
	os.Stdout, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	code, _ := perform(given, to, []string{"sh", "-c", "echo begins; head -c 20000000 /dev/zero | tr '\\0' x; echo; echo crash; exit 3"})
	if code != 3 || len(held.log) > mostHead+mostTail+100 || !strings.HasPrefix(held.log, "begins\n") || !strings.HasSuffix(held.log, "x\ncrash\n") {
		t.Fatal(code, len(held.log))
	}
	if held.result.Error != "exit code 3: crash" {
		t.Fatal(held.result.Error)
	}
}

func TestAFullDiskEndsNoCommand(t *testing.T) {
	name := filepath.Join(t.TempDir(), "full")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	full, err := os.Open(name) // takes nothing either
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	written := newOutput(full)
	for _, text := range []string{"first\n", "the end\n"} {
		if number, err := written.Write([]byte(text)); err != nil || number != len(text) {
			t.Fatal(number, err)
		}
	}
	if kept, _ := io.ReadAll(written.kept()); string(kept) != "\n[14 bytes of output are left out here]\n" || written.last() != "the end" {
		t.Fatalf("%q %s", kept, written.last())
	}
}
