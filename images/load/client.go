package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// How often a Service's name is looked up again. Looking it up for each connection would put
// the whole load on the cluster's DNS as well and blame the server for what DNS drops.
const lookupEvery = 2 * time.Second

// addresses dials hosts through a small cache of looked-up names, taking turns among the
// addresses of a headless Service. A name that was found once stays usable while DNS is away.
type addresses struct {
	dialer net.Dialer
	lookup func(ctx context.Context, host string) ([]string, error)

	mu    sync.Mutex
	found []string
	host  string
	since time.Time
	turn  int
}

func newAddresses() *addresses {
	return &addresses{lookup: net.DefaultResolver.LookupHost}
}

func (a *addresses) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	address, err := a.pick(ctx, host)
	if err != nil {
		return nil, err
	}
	return a.dialer.DialContext(ctx, network, net.JoinHostPort(address, port))
}

func (a *addresses) pick(ctx context.Context, host string) (string, error) {
	a.mu.Lock()
	if a.host == host && len(a.found) > 0 {
		if time.Since(a.since) > lookupEvery {
			a.since = time.Now() // so that only this one caller starts a lookup
			go a.refresh(host)
		}
		a.turn++
		address := a.found[a.turn%len(a.found)]
		a.mu.Unlock()
		return address, nil
	}
	a.mu.Unlock()
	found, err := a.lookup(ctx, host)
	if err != nil {
		return "", err
	}
	return a.keep(host, found), nil
}

func (a *addresses) refresh(host string) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupEvery)
	defer cancel()
	if found, err := a.lookup(ctx, host); err == nil {
		a.keep(host, found)
	}
}

// keep prefers IPv4 where a host has both, since a server need not listen on both.
func (a *addresses) keep(host string, found []string) string {
	var four []string
	for _, address := range found {
		if ip := net.ParseIP(address); ip != nil && ip.To4() != nil {
			four = append(four, address)
		}
	}
	if len(four) > 0 {
		found = four
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.host, a.found, a.since = host, found, time.Now()
	return found[0]
}

// newClient never follows a redirect and never uses a proxy: what is measured is what the
// Service itself answers.
func newClient(timeout time.Duration, keepAlive bool) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:         newAddresses().dial,
			DisableKeepAlives:   !keepAlive,
			DisableCompression:  true,
			MaxIdleConns:        0,
			MaxIdleConnsPerHost: maxInFlight,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
