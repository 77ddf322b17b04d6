package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

var (
	clusterGVR   = schema.GroupVersionResource{Group: "rainbond.io", Version: "v1alpha1", Resource: "rainbondclusters"}
	componentGVR = schema.GroupVersionResource{Group: "rainbond.io", Version: "v1alpha1", Resource: "rbdcomponents"}
)

type operator struct {
	ctx  context.Context
	kube kubernetes.Interface
	dyn  dynamic.Interface
	ns   string
	repo string
	spec map[string]any // of the RainbondCluster
}

func managerMain() {
	go func() {
		http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
		http.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
		log.Fatal(http.ListenAndServe(":8081", nil))
	}()
	conf := must1(rest.InClusterConfig())
	o := &operator{ctx: context.Background(), kube: must1(kubernetes.NewForConfig(conf)), dyn: must1(dynamic.NewForConfig(conf)),
		ns: os.Getenv("RBD_NAMESPACE"), repo: os.Getenv("RAINBOND_IMAGE_REPOSITORY")}
	for ; ; time.Sleep(3 * time.Second) {
		if err := o.reconcile(); err != nil {
			log.Printf("level=error msg=%q", err)
		}
	}
}

func (o *operator) reconcile() error {
	cluster, err := o.dyn.Resource(clusterGVR).Namespace(o.ns).Get(o.ctx, "rainbondcluster", metav1.GetOptions{})
	if err != nil {
		return err
	}
	o.spec, _, _ = unstructured.NestedMap(cluster.Object, "spec")
	if err := o.certificates(); err != nil {
		return err
	}
	list, err := o.dyn.Resource(componentGVR).Namespace(o.ns).List(o.ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		o.component(&list.Items[i])
	}
	if err := o.hostsJob(); err != nil {
		log.Printf("level=error msg=%q", err)
	}
	return o.clusterStatus(cluster)
}

func (o *operator) database(which string) map[string]any {
	d, _, _ := unstructured.NestedMap(o.spec, map[string]string{"region": "regionDatabase", "console": "uiDatabase"}[which])
	return d
}

// dsn is built as the real one does it: by plain text, so that a password with / or @ in it breaks.
func (o *operator) dsn(which string) string {
	d := o.database(which)
	if d == nil {
		return "" // the built-in rbd-db: nothing to prove in the lab
	}
	return fmt.Sprintf("%v:%v@tcp(%v:%v)/%v?timeout=5s", d["username"], d["password"], d["host"], d["port"], d["name"])
}

func (o *operator) nodeNames(key string) []string {
	var names []string
	l, _, _ := unstructured.NestedSlice(o.spec, key)
	for _, n := range l {
		if m, ok := n.(map[string]any); ok {
			names = append(names, fmt.Sprint(m["name"]))
		}
	}
	if len(names) == 0 { // the first two nodes, as the real one chooses
		nodes, err := o.kube.CoreV1().Nodes().List(o.ctx, metav1.ListOptions{})
		if err == nil {
			for i, n := range nodes.Items {
				if i < 2 {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}

func (o *operator) gatewayIP() string {
	l, _, _ := unstructured.NestedSlice(o.spec, "nodesForGateway")
	if len(l) > 0 {
		if m, ok := l[0].(map[string]any); ok {
			return fmt.Sprint(m["internalIP"])
		}
	}
	return ""
}

// hostsJob writes the first gateway's address for goodrain.me on nodes, not the VIP: the real one's trap.
func (o *operator) hostsJob() error {
	nodes, err := o.kube.CoreV1().Nodes().List(o.ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if _, err := o.kube.CoreV1().ConfigMaps(o.ns).Get(o.ctx, "hosts-job-done", metav1.GetOptions{}); err == nil {
		return nil
	}
	n := int32(len(nodes.Items))
	ttl := int32(60)
	pod := corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Volumes: []corev1.Volume{{Name: "etc", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc"}}}},
		Containers: []corev1.Container{{Name: "hosts", Image: o.repo + "/alpine:latest", ImagePullPolicy: corev1.PullIfNotPresent, Command: []string{"/rbd"},
			Env: []corev1.EnvVar{{Name: "COMPONENT", Value: "hosts-job"}, {Name: "LINE", Value: o.gatewayIP() + " goodrain.me"}}, VolumeMounts: []corev1.VolumeMount{{Name: "etc", MountPath: "/host-etc"}}}}}
	_, err = o.kube.BatchV1().Jobs(o.ns).Create(o.ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "hosts-job", Namespace: o.ns},
		Spec: batchv1.JobSpec{Parallelism: &n, Completions: &n, TTLSecondsAfterFinished: &ttl, Template: corev1.PodTemplateSpec{Spec: pod}}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	_, err = o.kube.CoreV1().ConfigMaps(o.ns).Create(o.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "hosts-job-done", Namespace: o.ns}}, metav1.CreateOptions{})
	return err
}
