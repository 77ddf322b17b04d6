package main

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func (o *operator) component(c *unstructured.Unstructured) {
	name := c.GetName()
	kind, known := components[name]
	external, _, _ := unstructured.NestedMap(o.spec, "imageHub")
	switch {
	case !known:
		o.componentStatus(c, 0, 0, "UnsupportedType", "only supports the following types: …")
		return
	case name == "rbd-hub" && external != nil:
		o.componentStatus(c, 0, 0, "PrerequisitesFailed", "use custom image repository")
		return
	}
	replicas, _, _ := unstructured.NestedInt64(c.Object, "spec", "replicas")
	if name == "rbd-gateway" {
		replicas = int64(len(o.nodeNames("nodesForGateway")))
	}
	image, _, _ := unstructured.NestedString(c.Object, "spec", "image")
	pull, _, _ := unstructured.NestedString(c.Object, "spec", "imagePullPolicy")
	want, ready, err := o.workload(name, kind, int32(replicas), image, corev1.PullPolicy(pull))
	if err != nil {
		o.componentStatus(c, 0, 0, "ErrCreateResources", err.Error())
		return
	}
	reason := ""
	if ready < want || want == 0 {
		reason = "ErrListPods"
	}
	o.componentStatus(c, want, ready, reason, "")
}

// workload makes or renews a component's controller and says how many of its pods are wanted and ready.
func (o *operator) workload(name string, kind component, replicas int32, image string, pull corev1.PullPolicy) (want, ready int32, err error) {
	if err := o.services(name, kind); err != nil {
		return 0, 0, err
	}
	labels := map[string]string{"name": name, "creator": "Rainbond", "belongTo": "rainbond-operator"}
	meta := metav1.ObjectMeta{Name: name, Namespace: o.ns, Labels: labels}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"name": name}}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: o.podSpec(name, kind, image, pull)}
	apps, get, create, update := o.kube.AppsV1(), metav1.GetOptions{}, metav1.CreateOptions{}, metav1.UpdateOptions{}
	switch kind.kind {
	case "Deployment":
		d := &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector, Template: template}}
		got, err := apps.Deployments(o.ns).Get(o.ctx, name, get)
		if apierrors.IsNotFound(err) {
			got, err = apps.Deployments(o.ns).Create(o.ctx, d, create)
		} else if err == nil {
			got, err = apps.Deployments(o.ns).Update(o.ctx, d, update)
		}
		if err != nil {
			return 0, 0, err
		}
		return replicas, got.Status.ReadyReplicas, nil
	case "StatefulSet":
		d := &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: &replicas, Selector: selector, Template: template, ServiceName: name}}
		got, err := apps.StatefulSets(o.ns).Get(o.ctx, name, get)
		if apierrors.IsNotFound(err) {
			got, err = apps.StatefulSets(o.ns).Create(o.ctx, d, create)
		}
		if err != nil {
			return 0, 0, err
		}
		return replicas, got.Status.ReadyReplicas, nil
	default:
		d := &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}}
		got, err := apps.DaemonSets(o.ns).Get(o.ctx, name, get)
		if apierrors.IsNotFound(err) {
			got, err = apps.DaemonSets(o.ns).Create(o.ctx, d, create)
		} else if err == nil {
			got, err = apps.DaemonSets(o.ns).Update(o.ctx, d, update)
		}
		if err != nil {
			return 0, 0, err
		}
		return got.Status.DesiredNumberScheduled, got.Status.NumberReady, nil
	}
}

func (o *operator) podSpec(name string, kind component, image string, pull corev1.PullPolicy) corev1.PodSpec {
	pod := corev1.PodSpec{ServiceAccountName: "rainbond-operator"}
	env := []corev1.EnvVar{{Name: "COMPONENT", Value: name}, {Name: "DSN", Value: o.dsn(kind.needs)}, {Name: "BACKENDS", Value: o.backends(name)}}
	for i, im := range strings.Split(image, "@") { // the gateway's two images stand in one field
		c := corev1.Container{Name: name, Image: im, ImagePullPolicy: pull, Command: []string{"/rbd"}, Env: env}
		if i == 0 {
			c.ReadinessProbe = readiness(name, kind)
		} else {
			c.Name = "apisix"
			c.Env = append(append([]corev1.EnvVar{}, env...), corev1.EnvVar{Name: "PART", Value: "apisix"})
			for _, p := range []int32{80, 443, 6060, 7070, 8443, 8889, 9180} {
				c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: p, HostPort: p})
			}
		}
		pod.Containers = append(pod.Containers, c)
	}
	if name == "rbd-api" || name == "rbd-gateway" {
		for _, secret := range []string{"rbd-api-server-cert", "goodrain-me-cert"} {
			pod.Volumes = append(pod.Volumes, corev1.Volume{Name: secret, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}})
			for i := range pod.Containers {
				c := &pod.Containers[i]
				c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: secret, MountPath: "/certs/" + secret})
			}
		}
	}
	if key, bound := map[string]string{"rbd-gateway": "nodesForGateway", "rbd-chaos": "nodesForChaos"}[name]; bound {
		pod.Affinity = onNodes(o.nodeNames(key))
		pod.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		pod.HostNetwork = name == "rbd-gateway"
	}
	return pod
}

func readiness(name string, kind component) *corev1.Probe {
	if kind.health == "" {
		return nil
	}
	path, port, _ := strings.Cut(kind.health, ":")
	h := corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.Parse(port)}}
	if name == "rbd-hub" || name == "rbd-app-ui" {
		h = corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.Parse(port)}}
	}
	return &corev1.Probe{ProbeHandler: h, PeriodSeconds: 2}
}

func onNodes(names []string) *corev1.Affinity {
	term := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "kubernetes.io/hostname", Operator: corev1.NodeSelectorOpIn, Values: names}}}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{term}}}}
}

// serviceNames are the real ones; a component without an entry has one service of its own name.
var serviceNames = map[string]map[string]int32{
	"rbd-api": {"rbd-api-api": 8443, "rbd-api-websocket": 6060, "rbd-api-api-inner": 8888, "rbd-api-healthz": 8889},
	"rbd-db":  {"rbd-db-rw": 3306}, "minio": {"minio-service": 9000}, "rbd-gateway": {}, "local-path-provisioner": {},
}

func (o *operator) services(name string, kind component) error {
	want, ok := serviceNames[name]
	if !ok {
		want = map[string]int32{name: kind.ports[0]}
	}
	for svc, port := range want {
		_, err := o.kube.CoreV1().Services(o.ns).Create(o.ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: svc, Namespace: o.ns},
			Spec: corev1.ServiceSpec{Selector: map[string]string{"name": name}, Ports: []corev1.ServicePort{{Port: port}}}}, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// backends gives the gateway the cluster addresses behind its streams (the lab has no cluster DNS).
func (o *operator) backends(name string) string {
	if name != "rbd-gateway" {
		return ""
	}
	out := ""
	for _, b := range []struct {
		listen int
		svc    string
	}{{6060, "rbd-api-websocket"}, {7070, "rbd-app-ui"}, {8443, "rbd-api-api"}, {8889, "rbd-api-healthz"}} {
		if s, err := o.kube.CoreV1().Services(o.ns).Get(o.ctx, b.svc, metav1.GetOptions{}); err == nil {
			out += fmt.Sprintf("%d=%s:%d ", b.listen, s.Spec.ClusterIP, s.Spec.Ports[0].Port)
		}
	}
	return out
}
