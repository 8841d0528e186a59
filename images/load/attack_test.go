package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// outcome is the whole output of one attack, decoded.
type outcome struct {
	rows [][8]any
	end  done
}

func (o outcome) column(i int) []float64 {
	var column []float64
	for _, row := range o.rows {
		column = append(column, row[i].(float64))
	}
	return column
}

func decode(t *testing.T, output []byte) outcome {
	t.Helper()
	var got outcome
	decoder := json.NewDecoder(bytes.NewReader(output))
	for line := 0; ; line++ {
		var one struct {
			Started int64
			Results [][8]any
			done
		}
		if err := decoder.Decode(&one); err == io.EOF {
			return got
		} else if err != nil {
			t.Fatal(err)
		}
		if line == 0 && one.Started == 0 {
			t.Fatal("the first line does not say when the attack started")
		}
		got.rows = append(got.rows, one.Results...)
		got.end = one.done
	}
}

// fire runs an attack whose input stays open until it is over, as the checker's does.
func fire(t *testing.T, spec map[string]any) outcome {
	t.Helper()
	line, _ := json.Marshal(spec)
	in, hold := io.Pipe()
	go func() { fmt.Fprintf(hold, "%s\n", line) }()
	var out bytes.Buffer
	if err := attack(in, &out); err != nil {
		t.Fatal(err)
	}
	hold.Close()
	return decode(t, out.Bytes())
}

func TestEveryRequestIsReported(t *testing.T) {
	var bodies atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); string(body) == `{"rows":[]}` && r.Header.Get("Content-Type") == "application/json" {
			bodies.Add(1)
		}
		fmt.Fprint(w, `{"model_version":"v1","probabilities":[0.5]}`)
	}))
	defer server.Close()
	for _, keepAlive := range []bool{true, false} {
		got := fire(t, map[string]any{
			"url": server.URL, "method": "POST", "body": `{"rows":[]}`, "rate": 100, "duration_s": 0.5,
			"keepalive": keepAlive, "label": "model_version",
		})
		if got.end.Sent != 50 || got.end.Due != 50 || len(got.rows) != 50 || got.end.Stopped {
			t.Fatalf("keepalive %t: %+v and %d results, want 50 of each", keepAlive, got.end, len(got.rows))
		}
		for _, row := range got.rows {
			if row[4] != 200.0 || row[6] != "v1" || row[7] != "" || row[5] != 44.0 {
				t.Fatalf("keepalive %t: %v", keepAlive, row)
			}
		}
	}
	if bodies.Load() != 100 {
		t.Errorf("%d requests came with the body, want 100", bodies.Load())
	}
}

func TestLatencyCountsFromWhenTheRequestWasDue(t *testing.T) {
	gate := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-gate }))
	defer server.Close()
	time.AfterFunc(600*time.Millisecond, func() { close(gate) })
	got := fire(t, map[string]any{"url": server.URL, "rate": 50, "duration_s": 0.5, "keepalive": true})
	if got.end.Sent != 25 {
		t.Fatalf("a server that hangs held back requests: %d of 25 left", got.end.Sent)
	}
	due, latency := got.column(1), got.column(3)
	for i := range due {
		if want := 600e3 - due[i]; latency[i] < want-50e3 || latency[i] > want+150e3 {
			t.Errorf("due at %.0f us, latency %.0f us, want about %.0f", due[i], latency[i], want)
		}
	}
}

func TestNoAnswerHasStatusZeroAndAReason(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	got := fire(t, map[string]any{"url": server.URL, "rate": 20, "duration_s": 0.2})
	for _, row := range got.rows {
		if row[4] != 0.0 || !strings.Contains(row[7].(string), "refused") {
			t.Errorf("%v, want status 0 and a refused connection", row)
		}
	}
	if len(got.rows) != 4 {
		t.Errorf("%d results, want 4", len(got.rows))
	}
}

func TestTimeoutEndsARequest(t *testing.T) {
	gate := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-gate }))
	defer server.Close()
	defer close(gate)
	got := fire(t, map[string]any{"url": server.URL, "rate": 10, "duration_s": 0.2, "timeout_s": 0.3})
	for _, row := range got.rows {
		if row[4] != 0.0 || row[3].(float64) < 290e3 || row[3].(float64) > 600e3 {
			t.Errorf("%v, want no answer after 0.3 s", row)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer server.Close()
	got := fire(t, map[string]any{"url": server.URL, "rate": 20, "duration_s": 0.2})
	if len(got.rows) != 4 || got.rows[0][4] != 302.0 || elsewhere.Load() != 0 {
		t.Errorf("%v; %d requests went elsewhere", got.rows, elsewhere.Load())
	}
}

func TestStopAndEndOfInputEndTheAttack(t *testing.T) {
	gate := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-gate }))
	defer hangs.Close()
	defer close(gate)
	answers := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer answers.Close()
	say := func(order string) func(*io.PipeWriter) { return func(w *io.PipeWriter) { fmt.Fprintln(w, order) } }
	for name, c := range map[string]struct {
		url  string
		rate float64
		end  func(*io.PipeWriter)
	}{
		"stop":                     {answers.URL, 50, say("stop")},
		"abort":                    {answers.URL, 50, say("abort")},
		"end of input":             {answers.URL, 50, func(w *io.PipeWriter) { w.Close() }},
		"abort, requests hang":     {hangs.URL, 50, say("abort")},
		"abort after stop":         {hangs.URL, 50, say("stop\nabort")},
		"end of input, they hang":  {hangs.URL, 50, func(w *io.PipeWriter) { w.Close() }},
		"long wait for next one":   {answers.URL, 0.02, say("stop")},
		"reader of output is gone": {answers.URL, 50, nil},
	} {
		t.Run(name, func(t *testing.T) {
			in, hold := io.Pipe()
			defer hold.Close()
			output, out := io.Pipe()
			lines, _ := json.Marshal(map[string]any{"url": c.url, "rate": c.rate, "duration_s": 300})
			go fmt.Fprintf(hold, "%s\n", lines)
			ended := make(chan error, 1)
			go func() { ended <- attack(in, out); out.Close() }()
			var seen bytes.Buffer
			copied := make(chan struct{})
			go func() { io.Copy(&seen, output); close(copied) }()
			time.Sleep(500 * time.Millisecond)
			if c.end == nil {
				output.CloseWithError(io.ErrClosedPipe)
			} else {
				c.end(hold)
			}
			select {
			case err := <-ended:
				if (err != nil) != (c.end == nil) {
					t.Fatal(err)
				}
			case <-time.After(1500 * time.Millisecond):
				t.Fatal("still running 1.5 s after it should have ended")
			}
			if c.end == nil {
				return
			}
			<-copied
			got := decode(t, seen.Bytes())
			if !got.end.Stopped || got.end.Sent != uint64(len(got.rows))+got.end.Unfinished {
				t.Errorf("%+v with %d results", got.end, len(got.rows))
			}
			if diff := int(got.end.Sent) - int(got.end.Due); diff < -2 || diff > 2 {
				t.Errorf("%d sent, %d due", got.end.Sent, got.end.Due)
			}
			if (got.end.Unfinished > 0) != (c.url == hangs.URL) {
				t.Errorf("%d unfinished", got.end.Unfinished)
			}
		})
	}
}

