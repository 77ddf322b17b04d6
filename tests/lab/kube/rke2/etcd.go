package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

const (
	etcdGateway = "https://127.0.0.1:2382" // HTTP has a port of its own, gRPC has 2379 to itself
	apiKeys     = "/rke2/apiaddresses/"
)

// member is one of etcd's, as its JSON gateway and its command both write it.
type member struct {
	ID         string   `json:"ID"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
	IsLearner  bool     `json:"isLearner"`
}

func (m member) nodeName() string {
	if i := strings.LastIndex(m.Name, "-"); i > 0 {
		return m.Name[:i]
	}
	return m.Name
}

func (m member) address() string {
	for _, peer := range m.PeerURLs {
		if u, err := url.Parse(peer); err == nil {
			return u.Hostname()
		}
	}
	return ""
}

// etcdName is the node's name with a suffix that is made anew whenever the data are.
func (n *node) etcdName() string {
	file := etcdDir() + "/name"
	if data, err := os.ReadFile(file); err == nil {
		return strings.TrimSpace(string(data))
	}
	name := n.name + "-" + random(4)
	must(os.MkdirAll(etcdDir(), 0o700))
	must(os.WriteFile(file, []byte(name), 0o600))
	return name
}

// startEtcd starts a new cluster, goes on with the one whose data are here, or joins one, and waits until it is a voter.
func (n *node) startEtcd(found *cluster, member bool) {
	initial, state := n.etcdName()+"=https://"+hostPort(n.ip, "2380"), "new"
	if !member && found != nil {
		initial, state = n.joinEtcd(found), "existing"
	}
	n.writeEtcd(initial, state, false)
	for !isVoter() {
		say("info", "Waiting for etcd server to become available")
		time.Sleep(2 * time.Second)
	}
}

// writeEtcd writes etcd's configuration and its pod; of a member with data, what it was first started with stays.
func (n *node) writeEtcd(initial, state string, forceNew bool) {
	if old := (document{}); !forceNew && exists(etcdDir()+"/member") {
		data, _ := os.ReadFile(etcdDir() + "/config")
		if yaml.Unmarshal(data, &old) == nil && old["initial-cluster"] != nil {
			initial, state = fmt.Sprint(old["initial-cluster"]), fmt.Sprint(old["initial-cluster-state"])
		}
	}
	files := func(pair, ca string) document {
		return document{"cert-file": tlsDir() + pair + ".crt", "key-file": tlsDir() + pair + ".key", "client-cert-auth": true, "trusted-ca-file": tlsDir() + ca}
	}
	config := document{
		"name": n.etcdName(), "data-dir": etcdDir(), "logger": "zap", "log-outputs": []string{"stderr"},
		"listen-peer-urls": "https://127.0.0.1:2380,https://" + hostPort(n.ip, "2380"), "initial-advertise-peer-urls": "https://" + hostPort(n.ip, "2380"),
		"listen-client-urls": "https://127.0.0.1:2379,https://" + hostPort(n.ip, "2379"), "advertise-client-urls": "https://" + hostPort(n.ip, "2379"),
		"listen-client-http-urls": etcdGateway, "listen-metrics-urls": "http://127.0.0.1:2381",
		"initial-cluster": initial, "initial-cluster-state": state, "snapshot-count": 10000, "heartbeat-interval": 500, "election-timeout": 5000,
		"client-transport-security":          files("/etcd/server-client", "/etcd/server-ca.crt"),
		"peer-transport-security":            files("/etcd/peer-server-client", "/etcd/peer-ca.crt"),
		"experimental-initial-corrupt-check": true,
	}
	if n.settings.is("etcd-expose-metrics") {
		config["listen-metrics-urls"] = "http://127.0.0.1:2381,http://" + hostPort(n.ip, "2381")
	}
	if forceNew {
		config["force-new-cluster"] = true
	}
	must(os.WriteFile(etcdDir()+"/config", must1(yaml.Marshal(config)), 0o600))
	n.writePod("etcd", etcdImage, append([]string{"etcd", "--config-file=" + etcdDir() + "/config"}, extraArgs(n, "etcd-arg")...))
}

// joinEtcd makes this server a learner of the cluster; a name that is still a member's is refused for good.
func (n *node) joinEtcd(found *cluster) string {
	for {
		members, err := membersBy(found.endpoints())
		if err != nil {
			die("etcd cluster join failed: %v", err)
		}
		initial, listed := []string{n.etcdName() + "=https://" + hostPort(n.ip, "2380")}, false
		for _, m := range members {
			if m.Name != "" && m.nodeName() == n.name && m.Name != n.etcdName() {
				os.Remove(etcdDir() + "/name")
				die("etcd cluster join failed: duplicate node name found, please use a unique name for this node")
			}
			if m.address() == n.ip && (m.Name == "" || m.Name == n.etcdName()) {
				listed = true
			} else if m.Name != "" {
				initial = append(initial, m.Name+"="+m.PeerURLs[0])
			}
		}
		if listed {
			return strings.Join(initial, ",")
		}
		out, err := etcdctl(found.endpoints(), "member", "add", n.etcdName(), "--learner", "--peer-urls=https://"+hostPort(n.ip, "2380"))
		switch {
		case err == nil:
			say("info", "Adding member %s=https://%s to etcd cluster", n.etcdName(), hostPort(n.ip, "2380"))
			return strings.Join(initial, ",")
		case strings.Contains(out, "too many learner") || strings.Contains(out, "unhealthy cluster"):
			say("info", "Waiting for other members to finish joining etcd cluster: %s", strings.TrimSpace(out))
			time.Sleep(2 * time.Second)
		default:
			die("etcd cluster join failed: %s", strings.TrimSpace(out))
		}
	}
}

// proxyEtcd makes etcd's port on this host lead to the members, whom the server that was joined has told.
func (n *node) proxyEtcd(found *cluster) {
	if found == nil {
		die("starting kubernetes: preparing server: --server is required where etcd is disabled")
	}
	proxy := newBalancer("127.0.0.1:2379", "", memberAddresses(found.members)...)
	proxy.serve()
	go func() {
		for range time.Tick(10 * time.Second) {
			var info struct{ Members []member }
			if found.get("/db/info", &info) == nil {
				proxy.set(memberAddresses(info.Members))
			}
		}
	}()
}

func memberAddresses(members []member) []string {
	var out []string
	for _, m := range members {
		if m.Name != "" && !m.IsLearner {
			out = append(out, hostPort(m.address(), "2379"))
		}
	}
	return out
}

func (c *cluster) endpoints() string {
	return "https://" + strings.Join(memberAddresses(c.members), ",https://")
}

// etcdctl runs etcd's own command against some members; its words are given in both cases.
func etcdctl(endpoints string, args ...string) (string, error) {
	tls := tlsDir() + "/etcd/"
	fixed := []string{"--endpoints=" + endpoints, "--cacert=" + tls + "server-ca.crt", "--cert=" + tls + "client.crt", "--key=" + tls + "client.key", "--command-timeout=15s"}
	out, err := command(program("etcdctl"), append(fixed, args...)...).CombinedOutput()
	return string(out), err
}

// membersBy lists members over gRPC, from any host that reaches one.
func membersBy(endpoints string) ([]member, error) {
	out, err := etcdctl(endpoints, "member", "list", "-w", "json")
	if err != nil {
		return nil, fmt.Errorf("%s", strings.TrimSpace(out))
	}
	var list struct {
		Members []struct {
			ID         json.Number `json:"ID"`
			Name       string      `json:"name"`
			PeerURLs   []string    `json:"peerURLs"`
			ClientURLs []string    `json:"clientURLs"`
			IsLearner  bool        `json:"isLearner"`
		} `json:"members"`
	}
	if err := json.Unmarshal([]byte(out[strings.Index(out, "{"):]), &list); err != nil {
		return nil, err
	}
	var members []member
	for _, m := range list.Members {
		members = append(members, member{m.ID.String(), m.Name, m.PeerURLs, m.ClientURLs, m.IsLearner})
	}
	return members, nil
}

// gateway asks this host's own member through its JSON gateway.
func gateway(path string, question, answer any) error {
	pair, err := tls.LoadX509KeyPair(tlsDir()+"/etcd/client.crt", tlsDir()+"/etcd/client.key")
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(tlsDir() + "/etcd/server-ca.crt")
	if err != nil {
		return err
	}
	pool.AppendCertsFromPEM(ca)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}}
	res, err := client.Post(etcdGateway+path, "application/json", bytes.NewReader(must1(json.Marshal(question))))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, data)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(data, answer)
}

func ownMembers() ([]member, error) {
	var list struct{ Members []member }
	err := gateway("/v3/cluster/member/list", document{}, &list)
	return list.Members, err
}

type etcdStatus struct {
	Header struct {
		MemberID string `json:"member_id"`
	}
	Leader    string
	IsLearner bool
}

func ownStatus() (etcdStatus, error) {
	var s etcdStatus
	err := gateway("/v3/maintenance/status", document{}, &s)
	return s, err
}

func isVoter() bool {
	s, err := ownStatus()
	return err == nil && !s.IsLearner && s.Leader != "" && s.Leader != "0"
}

func leads() bool {
	s, err := ownStatus()
	return err == nil && s.Leader != "" && s.Leader == s.Header.MemberID
}

// promoteLearners makes voters of those who have caught up; only the leader does it.
func promoteLearners() {
	members, _ := ownMembers()
	for _, m := range members {
		if m.IsLearner && m.Name != "" {
			var done document
			if err := gateway("/v3/cluster/member/promote", document{"ID": m.ID}, &done); err == nil {
				say("info", "Promoted learner %s", m.Name)
			}
		}
	}
}

func removeMember(nodeName string) error {
	members, err := ownMembers()
	for _, m := range members {
		if m.Name != "" && m.nodeName() == nodeName {
			var done document
			if err := gateway("/v3/cluster/member/remove", document{"ID": m.ID}, &done); err != nil {
				return err
			}
			say("info", "Removed etcd member %s because its node was deleted", m.Name)
		}
	}
	return err
}

// announceAPI tells the nodes without an API server, through etcd, that there is one here.
func (n *node) announceAPI() {
	for {
		out, err := etcdctl("https://127.0.0.1:2379", "put", apiKeys+n.name, hostPort(n.ip, apiPort))
		if err == nil {
			return
		}
		say("warning", "API address not saved: %s", strings.TrimSpace(out))
		time.Sleep(2 * time.Second)
	}
}

func announcedAPIs() []string {
	var found struct{ Kvs []struct{ Value string } }
	end := apiKeys[:len(apiKeys)-1] + "0"
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	if gateway("/v3/kv/range", document{"key": encode(apiKeys), "range_end": encode(end)}, &found) != nil {
		return nil
	}
	var out []string
	for _, kv := range found.Kvs {
		if value, err := base64.StdEncoding.DecodeString(kv.Value); err == nil {
			out = append(out, string(value))
		}
	}
	return out
}

func forgetAPI(nodeName string) {
	var done document
	key := base64.StdEncoding.EncodeToString([]byte(apiKeys + nodeName))
	_ = gateway("/v3/kv/deleterange", document{"key": key}, &done)
}
