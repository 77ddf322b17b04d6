package main

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

const (
	cniFile   = "/etc/cni/net.d/10-canal.conflist"
	cniBinDir = "/opt/cni/bin"
)

var cniPlugins = []string{"bridge", "host-local", "loopback", "portmap"}

// network stands in for the CNI chart: once the chart's pod runs here, pods get a range of their own on a bridge, and
// every other node's range a route.
func network(own string, config clusterConfig) {
	if config.CNI[0] == "none" {
		return
	}
	for !chartRuns(own, config) {
		time.Sleep(2 * time.Second)
	}
	for _, plugin := range cniPlugins {
		data := must1(os.ReadFile(binDir() + "/" + plugin))
		must(os.MkdirAll(cniBinDir, 0o755))
		must(os.WriteFile(cniBinDir+"/"+plugin+".new", data, 0o755))
		must(os.Rename(cniBinDir+"/"+plugin+".new", cniBinDir+"/"+plugin))
	}
	if chart := cniChart(config); chart.name == "rke2-canal" {
		go holdPort("tcp", "127.0.0.1:9099") // canal's health
		go holdPort("udp", "0.0.0.0:8472")   // VXLAN
	}
	for ; ; time.Sleep(3 * time.Second) {
		for _, k := range kubeletAPI().nodes() {
			switch {
			case k.Spec.PodCIDR == "":
			case k.Metadata.Name == own:
				writeCNI(k.Spec.PodCIDR)
			case k.address() != "":
				exec.Command("ip", "route", "replace", k.Spec.PodCIDR, "via", k.address()).Run()
			}
		}
	}
}

// chartRuns tells whether the chart's pod on this node runs: its images must have been imported for that.
func chartRuns(own string, config clusterConfig) bool {
	var list struct {
		Items []struct {
			Metadata struct{ Labels map[string]string }
			Status   struct{ Phase string }
		}
	}
	if kubeletAPI().get("/api/v1/namespaces/kube-system/pods?fieldSelector=spec.nodeName="+own, &list) != nil {
		return false
	}
	for _, pod := range list.Items {
		if pod.Metadata.Labels["k8s-app"] == cniChart(config).name && pod.Status.Phase == "Running" {
			return true
		}
	}
	return false
}

func writeCNI(podCIDR string) {
	conf := `{"cniVersion":"0.4.0","name":"k8s-pod-network","plugins":[{"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"hairpinMode":true,` +
		`"ipam":{"type":"host-local","ranges":[[{"subnet":"` + podCIDR + `"}]],"routes":[{"dst":"0.0.0.0/0"}]}},{"type":"portmap","snat":true,"capabilities":{"portMappings":true}}]}`
	if old, _ := os.ReadFile(cniFile); string(old) != conf {
		must(os.MkdirAll(filepath.Dir(cniFile), 0o755))
		must(os.WriteFile(cniFile, []byte(conf), 0o644))
	}
}

// holdPort listens where a part of the real one listens that does nothing here.
func holdPort(network, address string) {
	for {
		if network == "udp" {
			if c, err := net.ListenPacket(network, address); err == nil {
				io.Copy(io.Discard, c.(io.Reader))
				c.Close()
			}
		} else if l, err := net.Listen(network, address); err == nil {
			for {
				c, err := l.Accept()
				if err != nil {
					break
				}
				c.Close()
			}
			l.Close()
		}
		time.Sleep(5 * time.Second)
	}
}

// balancer leads connections to a port of this host to one of several others; the list outlives a restart.
type balancer struct {
	listen   string
	file     string
	fallback []string
	follower *balancer // the supervisors are on the same hosts as the API servers

	mu    sync.Mutex
	addrs []string
}

func newBalancer(listen, file string, fallback ...string) *balancer {
	b := &balancer{listen: listen, file: file, fallback: fallback}
	var kept struct{ ServerAddresses []string }
	if data, err := os.ReadFile(file); err == nil && json.Unmarshal(data, &kept) == nil {
		b.addrs = kept.ServerAddresses
	}
	return b
}

func (b *balancer) set(addrs []string) {
	if len(addrs) == 0 {
		return
	}
	b.mu.Lock()
	b.addrs = addrs
	b.mu.Unlock()
	if b.file != "" {
		first := ""
		if len(b.fallback) > 0 {
			first = "https://" + b.fallback[0]
		}
		data, _ := json.Marshal(document{"ServerURL": first, "ServerAddresses": addrs})
		os.WriteFile(b.file, data, 0o600)
	}
	if b.follower != nil {
		var supervisors []string
		for _, a := range addrs {
			host, _, _ := net.SplitHostPort(a)
			supervisors = append(supervisors, hostPort(host, supervisorPort))
		}
		b.follower.set(supervisors)
	}
}

// serve listens, and leads connections on from then.
func (b *balancer) serve() {
	l, err := net.Listen("tcp", b.listen)
	if err != nil {
		die("failed to start load balancer: %v", err)
	}
	go func() {
		for {
			go b.forward(must1(l.Accept()))
		}
	}()
}

func (b *balancer) forward(client net.Conn) {
	defer client.Close()
	b.mu.Lock()
	addrs := append(append([]string{}, b.addrs...), b.fallback...)
	b.mu.Unlock()
	for _, a := range addrs {
		server, err := net.DialTimeout("tcp", a, 2*time.Second)
		if err != nil {
			continue
		}
		defer server.Close()
		go func() { io.Copy(server, client); server.Close() }()
		io.Copy(client, server)
		return
	}
}
