package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Rainbond 5.17: the order in which its parts wait for each other and the words they wait with; the parts themselves
// do nothing but run. Its operator must reach containerd itself.
var (
	volumeGVR  = schema.GroupVersionResource{Group: "rainbond.io", Version: "v1alpha1", Resource: "rainbondvolumes"}
	packageGVR = schema.GroupVersionResource{Group: "rainbond.io", Version: "v1alpha1", Resource: "rainbondpackages"}
)

const nfsClass = "rainbondvolumerwx"

// kindsOfFive is what each component is, and whether it holds data of its own.
var kindsOfFive = map[string]struct {
	kind string
	data bool
}{
	"nfs-provisioner": {"StatefulSet", false}, "rbd-etcd": {"StatefulSet", true}, "rbd-db": {"StatefulSet", true},
	"rbd-eventlog": {"StatefulSet", false}, "rbd-monitor": {"StatefulSet", true}, "rbd-gateway": {"DaemonSet", false},
	"rbd-node": {"DaemonSet", false}, "rbd-chaos": {"DaemonSet", false}, "rbd-hub": {"Deployment", true}, "rbd-api": {"Deployment", false},
	"rbd-mq": {"Deployment", false}, "rbd-worker": {"Deployment", false}, "rbd-webcli": {"Deployment", false}, "rbd-app-ui": {"Deployment", false},
	"rbd-resource-proxy": {"Deployment", false}, "metrics-server": {"Deployment", false}, "kubernetes-dashboard": {"Deployment", false},
	"dashboard-metrics-scraper": {"Deployment", false},
}

func handlersOfFive() map[string]handler {
	made := map[string]handler{}
	for name := range kindsOfFive {
		made[name] = handler{waits: waitsOfFive, resources: resourcesOfFive, counts: countsOfFive}
	}
	return made
}

func waitsOfFive(p *pass) error {
	needsClass := kindsOfFive[p.name].data || p.name == "rbd-node"
	switch {
	case p.name == "nfs-provisioner":
		return nil
	case needsClass && p.priorityComponent && !p.volumeReady():
		return errors.New("storage class not ready")
	case p.name == "rbd-gateway" && text(p.spec, "etcdConfig", "secretName") == "" && !p.componentReady("rbd-etcd"):
		return errors.New("etcd not available: no ready replicas for rbdcomponent rbd-etcd")
	case !p.priorityComponent && !p.packageReady():
		return errors.New("failed to check prerequisites")
	}
	if later := handlersOfSix[p.name].waits; later != nil && p.name != "rbd-db" {
		return later(p)
	}
	p.saved = p.secret(p.name)
	return waitsForEtcdSecret(p)
}

// resourcesOfSix are those of the same component in Rainbond 6, with Ingresses in place of APISIX's objects and without
// the job for hosts.
func resourcesOfSix(p *pass) []any {
	var kept []any
	for _, each := range handlersOfSix[p.name].resources(p) {
		if u, ok := each.(*unstructured.Unstructured); ok && u.GetAPIVersion() == apisixAPI {
			continue
		}
		if _, job := each.(*batchv1.Job); !job {
			kept = append(kept, each)
		}
	}
	return append(kept, ingressesOfFive(p)...)
}

func (o *operator) componentReady(name string) bool {
	found, err := o.dyn.Resource(componentGVR).Namespace(o.ns).Get(o.ctx, name, getOptions)
	if err != nil {
		return false
	}
	n, _, _ := unstructured.NestedInt64(found.Object, "status", "readyReplicas")
	return n > 0
}

func (o *operator) volumeReady() bool {
	found, err := o.dyn.Resource(volumeGVR).Namespace(o.ns).Get(o.ctx, nfsClass, getOptions)
	if err != nil {
		return false
	}
	status, _, _ := unstructured.NestedMap(found.Object, "status")
	return conditionsOf(status).isTrue("Ready")
}

