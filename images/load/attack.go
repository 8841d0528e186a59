package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const (
	flushEvery = 100 * time.Millisecond
	// An empty batch says that the attack goes on, so that a broken connection is noticed.
	tellEvery = time.Second
	// What is still under way when the attack is given up gets this long to be answered; the
	// rest is counted as unfinished, which is neither good nor failed. Where it is only stopped,
	// each request has the time that the specification gives it, and this long on top.
	grace        = time.Second
	idleWorkers  = 16
	longestError = 160
)

var errStopped = errors.New("the attack was stopped")

// result is one request on the wire: [sequence, due offset us, lateness us, latency us counted
// from when it was due, status (0: no answer), bytes, label, error].
type result [8]any

type started struct {
	Started int64 `json:"started"` // Unix time, ns
}

type batch struct {
	Results []result `json:"results"`
}

type done struct {
	Done       bool    `json:"done"`
	Stopped    bool    `json:"stopped"`    // asked to end before the schedule did
	Due        uint64  `json:"due"`        // requests that should have left by the end
	Sent       uint64  `json:"sent"`       // requests that left
	Unfinished uint64  `json:"unfinished"` // left, and neither answered nor out of time when the attack was given up
	Seconds    float64 `json:"seconds"`    // from the start to the end of sending
	CPU        float64 `json:"cpu_s"`      // user and system time of this process
}

// attack sends requests as the specification on the first line says. On `stop` it sends no more,
// and ends when each request under way is answered or out of time. It is given up, after a short
// grace, on `abort` or when the input ends: no attack outlives the checker that asked for it.
func attack(in io.Reader, out io.Writer) error {
	input := bufio.NewReader(in)
	var spec attackSpec
	if err := readSpec(input, &spec); err != nil {
		return err
	}
	plan, err := spec.check()
	if err != nil {
		return err
	}
	// One processor is enough for the highest rate, and waking others for tasks of microseconds costs as much as the
	// tasks: this halves the processor time that the load maker takes from what it measures.
	runtime.GOMAXPROCS(1)
	stop, giveUp := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(giveUp)
		stopping := sync.OnceFunc(func() { close(stop) })
		for {
			line, err := input.ReadString('\n')
			order := strings.TrimSpace(line)
			if err != nil || order == "abort" {
				return
			}
			if order == "stop" {
				stopping()
			}
		}
	}()
	return run(spec, plan, stop, giveUp, out)
}

func run(spec attackSpec, plan schedule, stop, giveUp <-chan struct{}, out io.Writer) error {
	pace := newPacer(plan)
	attacker := vegeta.NewAttacker(
		vegeta.Client(newClient(spec.timeout(), spec.KeepAlive)),
		vegeta.Workers(idleWorkers),
		vegeta.MaxWorkers(maxInFlight),
		vegeta.MaxBody(spec.MaxBody),
	)
	fixed := vegeta.NewStaticTargeter(vegeta.Target{
		Method: spec.Method, URL: spec.URL, Body: []byte(spec.Body), Header: spec.header(),
	})
	var sent atomic.Uint64
	target := func(t *vegeta.Target) error {
		sent.Add(1) // first, so that none leaves after the last one was counted
		if pace.stopped.Load() {
			sent.Add(^uint64(0))
			return errStopped // vegeta may have slept through the stop
		}
		return fixed(t)
	}
	// vegeta checks its own duration before each request: one that is too long never cuts the schedule short.
	results := attacker.Attack(target, pace, 2*maxDuration, "")
	began := <-pace.began
	lines := json.NewEncoder(out)
	if err := lines.Encode(started{began.UnixNano()}); err != nil {
		return err
	}

	report := collector{label: spec.Label, plan: plan, began: began}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for r := range results {
			report.add(r)
		}
	}()

	end := done{Done: true}
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	var over <-chan time.Time
	halt := func(within time.Duration) {
		if !end.Stopped {
			pace.stopped.Store(true)
			attacker.Stop()
			end.Stopped = true
			end.Seconds = time.Since(began).Seconds()
			end.Due = plan.dueBy(time.Since(began))
		}
		over = time.After(within)
	}
	for running := true; running; {
		select {
		case <-tick.C:
		case <-drained:
			running = false
		case <-over:
			running = false
		case <-stop:
			stop = nil
			halt(spec.timeout() + grace)
		case <-giveUp:
			giveUp, stop = nil, nil
			halt(grace)
		}
		if err := report.flush(lines); err != nil {
			attacker.Stop()
			return err // nobody reads any more
		}
		end.Sent = sent.Load()
		if end.Stopped && end.Sent == report.told {
			running = false // vegeta itself may sleep until the next one would have been due
		}
	}
	if !end.Stopped {
		end.Due, end.Seconds = plan.total, report.last.Seconds()
	}
	end.Unfinished = end.Sent - report.told
	end.CPU = cpuSeconds()
	return lines.Encode(end)
}

// collector keeps results between two flushes; a slow reader of the output must not slow the attack down.
type collector struct {
	label string
	plan  schedule
	began time.Time

	mu      sync.Mutex
	pending []result
	last    time.Duration // when the last request left

	// Only the writing goroutine uses these.
	told     uint64 // results written
	lastTold time.Time
}

func (c *collector) add(r *vegeta.Result) {
	if r.URL == "" {
		return // never sent: see errStopped
	}
	due := c.plan.due(r.Seq)
	sent := r.Timestamp.Sub(c.began)
	reason := ""
	if r.Code == 0 {
		reason = r.Error
		if _, cause, found := strings.Cut(reason, `": `); found {
			reason = cause // without `Post "URL"`, which is the same for all
		}
		reason = reason[:min(len(reason), longestError)]
	}
	one := result{
		r.Seq, due.Microseconds(), (sent - due).Microseconds(), (sent + r.Latency - due).Microseconds(),
		r.Code, r.BytesIn, labelOf(r.Body, c.label), reason,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = append(c.pending, one)
	c.last = max(c.last, sent)
}

func (c *collector) flush(lines *json.Encoder) error {
	c.mu.Lock()
	ready := c.pending
	c.pending = []result{}
	c.mu.Unlock()
	if len(ready) == 0 && time.Since(c.lastTold) < tellEvery {
		return nil
	}
	c.told += uint64(len(ready))
	c.lastTold = time.Now()
	return lines.Encode(batch{ready})
}

// labelOf reads one top-level key of a JSON answer.
func labelOf(body []byte, key string) string {
	if key == "" || len(body) == 0 || body[0] != '{' {
		return ""
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return ""
	}
	var text string
	if value, ok := fields[key]; !ok {
		return ""
	} else if json.Unmarshal(value, &text) == nil {
		return text
	} else {
		return string(value)
	}
}

func cpuSeconds() float64 {
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &use) != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano()).Seconds()
}
