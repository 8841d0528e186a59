package main

import (
	"archive/tar"
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAFolderComesBackAsItWas(t *testing.T) {
	held, given, to := setUp(t)
	given.Outputs = []placed{place(given, "model")}
	script := `mkdir -p "$0/deep"; printf one >"$0/deep/a"; printf two >"$0/b"; chmod 755 "$0/b"`
	if code, err := perform(given, to, []string{"sh", "-c", script, given.Outputs[0].Path}); code != 0 {
		t.Fatal(err)
	}
	if held.kinds["out/model"] != archive {
		t.Fatal(held.kinds)
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := fetchOne("out/model", again, to); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(again, "deep", "a"))
	info, err2 := os.Stat(filepath.Join(again, "b"))
	if err != nil || err2 != nil || string(text) != "one" || info.Mode().Perm() != 0o755 {
		t.Fatal(string(text), info, err, err2)
	}
}

func TestLinksComeBackAsLinksOrAsWhatTheyLedTo(t *testing.T) {
	held, given, to := setUp(t)
	given.Outputs = []placed{place(given, "model")}
	elsewhere := filepath.Join(t.TempDir(), "weights")
	if err := os.WriteFile(elsewhere, []byte("heavy"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := `mkdir -p "$0/blobs" "$0/snapshots/1"
printf one >"$0/blobs/a"
ln -s ../../blobs/a "$0/snapshots/1/relative"
ln -s "$0/blobs/a" "$0/snapshots/1/absolute"
ln -s snapshots/1 "$0/current"
ln -s current/relative "$0/through"
ln -s "$1" "$0/file"`
	if code, err := perform(given, to, []string{"sh", "-c", script, given.Outputs[0].Path, elsewhere}); code != 0 {
		t.Fatal(err)
	}
	_ = os.Remove(elsewhere)
	_ = os.RemoveAll(given.Outputs[0].Path)
	again := filepath.Join(t.TempDir(), "again")
	for range 2 { // as when two inputs are the same
		if err := fetchOne("out/model", again, to); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"snapshots/1/relative": "one", "snapshots/1/absolute": "one", "current/relative": "one", "through": "one",
		"file": "heavy",
	} {
		text, err := os.ReadFile(filepath.Join(again, name))
		if string(text) != want {
			t.Error(name, string(text), err)
		}
	}
	if target, _ := os.Readlink(filepath.Join(again, "snapshots", "1", "absolute")); target != "../../blobs/a" {
		t.Error(target, held.kinds)
	}
}

func TestWhatCanNotBeStoredIsSaidAtOnce(t *testing.T) {
	folder, err := os.MkdirTemp("", "launch") // a short path: a socket's has a limit
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	listening, err := net.Listen("unix", filepath.Join(folder, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listening.Close()
	for script, words := range map[string]string{
		`mkdir "$0"; ln -s /usr "$0/link"`:     "which is not in the folder",
		`mkdir "$0"; ln -s /no/such "$0/link"`: "no such file",
		`mkdir "$0"; ln -s link "$0/link"`:     "too many links",
		`mkdir "$0"; mkfifo "$0/fifo"`:         "fifo is neither a file nor a folder",
		`mkdir "$0"; ln -s "$1/s" "$0/socket"`: "and no file that could be stored",
		`mkfifo "$0"`:                          "data is neither a file nor a folder",
	} {
		held, given, to := setUp(t)
		given.Outputs = []placed{place(given, "data")}
		to.patience = time.Minute
		began := time.Now()
		code, _ := perform(given, to, []string{"sh", "-c", script, given.Outputs[0].Path, folder})
		if code != exitLauncher || held.result == nil || !strings.Contains(held.result.Error, words) {
			t.Error(script, code, held.result)
		}
		if time.Since(began) > 20*time.Second {
			t.Error(script, "took", time.Since(began))
		}
	}
}

func TestAFileThatIsWrittenToIsStoredAsItWas(t *testing.T) {
	var stored bytes.Buffer
	packed := tar.NewWriter(&stored)
	header := tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: 3, Mode: 0o600}
	if err := addContent(packed, header, strings.NewReader("one and more")); err != nil {
		t.Fatal(err)
	}
	if err := addContent(packed, header, strings.NewReader("o")); err == nil || !strings.Contains(err.Error(), "a became shorter") {
		t.Fatal(err)
	}
	reader := tar.NewReader(&stored)
	_, _ = reader.Next()
	if text, _ := io.ReadAll(reader); string(text) != "one" {
		t.Fatal(string(text))
	}
}

func TestAnArchiveStaysInItsFolder(t *testing.T) {
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	for _, name := range []string{"../out", "deep/../../out"} {
		_ = writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: 1, Typeflag: tar.TypeReg})
		_, _ = writer.Write([]byte("x"))
	}
	_ = writer.Close()
	root := t.TempDir()
	if err := unpack(&packed, filepath.Join(root, "in")); err == nil {
		t.Error("it was unpacked")
	}
	if _, err := os.Stat(filepath.Join(root, "out")); err == nil {
		t.Error("a file got out")
	}
}

func TestAFileTakesThePlaceOfALink(t *testing.T) {
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	_ = writer.WriteHeader(&tar.Header{Name: "a", Mode: 0o644, Size: 1, Typeflag: tar.TypeReg})
	_, _ = writer.Write([]byte("x"))
	_ = writer.Close()
	folder := t.TempDir()
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Symlink(elsewhere, filepath.Join(folder, "a")); err != nil {
		t.Fatal(err)
	}
	if err := unpack(&packed, folder); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "a")); string(text) != "x" {
		t.Error(string(text), err)
	}
	if _, err := os.Stat(elsewhere); err == nil {
		t.Error("it was written where the link leads")
	}
}

func TestALinkOfAnArchiveStaysInItsFolder(t *testing.T) {
	for name, links := range map[string][][2]string{
		"absolute":   {{"a", "/etc/passwd"}},
		"relative":   {{"deep/a", "../../secret"}},
		"by another": {{"high", "."}, {"deep/a", "../high/../secret"}},
		"nowhere":    {{"a", "none"}},
	} {
		root := t.TempDir()
		if err := os.WriteFile(filepath.Join(root, "secret"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		writer := tar.NewWriter(&packed)
		for _, link := range links {
			_ = writer.WriteHeader(&tar.Header{Name: link[0], Linkname: link[1], Typeflag: tar.TypeSymlink})
		}
		_ = writer.Close()
		if err := unpack(&packed, filepath.Join(root, "in")); err == nil || !strings.Contains(err.Error(), "leads out of the folder, or nowhere") {
			t.Error(name, err)
		}
	}
}