func (o *operator) packageReady() bool {
	found, err := o.dyn.Resource(packageGVR).Namespace(o.ns).Get(o.ctx, "rainbondpackage", getOptions)
	if err != nil {
		return false
	}
	status, _, _ := unstructured.NestedMap(found.Object, "status")
	m := conditionsOf(status).get("Ready")
	return m != nil && m["status"] == "Completed"
}

// class is where data of 5.17 goes: the RWO class if there is one, else the RWX class, else the built-in NFS.
func (p *pass) classOfFive() string {
	for _, field := range []string{"rainbondVolumeSpecRWO", "rainbondVolumeSpecRWX"} {
		if name := text(p.spec, field, "storageClassName"); name != "" {
			return name
		}
	}
	return nfsClass
}

func countsOfFive(p *pass) int32 {
	switch p.name {
	case "rbd-gateway":
		return int32(len(nodeNames(p.spec, "nodesForGateway")))
	case "rbd-chaos":
		return int32(len(nodeNames(p.spec, "nodesForChaos")))
	case "rbd-node":
		return int32(len(p.nodes()))
	case "rbd-etcd":
		if highAvailable, _, _ := unstructured.NestedBool(p.spec, "enableHA"); highAvailable {
			return 3
		}
	}
	return p.replicas
}

func resourcesOfFive(p *pass) []any {
	if _, same := handlersOfSix[p.name]; same && p.name != "rbd-gateway" && p.name != "rbd-monitor" {
		return resourcesOfSix(p)
	}
	about := kindsOfFive[p.name]
	pod := p.pod(p.container())
	if p.name == "rbd-gateway" {
		pod.HostNetwork, pod.DNSPolicy, pod.Tolerations, pod.Affinity = true, corev1.DNSClusterFirstWithHostNet, everywhere(), onNodes(nodeNames(p.spec, "nodesForGateway"))
	}
	if p.name == "rbd-chaos" {
		pod.Tolerations, pod.Affinity = everywhere(), onNodes(nodeNames(p.spec, "nodesForChaos"))
	}
	if p.name == "nfs-provisioner" {
		pod.Containers[0].Env = append(pod.Containers[0].Env, corev1.EnvVar{Name: "NODE_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}})
		mounted(&pod, "export", "/export", fromHost("/opt/rainbond/data/nfs", corev1.HostPathDirectoryOrCreate))
	}
	claim := p.claim("data", "", 20)
	claim.Spec.StorageClassName = ptr(p.classOfFive())
	switch about.kind {
	case "DaemonSet":
		return []any{&appsv1.DaemonSet{ObjectMeta: p.meta(p.name), Spec: appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: p.labels()}, Template: p.template(pod)}}}
	case "StatefulSet":
		if about.data {
			pod.Containers[0].VolumeMounts = append(pod.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "data", MountPath: "/data"})
			return []any{p.statefulSet(countsOfFive(p), pod, claim)}
		}
		return []any{p.statefulSet(countsOfFive(p), pod)}
	}
	if about.data {
		claim.Name = p.name
		mounted(&pod, "data", "/data", fromClaim(p.name))
		return []any{&claim, p.deployment(p.replicas, pod)}
	}
	return []any{p.deployment(p.replicas, pod)}
}

// watchFive looks after the volume and the package, which the other components wait for.
func (o *operator) watchFive() {
	for ; ; pause(3 * time.Second) {
		cluster, err := o.cluster()
		if err != nil {
			continue
		}
		spec, _, _ := unstructured.NestedMap(cluster.Object, "spec")
		o.passVolume()
		status, _, _ := unstructured.NestedMap(cluster.Object, "status")
		o.passPackage(spec, conditionsOf(status).isTrue("ImageRepository"))
	}
}

