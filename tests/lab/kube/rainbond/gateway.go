package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ingressMain is the controller beside APISIX: one of them per host, because 7080 and 12379 can be had once.
func ingressMain() {
	l, err := net.Listen("tcp", "127.0.0.1:12379")
	if err != nil {
		log.Fatalf("failed to start embedded etcd: %v", err)
	}
	go func() { log.Fatal(http.Serve(l, constant(""))) }()
	serve(map[int]string{7080: "/healthz"})
}

// routes is what the gateway knows: nothing, until the objects have been read.
type routes struct {
	lock     sync.Mutex
	streams  map[int64]string // port: service address
	web      []webRoute       // in order
	identity map[string]*tls.Certificate
}

type webRoute struct {
	hosts, paths []string
	backend      string
}

// gatewayMain is APISIX: its ports are open from the start, and lead nowhere without a route. Like the real one it
// shares its ports with others of its kind (reuse), but not with any other program.
func gatewayMain() {
	known := &routes{}
	go known.follow(newStore(envOr("RBD_NAMESPACE", "rbd-system")))
	for _, port := range []int64{6060, 7070, 8443, 8889} {
		go known.stream(listenShared(port), port)
	}
	admin := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-API-KEY") != "edd1c9f034335f136f87ad84b625c8f1" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintln(w, `{"description":"wrong apikey","error_msg":"failed to check token"}`)
			return
		}
		known.lock.Lock()
		defer known.lock.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{"total": len(known.web) + len(known.streams), "list": []any{}})
	})
	go func() { log.Fatal(http.Serve(listenShared(9180), admin)) }()
	go func() { log.Fatal(http.Serve(listenShared(8099), constant(""))) }()
	go func() { log.Fatal(http.Serve(listenShared(80), known)) }()
	conf := &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		known.lock.Lock()
		defer known.lock.Unlock()
		if found := known.identity[h.ServerName]; found != nil {
			return found, nil
		}
		return nil, errors.New("failed to match any SSL certificate by SNI: " + h.ServerName)
	}}
	log.Fatal(http.Serve(tls.NewListener(listenShared(443), conf), known))
}

func listenShared(port int64) net.Listener {
	reuse := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		return errors.Join(err, failed)
	}}
	l, err := reuse.Listen(context.Background(), "tcp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		log.Fatalf("nginx: [emerg] bind() to 0.0.0.0:%d failed (98: Address already in use)", port)
	}
	return l
}

// follow reads the objects again and again, and keeps what it knew while the API does not answer.
func (k *routes) follow(s store) {
	for ; ; time.Sleep(time.Second) {
		found, err := s.dyn.Resource(routeGVR).Namespace("").List(s.ctx, metav1.ListOptions{})
		if err != nil {
			continue
		}
		fresh := &routes{streams: map[int64]string{}, identity: map[string]*tls.Certificate{}}
		for _, each := range found.Items {
			fresh.add(s, each)
		}
		if names, err := s.dyn.Resource(tlsGVR).Namespace("").List(s.ctx, metav1.ListOptions{}); err == nil {
			for _, each := range names.Items {
				fresh.addCertificate(s, each)
			}
		}
		k.lock.Lock()
		k.streams, k.web, k.identity = fresh.streams, fresh.web, fresh.identity
		k.lock.Unlock()
	}
}

func (k *routes) add(s store, route unstructured.Unstructured) {
	list, _, _ := unstructured.NestedSlice(route.Object, "spec", "stream")
	for _, each := range list {
		rule := each.(map[string]any)
		port, _, _ := unstructured.NestedInt64(rule, "match", "ingressPort")
		backend, _, _ := unstructured.NestedMap(rule, "backend")
		if address := serviceAddress(s, route.GetNamespace(), backend); address != "" {
			k.streams[port] = address
		}
	}
	list, _, _ = unstructured.NestedSlice(route.Object, "spec", "http")
	for _, each := range list {
		rule := each.(map[string]any)
		hosts, _, _ := unstructured.NestedStringSlice(rule, "match", "hosts")
		paths, _, _ := unstructured.NestedStringSlice(rule, "match", "paths")
		backends, _, _ := unstructured.NestedSlice(rule, "backends")
		for _, backend := range backends[:min(1, len(backends))] {
			if address := serviceAddress(s, route.GetNamespace(), backend.(map[string]any)); address != "" {
				k.web = append(k.web, webRoute{hosts, paths, address})
			}
		}
	}
}

// serviceAddress is the cluster address of a backend's service; the gateway needs no cluster DNS.
func serviceAddress(s store, ns string, backend map[string]any) string {
	found, err := s.kube.CoreV1().Services(ns).Get(s.ctx, text(backend, "serviceName"), metav1.GetOptions{})
	if err != nil {
		return ""
	}
	return net.JoinHostPort(found.Spec.ClusterIP, text(backend, "servicePort"))
}

func (k *routes) addCertificate(s store, object unstructured.Unstructured) {
	name, ns := text(object.Object, "spec", "secret", "name"), text(object.Object, "spec", "secret", "namespace")
	secret, err := s.kube.CoreV1().Secrets(ns).Get(s.ctx, name, metav1.GetOptions{})
	if err != nil {
		return
	}
	pair, err := tls.X509KeyPair(secret.Data["cert"], secret.Data["key"])
	if err != nil {
		return
	}
	hosts, _, _ := unstructured.NestedStringSlice(object.Object, "spec", "hosts")
	for _, host := range hosts {
		k.identity[host] = &pair
	}
}

func (k *routes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	k.lock.Lock()
	web := k.web
	k.lock.Unlock()
	for _, route := range web {
		if route.takes(host, r.URL.Path) {
			httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: route.backend}).ServeHTTP(w, r)
			return
		}
	}
	w.Header().Set("Server", "APISIX/3.9.1")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprintln(w, `{"error_msg":"404 Route Not Found"}`)
}

func (r webRoute) takes(host, path string) bool {
	anyHost := len(r.hosts) == 0
	for _, each := range r.hosts {
		rest, wild := strings.CutPrefix(each, "*")
		anyHost = anyHost || each == host || (wild && strings.HasSuffix(host, rest))
	}
	for _, each := range r.paths {
		prefix, wild := strings.CutSuffix(each, "*")
		if anyHost && (each == path || (wild && strings.HasPrefix(path, prefix))) {
			return true
		}
	}
	return anyHost && len(r.paths) == 0
}

// stream accepts first and connects behind: a bare connect proves nothing about what is behind.
func (k *routes) stream(l net.Listener, port int64) {
	for {
		c, err := l.Accept()
		if err != nil {
			continue
		}
		go func() {
			defer c.Close()
			k.lock.Lock()
			to := k.streams[port]
			k.lock.Unlock()
			if to == "" {
				return
			}
			up, err := net.DialTimeout("tcp", to, 3*time.Second)
			if err != nil {
				return
			}
			defer up.Close()
			go func() { io.Copy(up, c); up.(*net.TCPConn).CloseWrite() }()
			io.Copy(c, up)
		}()
	}
}
