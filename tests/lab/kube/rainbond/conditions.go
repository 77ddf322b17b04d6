package main

import "time"

// conditions are those of a status, as the API has them.
type conditions []any

func conditionsOf(status map[string]any) conditions {
	list, _ := status["conditions"].([]any)
	return list
}

func (c conditions) get(kind string) map[string]any {
	for _, each := range c {
		if m, ok := each.(map[string]any); ok && m["type"] == kind {
			return m
		}
	}
	return nil
}

func (c conditions) isTrue(kind string) bool {
	m := c.get(kind)
	return m != nil && m["status"] == "True"
}

// set puts a condition in its place; the time of transition is that of the last change of status.
// Says whether anything but the heartbeat changed.
func (c *conditions) set(kind string, ok bool, reason, message string, heartbeat bool) bool {
	now := time.Now().UTC().Format(time.RFC3339)
	status := map[bool]string{true: "True", false: "False"}[ok]
	made := map[string]any{"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now}
	if heartbeat {
		made["lastHeartbeatTime"] = now
	}
	for k, v := range made {
		if v == "" {
			delete(made, k)
		}
	}
	old := c.get(kind)
	if old == nil {
		*c = append(*c, made)
		return true
	}
	changed := old["status"] != made["status"] || old["reason"] != made["reason"] || old["message"] != made["message"]
	if old["status"] == made["status"] {
		made["lastTransitionTime"] = old["lastTransitionTime"]
	}
	clear(old)
	for k, v := range made {
		old[k] = v
	}
	return changed
}
