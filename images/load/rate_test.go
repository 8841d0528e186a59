package main

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const serverOnly = "LOAD_TEST_SERVER"

// The server runs as a process of its own, so that the processor time measured is the load maker's alone.
func TestMain(m *testing.M) {
	if os.Getenv(serverOnly) == "" {
		os.Exit(m.Run())
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"model_version":"v1","probabilities":[0.4312]}`)
	}))
	fmt.Println(server.URL)
	bufio.NewReader(os.Stdin).ReadByte()
}

func TestAThousandRequestsASecond(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a quiet machine")
	}
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), serverOnly+"=1")
	stdin, _ := server.StdinPipe()
	stdout, _ := server.StdoutPipe()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer stdin.Close()
	url, _ := bufio.NewReader(stdout).ReadString('\n')
	body := `{"rows":[{"month":7,"day":4,"weekday":3,"hour":17,"carrier":"UA","origin":"EWR","dest":"ORD","distance":719}]}`
	for _, keepAlive := range []bool{true, false} {
		before := cpuSeconds()
		got := fire(t, map[string]any{
			"url": strings.TrimSpace(url), "method": "POST", "body": body, "rate": 1000, "duration_s": 5,
			"keepalive": keepAlive, "label": "model_version",
		})
		cpu := (got.end.CPU - before) / 5
		late, latency := got.column(2), got.column(3)
		slices.Sort(late)
		slices.Sort(latency)
		achieved := float64(len(late)-1) / (got.end.Seconds)
		t.Logf("keepalive %t: %.1f requests/s, %.2f cores, late p50 %.0f p99 %.0f us, latency p50 %.0f p99 %.0f us", keepAlive,
			achieved, cpu, late[2500], late[4950], latency[2500], latency[4950])
		if achieved < 990 || achieved > 1010 {
			t.Errorf("%.1f requests/s, want 1000 within 1 %%", achieved)
		}
		if cpu > 0.5 {
			t.Errorf("%.2f cores, want at most half a core", cpu)
		}
		if late[4950] > 50e3 {
			t.Errorf("p99 lateness %.0f us", late[4950])
		}
		for _, row := range got.rows {
			if row[4] != 200.0 {
				t.Fatalf("%v", row)
			}
		}
	}
}
