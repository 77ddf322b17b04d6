package main

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

const rainbondAPI, apisixAPI = "rainbond.io/v1alpha1", "apisix.apache.org/v2"

var (
	clusterGVR   = schema.GroupVersionResource{Group: "rainbond.io", Version: "v1alpha1", Resource: "rainbondclusters"}
	componentGVR = schema.GroupVersionResource{Group: "rainbond.io", Version: "v1alpha1", Resource: "rbdcomponents"}
	routeGVR     = schema.GroupVersionResource{Group: "apisix.apache.org", Version: "v2", Resource: "apisixroutes"}
	tlsGVR       = schema.GroupVersionResource{Group: "apisix.apache.org", Version: "v2", Resource: "apisixtlses"}
)

type store struct {
	ctx  context.Context
	kube kubernetes.Interface
	dyn  dynamic.Interface
	ns   string
}

func newStore(ns string) store {
	conf := must1(rest.InClusterConfig())
	conf.QPS, conf.Burst = 50, 100
	return store{ctx: context.Background(), kube: must1(kubernetes.NewForConfig(conf)), dyn: must1(dynamic.NewForConfig(conf)), ns: ns}
}

// asDocument gives an object the shape of the API, with its kind.
func asDocument(object any) (*unstructured.Unstructured, error) {
	if u, ok := object.(*unstructured.Unstructured); ok {
		return u, nil
	}
	typed := object.(runtime.Object)
	kinds, _, err := scheme.Scheme.ObjectKinds(typed)
	if err != nil {
		return nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(kinds[0])
	unstructured.RemoveNestedField(content, "status")
	return u, nil
}

// kindsWithoutNamespace are those that this operator makes.
var kindsWithoutNamespace = map[string]bool{"StorageClass": true, "ClusterRole": true, "ClusterRoleBinding": true, "PersistentVolume": true}

func (s store) resource(u *unstructured.Unstructured) dynamic.ResourceInterface {
	gvr, _ := meta.UnsafeGuessKindToResource(u.GroupVersionKind())
	if kindsWithoutNamespace[u.GetKind()] {
		return s.dyn.Resource(gvr)
	}
	return s.dyn.Resource(gvr).Namespace(s.ns)
}

// put makes an object or renews it; what the real operator never renews is left as it is.
func (s store) put(object any, owner *unstructured.Unstructured, never func(*unstructured.Unstructured) bool, claimsKept bool) error {
	u, err := asDocument(object)
	if err != nil {
		return err
	}
	if !kindsWithoutNamespace[u.GetKind()] {
		u.SetNamespace(s.ns)
		if owner != nil {
			u.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, owner.GroupVersionKind())})
		}
	}
	client := s.resource(u)
	old, err := client.Get(s.ctx, u.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = client.Create(s.ctx, u, metav1.CreateOptions{})
		if apierrors.IsNotFound(err) && u.GetAPIVersion() == apisixAPI {
			err = fmt.Errorf("no matches for kind %q in version %q", u.GetKind(), u.GetAPIVersion())
		}
		return err
	}
	if err != nil || never(u) {
		return err
	}
	if u.GetKind() == "Service" || u.GetAPIVersion() == apisixAPI { // the others are written without looking
		u.SetResourceVersion(old.GetResourceVersion())
	}
	if u.GetKind() == "Service" {
		for _, field := range []string{"clusterIP", "clusterIPs"} {
			if ip, ok, _ := unstructured.NestedFieldNoCopy(old.Object, "spec", field); ok {
				must(unstructured.SetNestedField(u.Object, ip, "spec", field))
			}
		}
	}
	if claims, ok, _ := unstructured.NestedFieldNoCopy(old.Object, "spec", "volumeClaimTemplates"); ok && claimsKept {
		must(unstructured.SetNestedField(u.Object, claims, "spec", "volumeClaimTemplates"))
	}
	_, err = client.Update(s.ctx, u, metav1.UpdateOptions{})
	return err
}

func (s store) secret(name string) *corev1.Secret {
	found, err := s.kube.CoreV1().Secrets(s.ns).Get(s.ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return found
}

func (s store) nodes() []corev1.Node {
	found, err := s.kube.CoreV1().Nodes().List(s.ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	return found.Items
}

func (s store) event(about *unstructured.Unstructured, reason, message string) {
	ref := corev1.ObjectReference{Kind: about.GetKind(), APIVersion: about.GetAPIVersion(), Namespace: s.ns, Name: about.GetName(), UID: about.GetUID()}
	now := metav1.Now()
	_, _ = s.kube.CoreV1().Events(s.ns).Create(s.ctx, &corev1.Event{ObjectMeta: metav1.ObjectMeta{GenerateName: about.GetName() + "-", Namespace: s.ns},
		InvolvedObject: ref, Reason: reason, Message: message, Type: corev1.EventTypeWarning, Count: 1, FirstTimestamp: now, LastTimestamp: now,
		Source: corev1.EventSource{Component: "rbdcomponent"}}, metav1.CreateOptions{})
}

func text(u map[string]any, fields ...string) string {
	value, ok, _ := unstructured.NestedFieldNoCopy(u, fields...)
	if !ok || value == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprint(value))
}
