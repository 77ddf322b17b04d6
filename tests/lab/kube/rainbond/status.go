package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/go-sql-driver/mysql"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func condition(kind string, ok bool, reason, message string) map[string]any {
	status := map[bool]string{true: "True", false: "False"}[ok]
	now := time.Now().UTC().Format(time.RFC3339)
	return map[string]any{"type": kind, "status": status, "reason": reason, "message": message, "lastHeartbeatTime": now, "lastTransitionTime": now}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (o *operator) componentStatus(c *unstructured.Unstructured, want, ready int32, reason, message string) {
	c.Object["status"] = map[string]any{"replicas": int64(want), "readyReplicas": int64(ready),
		"conditions": []any{condition("ClusterConfigCompeleted", true, "", ""), condition("Ready", reason == "", reason, message)}}
	for _, k := range c.Object["status"].(map[string]any)["conditions"].([]any) {
		delete(k.(map[string]any), "lastHeartbeatTime") // the component's conditions have none
	}
	if _, err := o.dyn.Resource(componentGVR).Namespace(o.ns).UpdateStatus(o.ctx, c, metav1.UpdateOptions{}); err != nil && !apierrors.IsConflict(err) {
		log.Printf("level=error msg=%q", err)
	}
}

func (o *operator) clusterStatus(c *unstructured.Unstructured) error {
	conds := []any{condition("Running", false, "InProgress", ""), condition("KubernetesVersion", true, "", "")}
	for kind, which := range map[string]string{"DatabaseRegion": "region", "DatabaseConsole": "console"} {
		if dsn := o.dsn(which); dsn != "" {
			err := ping(dsn)
			conds = append(conds, condition(kind, err == nil, "", text(err)))
		}
	}
	if hub, _, _ := unstructured.NestedMap(o.spec, "imageHub"); hub != nil {
		err := hubAnswers(hub)
		conds = append(conds, condition("ImageRepository", err == nil, "", text(err)))
	}
	names := func(key string) []any {
		var l []any
		for _, n := range o.nodeNames(key) {
			l = append(l, map[string]any{"name": n})
		}
		return l
	}
	c.Object["status"] = map[string]any{"kubernetesVersoin": kubeVersion, "conditions": conds,
		"gatewayAvailableNodes": map[string]any{"specifiedNodes": names("nodesForGateway")}, "chaosAvailableNodes": map[string]any{"specifiedNodes": names("nodesForChaos")}}
	_, err := o.dyn.Resource(clusterGVR).Namespace(o.ns).UpdateStatus(o.ctx, c, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}

func hubAnswers(hub map[string]any) error {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	var last error
	for _, scheme := range []string{"https", "http"} {
		req := must1(http.NewRequest("GET", fmt.Sprintf("%s://%v/v2/", scheme, hub["domain"]), nil))
		req.SetBasicAuth(fmt.Sprint(hub["username"]), fmt.Sprint(hub["password"]))
		res, err := client.Do(req)
		if err == nil && res.StatusCode == 200 {
			return nil
		}
		if err == nil {
			err = errors.New(res.Status)
		}
		last = err
	}
	return last
}

func ping(dsn string) error {
	if _, err := mysql.ParseDSN(dsn); err != nil {
		return err
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return db.PingContext(ctx)
}
