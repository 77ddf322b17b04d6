package main

import (
	"encoding/json"
	"encoding/pem"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// balancers are the two on loopback that keep an agent, or a server without API server, attached when one server dies:
// 6444 leads to the supervisors, 6443 to the API servers. A server with an API server has neither.
func (n *node) balancers(own string) *balancer {
	apis := newBalancer("127.0.0.1:"+apiPort, agentDir()+"/etc/rke2-api-server-agent-load-balancer.json")
	if n.hasAPI() {
		return apis
	}
	first := own
	if !n.server {
		first = n.join
	}
	u, err := url.Parse(first)
	if err != nil || u.Host == "" {
		die("--server %q is no address", first)
	}
	supervisors := newBalancer("127.0.0.1:6444", agentDir()+"/etc/rke2-agent-load-balancer.json", u.Host)
	apis.follower = supervisors
	supervisors.serve()
	apis.serve()
	return apis
}

func (n *node) nodeToken() token {
	if n.server {
		data := strings.TrimSpace(string(must1(os.ReadFile(dataDir + "/server/token"))))
		return parseToken(data, "server")
	}
	return parseToken(n.token, "node")
}

// validateConnection waits until a server shows the CA that the token speaks of.
func (n *node) validateConnection(local string) {
	for {
		_, err := serverCA(local, n.nodeToken())
		if err == nil {
			return
		}
		say("error", "Failed to validate connection to cluster at %s: %v", n.join, err)
		time.Sleep(2 * time.Second)
	}
}

// retrieveConfig gets the cluster's configuration and this node's certificates, and asks until it has them.
func (n *node) retrieveConfig(local string) clusterConfig {
	for {
		config, err := n.tryConfig(local)
		if err == nil {
			return config
		}
		say("info", "Waiting to retrieve agent configuration; server is not ready: %v", err)
		time.Sleep(2 * time.Second)
	}
}

func (n *node) tryConfig(local string) (clusterConfig, error) {
	var config clusterConfig
	t := n.nodeToken()
	ca, err := serverCA(local, t)
	if err != nil {
		return config, err
	}
	client := clientTrusting(ca)
	headers := map[string]string{"Rke2-Node-Name": n.name, "Rke2-Node-Ip": n.ip, "Rke2-Node-Password": keptRandom(nodeDir+"/password", 16)}
	if os.Getenv("LAB_RKE2_TOKEN_WORDS") == "401" { // some releases ask for the certificates first
		if _, err := askSupervisor(client, local+"/v1-rke2/serving-kubelet.crt", t, headers); err != nil {
			return config, err
		}
	}
	data, err := askSupervisor(client, local+"/v1-rke2/config", t, headers)
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		return config, prefixed("failed to retrieve configuration from server: ", err)
	}
	for _, name := range []string{"client-ca.crt", "server-ca.crt", "serving-kubelet.crt", "client-kubelet.crt", "client-kube-proxy.crt"} {
		data, err := askSupervisor(client, local+"/v1-rke2/"+name, t, headers)
		if err != nil {
			return config, err
		}
		writeParts(agentDir()+"/"+strings.TrimSuffix(name, ".crt"), data)
	}
	return config, nil
}

type prefixedError struct {
	prefix string
	error
}

func (e prefixedError) Error() string { return e.prefix + e.error.Error() }

func prefixed(prefix string, err error) error { return prefixedError{prefix, err} }

// writeParts puts certificates and key of an answer into files of their own.
func writeParts(path string, data []byte) {
	var cert, key []byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			cert = append(cert, pem.EncodeToMemory(block)...)
		} else {
			key = pem.EncodeToMemory(block)
		}
	}
	if key != nil {
		writeSecret(path+".key", key)
	}
	writeSecret(path+".crt", cert)
}

