package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	serversFile = dataDir + "/agent/etc/servers.json"
	cniFile     = "/etc/cni/net.d/10-lab.conflist"
)

type kubeNode struct {
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Spec   struct{ PodCIDR string }
	Status struct {
		Addresses []struct{ Type, Address string }
	}
}

func (k kubeNode) address() string {
	for _, a := range k.Status.Addresses {
		if a.Type == "InternalIP" {
			return a.Address
		}
	}
	return ""
}

// network stands in for the CNI chart: own pod range on a bridge, a route to each other node's range, and the list of servers.
func network(kubeconfig, own string, servers *balancer) {
	for ; ; time.Sleep(3 * time.Second) {
		var apis []string
		for _, k := range kubeNodes(kubeconfig) {
			if _, ok := k.Metadata.Labels["node-role.kubernetes.io/control-plane"]; ok && k.address() != "" {
				apis = append(apis, net.JoinHostPort(k.address(), "6443"))
			}
			switch {
			case k.Spec.PodCIDR == "":
			case k.Metadata.Name == own:
				writeCNI(k.Spec.PodCIDR)
			case k.address() != "":
				exec.Command("ip", "route", "replace", k.Spec.PodCIDR, "via", k.address()).Run()
			}
		}
		servers.set(apis)
	}
}

func kubeNodes(kubeconfig string) []kubeNode {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program("kubectl"), "--kubeconfig", kubeconfig, "get", "nodes", "-o", "json").Output()
	var list struct{ Items []kubeNode }
	if err != nil || json.Unmarshal(out, &list) != nil {
		return nil
	}
	return list.Items
}

func writeCNI(podCIDR string) {
	conf := `{"cniVersion":"0.4.0","name":"lab","plugins":[{"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"hairpinMode":true,` +
		`"ipam":{"type":"host-local","ranges":[[{"subnet":"` + podCIDR + `"}]],"routes":[{"dst":"0.0.0.0/0"}]}},{"type":"portmap","capabilities":{"portMappings":true}}]}`
	if old, _ := os.ReadFile(cniFile); string(old) != conf {
		must(os.WriteFile(cniFile, []byte(conf), 0o644))
	}
}

// balancer is the client-side load balancer on 127.0.0.1:6444 that keeps a node attached when one server dies.
type balancer struct {
	mu    sync.Mutex
	addrs []string
}

func (b *balancer) load() {
	data, _ := os.ReadFile(serversFile)
	json.Unmarshal(data, &b.addrs)
}

func (b *balancer) add(addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, known := range b.addrs {
		if known == addr {
			return
		}
	}
	b.addrs = append(b.addrs, addr)
}

func (b *balancer) set(addrs []string) {
	if len(addrs) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addrs = addrs
	data, _ := json.Marshal(addrs)
	os.WriteFile(serversFile, data, 0o600)
}

func (b *balancer) serve() {
	l := must1(net.Listen("tcp", localAPI))
	for {
		go b.forward(must1(l.Accept()))
	}
}

func (b *balancer) forward(client net.Conn) {
	defer client.Close()
	b.mu.Lock()
	addrs := append([]string{}, b.addrs...)
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
