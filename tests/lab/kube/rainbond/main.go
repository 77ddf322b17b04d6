// A stand-in for Rainbond V6's operator and components, for the lab. It takes what the real chart creates
// (RainbondCluster, RbdComponent), makes the same workloads under the same names, and fails in the same ways;
// the components do no work but their ports, answers, certificates and database connections are real.
package main

import (
	"log"
	"os"
	"path/filepath"
)

const kubeVersion = "v1.30.4"

func main() {
	switch filepath.Base(os.Args[0]) {
	case "manager":
		managerMain()
	case "rbd":
		componentMain()
	default:
		log.Fatal("call me manager or rbd")
	}
}

// component is one Rainbond component: its controller, its ports, and the health address of its probes.
type component struct {
	kind   string // Deployment, StatefulSet, DaemonSet
	ports  []int32
	health string // path:port
	needs  string // database it connects to: region or console
}

var components = map[string]component{
	"local-path-provisioner": {"Deployment", nil, "", ""},
	"minio":                  {"StatefulSet", []int32{9000, 9001}, "/minio/health/live:9000", ""},
	"rbd-gateway":            {"Deployment", nil, "/healthz:7080", ""},
	"rbd-hub":                {"Deployment", []int32{5000}, "/v2/:5000", ""},
	"rbd-mq":                 {"Deployment", []int32{6300, 6301}, "/health:6301", ""},
	"rbd-worker":             {"Deployment", []int32{6535, 6369}, "/worker/health:6369", "region"},
	"rbd-api":                {"Deployment", []int32{8443, 6060, 8888, 8889}, "/v2/health:8888", "region"},
	"rbd-chaos":              {"DaemonSet", []int32{3228}, "/v2/builder/health:3228", "region"},
	"rbd-monitor":            {"StatefulSet", []int32{9999, 9090}, "/-/healthy:9090", ""},
	"rbd-db":                 {"StatefulSet", []int32{3306}, "", ""},
	"rbd-app-ui":             {"Deployment", []int32{7070}, "/console/config/info:7070", "console"},
}

func must(err error) {
	if err != nil {
		log.Fatalf("level=fatal msg=%q", err)
	}
}

func must1[T any](v T, err error) T {
	must(err)
	return v
}
