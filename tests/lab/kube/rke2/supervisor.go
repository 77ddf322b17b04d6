package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// What the real one keeps below server/tls, and where kubeadm puts the same thing.
var tlsFiles = map[string]string{
	"server-ca.crt":               "ca.crt",
	"etcd/server-ca.crt":          "etcd/ca.crt",
	"etcd/peer-ca.crt":            "etcd/ca.crt",
	"etcd/client.crt":             "apiserver-etcd-client.crt",
	"etcd/client.key":             "apiserver-etcd-client.key",
	"etcd/server-client.crt":      "etcd/server.crt",
	"etcd/server-client.key":      "etcd/server.key",
	"etcd/peer-server-client.crt": "etcd/peer.crt",
	"etcd/peer-server-client.key": "etcd/peer.key",
}

func writeServerFiles(n node) {
	must(os.WriteFile(tokenFile, []byte(n.token+"\n"), 0o600))
	for name, source := range tlsFiles {
		must(os.MkdirAll(filepath.Dir(tlsDir+"/"+name), 0o700))
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, ".key") {
			mode = 0o600
		}
		must(os.WriteFile(tlsDir+"/"+name, must1(os.ReadFile("/etc/kubernetes/pki/"+source)), mode))
	}
	ca := must1(os.ReadFile(tlsDir + "/server-ca.crt"))
	must(os.WriteFile(dataDir+"/server/node-token", []byte("K10"+digest(string(ca))+"::server:"+n.token+"\n"), 0o600))
	conf := strings.Replace(string(must1(os.ReadFile(adminConf))), "https://"+localAPI, "https://127.0.0.1:6443", 1)
	mode := os.FileMode(0o600)
	if wanted := n.settings.str("write-kubeconfig-mode", ""); wanted == "0644" || wanted == "644" {
		mode = 0o644
	}
	must(os.WriteFile(etcDir+"/rke2.yaml", []byte(conf), mode))
	must(os.Chmod(etcDir+"/rke2.yaml", mode))
}

// serveSupervisor answers on 9345 what a joining node and a health check ask for.
func serveSupervisor(token string) {
	guarded := func(status int, answer http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if _, password, _ := r.BasicAuth(); password != token {
				http.Error(w, http.StatusText(status), status)
				return
			}
			answer(w, r)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ping", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "pong") })
	mux.HandleFunc("/cacerts", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, tlsDir+"/server-ca.crt") })
	mux.HandleFunc("/v1-rke2/readyz", guarded(http.StatusForbidden, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	mux.HandleFunc("/v1-rke2/admin", guarded(http.StatusUnauthorized, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, adminConf) }))
	log.Fatal(http.ListenAndServeTLS(":9345", "/etc/kubernetes/pki/apiserver.crt", "/etc/kubernetes/pki/apiserver.key", mux))
}

func insecureClient() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

// fetchAdmin proves the token at the server that is joined, and keeps its kubeconfig where the node is an agent.
func fetchAdmin(join, token string, keepIt bool) {
	for ; ; time.Sleep(2 * time.Second) {
		req := must1(http.NewRequest("GET", strings.TrimRight(join, "/")+"/v1-rke2/admin", nil))
		req.SetBasicAuth("server", token)
		res, err := insecureClient().Do(req)
		if err != nil {
			log.Printf("level=error msg=\"failed to get CA certs: %v\"", err)
			continue
		}
		data, err := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode == http.StatusUnauthorized {
			log.Fatalf("level=fatal msg=\"starting kubernetes: preparing server: https://%s/v1-rke2/server-bootstrap: 401 Unauthorized, token CA hash or token does not match\"", req.URL.Host)
		}
		if err != nil || res.StatusCode != http.StatusOK {
			log.Printf("level=error msg=\"failed to get CA certs: %s %v\"", res.Status, err)
			continue
		}
		if keepIt {
			must(os.WriteFile(agentConf, data, 0o600))
		}
		return
	}
}

func waitAPI(address string) {
	for ; ; time.Sleep(time.Second) {
		if res, err := insecureClient().Get(address); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		log.Print("level=info msg=\"Waiting for API server to become available\"")
	}
}

func waitNode(kubeconfig, name string) {
	for exec.Command(program("kubectl"), "--kubeconfig", kubeconfig, "get", "node", name).Run() != nil {
		time.Sleep(time.Second)
	}
}
