package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// snapshotRequest is what the command asks the server for; what it does not say is as the server is configured.
type snapshotRequest struct {
	Operation string   `json:"operation"`
	Name      []string `json:"name,omitempty"`
	Dir       *string  `json:"dir,omitempty"`
	Compress  *bool    `json:"compress,omitempty"`
}

type snapshotResult struct {
	Created []string `json:"created,omitempty"`
	Deleted []string `json:"deleted,omitempty"`
}

type snapshotFile struct {
	Name, Location string
	Size           int64
	Created        time.Time
}

func snapshotDir(s settings) string {
	return s.str("etcd-snapshot-dir", dataDir+"/server/db/snapshots")
}

// answerSnapshots is /db/snapshot. A snapshot that fails is told in the server's log alone: nothing was created then.
func (s *supervisor) answerSnapshots(w http.ResponseWriter, r *http.Request) {
	var wanted snapshotRequest
	data, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(data, &wanted)
	}
	if err != nil {
		refuseWithID(w, err)
		return
	}
	dir := snapshotDir(s.node.settings)
	if wanted.Dir != nil {
		dir = *wanted.Dir
	}
	if wanted.Compress != nil && *wanted.Compress || wanted.Compress == nil && s.node.settings.is("etcd-snapshot-compress") {
		refuseWithID(w, fmt.Errorf("the lab's look-alike does not compress"))
		return
	}
	var answer any
	switch wanted.Operation {
	case "save":
		answer, err = s.saveSnapshot(dir, wanted.Name[0])
	case "delete":
		answer, err = deleteSnapshots(dir, wanted.Name), nil
	case "list":
		answer, err = listSnapshots(dir), nil
	default:
		err = fmt.Errorf("invalid snapshot operation")
	}
	if err != nil {
		refuseWithID(w, err)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

func refuseWithID(w http.ResponseWriter, err error) {
	id := random(2)
	say("error", "etcd-snapshot error ID %s: %v", id, err)
	refuse(w, http.StatusInternalServerError, "InternalError", "Internal error occurred: etcd-snapshot error ID "+id)
}

func (s *supervisor) saveSnapshot(dir, base string) (snapshotResult, error) {
	var result snapshotResult
	if !s.etcdReady.Load() {
		return result, fmt.Errorf("failed to check etcd status for snapshot: etcd is not ready")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return result, fmt.Errorf("failed to get etcd-snapshot-dir: %w", err)
	}
	name := fmt.Sprintf("%s-%s-%d", base, s.node.name, time.Now().Round(time.Second).Unix())
	say("info", "Saving etcd snapshot to %s/%s", dir, name)
	if out, err := etcdctl("https://127.0.0.1:2379", "snapshot", "save", dir+"/"+name); err != nil {
		say("error", "Failed to take etcd snapshot: %s", strings.TrimSpace(out))
		return result, nil
	}
	result.Created = []string{name}
	return result, nil
}

func deleteSnapshots(dir string, names []string) snapshotResult {
	var result snapshotResult
	for _, name := range names {
		if os.Remove(filepath.Join(dir, name)) == nil {
			result.Deleted = append(result.Deleted, name)
		}
	}
	return result
}

// listSnapshots takes whatever lies there for a snapshot, as the real one does, also what is being written.
func listSnapshots(dir string) []snapshotFile {
	found := []snapshotFile{}
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || entry.IsDir() {
			continue
		}
		created := info.ModTime()
		if seconds, err := strconv.ParseInt(entry.Name()[strings.LastIndexByte(entry.Name(), '-')+1:], 10, 64); err == nil {
			created = time.Unix(seconds, 0)
		}
		found = append(found, snapshotFile{entry.Name(), "file://" + dir + "/" + entry.Name(), info.Size(), created})
	}
	return found
}

// snapshotCommand is `rke2 etcd-snapshot`: it asks the server that runs here.
func snapshotCommand(words []string) {
	s := readSettings(true)
	dataDir = s.str("data-dir", dataDir)
	verb, base := "", "on-demand"
	wanted := snapshotRequest{}
	var names []string
	for i := 0; i < len(words); i++ {
		flag, value, inline := strings.Cut(words[i], "=")
		switch flag {
		case "--name":
			if !inline {
				i++
				value = words[i]
			}
			base = value
		case "--etcd-snapshot-compress":
			compress := value != "false"
			wanted.Compress = &compress
		default:
			if verb == "" {
				verb = flag
			} else {
				names = append(names, words[i])
			}
		}
	}
	wanted.Operation, wanted.Name = map[string]string{"ls": "list", "l": "list"}[verb], names
	if wanted.Operation == "" {
		wanted.Operation = verb
	}
	if verb == "save" {
		wanted.Name = []string{base}
	}
	data, err := askSnapshots(wanted)
	if err != nil {
		die("%v", err)
	}
	if wanted.Operation == "list" {
		printSnapshots(data)
		return
	}
	var result snapshotResult
	must(json.Unmarshal(data, &result))
	for _, name := range result.Created {
		say("info", "Snapshot %s saved.", name)
	}
	for _, name := range names {
		if slices.Contains(result.Deleted, name) {
			say("info", "Snapshot %s deleted.", name)
		} else {
			say("warning", "Snapshot %s not found.", name)
		}
	}
}

func askSnapshots(wanted snapshotRequest) ([]byte, error) {
	own, err := os.ReadFile(dataDir + "/server/token")
	if err != nil {
		return nil, err
	}
	t, url := parseToken(strings.TrimSpace(string(own)), "server"), "https://127.0.0.1:"+supervisorPort
	ca, err := serverCA(url, t)
	if err != nil {
		return nil, err
	}
	client := clientTrusting(ca)
	client.Timeout = 2 * time.Minute
	req := must1(http.NewRequest(http.MethodPost, url+"/db/snapshot", bytes.NewReader(must1(json.Marshal(wanted)))))
	req.SetBasicAuth(t.user, t.password)
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("see server log for details: %w", err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode == http.StatusOK {
		return data, err
	}
	var status struct{ Message string }
	_ = json.Unmarshal(data, &status)
	return nil, fmt.Errorf("see server log for details: %s", status.Message)
}

func printSnapshots(data []byte) {
	var found []snapshotFile
	must(json.Unmarshal(data, &found))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	defer w.Flush()
	fmt.Fprint(w, "Name\tLocation\tSize\tCreated\n")
	for _, each := range found {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", each.Name, each.Location, each.Size, each.Created.Format(time.RFC3339))
	}
}
