package edge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const (
	stdioWorkers = 100
	stdioQueue   = 1000
	maxLine      = defaultMaxBody
	// lastAnswers is how long calls may still take once the input has ended: a little
	// more than the longest wait that a tool allows.
	lastAnswers = 60 * time.Second
)

// Stdio serves one client over in and out, until in ends or ctx does. All that was
// asked before the end is answered.
func Stdio(ctx context.Context, s *server.MCPServer, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reader, writer := io.Pipe()
	defer reader.Close()
	p := &pending{ids: map[string]bool{}, changed: make(chan struct{}, 1)}
	o := &answers{out: out, pending: p}
	go func() {
		err := forward(ctx, in, writer, o)
		p.drain(ctx)
		writer.CloseWithError(err)
	}()
	inner := server.NewStdioServer(s)
	server.WithErrorLogger(log.New(logWriter{}, "", 0))(inner)
	server.WithWorkerPoolSize(stdioWorkers)(inner)
	server.WithQueueSize(stdioQueue)(inner)
	err := inner.Listen(ctx, reader, o)
	if errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// logWriter passes the library's own messages on; stdout belongs to the transport.
type logWriter struct{}

func (logWriter) Write(p []byte) (int, error) {
	slog.Warn(string(bytes.TrimSpace(p)), "from", "mcp stdio")
	return len(p), nil
}

// forward hands over line after line, noting what awaits an answer.
func forward(ctx context.Context, in io.Reader, to io.Writer, o *answers) error {
	lines := bufio.NewReaderSize(in, 64<<10)
	for {
		line, err := nextLine(lines)
		if errors.Is(err, errTooLong) {
			o.refuse("The message is longer than 4 MiB. Send less at once.")
			continue
		}
		if len(bytes.TrimSpace(line)) > 0 {
			if failed := hand(ctx, line, to, o); failed != nil {
				return failed
			}
		}
		if err != nil {
			return err
		}
	}
}

var errTooLong = errors.New("line too long")

// nextLine reads a line; of one that is too long nothing is kept. A last line without
// an end counts.
func nextLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := r.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxLine; !long {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case long && (err == nil || errors.Is(err, io.EOF)):
			return nil, errTooLong
		}
		return line, err
	}
}

// hand passes a line on. What comes after initialize waits for its answer, since a
// quick call would overtake it.
func hand(ctx context.Context, line []byte, to io.Writer, o *answers) error {
	var m message
	known := json.Unmarshal(line, &m) == nil
	id := normal(m.ID)
	switch {
	case !known:
	case m.Method == cancelled:
		o.pending.cancel(normal(m.Params.RequestID))
	case id != "" && m.Method != "" && m.Method != string(mcp.MethodSubscriptionsListen):
		o.pending.add(id)
	}
	line = append(bytes.TrimRight(line, "\r\n"), '\n')
	if _, err := to.Write(line); err != nil {
		return err
	}
	if known && m.Method == string(mcp.MethodInitialize) && id != "" {
		o.pending.wait(ctx, id)
	}
	return nil
}

// normal is an id as a map key, however it was spelt; nothing for none.
func normal(id json.RawMessage) string {
	var v any
	if json.Unmarshal(id, &v) != nil || v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// pending knows which requests have no answer yet.
type pending struct {
	mu      sync.Mutex
	ids     map[string]bool // false: cancelled, an answer is not wanted
	changed chan struct{}
}

func (p *pending) add(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids[id] = true
}

// cancel marks a request whose caller wants no answer any more.
func (p *pending) cancel(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ids[id] {
		p.ids[id] = false
		p.wake()
	}
}

// wanted tells whether an answer is still to be sent.
func (p *pending) wanted(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted, known := p.ids[id]
	return wanted || !known
}

// answered takes a request off.
func (p *pending) answered(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.ids, id)
	p.wake()
}

func (p *pending) wake() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// open counts the answers that are owed, of one request or (with "") of all.
func (p *pending) open(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id != "" {
		if p.ids[id] {
			return 1
		}
		return 0
	}
	n := 0
	for _, wanted := range p.ids {
		if wanted {
			n++
		}
	}
	return n
}

func (p *pending) wait(ctx context.Context, id string) {
	for p.open(id) > 0 {
		select {
		case <-p.changed:
		case <-ctx.Done():
			return
		}
	}
}

// drain waits for all answers, within reason.
func (p *pending) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastAnswers)
	defer cancel()
	p.wait(ctx, "")
}

// answers writes whole lines, one at a time, and leaves out those that nobody wants.
type answers struct {
	mu      sync.Mutex
	out     io.Writer
	pending *pending
}

func (a *answers) Write(line []byte) (int, error) {
	var m message
	isAnswer := json.Unmarshal(line, &m) == nil && m.Method == "" && normal(m.ID) != ""
	a.mu.Lock()
	defer a.mu.Unlock()
	if !isAnswer {
		return a.out.Write(line)
	}
	id := normal(m.ID)
	if !a.pending.wanted(id) {
		a.pending.answered(id)
		return len(line), nil
	}
	n, err := a.out.Write(line)
	a.pending.answered(id) // after the bytes are out: the end of the input waits for this
	return n, err
}

func (a *answers) refuse(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	line, err := json.Marshal(mcp.NewJSONRPCError(mcp.RequestId{}, mcp.INVALID_REQUEST, text, nil))
	if err == nil {
		_, err = a.out.Write(append(line, '\n'))
	}
	if err != nil {
		slog.Warn("stdio answer not written", "error", err)
	}
}