func (o *operator) passVolume() {
	list, err := o.dyn.Resource(volumeGVR).Namespace(o.ns).List(o.ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for i := range list.Items {
		v := &list.Items[i]
		class := text(v.Object, "spec", "storageClassName")
		if class == "" { // the built-in NFS, whose pod must run first
			if !o.componentReady("nfs-provisioner") {
				continue
			}
			class = nfsClass
			made := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: class}, Provisioner: "rainbond.io/nfs", ReclaimPolicy: ptr(corev1.PersistentVolumeReclaimRetain)}
			if err := o.put(made, nil, o.neverRenewed, false); err != nil {
				log.Print(err)
			}
		}
		if _, err := o.kube.StorageV1().StorageClasses().Get(o.ctx, class, getOptions); err != nil {
			continue
		}
		var conds conditions
		conds.set("Ready", true, "", "", false)
		o.writeOther(packageOrVolume{volumeGVR, v}, map[string]any{"conditions": []any(conds)})
	}
}

type packageOrVolume struct {
	kind   schema.GroupVersionResource
	object *unstructured.Unstructured
}

func (o *operator) writeOther(which packageOrVolume, status map[string]any) {
	old, _, _ := unstructured.NestedMap(which.object.Object, "status")
	if sameButHeartbeat(old, status) || (len(conditionsOf(old)) > 0 && which.kind == volumeGVR) {
		return
	}
	which.object.Object["status"] = status
	if _, err := o.dyn.Resource(which.kind).Namespace(o.ns).UpdateStatus(o.ctx, which.object, metav1.UpdateOptions{}); err != nil {
		log.Print(err)
	}
}

// passPackage goes through the stages of the package, one in a look; it dials containerd before it pushes images.
func (o *operator) passPackage(spec map[string]any, hubWorks bool) {
	found, err := o.dyn.Resource(packageGVR).Namespace(o.ns).Get(o.ctx, "rainbondpackage", getOptions)
	if err != nil {
		return
	}
	status, _, _ := unstructured.NestedMap(found.Object, "status")
	conds := conditionsOf(status)
	for _, stage := range []string{"Init", "DownloadPackage", "UnpackPackage", "PushImage", "Ready"} {
		if m := conds.get(stage); m != nil && m["status"] == "Completed" {
			continue
		}
		reached := "Completed"
		if !hubWorks {
			reached = "Waiting"
		} else if err := dialContainerd(); stage == "PushImage" && err != nil {
			log.Print(err)
			reached = "Failed"
		}
		conds.set(stage, false, "", "", false)
		conds.get(stage)["status"] = reached
		break
	}
	o.writeOther(packageOrVolume{packageGVR, found}, map[string]any{"conditions": []any(conds), "imagesNumber": int64(0)})
}

func dialContainerd() error {
	place := "/run/containerd/containerd.sock"
	if _, err := os.Stat(place); err != nil {
		place = "/var/run/docker/containerd/containerd.sock"
	}
	c, err := net.DialTimeout("unix", place, 3*time.Second)
	if err != nil {
		return fmt.Errorf("failed to dial %q: context deadline exceeded", place)
	}
	return c.Close()
}

// ingressesOfFive are what the gateway learns of a component by: streams by annotation, the hub by its name.
func ingressesOfFive(p *pass) []any {
	ingress := func(name string, notes map[string]string, spec map[string]any) any {
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": map[string]any{"name": name}, "spec": spec}}
		u.SetLabels(p.labels())
		u.SetAnnotations(notes)
		return u
	}
	backend := func(service string, port int64) map[string]any {
		return map[string]any{"service": map[string]any{"name": service, "port": map[string]any{"number": port}}}
	}
	onPort := func(name, service string, port int64) any {
		notes := map[string]string{annotations + "l4-enable": "true", annotations + "l4-host": "0.0.0.0", annotations + "l4-port": fmt.Sprint(port)}
		return ingress(name, notes, map[string]any{"defaultBackend": backend(service, port)})
	}
	switch p.name {
	case "rbd-api":
		return []any{onPort("rbd-api", "rbd-api-api", 8443), onPort("rbd-api-healthz", "rbd-api-healthz", 8889), onPort("rbd-api-websocket", "rbd-api-websocket", 6060)}
	case "rbd-app-ui":
		return []any{onPort("rbd-app-ui", "rbd-app-ui", 7070)}
	case "rbd-hub":
		path := map[string]any{"path": "/v2/", "pathType": "Exact", "backend": backend("rbd-hub", 5000)}
		return []any{ingress("rbd-hub", nil, map[string]any{
			"rules": []any{map[string]any{"host": builtInHub, "http": map[string]any{"paths": []any{path}}}},
			"tls":   []any{map[string]any{"hosts": []any{builtInHub}, "secretName": "hub-image-repository"}}})}
	}
	return nil
}

