// xdsload opens many ADS streams to any xDS server and measures cold start and update delivery. See README.md.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sort"
	"strings"
	"sync"
	"text/template"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
)

type options struct {
	delta, ldsEarly, nodeAlways, reconnect bool
	types                                  map[string]bool
	initTimeout                            time.Duration
	dump                                   string
	ackNames                               []byte // in every SotW ACK, whatever was asked for
}

type multi []string

func (m *multi) String() string     { return strings.Join(*m, ",") }
func (m *multi) Set(s string) error { *m = append(*m, s); return nil }

var funcs = template.FuncMap{
	"mod": func(a, b int) int { return a % b }, "div": func(a, b int) int { return a / b },
	"add": func(a, b int) int { return a + b }, "mul": func(a, b int) int { return a * b },
}

func expand(t string, data any) string {
	p, err := template.New("").Funcs(funcs).Parse(t)
	check(err)
	var b bytes.Buffer
	check(p.Execute(&b, data))
	return b.String()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "xdsload:", err)
		os.Exit(1)
	}
}

type proc struct {
	Pid         string  `json:"pid"`
	ColdCPUms   float64 `json:"cold_cpu_ms"`
	ColdRSS     float64 `json:"rss_mib_after_cold"`
	IdleCPUpct  float64 `json:"idle_cpu_percent"`
	CPUPerPush  float64 `json:"cpu_ms_per_push_net_of_idle"`
	CPUPerPushG float64 `json:"cpu_ms_per_push_gross"`
	EndRSS      float64 `json:"rss_mib_end"`
}

