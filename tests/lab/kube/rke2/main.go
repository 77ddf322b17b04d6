// A look-alike of RKE2 for the lab: the same files, units, ports, flags and failures as the real
// supervisor shows to the outside, and behind them unmodified Kubernetes, etcd and containerd.
// What it does not have: canal (a bridge and static routes stand in), the Helm controller, CoreDNS.
package main

import (
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	rke2Version      = "v1.30.4+rke2r1"
	kubeVersion      = "v1.30.4"
	dataDir          = "/var/lib/rancher/rke2"
	etcDir           = "/etc/rancher/rke2"
	binDir           = dataDir + "/bin"
	etcdDir          = dataDir + "/server/db/etcd"
	tlsDir           = dataDir + "/server/tls"
	containerdSocket = "/run/k3s/containerd/containerd.sock"
	adminConf        = "/etc/kubernetes/admin.conf"
	agentConf        = dataDir + "/agent/admin.kubeconfig"
	tokenFile        = dataDir + "/server/token"
	localAPI         = "127.0.0.1:6444"
)

// node is what this host is to be in the cluster.
type node struct {
	settings settings
	server   bool
	name     string
	ip       string
	join     string // address of the supervisor to join; empty: the first server
	token    string
}

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	verb := "--help"
	if len(os.Args) > 1 {
		verb = os.Args[1]
	}
	switch verb {
	case "--version", "-v":
		fmt.Printf("rke2 version %s (lab look-alike, real Kubernetes %s)\n", rke2Version, kubeVersion)
	case "server", "agent":
		supervise(newNode(verb == "server"))
	case "etcd-snapshot":
		saveSnapshot()
	default:
		fmt.Println("rke2 (lab look-alike): server | agent | etcd-snapshot save | --version")
	}
}

func newNode(server bool) node {
	s := readSettings()
	n := node{settings: s, server: server, name: strings.ToLower(s.str("node-name", hostname())),
		ip: s.str("node-ip", defaultIP()), join: s.str("server", ""), token: s.str("token", "")}
	if file := s.str("token-file", ""); n.token == "" && file != "" {
		n.token = strings.TrimSpace(string(must1(os.ReadFile(file))))
	}
	if !server && (n.join == "" || n.token == "") {
		log.Fatal("level=fatal msg=\"--server and --token are required\"")
	}
	if server && n.token == "" {
		if data, err := os.ReadFile(tokenFile); err == nil {
			n.token = strings.TrimSpace(string(data))
		} else {
			n.token = digest(time.Now().String() + n.name)[:32]
		}
	}
	n.token = n.token[strings.LastIndex(n.token, ":")+1:] // K10<ca hash>::server:<token> or the bare token
	return n
}

func (n node) kubeconfig() string {
	if n.server {
		return adminConf
	}
	return agentConf
}

func supervise(n node) {
	log.Printf("level=info msg=\"Starting rke2 %s %s\"", map[bool]string{true: "server", false: "agent"}[n.server], rke2Version)
	stageRuntime()
	prepareHost()
	startContainerd()
	importImages()

	servers := &balancer{}
	servers.load()
	first := n.ip
	if n.join != "" {
		first = must1(url.Parse(n.join)).Hostname()
	}
	servers.add(net.JoinHostPort(first, "6443"))
	go servers.serve()

	if n.join != "" {
		fetchAdmin(n.join, n.token, !n.server)
	}
	go keepKubelet(n)
	if _, err := os.Stat("/etc/kubernetes/kubelet.conf"); err != nil {
		enrol(n)
	}
	if n.server {
		waitAPI("https://127.0.0.1:6443/readyz")
		writeServerFiles(n)
		go serveSupervisor(n.token)
	}
	go keep(program("kube-proxy"), "--kubeconfig="+n.kubeconfig(), "--cluster-cidr="+n.settings.str("cluster-cidr", "10.42.0.0/16"),
		"--proxy-mode=iptables", "--conntrack-max-per-core=0", "--hostname-override="+n.name)
	go network(n.kubeconfig(), n.name, servers)
	waitNode(n.kubeconfig(), n.name)
	notify("READY=1")
	log.Print("level=info msg=\"rke2 is up and running\"")
	select {}
}

func saveSnapshot() {
	name := fmt.Sprintf("%s/server/db/snapshots/on-demand-%s-%d", dataDir, hostname(), time.Now().Unix())
	must(os.MkdirAll(filepath.Dir(name), 0o700))
	must(run(program("etcdctl"), "--endpoints=https://127.0.0.1:2379", "--cacert="+tlsDir+"/etcd/server-ca.crt",
		"--cert="+tlsDir+"/etcd/client.crt", "--key="+tlsDir+"/etcd/client.key", "snapshot", "save", name))
}
