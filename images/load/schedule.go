package main

import (
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"
)

// schedule says when each request is due, counted from the start: an arrival rate that goes
// linearly from one value to another over the duration (the two are equal for a constant rate).
type schedule struct {
	from, to float64 // requests per second
	duration time.Duration
	total    uint64
}

func newSchedule(from, to float64, duration time.Duration) schedule {
	return schedule{from, to, duration, uint64(math.Round((from + to) / 2 * duration.Seconds()))}
}

// due solves from*t + (to-from)/(2*duration)*t^2 = n for t. This form of the root neither
// divides by a slope of zero nor subtracts two nearly equal numbers.
func (s schedule) due(n uint64) time.Duration {
	if n == 0 {
		return 0
	}
	slope := (s.to - s.from) / s.duration.Seconds()
	root := math.Sqrt(math.Max(0, s.from*s.from+2*slope*float64(n)))
	return seconds(2 * float64(n) / (s.from + root))
}

// dueBy counts the requests that should have left before the given time.
func (s schedule) dueBy(elapsed time.Duration) uint64 {
	low, high := uint64(0), s.total
	for low < high {
		if middle := (low + high) / 2; s.due(middle) < elapsed {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// pacer makes vegeta keep the schedule. After a delay it catches up with a burst instead of
// shifting what is left, so arrivals don't depend on how the server answers (open loop).
type pacer struct {
	schedule
	began   chan time.Time // gets vegeta's own start, which it does not tell otherwise
	stopped atomic.Bool
}

func newPacer(s schedule) *pacer { return &pacer{schedule: s, began: make(chan time.Time, 1)} }

func (p *pacer) Pace(elapsed time.Duration, hits uint64) (time.Duration, bool) {
	if hits == 0 {
		select {
		case p.began <- time.Now().Add(-elapsed):
		default:
		}
	}
	if hits >= p.total || p.stopped.Load() {
		return 0, true
	}
	wait := p.due(hits) - elapsed
	if wait <= 0 {
		// vegeta starts one more worker whenever none is free, and asks again at once. Without
		// giving way here it would start thousands before the first of them gets a processor.
		runtime.Gosched()
	}
	return wait, false
}

func (p *pacer) Rate(elapsed time.Duration) float64 {
	return p.from + (p.to-p.from)*elapsed.Seconds()/p.duration.Seconds()
}

func (p *pacer) String() string {
	return fmt.Sprintf("%g to %g requests/s in %s", p.from, p.to, p.duration)
}
