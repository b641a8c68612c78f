package main

import (
	"bytes"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

type dist struct {
	N    int     `json:"n"`
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	Max  float64 `json:"max_ms"`
	Mean float64 `json:"mean_ms"`
}

func distOf(ns []int64) dist {
	if len(ns) == 0 {
		return dist{}
	}
	s := append([]int64(nil), ns...)
	sort.Slice(s, func(i, j int) bool { return s[i] < s[j] })
	q := func(p float64) float64 {
		return r2(float64(s[min(len(s)-1, int(p*float64(len(s))))]) / 1e6)
	}
	var sum float64
	for _, x := range s {
		sum += float64(x)
	}
	return dist{len(s), q(.5), q(.9), q(.99), r2(float64(s[len(s)-1]) / 1e6), r2(sum / float64(len(s)) / 1e6)}
}

func r2(f float64) float64 { return float64(int64(f*1000+.5)) / 1000 }

// cpuMs: user+system CPU of a process with all its threads, ms (10 ms steps). rss: MiB.
func procStat(pid string) (cpuMs, rssMiB float64) {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:]))
	u, _ := strconv.ParseFloat(f[11], 64)
	k, _ := strconv.ParseFloat(f[12], 64)
	p, _ := strconv.ParseFloat(f[21], 64)
	return (u + k) * 10, r2(p * float64(os.Getpagesize()) / (1 << 20))
}

func ownCPU() float64 {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Sec+r.Stime.Sec)*1e3 + float64(r.Utime.Usec+r.Stime.Usec)/1e3
}

// machineBusyMs: busy CPU of the whole machine, ms; with it a run can tell how much other programs disturbed it.
func machineBusyMs() (ms float64) {
	b, _ := os.ReadFile("/proc/stat")
	f := strings.Fields(strings.SplitN(string(b), "\n", 2)[0])
	for _, i := range []int{1, 2, 3, 6, 7} { // user nice system irq softirq
		if i < len(f) {
			x, _ := strconv.ParseFloat(f[i], 64)
			ms += x * 10
		}
	}
	return
}