// startNode starts what every node has: the runtime, images, kubelet, kube-proxy and network.
func startNode(n *node, local string, config clusterConfig, apis *balancer) {
	stageRuntime(n.server)
	startContainerd()
	importImages()
	for _, name := range []string{"kubelet", "kube-proxy"} {
		text := kubeconfig("https://127.0.0.1:"+apiPort, agentDir()+"/server-ca.crt", agentDir()+"/client-"+name)
		writeSecret(agentDir()+"/"+strings.ReplaceAll(name, "-", "")+".kubeconfig", text)
	}
	go keep(program("kubelet"), n.kubeletArgs(config)...)
	if !config.NoKubeProxy {
		args := append([]string{"--kubeconfig=" + agentDir() + "/kubeproxy.kubeconfig", "--cluster-cidr=" + config.ClusterIPRange, "--proxy-mode=iptables",
			"--conntrack-max-per-core=0", "--hostname-override=" + n.name, "--healthz-bind-address=127.0.0.1"}, extraArgs(n, "kube-proxy-arg")...)
		go keep(program("kube-proxy"), args...)
	}
	go network(n.name, config)
}

func (n *node) kubeletArgs(config clusterConfig) []string {
	a := agentDir()
	args := []string{"--kubeconfig=" + a + "/kubelet.kubeconfig", "--container-runtime-endpoint=unix://" + containerdSocket,
		"--hostname-override=" + n.name, "--node-ip=" + n.ip, "--pod-manifest-path=" + manifestDir(), "--resolv-conf=" + n.resolvConf(),
		"--address=0.0.0.0", "--healthz-bind-address=127.0.0.1", "--read-only-port=0", "--anonymous-auth=false", "--authentication-token-webhook=true",
		"--authorization-mode=Webhook", "--cgroup-driver=cgroupfs", "--client-ca-file=" + a + "/client-ca.crt", "--tls-cert-file=" + a + "/serving-kubelet.crt",
		"--tls-private-key-file=" + a + "/serving-kubelet.key", "--cluster-dns=" + config.ClusterDNS, "--cluster-domain=" + config.ClusterDomain,
		"--eviction-hard=imagefs.available<5%,nodefs.available<5%", "--fail-swap-on=false", "--file-check-frequency=5s",
		"--serialize-image-pulls=false", "--pod-infra-container-image=" + pauseImage}
	if labels := n.settings.list("node-label"); len(labels) > 0 {
		args = append(args, "--node-labels="+strings.Join(labels, ","))
	}
	if taints := n.settings.list("node-taint"); len(taints) > 0 {
		args = append(args, "--register-with-taints="+strings.Join(taints, ","))
	}
	return append(args, extraArgs(n, "kubelet-arg")...)
}

// followServers keeps the balancers' lists up to date.
func (n *node) followServers(local string, apis *balancer) {
	for ; ; time.Sleep(3 * time.Second) {
		ca, err := serverCA(local, n.nodeToken())
		if err != nil {
			continue
		}
		var found []string
		data, err := askSupervisor(clientTrusting(ca), local+"/v1-rke2/apiservers", n.nodeToken(), nil)
		if err == nil && json.Unmarshal(data, &found) == nil {
			apis.set(found)
		}
	}
}

// resolvConf is the file that pods get their resolvers from. Where the host has none but loopback, the real one writes
// a file with a public resolver, and so does this.
func (n *node) resolvConf() string {
	if file := n.settings.str("resolv-conf", ""); file != "" {
		return file
	}
	for _, file := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		if hasResolver(file) {
			return file
		}
	}
	file := filepath.Join(agentDir(), "etc", "resolv.conf")
	must(os.WriteFile(file, []byte("nameserver 8.8.8.8\n"), 0o444))
	say("warning", "Host resolv.conf includes loopback or is missing; using autogenerated %s with nameserver 8.8.8.8", file)
	return file
}

func hasResolver(file string) bool {
	data, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	found := false
	for _, line := range strings.Split(string(data), "\n") {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if strings.HasPrefix(words[1], "127.") || words[1] == "::1" {
			return false
		}
		found = true
	}
	return found
}