func TestAStoppedAttackWaitsForWhatIsUnderWay(t *testing.T) {
	var asked atomic.Int64
	gate := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 20 {
			<-gate
		}
	}))
	defer server.Close()
	defer close(gate)
	in, hold := io.Pipe()
	defer hold.Close()
	line, _ := json.Marshal(map[string]any{"url": server.URL, "rate": 50, "duration_s": 300, "timeout_s": 2})
	go fmt.Fprintf(hold, "%s\n", line)
	time.AfterFunc(time.Second, func() { fmt.Fprintln(hold, "stop") })
	var out bytes.Buffer
	if err := attack(in, &out); err != nil {
		t.Fatal(err)
	}
	got := decode(t, out.Bytes())
	failed := 0
	for _, row := range got.rows {
		if row[4] == 0.0 && row[3].(float64) > 1900e3 {
			failed++
		}
	}
	if got.end.Unfinished != 0 || got.end.Sent != uint64(len(got.rows)) || failed != len(got.rows)-20 || failed < 20 {
		t.Errorf("%+v, %d results, %d without an answer; want all but 20 of about 50", got.end, len(got.rows), failed)
	}
	if got.end.Seconds < 0.9 || got.end.Seconds > 1.5 {
		t.Errorf("sending took %.1f s, want 1", got.end.Seconds)
	}
}

func TestRampRisesAsPlanned(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	got := fire(t, map[string]any{"url": server.URL, "rate": 0, "to_rate": 200, "duration_s": 1, "keepalive": true})
	first := 0
	for _, due := range got.column(1) {
		if due < 500e3 {
			first++
		}
	}
	if len(got.rows) != 100 || first < 24 || first > 27 {
		t.Errorf("%d requests, %d of them in the first half; want 100 and 25", len(got.rows), first)
	}
}

func TestBadSpecificationsAreRefused(t *testing.T) {
	good := func() map[string]any {
		return map[string]any{"url": "http://model.lab-10.svc:80/predict", "rate": 10, "duration_s": 10}
	}
	for name, change := range map[string]func(map[string]any){
		"another host":        func(s map[string]any) { s["url"] = "http://example.com/" },
		"look-alike host":     func(s map[string]any) { s["url"] = "http://model.svc.example.com/" },
		"an address":          func(s map[string]any) { s["url"] = "http://192.0.2.1/" },
		"no scheme":           func(s map[string]any) { s["url"] = "model.lab-10.svc" },
		"too fast":            func(s map[string]any) { s["rate"] = 5001 },
		"ramp too fast":       func(s map[string]any) { s["to_rate"] = 1e9 },
		"negative":            func(s map[string]any) { s["rate"] = -1 },
		"too long":            func(s map[string]any) { s["duration_s"] = 601 },
		"no duration":         func(s map[string]any) { delete(s, "duration_s") },
		"too many":            func(s map[string]any) { s["rate"], s["duration_s"] = 5000, 600 },
		"nothing to send":     func(s map[string]any) { s["rate"] = 0 },
		"too large an answer": func(s map[string]any) { s["max_body"] = 1 << 20 },
		"too long a wait":     func(s map[string]any) { s["timeout_s"] = 61 },
		"misspelt":            func(s map[string]any) { s["timeout"] = 5 },
	} {
		spec := good()
		change(spec)
		line, _ := json.Marshal(spec)
		err := attack(bytes.NewReader(line), io.Discard)
		if _, bad := err.(badSpec); !bad {
			t.Errorf("%s: %v, want a bad specification", name, err)
		}
	}
	for _, host := range []string{"model.lab-10.svc.cluster.local", "10.96.0.10:80", "[fd00::1]:80", "34.118.225.1", "100.64.1.2"} {
		if _, err := (&attackSpec{request: request{URL: "http://" + host + "/"}, Rate: 1, DurationS: 1}).check(); err != nil {
			t.Error(err)
		}
	}
}

func TestLabelOf(t *testing.T) {
	for body, want := range map[string]string{
		`{"model_version":"v2"}`: "v2", `{"model_version":3}`: "3", `{"other":1}`: "", `[1]`: "", `{"model_version":`: "", ``: "",
	} {
		if got := labelOf([]byte(body), "model_version"); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}
