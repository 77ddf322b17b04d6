// A look-alike of RKE2 for the lab: the same files, units, ports, switches, words and failures as the real
// supervisor shows to the outside, and behind them unmodified Kubernetes, etcd and containerd.
// What it does not have: canal (a bridge and static routes stand in), the Helm controller, CoreDNS, the tunnel.
package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

const (
	rke2Version      = "v1.30.4+rke2r1"
	kubeVersion      = "v1.30.4"
	etcDir           = "/etc/rancher/rke2"
	nodeDir          = "/etc/rancher/node"
	containerdSocket = "/run/k3s/containerd/containerd.sock"
	supervisorPort   = "9345"
	apiPort          = "6443"
)

// dataDir is where everything is kept; the setting data-dir moves it.
var dataDir = "/var/lib/rancher/rke2"

func binDir() string      { return dataDir + "/bin" }
func tlsDir() string      { return dataDir + "/server/tls" }
func credDir() string     { return dataDir + "/server/cred" }
func etcdDir() string     { return dataDir + "/server/db/etcd" }
func agentDir() string    { return dataDir + "/agent" }
func manifestDir() string { return dataDir + "/agent/pod-manifests" }

// node is what this host is to be in the cluster.
type node struct {
	settings settings
	server   bool
	name     string
	ip       string
	join     string // address of the supervisor to join; empty: the first server
	token    string // as it was given: bare, or K10<hash>::user:<password>

	reset       bool   // whether this host is to become etcd's only member
	restorePath string // the snapshot that it takes its data from
}

func main() {
	os.Unsetenv("NOTIFY_SOCKET")
	verb := "--help"
	if len(os.Args) > 1 {
		verb = os.Args[1]
	}
	switch verb {
	case "--version", "-v":
		fmt.Printf("rke2 version %s (lab look-alike, real Kubernetes %s)\n", rke2Version, kubeVersion)
	case "server":
		takeFlags(os.Args[2:])
		runServer(newNode(true))
	case "agent":
		runAgent(newNode(false))
	case "etcd-snapshot":
		snapshotCommand(os.Args[2:])
	case "certificate":
		certificateCommand(os.Args[2:])
	default:
		fmt.Println("rke2 (lab look-alike): server | agent | etcd-snapshot save|list|delete | certificate rotate | --version")
	}
}

func newNode(server bool) *node {
	s := readSettings(server)
	dataDir = strings.TrimRight(s.str("data-dir", dataDir), "/")
	n := &node{settings: s, server: server, name: strings.ToLower(s.str("node-name", hostname())),
		ip: s.str("node-ip", defaultIP()), join: strings.TrimRight(s.str("server", ""), "/"), token: s.str("token", "")}
	if s.is("with-node-id") {
		n.name += "-" + keptRandom(nodeDir+"/id", 4)
	}
	if file := s.str("token-file", ""); n.token == "" && file != "" {
		n.token = strings.TrimSpace(string(must1(os.ReadFile(file))))
	}
	n.reset, n.restorePath = server && s.is("cluster-reset"), s.str("cluster-reset-restore-path", "")
	if n.reset && n.join != "" {
		die("cannot perform cluster-reset while server URL is set - remove server from configuration before resetting")
	}
	if !server && n.join == "" {
		die("--server is required")
	}
	if !server && n.token == "" {
		die("--token is required")
	}
	if server && n.join != "" && n.token == "" {
		die("starting kubernetes: preparing server: failed to validate server configuration: not authorized")
	}
	return n
}

func (n *node) hasEtcd() bool { return n.server && !n.settings.is("disable-etcd") }
func (n *node) hasAPI() bool  { return n.server && !n.settings.is("disable-apiserver") }

// runServer is `rke2 server`: 9345 listens long before etcd and the API server are there.
func runServer(n *node) {
	say("info", "Starting rke2 server %s", rke2Version)
	prepareHost()
	n.cleanUpStaticPods()
	member := exists(etcdDir() + "/member")
	own := n.ownTokens(member)
	var found *cluster
	if n.join != "" {
		found = n.meetCluster(member && n.hasEtcd())
	}
	n.certificates(found)
	s := &supervisor{node: n, tokens: own, config: n.clusterConfig()}
	go s.serve()
	n.writeServerFiles(own)
	time.Sleep(300 * time.Millisecond) // until 9345 listens

	local := "https://127.0.0.1:" + supervisorPort
	apis := n.balancers(local)
	config := n.retrieveConfig(local)
	startNode(n, local, config, apis)
	if n.reset {
		n.resetCluster()
	}
	if n.hasEtcd() {
		n.startEtcd(found, member)
	} else {
		n.proxyEtcd(found)
	}
	s.etcdReady.Store(true)
	if n.hasAPI() {
		n.writeAPIServer()
		waitAPI()
		n.writeControllers()
		n.announceAPI()
	}
	go s.watchCluster(apis)
	if n.hasAPI() {
		s.coreReady.Store(true)
		n.afterReset()
		createAddons(s.config)
		_ = comparePassword(n.name, keptRandom(nodeDir+"/password", 16)) // so that no agent takes this name
	}
	notify("READY=1")
	say("info", "rke2 is up and running")
	select {}
}

// runAgent is `rke2 agent`: whatever the server says, it goes on asking within the process.
func runAgent(n *node) {
	say("info", "Starting rke2 agent %s", rke2Version)
	prepareHost()
	local := "https://127.0.0.1:6444"
	apis := n.balancers(local)
	n.validateConnection(local)
	config := n.retrieveConfig(local)
	startNode(n, local, config, apis)
	go n.followServers(local, apis)
	notify("READY=1")
	say("info", "rke2 agent is up and running")
	select {}
}

func hostPort(address string, port string) string { return net.JoinHostPort(address, port) }
