// Package notifytest is a mail server on loopback for tests.
package notifytest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// MailServer is the least of an SMTP server: it keeps what it is sent.
type MailServer struct {
	Port int

	mu     sync.Mutex
	refuse int
	mails  []string
}

// Serve serves until the test ends. It refuses the first few mails.
func Serve(t testing.TB, refuse int) *MailServer {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	s := &MailServer{Port: l.Addr().(*net.TCPAddr).Port, refuse: refuse}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.talk(conn)
		}
	}()
	return s
}

func (s *MailServer) talk(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewScanner(conn)
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 loopback")
	for in.Scan() {
		verb, _, _ := strings.Cut(strings.ToUpper(in.Text()), " ")
		switch verb {
		case "DATA":
			say("354 go on")
			say(s.take(in))
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *MailServer) take(in *bufio.Scanner) (answer string) {
	var lines []string
	for in.Scan() && in.Text() != "." {
		lines = append(lines, in.Text())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse > 0 {
		s.refuse--
		return "451 come back later"
	}
	s.mails = append(s.mails, strings.Join(lines, "\n"))
	return "250 taken"
}

// All lists the mails taken so far, header and body.
func (s *MailServer) All() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mails...)
}
