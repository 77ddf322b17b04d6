package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const mergePatch = "application/merge-patch+json"

// api speaks with the API server at 127.0.0.1:6443, be it this host's own or another's behind the balancer.
type api struct{ ca, pair string }

func adminAPI() api   { return api{tlsDir() + "/server-ca.crt", tlsDir() + "/client-admin"} }
func kubeletAPI() api { return api{agentDir() + "/server-ca.crt", agentDir() + "/client-kubelet"} }

// do sends one request; the answer is read into `answer` where there is one, and its status given.
func (a api) do(method, path, kind string, question, answer any) (int, error) {
	pair, err := tls.LoadX509KeyPair(a.pair+".crt", a.pair+".key")
	if err != nil {
		return 0, err
	}
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(a.ca)
	if err != nil {
		return 0, err
	}
	pool.AppendCertsFromPEM(ca)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}}
	var body io.Reader
	if question != nil {
		body = bytes.NewReader(must1(json.Marshal(question)))
	}
	req := must1(http.NewRequest(method, "https://127.0.0.1:"+apiPort+path, body))
	req.Header.Set("Content-Type", kind)
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return res.StatusCode, err
	}
	if res.StatusCode >= 300 {
		return res.StatusCode, fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	if answer != nil {
		err = json.Unmarshal(data, answer)
	}
	return res.StatusCode, err
}

func (a api) get(path string, answer any) error {
	_, err := a.do(http.MethodGet, path, "", nil, answer)
	return err
}

func waitAPI() {
	for {
		if status, _ := adminAPI().do(http.MethodGet, "/readyz", "", nil, nil); status == http.StatusOK {
			return
		}
		say("info", "Waiting for API server to become available")
		time.Sleep(2 * time.Second)
	}
}

type kubeNode struct {
	Metadata struct {
		Name              string
		ResourceVersion   string
		DeletionTimestamp string
		Labels            map[string]string
		Annotations       map[string]string
		Finalizers        []string
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

func (a api) nodes() []kubeNode {
	var list struct{ Items []kubeNode }
	if a.get("/api/v1/nodes", &list) != nil {
		return nil
	}
	return list.Items
}
