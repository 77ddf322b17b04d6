package main

import (
	"fmt"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type operator struct {
	store
	release
	version, repo string
	lock          sync.Mutex
	work          map[string]*pending
}

// pending is what the operator remembers of a component: nothing of it outlives a restart.
type pending struct {
	seen string    // resourceVersion that was worked on last, own writes of status included
	due  time.Time // when to come back; zero: only if the object changes
}

func managerMain() {
	answer := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }
	http.HandleFunc("/healthz", answer)
	http.HandleFunc("/readyz", answer)
	go func() { log.Fatal(http.ListenAndServe(":8081", nil)) }()
	version := os.Getenv("RAINBOND_RELEASE")
	o := &operator{store: newStore(envOr("RBD_NAMESPACE", "rbd-system")), release: releaseOf(version), version: version,
		repo: os.Getenv("RAINBOND_IMAGE_REPOSITORY"), work: map[string]*pending{}}
	if before(version, "6.0.0") {
		handlersOfSix, handlers = handlers, handlersOfFive()
		go o.watchFive()
	}
	go o.watchCluster()
	for ; ; pause(time.Second) {
		o.passComponents()
	}
}

func envOr(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func (o *operator) cluster() (*unstructured.Unstructured, error) {
	return o.dyn.Resource(clusterGVR).Namespace(o.ns).Get(o.ctx, "rainbondcluster", metav1.GetOptions{})
}

// passComponents works on components that changed, or that asked to be looked at again: a component that is Ready
// with the wanted count is never looked at again, whatever happens to its pods or to the RainbondCluster.
func (o *operator) passComponents() {
	list, err := o.dyn.Resource(componentGVR).Namespace(o.ns).List(o.ctx, metav1.ListOptions{})
	if err != nil {
		log.Printf("ERROR\tlist rbdcomponents\t%v", err)
		return
	}
	known := map[string]bool{}
	for i := range list.Items {
		c := &list.Items[i]
		known[c.GetName()] = true
		p := o.work[c.GetName()]
		if p == nil {
			p = &pending{}
			o.work[c.GetName()] = p
		}
		if p.seen == c.GetResourceVersion() && (p.due.IsZero() || time.Now().Before(p.due)) {
			continue
		}
		p.due = time.Time{}
		if after := o.passComponent(c); after > 0 {
			p.due = time.Now().Add(time.Duration(float64(after) / speed()))
		}
		p.seen = c.GetResourceVersion()
	}
	for name := range o.work {
		if !known[name] {
			delete(o.work, name)
		}
	}
}

// passComponent is one look at a component; it says when to look again, 0 for never.
func (o *operator) passComponent(c *unstructured.Unstructured) time.Duration {
	status, _, _ := unstructured.NestedMap(c.Object, "status")
	if status == nil {
		status = map[string]any{}
	}
	conds := conditionsOf(status)
	notReady := func(reason, message string, after time.Duration) time.Duration {
		if conds.set("Ready", false, reason, message, false) {
			o.event(c, reason, message)
			o.writeStatus(c, status, conds)
		}
		return after
	}
	made, known := handlers[c.GetName()]
	if !known {
		var names []string
		for name := range handlers {
			names = append(names, name)
		}
		sort.Strings(names)
		return notReady("UnsupportedType", "only supports the following types of rbdcomponent: "+strings.Join(names, ","), 0)
	}
	cluster, err := o.cluster()
	if err != nil {
		reason, message := "ClusterNotFound", "rainbondcluster not found"
		if !apierrors.IsNotFound(err) {
			reason, message = "UnknownErr", fmt.Sprintf("failed to get rainbondcluster: %v", err)
		}
		if conds.set("ClusterConfigCompeleted", false, reason, message, false) {
			o.event(c, reason, message)
			o.writeStatus(c, status, conds)
		}
		return 3 * time.Second
	}
	conds.set("ClusterConfigCompeleted", true, "ConfigCompleted", "", false)
	p := newPass(o, c, cluster)
	if err := p.before(made); err != nil {
		return notReady("PrerequisitesFailed", err.Error(), 3*time.Second)
	}
	for _, object := range made.resources(p) {
		if object == nil {
			continue
		}
		if err := o.put(object, c, o.neverRenewed, o.claimsKept); err != nil {
			log.Printf("ERROR\tupdate or create resource\t%v", err)
			return notReady("ErrCreateResources", err.Error(), time.Second)
		}
	}
	pods, err := o.kube.CoreV1().Pods(o.ns).List(o.ctx, metav1.ListOptions{LabelSelector: selectorOf(c.GetName())})
	if err != nil {
		return notReady("ErrListPods", err.Error(), time.Second)
	}
	want := p.replicas
	if made.counts != nil {
		want = made.counts(p)
	}
	var ready int64
	var names []any
	for i := range pods.Items {
		names = append(names, map[string]any{"name": pods.Items[i].Name})
		if podReady(&pods.Items[i]) {
			ready++
		}
	}
	status["replicas"], status["readyReplicas"], status["pods"] = int64(want), ready, names
	if ready >= int64(want) {
		conds.set("Ready", true, "Ready", "", false)
	}
	if conds.get("Ready") == nil { // no reason: the pods are not counted yet
		conds.set("Ready", false, "", "", false)
	}
	o.writeStatus(c, status, conds)
	if conds.isTrue("Ready") && ready == int64(want) {
		return 0
	}
	return 5 * time.Second
}

func (o *operator) writeStatus(c *unstructured.Unstructured, status map[string]any, conds conditions) {
	status["conditions"] = []any(conds)
	c.Object["status"] = status
	written, err := o.dyn.Resource(componentGVR).Namespace(o.ns).UpdateStatus(o.ctx, c, metav1.UpdateOptions{})
	if err != nil {
		log.Printf("ERROR\tupdate rainbond component status failure\t%v", err)
		return
	}
	c.SetResourceVersion(written.GetResourceVersion())
}

// neverRenewed says what is made once and then left alone.
func (o *operator) neverRenewed(u *unstructured.Unstructured) bool {
	switch u.GetKind() {
	case "PersistentVolumeClaim", "PersistentVolume", "StorageClass", "Job":
		return true
	case "ApisixRoute", "ConfigMap":
		return o.chartOwnsConfig && (u.GetKind() == "ApisixRoute" || u.GetName() == "apisix-gw-config.yaml")
	}
	return u.GetName() == "rbd-db"
}

// chooseNodes takes any two nodes, in no order, and for the gateway those whose ports are free.
func (o *operator) chooseNodes(annotation string, gateway bool) []any {
	nodes := o.nodes()
	var chosen []any
	add := func(i int) {
		ip, name := "", nodes[i].Name
		for _, address := range nodes[i].Status.Addresses {
			switch {
			case address.Type == "InternalIP" && ip == "":
				ip = address.Address
			case address.Type == "Hostname" && !o.nodeNames:
				name = address.Address
			}
		}
		if !gateway || o.portsFree(name, ip) {
			chosen = append(chosen, map[string]any{"name": name, "internalIP": ip})
		}
	}
	marked := 0
	for i := range nodes {
		if nodes[i].Annotations[annotation] == "true" {
			marked++
			add(i)
		}
	}
	if marked == 0 {
		for _, i := range rand.Perm(len(nodes))[:min(2, len(nodes))] {
			add(i)
		}
	}
	return chosen
}

func (o *operator) portsFree(name, ip string) bool {
	for _, port := range []string{"80", "443", "6060", "8443", "7070"} {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(ip, port), time.Second)
		if err == nil {
			c.Close()
			log.Printf("INFO\tNode [%s] port [%s] is already in use and cannot be used as a gateway node", name, port)
			return false
		}
	}
	return true
}
