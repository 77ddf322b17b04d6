package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

func containerdConfig() string {
	return `version = 2
root = "` + agentDir() + `/containerd"
state = "/run/k3s/containerd"
[grpc]
  address = "` + containerdSocket + `"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "10010"
  sandbox_image = "` + pauseImage + `"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "` + cniBinDir + `"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "` + agentDir() + `/etc/containerd/certs.d"
`
}

func prepareHost() {
	for _, d := range []string{agentDir() + "/etc/containerd", agentDir() + "/containerd", agentDir() + "/logs", agentDir() + "/images",
		"/run/k3s/containerd", "/etc/cni/net.d", etcDir} {
		must(os.MkdirAll(d, 0o755))
	}
	must(os.MkdirAll(manifestDir(), 0o700))
	os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
	must(os.WriteFile(agentDir()+"/etc/crictl.yaml", []byte("runtime-endpoint: unix://"+containerdSocket+"\n"), 0o644))
}

func startContainerd() {
	logins := writeRegistries()
	must(os.WriteFile(agentDir()+"/etc/containerd/config.toml", []byte(containerdConfig()+logins), 0o600))
	go keep(program("containerd"), "-c", agentDir()+"/etc/containerd/config.toml")
	for range 300 {
		if exec.Command(program("ctr"), "-a", containerdSocket, "version").Run() == nil {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	die("containerd did not answer in 60 s")
}

type registries struct {
	Mirrors map[string]struct {
		Endpoint []string          `json:"endpoint"`
		Rewrite  map[string]string `json:"rewrite"`
	} `json:"mirrors"`
	Configs map[string]struct {
		Auth map[string]string `json:"auth"`
		TLS  map[string]any    `json:"tls"`
	} `json:"configs"`
}

// writeRegistries turns registries.yaml into containerd's certs.d, and gives the part of its configuration that logs in;
// bad YAML stops the program, as in the real one.
func writeRegistries() string {
	data, err := os.ReadFile(etcDir + "/registries.yaml")
	if err != nil {
		return ""
	}
	var r registries
	if err := yaml.UnmarshalStrict(data, &r); err != nil {
		die("registries.yaml: %v", err)
	}
	for host, mirror := range r.Mirrors {
		dir := agentDir() + "/etc/containerd/certs.d/" + strings.Replace(host, "*", "_default", 1)
		must(os.MkdirAll(dir, 0o755))
		text := ""
		for _, endpoint := range mirror.Endpoint {
			text += r.hostSection(endpoint)
		}
		must(os.WriteFile(dir+"/hosts.toml", []byte(text), 0o600))
	}
	logins := ""
	for host, config := range r.Configs {
		if config.Auth == nil {
			continue
		}
		logins += fmt.Sprintf("[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.%q.auth]\n", host)
		for key, value := range config.Auth {
			logins += fmt.Sprintf("  %s = %q\n", key, value)
		}
	}
	return logins
}

func (r registries) hostSection(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		die("registries.yaml: bad endpoint %q", endpoint)
	}
	text := fmt.Sprintf("[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", endpoint)
	security := r.Configs[u.Host].TLS
	if ca, ok := security["ca_file"].(string); ok {
		text += fmt.Sprintf("  ca = %q\n", ca)
	}
	if skip, _ := security["insecure_skip_verify"].(bool); skip {
		text += "  skip_verify = true\n"
	}
	return text
}
