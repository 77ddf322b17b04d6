package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// release is what differs between versions of the operator; each entry names the first version that does so.
type release struct {
	storageClassEnv  bool  // 6.4.0: STORAGE_CLASS_NAME counts
	portIsBuiltIn    bool  // 6.4.1: goodrain.me:PORT is the built-in hub, too
	chartOwnsConfig  bool  // 6.3.1: the chart brings apisix-gw-config.yaml, routes are created once
	shortProbes      bool  // 6.5.0: readiness after 5 s, every 3 s; liveness after 60 s
	settledCluster   bool  // 6.5.0: RainbondCluster is looked at when it changes, no more every 5 s
	passwordByUID    bool  // 6.5.2: rbd-db's password comes from the UID of kube-system
	requests         bool  // 6.6.0: 100m/256Mi, limits 4/8Gi
	startupProbe     bool  // 6.6.2: of rbd-api
	prechecksGate    bool  // 6.7.2: Running needs the prechecks
	hostsTolerates   bool  // 6.7.2: hosts-job tolerates all, one pod per node, alpine:3
	sizes            sizes // 6.7.2: larger claims
	consoleSecret    bool  // 6.9.0: SECRET_KEY from a Secret
	nodeNames        bool  // 6.9.0: automatic choice uses the Node's name
	noHubCheck       bool  // 6.9.3: condition ImageRepository is gone
	gatewayRolling   bool  // 6.9.6: RollingUpdate and one gateway pod per node
	claimsKept       bool  // 6.9.6: claim templates of StatefulSets are left alone
	priority         bool  // 6.9.6: system-cluster-critical
	consoleHTTPProbe bool  // 6.5.0: /console/config/info decides about readiness
}

type sizes struct{ hub, minio, monitor, db, console int64 } // GiB

func releaseOf(version string) release {
	at := func(wanted string) bool { return !before(version, wanted) }
	r := release{
		storageClassEnv: at("6.4.0"), portIsBuiltIn: at("6.4.1"), chartOwnsConfig: at("6.3.1"), shortProbes: at("6.5.0"),
		settledCluster: at("6.5.0"), passwordByUID: at("6.5.2"), requests: at("6.6.0"), startupProbe: at("6.6.2"),
		prechecksGate: at("6.7.2"), hostsTolerates: at("6.7.2"), consoleSecret: at("6.9.0"), nodeNames: at("6.9.0"),
		noHubCheck: at("6.9.3"), gatewayRolling: at("6.9.6"), claimsKept: at("6.9.6"), priority: at("6.9.6"),
		consoleHTTPProbe: at("6.5.0"), sizes: sizes{1, 1, 1, 1, 1},
	}
	if at("6.7.2") {
		r.sizes = sizes{200, 100, 100, 5, 5}
	}
	return r
}

func before(version, wanted string) bool {
	a, b := strings.Split(version, "."), strings.Split(wanted, ".")
	for i := range b {
		x, y := 0, must1(strconv.Atoi(b[i]))
		if i < len(a) {
			x, _ = strconv.Atoi(a[i])
		}
		if x != y {
			return x < y
		}
	}
	return false
}

// speed divides every delay: 1 is the real thing.
func speed() float64 {
	if s, err := strconv.ParseFloat(os.Getenv("LAB_RAINBOND_SPEED"), 64); err == nil && s >= 1 {
		return s
	}
	return 1
}

func pause(d time.Duration) { time.Sleep(time.Duration(float64(d) / speed())) }

// seconds shortens a number of a probe, but never below one.
func seconds(n int32) int32 { return max(1, int32(float64(n)/speed()+0.5)) }
