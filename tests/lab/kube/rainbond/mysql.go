package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"database/sql"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"time"
)

const (
	passwordFile = "/var/lib/mysql/lab-root-password"
	noTables     = "the lab's database keeps no tables"
)

// databaseMain is rbd-db: enough of MySQL's protocol to log in and be asked whether it lives. Its data directory
// remembers the first root password; a later one is not taken over, as with the real server.
func databaseMain() {
	password, err := os.ReadFile(passwordFile)
	if err != nil {
		password = []byte(os.Getenv("MYSQL_ROOT_PASSWORD"))
		must(os.WriteFile(passwordFile, password, 0o600))
	}
	l := must1(net.Listen("tcp", ":3306"))
	log.Print("[System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. Version: '8.0.19'  port: 3306")
	for {
		c, err := l.Accept()
		if err != nil {
			continue
		}
		go func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(time.Hour))
			serveMySQL(c, string(password))
		}()
	}
}

type packets struct {
	conn net.Conn
	next byte
}

func (p *packets) write(data []byte) error {
	head := []byte{byte(len(data)), byte(len(data) >> 8), byte(len(data) >> 16), p.next}
	p.next++
	_, err := p.conn.Write(append(head, data...))
	return err
}

func (p *packets) read() ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(p.conn, head); err != nil {
		return nil, err
	}
	p.next = head[3] + 1
	data := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	_, err := io.ReadFull(p.conn, data)
	return data, err
}

func failure(number uint16, state, words string) []byte {
	return append(append([]byte{0xff, byte(number), byte(number >> 8), '#'}, state...), words...)
}

var okay = []byte{0, 0, 0, 2, 0, 0, 0}

func serveMySQL(c net.Conn, password string) {
	salt := make([]byte, 20)
	must1(rand.Read(salt))
	for i := range salt {
		salt[i] = salt[i]%94 + 33
	}
	const plugin = "mysql_native_password"
	const abilities = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000 // long password, a database, protocol 4.1, transactions, secure, plugins
	hello := append([]byte{10}, "8.0.19\x00"...)
	hello = append(hello, 1, 0, 0, 0)
	hello = append(append(hello, salt[:8]...), 0)
	hello = binary.LittleEndian.AppendUint16(hello, abilities&0xffff)
	hello = append(hello, 33, 2, 0)
	hello = binary.LittleEndian.AppendUint16(hello, abilities>>16)
	hello = append(append(hello, 21), make([]byte, 10)...)
	hello = append(append(append(hello, salt[8:]...), 0), plugin+"\x00"...)
	p := &packets{conn: c}
	if p.write(hello) != nil {
		return
	}
	login, err := p.read()
	if err != nil || len(login) < 34 {
		return
	}
	user, rest, _ := bytes.Cut(login[32:], []byte{0})
	var given []byte
	if len(rest) > 0 && len(rest) > int(rest[0]) {
		given = rest[1 : 1+int(rest[0])]
	}
	if string(user) != "root" || !bytes.Equal(given, scramble(password, salt)) {
		host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		_ = p.write(failure(1045, "28000", fmt.Sprintf("Access denied for user '%s'@'%s' (using password: YES)", user, host)))
		return
	}
	if p.write(okay) != nil {
		return
	}
	for {
		command, err := p.read()
		if err != nil || len(command) == 0 || command[0] == 1 {
			return
		}
		answer := okay
		if query := strings.ToUpper(string(command[1:])); command[0] == 3 && !strings.HasPrefix(query, "SET") {
			answer = failure(1105, "HY000", noTables)
		}
		if p.write(answer) != nil {
			return
		}
	}
}

func scramble(password string, salt []byte) []byte {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	mixed := sha1.Sum(append(append([]byte{}, salt...), twice[:]...))
	for i := range mixed {
		mixed[i] ^= once[i]
	}
	return mixed[:]
}

// mysqlMain is the client that rbd-db's probe runs: mysql -uUSER -pPASSWORD -e …
func mysqlMain(args []string) {
	user, password := "root", ""
	for _, each := range args {
		if value, ok := strings.CutPrefix(each, "-u"); ok {
			user = value
		} else if value, ok := strings.CutPrefix(each, "-p"); ok {
			password = value
		}
	}
	db := must1(sql.Open("mysql", user+":"+password+"@tcp(127.0.0.1:3306)/"))
	if err := db.Ping(); err != nil {
		fmt.Fprintln(os.Stderr, strings.Replace(err.Error(), "Error ", "ERROR ", 1))
		os.Exit(1)
	}
}
