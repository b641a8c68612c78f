// gofloor: 1 KB that is encoded already to every stream, by Go gRPC, with nothing of xDS in between.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

type raw struct{}

func (raw) Name() string { return "proto" }
func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}
func (raw) Unmarshal(d mem.BufferSlice, v any) error { *v.(*[]byte) = d.Materialize(); return nil }

const T = "type.googleapis.com/envoy.config.cluster.v3.Cluster"

func f(b []byte, n protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
}

var (
	mu      sync.Mutex
	streams = map[grpc.ServerStream]chan []byte{}
	ver     int
	size    = 1024
)

func main() {
	port := flag.Int("port", 18000, "gRPC")
	hport := flag.Int("http", 18001, "control: ?addr=")
	gor := flag.Bool("goroutine", false, "send from a goroutine for each stream")
	flag.Parse()
	if s := os.Getenv("SIZE"); s != "" {
		fmt.Sscan(s, &size)
	}
	h := func(_ any, s grpc.ServerStream) error {
		var b []byte
		if err := s.RecvMsg(&b); err != nil {
			return err
		}
		init := f(f(f(nil, 1, "0"), 4, T), 5, "0")
		if err := s.SendMsg(&init); err != nil {
			return err
		}
		ch := make(chan []byte, 4)
		mu.Lock()
		streams[s] = ch
		mu.Unlock()
		defer func() { mu.Lock(); delete(streams, s); mu.Unlock() }()
		if *gor {
			go func() {
				for {
					select {
					case b := <-ch:
						_ = s.SendMsg(&b)
					case <-s.Context().Done():
						return
					}
				}
			}()
		}
		for {
			if err := s.RecvMsg(&b); err != nil {
				return err
			}
		}
	}
	g := grpc.NewServer(grpc.ForceServerCodecV2(raw{}), grpc.UnknownServiceHandler(h), grpc.MaxConcurrentStreams(100000))
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		ver++
		body := f(f(nil, 1, "c-"+r.URL.Query().Get("addr")), 28, strings.Repeat("a", size-120))
		b := f(f(f(f(nil, 1, fmt.Sprint(ver)), 2, string(f(f(nil, 1, T), 2, string(body)))), 4, T), 5, fmt.Sprint(ver))
		for s, ch := range streams {
			if *gor {
				ch <- b
			} else {
				_ = s.SendMsg(&b)
			}
		}
	})
	go func() { log.Fatal(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", *hport), nil)) }()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	log.Print("ready")
	log.Fatal(g.Serve(l))
}
