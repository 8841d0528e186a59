package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Limits of one attack; they keep a mistake in a check from becoming a mistake in the cluster.
const (
	maxRate     = 5000.0
	maxDuration = 600 * time.Second
	maxRequests = 500_000
	maxTimeout  = 60 * time.Second
	maxBody     = 64 << 10
	maxInFlight = 8000
)

// badSpec is a specification that can't be used as it stands.
type badSpec struct{ reason string }

func (b badSpec) Error() string { return b.reason }

// request is what both commands send.
type request struct {
	URL      string            `json:"url"`
	Method   string            `json:"method"`
	Body     string            `json:"body"`
	Headers  map[string]string `json:"headers"`
	TimeoutS float64           `json:"timeout_s"`
	MaxBody  int64             `json:"max_body"`
}

// attackSpec is the first line of `load attack`.
type attackSpec struct {
	request
	Rate      float64  `json:"rate"`
	ToRate    *float64 `json:"to_rate"`
	DurationS float64  `json:"duration_s"`
	KeepAlive bool     `json:"keepalive"`
	Label     string   `json:"label"`
}

func (r *request) check() error {
	target, err := url.Parse(r.URL)
	if err != nil {
		return badSpec{"url: " + err.Error()}
	}
	if target.Scheme != "http" || target.Host == "" {
		return badSpec{fmt.Sprintf("url: %q is not of the form http://HOST[:PORT]/PATH", r.URL)}
	}
	if !insideCluster(target.Hostname()) {
		return badSpec{fmt.Sprintf("url: %s is neither a Service (NAME.NAMESPACE.svc or its address) nor this machine", target.Hostname())}
	}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.TimeoutS == 0 {
		r.TimeoutS = 10
	}
	if r.TimeoutS < 0 || r.timeout() > maxTimeout {
		return badSpec{fmt.Sprintf("timeout_s: %g is not between 0 and %g", r.TimeoutS, maxTimeout.Seconds())}
	}
	if r.MaxBody == 0 {
		r.MaxBody = maxBody
	}
	if r.MaxBody < 0 || r.MaxBody > maxBody {
		return badSpec{fmt.Sprintf("max_body: %d is not between 1 and %d", r.MaxBody, maxBody)}
	}
	return nil
}

func (r *request) timeout() time.Duration { return seconds(r.TimeoutS) }

func (r *request) header() http.Header {
	header := http.Header{}
	for name, value := range r.Headers {
		header.Set(name, value)
	}
	if r.Body != "" && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	return header
}

func (s *attackSpec) check() (schedule, error) {
	if err := s.request.check(); err != nil {
		return schedule{}, err
	}
	to := s.Rate
	if s.ToRate != nil {
		to = *s.ToRate
	}
	for name, rate := range map[string]float64{"rate": s.Rate, "to_rate": to} {
		if !(rate >= 0 && rate <= maxRate) {
			return schedule{}, badSpec{fmt.Sprintf("%s: %g is not between 0 and %g requests a second", name, rate, maxRate)}
		}
	}
	if !(s.DurationS > 0 && seconds(s.DurationS) <= maxDuration) {
		return schedule{}, badSpec{fmt.Sprintf("duration_s: %g is not between 0 and %g", s.DurationS, maxDuration.Seconds())}
	}
	plan := newSchedule(s.Rate, to, seconds(s.DurationS))
	if plan.total == 0 || plan.total > maxRequests {
		return schedule{}, badSpec{fmt.Sprintf("rate and duration make %d requests, not between 1 and %d", plan.total, maxRequests)}
	}
	return plan, nil
}

// Address ranges of Services that are private to a cluster although net.IP.IsPrivate does not know them: shared
// address space (RFC 6598), and what GKE takes for Services by default.
var serviceRanges = []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("34.118.224.0/20")}

// insideCluster tells a Service (by its name, as .svc is no public domain, or by its address) and this machine from the
// rest of the world.
func insideCluster(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate() || slices.ContainsFunc(serviceRanges, func(r netip.Prefix) bool { return r.Contains(ip) })
	}
	return host == "localhost" || strings.HasSuffix(host, ".svc") || strings.Contains(host, ".svc.cluster.")
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }
