// A stand-in for Rainbond's operator and components, for the lab. It takes what the charts create (RainbondCluster,
// RbdComponent), makes the same workloads under the same names, waits and fails in the same ways and with the same
// words as the real ones, version by version; the components do no work but their ports, answers, certificates,
// volumes and database connections are real.
package main

import (
	"log"
	"os"
	"path"
	"path/filepath"
	"strings"
)

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	switch filepath.Base(os.Args[0]) {
	case "manager":
		managerMain()
	case "mysql":
		mysqlMain(os.Args[1:])
	default:
		imageMain()
	}
}

// imageMain is what an image runs: images know their own name, as the real ones know what they hold.
func imageMain() {
	image := path.Base(os.Getenv("RAINBOND_IMAGE"))
	name, _, _ := strings.Cut(image, ":")
	run := map[string]func(){
		"rbd-api": apiMain, "rbd-worker": workerMain, "rbd-chaos": chaosMain, "rainbond": consoleMain,
		"rbd-mq": func() { serve(map[int]string{6300: "", 6301: "/health"}) }, "rbd-monitor": func() { serve(map[int]string{9090: "/-/healthy"}) },
		"minio":    func() { serve(map[int]string{9000: "/minio/health/live", 9001: ""}) },
		"registry": registryMain, "rbd-db": databaseMain, "local-path-provisioner": localPathMain,
		"nfs-provisioner": nfsMain, "rbd-gateway": gatewayOfFiveMain,
		"apisix-ingress-controller": ingressMain, "apisix": gatewayMain, "rbd-init-probe": func() {},
	}[name]
	if run == nil {
		run = idleMain // a part of 5.17 of which nothing but its pod matters
	}
	run()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func must1[T any](v T, err error) T {
	must(err)
	return v
}
