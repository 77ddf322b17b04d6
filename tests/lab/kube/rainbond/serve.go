package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// serve answers 200 at one path of each port, or everywhere where the path is empty. What is asked is never looked
// into: these answers are constants, whatever became of the database.
func serve(ports map[int]string) {
	for port, path := range ports {
		l := must1(net.Listen("tcp", fmt.Sprintf(":%d", port)))
		go func() { log.Fatal(http.Serve(l, constant(path))) }()
	}
	for {
		time.Sleep(time.Hour)
	}
}

func constant(path string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path != "" && r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"bean":{"status":"health","info":"service health"}}`)
	})
}

// argument is the value of --NAME=VALUE.
func argument(name string) string {
	for _, each := range os.Args[1:] {
		if value, ok := strings.CutPrefix(each, "--"+name+"="); ok {
			return value
		}
	}
	return ""
}

// waitForDatabase tries for ever and opens no port until it is through: the picture is Running 0/1, not a crash.
func waitForDatabase() {
	source := argument("mysql")
	for {
		err := pingDatabase(source)
		if err == nil {
			return
		}
		words := fmt.Sprintf("get db manager failed, try time is %d,%v", 10, err) // always ten
		log.SetFlags(0)
		log.Printf("time=%q level=error msg=%q", time.Now().UTC().Format(time.RFC3339), words)
		time.Sleep(10 * time.Second)
	}
}

func pingDatabase(source string) error {
	db, err := sql.Open("mysql", source)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return db.PingContext(ctx)
}

func apiMain() {
	waitForDatabase()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(must1(os.ReadFile(argument("client-ca-file"))))
	conf := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	s := &http.Server{Addr: ":8443", Handler: regionAPI(), TLSConfig: conf}
	go func() { log.Fatal(s.ListenAndServeTLS(argument("api-ssl-certfile"), argument("api-ssl-keyfile"))) }()
	serve(map[int]string{8888: "/v2/health", 8889: "/healthz", 6060: "", 6366: ""})
}

// regionAPI answers what is asked of 8443: health, and the nodes as Kubernetes has them.
func regionAPI() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v2/health", constant("/v2/health"))
	mux.HandleFunc("/v2/cluster", func(w http.ResponseWriter, _ *http.Request) {
		s := newStore(envOr("RBD_NAMESPACE", "rbd-system"))
		nodes, err := s.kube.CoreV1().Nodes().List(s.ctx, metav1.ListOptions{})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"bean":{"all_node":%d}}`, len(nodes.Items))
	})
	return mux
}

func workerMain() {
	waitForDatabase()
	serve(map[int]string{6535: "", 6369: "/worker/health"})
}

func chaosMain() {
	waitForDatabase()
	if _, err := os.Stat("/run/containerd/containerd.sock"); err != nil {
		panic(fmt.Sprintf("failed to dial \"/run/containerd/containerd.sock\": %v", err)) // exit 2, as the real one
	}
	serve(map[int]string{3228: "/v2/builder/health"})
}

// consoleMain is the only one whose answer reads a database, each time; it keeps the region's address and CA in it,
// written only when there is none yet.
func consoleMain() {
	source := fmt.Sprintf("%s:%s@tcp(%s:%s)/%s", os.Getenv("MYSQL_USER"), os.Getenv("MYSQL_PASS"), os.Getenv("MYSQL_HOST"), os.Getenv("MYSQL_PORT"), os.Getenv("MYSQL_DB"))
	for {
		err := pingDatabase(source)
		if err == nil {
			break
		}
		fmt.Fprintln(os.Stderr, "ERROR "+strings.TrimPrefix(err.Error(), "Error "))
		fmt.Println("ERROR: Database not ready, will waiting")
		time.Sleep(3 * time.Second)
	}
	if err := rememberRegion(source); err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/console/config/info", func(w http.ResponseWriter, _ *http.Request) {
		if err := pingDatabase(source); err != nil {
			http.Error(w, `{"code":500,"msg":"database"}`, http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"code":200,"msg":"success"}`)
	})
	http.HandleFunc("/lab/region", func(w http.ResponseWriter, _ *http.Request) { // only here: does the kept region still answer?
		if err := askRegion(source); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, "ok")
	})
	log.Fatal(http.ListenAndServe(":7070", nil))
}
