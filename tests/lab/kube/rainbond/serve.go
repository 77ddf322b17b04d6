package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// componentMain is every component: COMPONENT says which.
func componentMain() {
	name, dsn := os.Getenv("COMPONENT"), os.Getenv("DSN")
	healthy := func() error {
		if dsn == "" {
			return nil
		}
		return ping(dsn)
	}
	if err := healthy(); err != nil {
		log.Fatalf("level=error msg=\"connect to database: %v\"", err) // the pod crash-loops, as the real one
	}
	answer := healthAnswer(healthy)
	switch {
	case name == "hosts-job":
		appendHostsLine(os.Getenv("LINE") + "\n")
		return
	case name == "rbd-gateway" && os.Getenv("PART") == "apisix":
		gatewayMain()
	case name == "rbd-gateway":
		log.Fatal(http.ListenAndServe(":7080", answer))
	case name == "rbd-hub":
		log.Fatal(http.ListenAndServe(":5000", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="hub"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
		})))
	case name == "rbd-api":
		go serveMutualTLS(answer)
	}
	for _, port := range components[name].ports {
		if port != 8443 {
			go func() { log.Fatal(http.ListenAndServe(fmt.Sprintf(":%d", port), answer)) }()
		}
	}
	select {}
}

func healthAnswer(status func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := status(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, "ok")
	})
}

func appendHostsLine(line string) {
	old := must1(os.ReadFile("/host-etc/hosts"))
	if strings.Contains(string(old), line) {
		return
	}
	f := must1(os.OpenFile("/host-etc/hosts", os.O_APPEND|os.O_WRONLY, 0o644))
	must1(f.WriteString(line))
	must(f.Close())
}

func serveMutualTLS(answer http.Handler) {
	const certs = "/certs/rbd-api-server-cert/"
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(must1(os.ReadFile(certs + "ca.pem")))
	s := &http.Server{Addr: ":8443", Handler: answer, TLSConfig: &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}}
	log.Fatal(s.ListenAndServeTLS(certs+"cert.pem", certs+"key.pem"))
}

// gatewayMain is APISIX's outside: 404 on 80, TLS by SNI on 443, streams to the API and the console.
func gatewayMain() {
	notFound := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "APISIX/3.9.1")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintln(w, `{"error_msg":"404 Route Not Found"}`)
	})
	go func() { log.Fatal(http.ListenAndServe(":80", notFound)) }()
	go func() { log.Fatal(http.ListenAndServe(":9180", notFound)) }()
	cert := must1(tls.LoadX509KeyPair("/certs/goodrain-me-cert/cert.pem", "/certs/goodrain-me-cert/key.pem"))
	s := &http.Server{Addr: ":443", TLSConfig: &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if h.ServerName == "goodrain.me" {
			return &cert, nil
		}
		return nil, errors.New("failed to match any SSL certificate by SNI")
	}}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2/") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		notFound(w, r)
	})}
	go func() { log.Fatal(s.ListenAndServeTLS("", "")) }()
	for _, b := range strings.Fields(os.Getenv("BACKENDS")) {
		listen, to, _ := strings.Cut(b, "=")
		go stream(":"+listen, to)
	}
	select {}
}

// stream accepts first and connects behind: a bare connect proves nothing about the back-end, as with the real one.
func stream(listen, to string) {
	l := must1(net.Listen("tcp", listen))
	for {
		c := must1(l.Accept())
		go func() {
			defer c.Close()
			up, err := net.DialTimeout("tcp", to, 3*time.Second)
			if err != nil {
				return
			}
			defer up.Close()
			go func() { io.Copy(up, c); up.Close() }()
			io.Copy(c, up)
		}()
	}
}
