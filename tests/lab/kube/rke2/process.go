package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// say writes a line of the log in the form of the real one.
func say(level, format string, a ...any) {
	now := time.Now().UTC().Format(time.RFC3339)
	fmt.Fprintf(os.Stderr, "time=%q level=%s msg=%q\n", now, level, fmt.Sprintf(format, a...))
}

func die(format string, a ...any) {
	say("fatal", format, a...)
	os.Exit(1)
}

// keep starts a program again and again, with its output in agent/logs.
func keep(path string, args ...string) {
	for {
		child(path, args...)
		time.Sleep(2 * time.Second)
	}
}

func child(path string, args ...string) {
	// The kernel ends the child with the thread that made it, so that thread must not end before.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	name := filepath.Base(path)
	out := must1(os.OpenFile(agentDir()+"/logs/"+name+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640))
	defer out.Close()
	cmd := command(path, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		say("error", "%s exited: %v", strings.ToUpper(name[:1])+name[1:], err)
	}
}

func command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "PATH="+runtimeDir()+"/lab:"+binDir()+":"+os.Getenv("PATH"))
	return cmd
}

// notifySocket is systemd's, and not for the children.
var notifySocket = os.Getenv("NOTIFY_SOCKET")

func notify(state string) {
	if path := notifySocket; path != "" {
		if c, err := net.Dial("unixgram", path); err == nil {
			c.Write([]byte(state))
			c.Close()
		}
	}
}

func hostname() string { return must1(os.Hostname()) }

func defaultIP() string {
	for _, a := range must1(net.InterfaceAddrs()) {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	die("no IPv4 address")
	return ""
}

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func random(bytes int) string {
	data := make([]byte, bytes)
	must1(rand.Read(data))
	return hex.EncodeToString(data)
}

// keptRandom is a random text that is made once and kept in a file.
func keptRandom(file string, bytes int) string {
	if data, err := os.ReadFile(file); err == nil && len(data) > 0 {
		return strings.TrimSpace(string(data))
	}
	made := random(bytes)
	must(os.MkdirAll(filepath.Dir(file), 0o755))
	must(os.WriteFile(file, []byte(made+"\n"), 0o600))
	return made
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func must(err error) {
	if err != nil {
		die("%v", err)
	}
}

func must1[T any](v T, err error) T {
	must(err)
	return v
}
