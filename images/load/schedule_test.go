package main

import (
	"math"
	"testing"
	"time"
)

func TestScheduleIsTheInverseOfTheArrivalsSoFar(t *testing.T) {
	for name, plan := range map[string]schedule{
		"constant":     newSchedule(100, 100, 10*time.Second),
		"up":           newSchedule(5, 50, 20*time.Second),
		"up from none": newSchedule(0, 40, 10*time.Second),
		"down":         newSchedule(50, 5, 20*time.Second),
		"down to none": newSchedule(40, 0, 10*time.Second),
		"slow":         newSchedule(0.5, 0.5, 10*time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			slope := (plan.to - plan.from) / plan.duration.Seconds()
			before := time.Duration(-1)
			for n := range plan.total {
				at := plan.due(n)
				if at < before || at > plan.duration {
					t.Fatalf("request %d is due at %s, the one before at %s, the end is at %s", n, at, before, plan.duration)
				}
				before = at
				s := at.Seconds()
				if arrivals := plan.from*s + slope*s*s/2; math.Abs(arrivals-float64(n)) > 1e-3 {
					t.Fatalf("request %d is due at %s, when %g should have left", n, at, arrivals)
				}
			}
			if got := plan.dueBy(plan.duration + time.Second); got != plan.total {
				t.Fatalf("%d due by the end, want %d", got, plan.total)
			}
		})
	}
}

func TestScheduleCountsRequests(t *testing.T) {
	for _, c := range []struct {
		from, to float64
		seconds  int
		want     uint64
	}{{40, 40, 90, 3600}, {10, 50, 60, 1800}, {1000, 1000, 20, 20000}, {0, 0, 5, 0}} {
		if got := newSchedule(c.from, c.to, time.Duration(c.seconds)*time.Second).total; got != c.want {
			t.Errorf("%g to %g for %d s makes %d requests, want %d", c.from, c.to, c.seconds, got, c.want)
		}
	}
}

func TestDueByCountsWhatShouldHaveLeft(t *testing.T) {
	plan := newSchedule(10, 10, 10*time.Second)
	for at, want := range map[time.Duration]uint64{0: 0, time.Millisecond: 1, 950 * time.Millisecond: 10} {
		if got := plan.dueBy(at); got != want {
			t.Errorf("after %s: %d due, want %d", at, got, want)
		}
	}
}
