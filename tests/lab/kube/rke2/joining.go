package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"
)

type document = map[string]any

// tokens are the two secrets of a cluster: servers join with the one, agents with either.
type tokens struct{ server, agent string }

// token is a secret as it was given: bare, or with the user and the hash of the cluster's CA before it.
type token struct{ hash, user, password string }

func parseToken(text, user string) token {
	t := token{user: user, password: text}
	if rest, ok := strings.CutPrefix(text, "K10"); ok {
		if hash, secret, ok := strings.Cut(rest, "::"); ok && len(hash) == 64 {
			t.hash, t.password = hash, secret
		}
	}
	if before, after, ok := strings.Cut(t.password, ":"); ok {
		t.user, t.password = before, after
	}
	return t
}

// ownTokens are those of this server, from its settings or from its last start.
func (n *node) ownTokens(member bool) tokens {
	given := parseToken(n.token, "server").password
	data, _ := os.ReadFile(dataDir + "/server/token")
	kept := parseToken(strings.TrimSpace(string(data)), "server").password
	switch {
	case given == "" && kept != "":
		given = kept
	case given == "":
		given = random(16)
	case member && kept != "" && kept != given:
		die("starting kubernetes: preparing server: bootstrap data already found and encrypted with different token")
	}
	agent := n.settings.str("agent-token", "")
	if file := n.settings.str("agent-token-file", ""); agent == "" && file != "" {
		agent = strings.TrimSpace(string(must1(os.ReadFile(file))))
	}
	if agent == "" {
		agent = given
	}
	return tokens{given, agent}
}

// cluster is the one that this server joins, as the server there told.
type cluster struct {
	url       string
	client    *http.Client
	token     token
	bootstrap map[string]string
	members   []member
}

// meetCluster asks the server that is joined. A server with a member of its own goes on without an answer;
// every other ends, and systemd starts it again.
func (n *node) meetCluster(hasOwn bool) *cluster {
	c := &cluster{url: n.join, token: parseToken(n.token, "server")}
	fail := func(err error) *cluster {
		if hasOwn {
			say("warning", "Failed to reach %s, going on with the local data: %v", n.join, err)
			return nil
		}
		die("starting kubernetes: preparing server: %v", err)
		return nil
	}
	ca, err := serverCA(n.join, c.token)
	if err != nil {
		return fail(err)
	}
	c.client = clientTrusting(ca)
	if err := n.compareConfig(c); err != nil {
		return fail(fmt.Errorf("failed to validate server configuration: %w", err))
	}
	if !hasOwn {
		if err := c.get("/v1-rke2/server-bootstrap", &c.bootstrap); err != nil {
			return fail(fmt.Errorf("failed to get bootstrap data from %s: %w", n.join, err))
		}
		var info struct{ Members []member }
		if err := c.get("/db/info", &info); err != nil {
			return fail(fmt.Errorf("failed to get etcd members: %w", err))
		}
		c.members = info.Members
	}
	return c
}

// compareConfig sees whether this server's critical settings are those of the cluster.
func (n *node) compareConfig(c *cluster) error {
	var theirs clusterConfig
	if err := c.get("/v1-rke2/config", &theirs); err != nil {
		return err
	}
	ours, other := reflect.ValueOf(n.clusterConfig()), reflect.ValueOf(theirs)
	differ := false
	for i := range ours.NumField() {
		field := ours.Type().Field(i)
		if field.Tag.Get("critical") == "true" && !reflect.DeepEqual(ours.Field(i).Interface(), other.Field(i).Interface()) {
			say("error", "critical configuration mismatched: %s", field.Name)
			differ = true
		}
	}
	if differ {
		return errors.New("critical configuration value mismatch between servers")
	}
	return nil
}

// serverCA gets the cluster's CA certificates and holds them against the hash in the token.
func serverCA(url string, t token) ([]byte, error) {
	open := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	res, err := open.Get(url + "/cacerts")
	if err != nil {
		return nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	defer res.Body.Close()
	ca, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s/cacerts: %s", url, res.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	if t.hash != "" && t.hash != digest(string(ca)) {
		return nil, fmt.Errorf("token CA hash does not match the Cluster CA certificate hash: %s != %s", t.hash, digest(string(ca)))
	}
	return ca, nil
}

func clientTrusting(ca []byte) *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

func (c *cluster) get(path string, into any) error {
	data, err := askSupervisor(c.client, c.url+path, c.token, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// askSupervisor gets a page of a supervisor; of a refusal only the message is told, as in the real one.
func askSupervisor(client *http.Client, url string, t token, headers map[string]string) ([]byte, error) {
	req := must1(http.NewRequest(http.MethodGet, url, nil))
	req.SetBasicAuth(t.user, t.password)
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil || res.StatusCode == http.StatusOK {
		return data, err
	}
	var status struct{ Kind, Message string }
	older := res.StatusCode == http.StatusUnauthorized && os.Getenv("LAB_RKE2_TOKEN_WORDS") == "401"
	if json.Unmarshal(data, &status) == nil && status.Kind == "Status" && !older {
		return nil, errors.New(status.Message)
	}
	return nil, fmt.Errorf("%s: %s", url, res.Status)
}
