package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// clusterConfig is what a supervisor tells of the cluster; servers must agree on what is critical.
type clusterConfig struct {
	ClusterIPRange   string `critical:"true"`
	ServiceIPRange   string `critical:"true"`
	ClusterDNS       string `critical:"true"`
	ClusterDomain    string `critical:"true"`
	EmbeddedRegistry bool   `critical:"true"`
	CNI              []string
	Ingress          string
	DNS              bool
	NoKubeProxy      bool
}

func (n *node) clusterConfig() clusterConfig {
	s := n.settings
	cni := s.list("cni")
	if len(cni) == 0 {
		cni = []string{"canal"}
	}
	if len(cni) == 1 && cni[0] == "multus" {
		die("multus must be used alongside another primary cni selection")
	}
	return clusterConfig{ClusterIPRange: s.str("cluster-cidr", clusterRange), ServiceIPRange: s.str("service-cidr", serviceRange),
		ClusterDNS: s.str("cluster-dns", n.serviceIP(10)), ClusterDomain: s.str("cluster-domain", "cluster.local"),
		EmbeddedRegistry: s.is("embedded-registry"), CNI: cni, Ingress: n.ingress(), DNS: !slices.Contains(n.settings.list("disable"), "rke2-coredns"), NoKubeProxy: s.is("disable-kube-proxy")}
}

// ingress is the chart that takes ports 80 and 443 of all nodes, unless it is disabled. Which one is the default depends
// on the version: v1.36 has traefik, and LAB_RKE2_INGRESS makes this one behave so.
func (n *node) ingress() string {
	chart := "rke2-ingress-nginx"
	if wanted := os.Getenv("LAB_RKE2_INGRESS"); wanted != "" {
		chart = wanted
	}
	if wanted := n.settings.list("ingress-controller"); len(wanted) > 0 {
		chart = map[string]string{"none": "", "traefik": "rke2-traefik", "ingress-nginx": "rke2-ingress-nginx"}[wanted[0]]
	}
	if slices.Contains(n.settings.list("disable"), chart) {
		return ""
	}
	return chart
}

// supervisor is what answers on 9345.
type supervisor struct {
	node      *node
	tokens    tokens
	config    clusterConfig
	etcdReady atomic.Bool
	coreReady atomic.Bool

	mu   sync.Mutex
	apis []string
}

func (s *supervisor) setAPIs(addresses []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apis = addresses
}

func (s *supervisor) serve() {
	mux := http.NewServeMux()
	mux.HandleFunc("/ping", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "pong") })
	mux.HandleFunc("/cacerts", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, tlsDir()+"/server-ca.crt") })
	mux.HandleFunc("/v1-rke2/readyz", s.guarded(false, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	mux.HandleFunc("/v1-rke2/config", s.guarded(false, func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(s.config) }))
	mux.HandleFunc("/v1-rke2/apiservers", s.guarded(false, s.tellAPIs))
	mux.HandleFunc("/v1-rke2/server-bootstrap", s.guarded(true, s.tellBootstrap))
	mux.HandleFunc("/db/info", s.guarded(true, s.tellMembers))
	mux.HandleFunc("/db/snapshot", s.guarded(true, s.answerSnapshots))
	for _, name := range []string{"client-ca", "server-ca"} {
		mux.HandleFunc("/v1-rke2/"+name+".crt", s.guarded(false, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFile(w, r, tlsDir()+"/"+name+".crt")
		}))
	}
	for _, name := range []string{"serving-kubelet", "client-kubelet", "client-kube-proxy"} {
		mux.HandleFunc("/v1-rke2/"+name+".crt", s.guarded(false, func(w http.ResponseWriter, r *http.Request) { s.sign(name, w, r) }))
	}
	pair := tlsDir() + "/serving-rke2-supervisor"
	if err := http.ListenAndServeTLS(":"+supervisorPort, pair+".crt", pair+".key", mux); err != nil {
		die("starting kubernetes: preparing server: %v", err)
	}
}

// refuse answers as the API server does, with a Status.
func refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(document{"kind": "Status", "apiVersion": "v1", "metadata": document{}, "status": "Failure",
		"message": message, "reason": reason, "code": code})
}

// guarded lets in who knows a token: for some pages only the servers' own.
func (s *supervisor) guarded(serversOnly bool, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		asServer := user == "server" && password == s.tokens.server
		asNode := user == "node" && (password == s.tokens.agent || password == s.tokens.server)
		switch {
		case !asServer && !asNode:
			refuse(w, http.StatusUnauthorized, "Unauthorized", "not authorized")
		case serversOnly && !asServer:
			refuse(w, http.StatusForbidden, "Forbidden", "forbidden")
		default:
			answer(w, r)
		}
	}
}

func (s *supervisor) tellAPIs(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	json.NewEncoder(w).Encode(s.apis)
}