const annotations = "nginx.ingress.kubernetes.io/"

// gatewayOfFiveMain is OpenResty: its web ports are open from the start, a stream port once an Ingress asks for it.
func gatewayOfFiveMain() {
	known := &routes{}
	go known.followIngresses(newStore("rbd-system"))
	for _, port := range []int64{6060, 7070, 8443, 8889} {
		go known.stream(listenShared(port), port)
	}
	cert, key, _ := newAuthority().sign(nil, "default")
	usual := must1(tls.X509KeyPair(cert, key))
	conf := &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		known.lock.Lock()
		defer known.lock.Unlock()
		if found := known.identity[h.ServerName]; found != nil {
			return found, nil
		}
		return &usual, nil
	}}
	go func() { log.Fatal(http.Serve(tls.NewListener(listenShared(443), conf), known)) }()
	go func() { log.Fatal(http.Serve(listenShared(80), known)) }()
	serve(map[int]string{10254: "/healthz"})
}

// followIngresses reads Ingresses that bear Rainbond's label, and of their Services those that bear it as well.
func (k *routes) followIngresses(s store) {
	rainbonds := metav1.ListOptions{LabelSelector: "creator=Rainbond"}
	for ; ; time.Sleep(time.Second) {
		found, err := s.kube.NetworkingV1().Ingresses("").List(s.ctx, rainbonds)
		services, err2 := s.kube.CoreV1().Services("").List(s.ctx, rainbonds)
		if err != nil || err2 != nil {
			continue
		}
		addresses := map[string]string{}
		for _, each := range services.Items {
			addresses[each.Namespace+"/"+each.Name] = each.Spec.ClusterIP
		}
		fresh := &routes{streams: map[int64]string{}, identity: map[string]*tls.Certificate{}}
		for i := range found.Items {
			fresh.addIngress(s, &found.Items[i], addresses)
		}
		k.lock.Lock()
		k.streams, k.web, k.identity = fresh.streams, fresh.web, fresh.identity
		k.lock.Unlock()
	}
}

func (k *routes) addIngress(s store, ingress *networkingv1.Ingress, addresses map[string]string) {
	to := func(backend *networkingv1.IngressBackend) string {
		if backend == nil || backend.Service == nil || addresses[ingress.Namespace+"/"+backend.Service.Name] == "" {
			return ""
		}
		return net.JoinHostPort(addresses[ingress.Namespace+"/"+backend.Service.Name], fmt.Sprint(backend.Service.Port.Number))
	}
	var port int64
	if _, err := fmt.Sscan(ingress.Annotations[annotations+"l4-port"], &port); err == nil {
		if address := to(ingress.Spec.DefaultBackend); address != "" {
			k.streams[port] = address
		}
		return
	}
	for _, rule := range ingress.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for i := range rule.HTTP.Paths {
			if address := to(&rule.HTTP.Paths[i].Backend); address != "" {
				k.web = append(k.web, webRoute{[]string{rule.Host}, []string{rule.HTTP.Paths[i].Path + "*"}, address})
			}
		}
	}
	for _, each := range ingress.Spec.TLS {
		secret, err := s.kube.CoreV1().Secrets(ingress.Namespace).Get(s.ctx, each.SecretName, getOptions)
		if err != nil {
			continue
		}
		if pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"]); err == nil {
			for _, host := range each.Hosts {
				k.identity[host] = &pair
			}
		}
	}
}

// idleMain is a part of 5.17 that only has to run.
func idleMain() { serve(map[int]string{}) }
