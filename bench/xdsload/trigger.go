package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

func httpTrigger(hc *http.Client, method, url, body string, hdr []string) error {
	q, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	for _, h := range hdr {
		a, b, _ := strings.Cut(h, ":")
		q.Header.Set(a, strings.TrimSpace(b))
	}
	r, err := hc.Do(q)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	if r.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %.300s", r.Status, b)
	}
	return nil
}

func snapshotTypes() map[string][2]int64 {
	m := map[string][2]int64{}
	byType.Range(func(k, v any) bool {
		c := v.(*[2]atomic.Int64)
		m[k.(string)[strings.LastIndexByte(k.(string), '.')+1:]] = [2]int64{c[0].Load(), c[1].Load()}
		return true
	})
	return m
}