func (s *supervisor) tellBootstrap(w http.ResponseWriter, _ *http.Request) {
	if !s.etcdReady.Load() {
		refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", "etcd not ready")
		return
	}
	files := map[string]string{}
	for _, name := range bootstrapFiles() {
		files[name] = string(must1(os.ReadFile(tlsDir() + "/" + name)))
	}
	json.NewEncoder(w).Encode(files)
}

func (s *supervisor) tellMembers(w http.ResponseWriter, _ *http.Request) {
	if !s.etcdReady.Load() {
		refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", "etcd not ready")
		return
	}
	members, err := membersBy("https://127.0.0.1:2379")
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", err.Error())
		return
	}
	json.NewEncoder(w).Encode(document{"members": members})
}

const rejected = "Node password rejected, duplicate hostname or contents of '" + nodeDir + "/password' may not match server node-passwd entry, " +
	"try enabling a unique node name with the --with-node-id flag"

// sign gives a node its certificate and key, once its password is the one that its name was first seen with.
func (s *supervisor) sign(kind string, w http.ResponseWriter, r *http.Request) {
	name, ip := r.Header.Get("Rke2-Node-Name"), r.Header.Get("Rke2-Node-Ip")
	if err := s.checkPassword(name, r.Header.Get("Rke2-Node-Password")); err != nil {
		code, reason := http.StatusForbidden, "Forbidden"
		if err.Error() != rejected {
			code, reason = http.StatusServiceUnavailable, "ServiceUnavailable"
		}
		refuse(w, code, reason, err.Error())
		return
	}
	who := map[string]identity{
		"serving-kubelet":   {"server-ca", name, "", []string{name, ip, "127.0.0.1", "localhost"}},
		"client-kubelet":    {"client-ca", "system:node:" + name, "system:nodes", nil},
		"client-kube-proxy": {"client-ca", "system:kube-proxy", "", nil},
	}[kind]
	cert, key := who.sign()
	w.Write(append(cert, key...))
}

func passwordPath(name string) string {
	return "/api/v1/namespaces/kube-system/secrets/" + name + ".node-password.rke2"
}

// checkPassword compares a node's password with the secret that goes by its name; a server is its own witness. A server
// without API asks another's, and lets in everybody as long as there is none.
func (s *supervisor) checkPassword(name, password string) error {
	switch {
	case name == s.node.name:
		return nil
	case !s.node.hasAPI():
		if err := comparePassword(name, password); err != nil && err.Error() == rejected {
			return err
		}
		return nil
	case !s.coreReady.Load():
		return errors.New("runtime core not ready")
	}
	return comparePassword(name, password)
}

// comparePassword takes the password of a name that is new.
func comparePassword(name, password string) error {
	var secret struct{ Data struct{ Hash []byte } }
	status, err := adminAPI().do(http.MethodGet, passwordPath(name), "", nil, &secret)
	switch {
	case err == nil:
		salt, _, _ := strings.Cut(strings.TrimPrefix(string(secret.Data.Hash), "$1:"), ":")
		if string(secret.Data.Hash) != hashed(salt, password) {
			return errors.New(rejected)
		}
		return nil
	case status != http.StatusNotFound:
		return err
	}
	made := document{"apiVersion": "v1", "kind": "Secret", "metadata": document{"name": name + ".node-password.rke2", "namespace": "kube-system"},
		"immutable": true, "data": document{"hash": []byte(hashed(random(8), password))}}
	_, err = adminAPI().do(http.MethodPost, "/api/v1/namespaces/kube-system/secrets", "application/json", made, nil)
	return err
}

func hashed(salt, password string) string { return "$1:" + salt + ":" + digest(salt+password) }

// writeServerFiles writes the tokens and the kubeconfig where people look for them.
func (n *node) writeServerFiles(t tokens) {
	hash := digest(string(must1(os.ReadFile(tlsDir() + "/server-ca.crt"))))
	place := dataDir + "/server/"
	must(os.WriteFile(place+"token", []byte("K10"+hash+"::server:"+t.server+"\n"), 0o600))
	for _, link := range []string{"node-token", "agent-token"} {
		os.Remove(place + link)
		if link == "agent-token" && t.agent != t.server {
			must(os.WriteFile(place+link, []byte("K10"+hash+"::node:"+t.agent+"\n"), 0o600))
			continue
		}
		must(os.Symlink(place+"token", place+link))
	}
	file := n.settings.str("write-kubeconfig", etcDir+"/rke2.yaml")
	mode := os.FileMode(0o600)
	if wanted := strings.TrimLeft(n.settings.str("write-kubeconfig-mode", ""), "0"); wanted == "644" || wanted == "420" {
		mode = 0o644
	}
	must(os.WriteFile(file, embeddedKubeconfig("https://127.0.0.1:"+apiPort, tlsDir()+"/server-ca.crt", tlsDir()+"/client-admin"), mode))
	must(os.Chmod(file, mode))
	must(os.WriteFile(etcDir+"/rke2-pss.yaml", []byte("apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins: []\n"), 0o600))
}
