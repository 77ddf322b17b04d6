package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func resetFlag() string    { return dataDir + "/server/db/reset-flag" }
func forceRestart() string { return dataDir + "/force-restart" }

// cleanUpStaticPods ends static pods whose manifests must not be found any more when the kubelet starts: all of them after
// a restore on this host, etcd and API server when etcd's name is gone or the cluster is being reset.
func (n *node) cleanUpStaticPods() {
	forced := exists(forceRestart())
	os.Remove(forceRestart())
	_, nameErr := os.Stat(etcdDir() + "/name")
	reset := n.reset || (n.hasEtcd() && os.IsNotExist(nameErr))
	if n.restorePath != "" {
		must(os.MkdirAll(dataDir, 0o755))
		must(os.WriteFile(forceRestart(), nil, 0o600))
	}
	if !exists(binDir()) || !exists(manifestDir()) {
		return
	}
	s := n.settings
	disabled := map[string]bool{"etcd": !n.hasEtcd() || forced || reset, "kube-apiserver": !n.hasAPI() || forced || reset,
		"kube-controller-manager": !n.server || forced || s.is("disable-controller-manager"),
		"kube-scheduler":          !n.server || forced || s.is("disable-scheduler")}
	terminate := reset
	for component, is := range disabled {
		terminate = terminate || is && exists(manifestDir()+"/"+component+".yaml")
	}
	if !terminate {
		return
	}
	say("info", "Static pod cleanup in progress")
	for component, is := range disabled {
		if is {
			os.Remove(manifestDir() + "/" + component + ".yaml")
		}
	}
	startContainerd()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(2 * time.Second) {
		left, err := removePods(disabled)
		if err == nil && left == 0 {
			break
		}
		if time.Now().After(deadline) {
			die("static pod cleanup timed out")
		}
	}
	say("info", "Static pod cleanup completed successfully")
}

// removePods removes the sandboxes of static pods of these components; how many there were.
func removePods(components map[string]bool) (int, error) {
	conn, err := grpc.Dial("unix://"+containerdSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := runtime.NewRuntimeServiceClient(conn)
	filter := &runtime.PodSandboxFilter{LabelSelector: map[string]string{"io.kubernetes.pod.namespace": "kube-system"}}
	found, err := client.ListPodSandbox(ctx, &runtime.ListPodSandboxRequest{Filter: filter})
	if err != nil {
		return 0, err
	}
	count := 0
	for _, pod := range found.Items {
		if components[pod.Labels["component"]] && pod.Annotations["kubernetes.io/config.source"] == "file" {
			count++
			say("info", "Removing pod %s", pod.Metadata.Name)
			if _, err := client.RemovePodSandbox(ctx, &runtime.RemovePodSandboxRequest{PodSandboxId: pod.Id}); err != nil {
				say("warning", "Failed to remove pod %s: %v", pod.Id, err)
			}
		}
	}
	return count, nil
}

// resetCluster makes this host the only member of etcd, with the data of a snapshot where one is given, and ends.
func (n *node) resetCluster() {
	if n.restorePath == "" && exists(resetFlag()) {
		die("starting kubernetes: preparing server: Managed etcd cluster membership was previously reset, please remove the cluster-reset flag and start rke2 normally. "+
			"If you need to perform another cluster reset, you must first manually delete the file at %s", resetFlag())
	}
	if n.restorePath != "" {
		if err := n.restore(); err != nil {
			die("starting kubernetes: preparing server: start managed database: %v", err)
		}
	}
	os.Remove(etcdDir() + "/name")
	name := n.etcdName()
	must(os.WriteFile(resetFlag(), nil, 0o600))
	n.writeEtcd(name+"=https://"+hostPort(n.ip, "2380"), "new", true)
	for ; ; time.Sleep(5 * time.Second) {
		members, err := ownMembers()
		if !isVoter() || err != nil {
			continue
		}
		if len(members) == 1 && members[0].Name == name && members[0].address() == n.ip {
			break
		}
	}
	forgetAPIs()
	say("info", "Shutting down kubelet and etcd")
	os.Remove(manifestDir() + "/etcd.yaml")
	for left := 1; left > 0; time.Sleep(time.Second) {
		left, _ = removePods(map[string]bool{"etcd": true})
	}
	say("info", "Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. "+
		"Backup and delete ${datadir}/server/db on each peer etcd server and rejoin the nodes")
	os.Exit(0)
}

// restore puts a snapshot in place of etcd's data, which are kept beside it.
func (n *node) restore() error {
	info, err := os.Stat(n.restorePath)
	if os.IsNotExist(err) {
		return fmt.Errorf("etcd: snapshot path does not exist: %s", n.restorePath)
	}
	if err == nil && info.IsDir() {
		return fmt.Errorf("etcd: snapshot path must be a file, not a directory: %s", n.restorePath)
	}
	name := n.etcdName()
	old := fmt.Sprintf("%s-old-%d", etcdDir(), time.Now().Unix())
	if err := os.Rename(etcdDir(), old); err != nil {
		return err
	}
	say("info", "Pre-restore etcd database moved to %s", old)
	peer := "https://" + hostPort(n.ip, "2380")
	out, err := command(program("etcdctl"), "snapshot", "restore", n.restorePath, "--data-dir="+etcdDir(), "--name="+name,
		"--initial-cluster="+name+"="+peer, "--initial-advertise-peer-urls="+peer).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s", out)
	}
	return nil
}

// afterReset is the first start behind a reset: the password that the snapshot has for this node may be an older one.
func (n *node) afterReset() {
	if exists(resetFlag()) {
		adminAPI().do("DELETE", passwordPath(n.name), "", nil, nil)
		must(os.Remove(resetFlag()))
	}
}

func forgetAPIs() {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	var done document
	_ = gateway("/v3/kv/deleterange", document{"key": encode(apiKeys), "range_end": encode(apiKeys[:len(apiKeys)-1] + "0")}, &done)
}
