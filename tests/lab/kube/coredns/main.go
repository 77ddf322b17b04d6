// A stand-in for CoreDNS as RKE2 brings it: the names of the cluster's services, and SERVFAIL for everything else,
// because no server behind it answers here.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

type names map[string][]net.IP

var known atomic.Pointer[names]

func main() {
	zone := os.Getenv("ZONE")
	go func() {
		for ; ; time.Sleep(2 * time.Second) {
			if found, err := read(zone); err != nil {
				log.Print(err)
			} else {
				known.Store(&found)
			}
		}
	}()
	http.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if known.Load() == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	go func() { log.Fatal(http.ListenAndServe(":8181", nil)) }()
	conn, err := net.ListenPacket("udp", ":53")
	if err != nil {
		log.Fatal(err)
	}
	buffer := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			continue
		}
		if answer, err := answerTo(buffer[:n], zone); err == nil {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

type object struct {
	Metadata struct{ Name, Namespace string }
	Spec     struct{ ClusterIP string }
	Subsets  []struct {
		Addresses []struct{ IP, Hostname string }
	}
}

// read gives the addresses of every service: its own, or those of its ready pods where it has none.
func read(zone string) (names, error) {
	found := names{}
	pods := names{}
	for _, kind := range []string{"endpoints", "services"} {
		var list struct{ Items []object }
		if err := get("/api/v1/"+kind, &list); err != nil {
			return nil, err
		}
		for _, each := range list.Items {
			name := fmt.Sprintf("%s.%s.svc.%s.", each.Metadata.Name, each.Metadata.Namespace, zone)
			for _, subset := range each.Subsets {
				for _, address := range subset.Addresses {
					pods[name] = append(pods[name], net.ParseIP(address.IP))
				}
			}
			if kind == "services" {
				found[name] = pods[name]
				if ip := net.ParseIP(each.Spec.ClusterIP); ip != nil {
					found[name] = []net.IP{ip}
				}
			}
		}
	}
	return found, nil
}

var client *http.Client

func get(path string, into any) error {
	if client == nil {
		pool := x509.NewCertPool()
		ca, err := os.ReadFile(account + "ca.crt")
		if err != nil {
			return err
		}
		pool.AppendCertsFromPEM(ca)
		client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	}
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return err
	}
	request, err := http.NewRequest("GET", "https://"+net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

func answerTo(question []byte, zone string) ([]byte, error) {
	var parser dnsmessage.Parser
	head, err := parser.Start(question)
	if err != nil {
		return nil, err
	}
	asked, err := parser.Question()
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(asked.Name.String())
	all := known.Load()
	answer := dnsmessage.Header{ID: head.ID, Response: true, RecursionDesired: head.RecursionDesired, RecursionAvailable: true}
	var ips []net.IP
	switch {
	case all == nil || !strings.HasSuffix(name, "."+zone+"."):
		answer.RCode = dnsmessage.RCodeServerFailure
	default:
		answer.Authoritative = true
		var exists bool
		if ips, exists = (*all)[name]; !exists {
			answer.RCode = dnsmessage.RCodeNameError
		}
	}
	builder := dnsmessage.NewBuilder(nil, answer)
	if err := builder.StartQuestions(); err != nil {
		return nil, err
	}
	if err := builder.Question(asked); err != nil {
		return nil, err
	}
	if err := builder.StartAnswers(); err != nil {
		return nil, err
	}
	for _, ip := range ips {
		if four := ip.To4(); four != nil && asked.Type == dnsmessage.TypeA {
			record := dnsmessage.ResourceHeader{Name: asked.Name, Class: dnsmessage.ClassINET, TTL: 5}
			if err := builder.AResource(record, dnsmessage.AResource{A: [4]byte(four)}); err != nil {
				return nil, err
			}
		}
	}
	return builder.Finish()
}