func main() {
	var (
		o       options
		addr    = flag.String("addr", "127.0.0.1:18000", "host:port")
		n       = flag.Int("n", 100, "streams")
		perConn = flag.Int("streams-per-conn", 1, "ADS streams on one TCP connection")
		mode    = flag.String("mode", "sotw", "sotw or delta")
		types   = flag.String("types", "cds,eds,lds,rds,ecds", "types to subscribe")
		node    = flag.String("node", `{"id":"node-{{.I}}","cluster":"xdsload","locality":{"region":"region-{{mod .I 3}}","zone":"zone-{{mod .I 3}}"}}`, "core.v3.Node as JSON; a template with .I (stream), .N, mod/div/add/mul; or @file")
		nodes   = flag.String("nodes", "", "file with a core.v3.Node as JSON on each line, one for each stream, instead of -node")
		ca      = flag.String("ca", "", "CA file: TLS")
		cert    = flag.String("cert", "", "client certificate file (template, .I)")
		key     = flag.String("key", "", "client key file (template, .I)")
		sni     = flag.String("sni", "", "TLS server name")
		skip    = flag.Bool("tls-skip-verify", false, "TLS without checking the server")
		rate    = flag.Int("rate", 0, "streams opened per second; 0: all at once")
		coldTO  = flag.Duration("cold-timeout", 120*time.Second, "give up on cold start")
		k       = flag.Int("k", 0, "triggers")
		inter   = flag.Duration("interval", 2*time.Second, "from one trigger's end to the next trigger")
		upTO    = flag.Duration("update-timeout", 30*time.Second, "give up on one trigger")
		settle  = flag.Duration("settle", 3*time.Second, "quiet time after cold start; idle CPU is measured in it")
		marker  = flag.String("marker", "10.99.{{add 100 (div .K 100)}}.{{add 100 (mod .K 100)}}", "marker, a template with .K (1..k)")
		ofType  = flag.String("marker-type", "", "only a response of this type counts (cds, eds, …), a template with .K; empty: the first that has the marker")
		cmd     = flag.String("trigger-cmd", "", "sh -c, template with .K .Marker")
		url     = flag.String("trigger-url", "", "HTTP trigger, template")
		method  = flag.String("trigger-method", "POST", "")
		body    = flag.String("trigger-body", "", "template")
		pids    = flag.String("pid", "", "server pids, comma separated: CPU and RSS")
		hold    = flag.Duration("hold", 0, "stay connected this long at the end")
		out     = flag.String("out", "", "write JSON here, not to stdout")
		verbose = flag.Bool("v", false, "each trigger on stderr")
		hdr, md multi
	)
	flag.Var(&hdr, "trigger-header", "Name: value (repeat)")
	flag.Var(&md, "metadata", "gRPC metadata key=value (repeat)")
	flag.BoolVar(&o.ldsEarly, "lds-early", false, "ask for LDS at once, not after EDS")
	flag.BoolVar(&o.nodeAlways, "node-always", false, "send the node in every SotW request")
	ackNames := flag.Int("ack-names", 0, "repeat this many made-up names in each SotW ACK, as a subscriber to so many resources does: for servers that ignore names")
	flag.BoolVar(&o.reconnect, "reconnect", true, "open a broken stream again (jittered back-off to 5 s)")
	flag.DurationVar(&o.initTimeout, "init-timeout", 0, "give up a type not answered in this time (Envoy: 15s); 0: never")
	flag.StringVar(&o.dump, "dump", "", "write every response's time per stream here (JSON lines)")
	flag.Parse()
	o.delta = *mode == "delta"
	var made []string
	for i := 0; i < *ackNames; i++ {
		made = append(made, fmt.Sprintf("svc-%05d.mesh.example", i))
	}
	o.ackNames = sotwNames(made)
	o.types = map[string]bool{}
	for _, t := range strings.Split(*types, ",") {
		o.types[t] = true
	}
	if strings.HasPrefix(*node, "@") {
		b, err := os.ReadFile((*node)[1:])
		check(err)
		*node = string(b)
	}
	var procs []*proc
	for _, p := range strings.Split(*pids, ",") {
		if p != "" {
			procs = append(procs, &proc{Pid: p})
		}
	}
	cpus := func() (c []float64) {
		for _, p := range procs {
			x, _ := procStat(p.Pid)
			c = append(c, x)
		}
		return
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, m := range md {
		a, b, _ := strings.Cut(m, "=")
		ctx = metadata.AppendToOutgoingContext(ctx, a, b)
	}
	useTLS := *ca != "" || *skip || *cert != ""
	dial := func(i int) *grpc.ClientConn {
		creds := insecure.NewCredentials()
		if useTLS {
			c := &tls.Config{ServerName: *sni, InsecureSkipVerify: *skip, MinVersion: tls.VersionTLS12}
			if *ca != "" {
				b, err := os.ReadFile(*ca)
				check(err)
				c.RootCAs = x509.NewCertPool()
				c.RootCAs.AppendCertsFromPEM(b)
			}
			if *cert != "" {
				d := map[string]any{"I": i, "N": *n}
				kp, err := tls.LoadX509KeyPair(expand(*cert, d), expand(*key, d))
				check(err)
				c.Certificates = []tls.Certificate{kp}
			}
			creds = credentials.NewTLS(c)
		}
		c, err := grpc.NewClient("passthrough:///"+*addr, grpc.WithTransportCredentials(creds), grpc.WithNoProxy(),
			grpc.WithReadBufferSize(16<<10), grpc.WithWriteBufferSize(64<<10), grpc.WithSharedWriteBuffer(true),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(1<<30), grpc.MaxCallSendMsgSize(1<<30)))
		check(err)
		return c
	}

	// prepare, so that the cold start times only the connections and the streams
	var nodeLines []string
	if *nodes != "" {
		b, err := os.ReadFile(*nodes)
		check(err)
		if nodeLines = strings.Split(strings.TrimSpace(string(b)), "\n"); len(nodeLines) < *n {
			check(fmt.Errorf("%s has %d nodes for %d streams", *nodes, len(nodeLines), *n))
		}
	}
	streams := make([]*stream, *n)
	var conn *grpc.ClientConn
	for i := range streams {
		if i%*perConn == 0 {
			conn = dial(i)
		}
		nd := &core.Node{}
		text := *node
		if nodeLines != nil {
			text = nodeLines[i]
		} else {
			text = expand(text, map[string]any{"I": i, "N": *n})
		}
		check(protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal([]byte(text), nd))
		if nd.UserAgentName == "" {
			nd.UserAgentName = "envoy"
		}
		streams[i] = &stream{id: i, o: &o, conn: conn, node: nd}
	}
	fullLeft.Store(int64(*n))
	c0, own0 := cpus(), ownCPU()
	var wg sync.WaitGroup
	cold0 := time.Now()
	for i, s := range streams {
		if *rate > 0 {
			time.Sleep(time.Until(cold0.Add(time.Duration(i) * time.Second / time.Duration(*rate))))
		}
		s.start = time.Now()
		wg.Add(1)
		go s.run(ctx, &wg)
	}
	select {
	case <-allFull:
	case <-time.After(*coldTO):
	}
	coldDur := time.Since(cold0)
	var per, fromZero []int64
	for _, s := range streams {
		if f := s.full.Load(); f != 0 {
			at := origin.Add(time.Duration(f))
			per = append(per, int64(at.Sub(s.start)))
			fromZero = append(fromZero, int64(at.Sub(cold0)))
		}
	}
	coldBytes, coldResp := nBytes.Load(), nResp.Load()
	coldTypes := snapshotTypes()
	time.Sleep(*settle / 3)
	c1, own1 := cpus(), ownCPU()
	idle0 := time.Now()
	time.Sleep(*settle * 2 / 3)
	c2 := cpus()
	idleS := time.Since(idle0).Seconds()
	for i, p := range procs {
		p.ColdCPUms = c1[i] - c0[i]
		_, p.ColdRSS = procStat(p.Pid)
		if idleS > 0 {
			p.IdleCPUpct = r2((c2[i] - c1[i]) / idleS / 10)
		}
	}
	res := map[string]any{
		"config": map[string]any{"addr": *addr, "mode": *mode, "streams": *n, "connections": (*n + *perConn - 1) / *perConn, "types": *types, "tls": useTLS, "k": *k},
		"cold": map[string]any{"all_full_s": r2(coldDur.Seconds()), "full": len(per), "since_first_open": distOf(fromZero), "since_own_open": distOf(per),
			"bytes": coldBytes, "responses": coldResp, "by_type": coldTypes, "client_cpu_ms": r2(own1 - own0), "init_timeouts": nInitTimeouts.Load()},
	}
	fmt.Fprintf(os.Stderr, "cold: %d/%d full in %.2fs, %.1f MB\n", len(per), *n, coldDur.Seconds(), float64(coldBytes)/1e6)

	type upd struct {
		Marker   string  `json:"marker"`
		Received int     `json:"received"`
		Trigger  float64 `json:"trigger_ms"` // until the trigger's command or request returned
		FromT0   dist    `json:"from_t0"`
		FirstMs  float64 `json:"first_ms"`
		Bytes    int64   `json:"bytes"`
		Resp     int64   `json:"responses"`
		Failed   string  `json:"trigger_error,omitempty"`
	}
	var ups []upd
	var all, afterTrig []int64
	if *k > 0 {
		hc := &http.Client{Timeout: *upTO, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		time0, cA, ownA, busyA := time.Now(), cpus(), ownCPU(), machineBusyMs()
		types0 := snapshotTypes()
		for i := 1; i <= *k; i++ {
			d := map[string]any{"K": i, "N": *n}
			m := expand(*marker, d)
			d["Marker"] = m
			u, bd, sh := expand(*url, d), expand(*body, d), expand(*cmd, d)
			t := &trigger{marker: []byte(m), typeURL: []byte(long[expand(*ofType, d)]), done: make(chan struct{})}
			for _, s := range streams {
				s.lat.Store(0)
			}
			live := 0
			for _, s := range streams {
				if s.full.Load() != 0 {
					live++
				}
			}
			t.left.Store(int64(live))
			b0, r0 := nBytes.Load(), nResp.Load()
			t.t0 = time.Now()
			current.Store(t)
			var err error
			if *url != "" {
				err = httpTrigger(hc, *method, u, bd, hdr)
			} else if *cmd != "" {
				var o []byte
				if o, err = exec.Command("sh", "-c", sh).CombinedOutput(); err != nil {
					err = fmt.Errorf("%w: %.200s", err, o)
				}
			}
			trig := time.Since(t.t0)
			select {
			case <-t.done:
			case <-time.After(*upTO):
			}
			var lat []int64
			for _, s := range streams {
				if l := s.lat.Load(); l != 0 {
					lat = append(lat, l)
					all = append(all, l)
					afterTrig = append(afterTrig, l-int64(trig))
				}
			}
			time.Sleep(*inter)
			x := upd{Marker: m, Received: len(lat), Trigger: r2(float64(trig) / 1e6), FromT0: distOf(lat), Bytes: nBytes.Load() - b0, Resp: nResp.Load() - r0}
			if len(lat) > 0 {
				sort.Slice(lat, func(i, j int) bool { return lat[i] < lat[j] })
				x.FirstMs = r2(float64(lat[0]) / 1e6)
			}
			if err != nil {
				x.Failed = err.Error()
			}
			ups = append(ups, x)
			if *verbose || err != nil {
				fmt.Fprintf(os.Stderr, "%d: %s %d received, trigger %.2f ms, first %.2f p50 %.2f p99 %.2f max %.2f ms, %d responses %d bytes %s\n", i, m, x.Received, x.Trigger, x.FirstMs, x.FromT0.P50, x.FromT0.P99, x.FromT0.Max, x.Resp, x.Bytes, x.Failed)
			}
		}
		current.Store(nil)
		el := time.Since(time0).Seconds()
		cB := cpus()
		others := machineBusyMs() - busyA - (ownCPU() - ownA)
		for i := range cB {
			others -= cB[i] - cA[i]
		}
		for i, p := range procs {
			g := cB[i] - cA[i]
			p.CPUPerPushG = r2(g / float64(*k))
			p.CPUPerPush = r2((g - p.IdleCPUpct*10*el) / float64(*k))
		}
		var first, p99s, maxs []int64
		var bytesSum, respSum int64
		for _, u := range ups {
			first = append(first, int64(u.FirstMs*1e6))
			p99s = append(p99s, int64(u.FromT0.P99*1e6))
			maxs = append(maxs, int64(u.FromT0.Max*1e6))
			bytesSum += u.Bytes
			respSum += u.Resp
		}
		res["update"] = map[string]any{"all_streams_from_t0": distOf(all), "all_streams_after_trigger_returned": distOf(afterTrig), "first_stream": distOf(first),
			"p99_per_trigger": distOf(p99s), "last_stream_per_trigger": distOf(maxs), "bytes_per_push": bytesSum / int64(*k), "responses_per_push": float64(respSum) / float64(*k),
			"others_cpu_percent_of_one_core": r2(others / el / 10), "client_cpu_ms_per_push": r2((ownCPU() - ownA) / float64(*k)), "by_type_before": types0, "by_type_after": snapshotTypes()}
		res["triggers"] = ups
	}
	time.Sleep(*hold)
	for _, p := range procs {
		_, p.EndRSS = procStat(p.Pid)
	}
	res["procs"] = procs
	res["errors"] = map[string]any{"count": nErr.Load(), "reconnects": nReconnect.Load(), "messages": errs}
	if o.dump != "" {
		f, err := os.Create(o.dump)
		check(err)
		e := json.NewEncoder(f)
		for _, s := range streams {
			s.mu.Lock()
			for _, v := range s.evs {
				_ = e.Encode(map[string]any{"stream": s.id, "t_ms": r2(float64(v.at) / 1e6), "type": v.typ, "bytes": v.bytes, "resources": v.res})
			}
			s.mu.Unlock()
		}
		check(f.Close())
	}
	errMu.Lock()
	j, _ := json.MarshalIndent(res, "", " ")
	errMu.Unlock()
	if *out != "" {
		check(os.WriteFile(*out, j, 0o644))
	} else {
		fmt.Println(string(j))
	}
}
