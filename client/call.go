package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/go-resty/resty/v2"

	"humanops-mcp/schemas"
)

// maxRetryWait is the longest pause before another attempt; who asks for more gets
// the error at once.
const maxRetryWait = 5 * time.Second

// call sends in to e and reads the answer, within the client's ordinary time limit.
func call[In, Out any](ctx context.Context, c *Client, e schemas.Endpoint[In, Out], in In) (Out, error) {
	return callWithin(ctx, c, e, in, c.timeout)
}

func callWithin[In, Out any](ctx context.Context, c *Client, e schemas.Endpoint[In, Out], in In, limit time.Duration) (Out, error) {
	var out Out
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if out, ok := direct(ctx, c, e, in); ok {
		normalise(&out)
		return out, nil
	}
	r, p, err := c.prepare(ctx, e.Info(), in)
	if err != nil {
		return out, err
	}
	if len(p.body) > 0 {
		r.SetBody(p.body).SetHeader("Content-Type", "application/json")
	}
	resp, err := c.send(r.SetResponseBodyLimit(maxJSON), e.Info(), p)
	if err != nil {
		return out, err
	}
	if err := c.decode(e.Contract, resp.Body(), &out); err != nil {
		return out, err
	}
	normalise(&out)
	return out, nil
}

// upload sends in as a form with its files.
func upload[In, Out any](ctx context.Context, c *Client, e schemas.Upload[In, Out], in In, files []schemas.File) (Out, error) {
	var out Out
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	r, p, err := c.prepare(ctx, e.Info(), in)
	if err != nil {
		return out, err
	}
	r.SetMultipartFormData(p.form())
	for _, f := range files {
		opened, err := f.Open()
		if err != nil {
			return out, schemas.Invalid("files", "cannot read "+strconv.Quote(f.Name)+": "+err.Error())
		}
		defer opened.Close()
		r.SetFileReader(e.Contract.Files().Name, f.Name, opened)
	}
	resp, err := c.send(r.SetResponseBodyLimit(maxJSON), e.Info(), p)
	if err != nil {
		return out, err
	}
	err = c.decode(e.Contract, resp.Body(), &out)
	normalise(&out)
	return out, err
}

// download asks for a file of at most max bytes (0: any size). The receiver closes it.
func download[In any](ctx context.Context, c *Client, e schemas.Download[In], in In, limit time.Duration, max int64) (schemas.Content, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	r, p, err := c.prepare(ctx, e.Info(), in)
	if err != nil {
		cancel()
		return schemas.Content{}, err
	}
	resp, err := c.send(r.SetHeader("Accept", "*/*").SetDoNotParseResponse(true), e.Info(), p)
	if err != nil {
		cancel()
		return schemas.Content{}, err
	}
	raw := resp.RawResponse
	content := schemas.Content{MIME: raw.Header.Get("Content-Type"), Size: raw.ContentLength, ETag: raw.Header.Get("ETag"), Body: body{capped(raw.Body, max), cancel}}
	if _, params, err := mime.ParseMediaType(raw.Header.Get("Content-Disposition")); err == nil {
		content.Name = params["filename"]
	}
	if max > 0 && content.Size > max {
		content.Body.Close()
		return schemas.Content{}, schemas.NewError(schemas.CodeTooLarge, "The file is larger than this client takes.")
	}
	return content, nil
}

// body ends the call when its reader is done with it.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b body) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}

// capped fails a read that goes beyond max bytes.
func capped(r io.ReadCloser, max int64) io.ReadCloser {
	if max <= 0 {
		return r
	}
	return http.MaxBytesReader(nil, r, max)
}

// prepare begins a call and takes its argument apart.
func (c *Client) prepare(ctx context.Context, e schemas.Info, in any) (*resty.Request, parts, error) {
	if err := Speaks(e.Contract); err != nil {
		return nil, parts{}, err
	}
	p, err := takeApart(in)
	return c.request(ctx, e), p, err
}

// request says who calls, what makes the call safe to repeat, and when to repeat it.
func (c *Client) request(ctx context.Context, e schemas.Info) *resty.Request {
	r := c.http.R().SetContext(ctx)
	c.authenticate(r, e)
	key, _ := ctx.Value(idempotencyKey{}).(string)
	if key == "" && creates(e) {
		key = "idem_" + rand.Text()
	}
	if key != "" && e.Method != http.MethodGet {
		r.SetHeader("Idempotency-Key", key)
	}
	repeatable := e.Method != http.MethodPost || (key != "" && c.knowsKeys(e.Contract))
	if e.Kind == schemas.Multipart || e.Kind == schemas.Events {
		repeatable = false // files have been read by then; who follows decides when to ask again
	}
	return r.AddRetryCondition(func(resp *resty.Response, err error) bool {
		if e.Kind == schemas.Binary && err == nil {
			return false // its body is still open
		}
		return repeatable && worthRetrying(resp, err)
	})
}

// creates tells whether a repeated call would make something twice.
func creates(e schemas.Info) bool {
	return e.Method == http.MethodPost && (e.Status == http.StatusCreated || e.Path == schemas.CreateReviews.Path)
}

// knowsKeys tells whether the server recognises a repeated call by its key. The hosted
// review service documents no such thing: there a repetition would ask people twice.
func (c *Client) knowsKeys(contract schemas.Contract) bool {
	return dialectOf(contract).repeats || c.server.Load() == serverOurs
}

// authenticate shows the agent's key or the person's token, as the contract has it; either
// stands in where the other is missing.
func (c *Client) authenticate(r *resty.Request, e schemas.Info) {
	d := dialectOf(e.Contract)
	switch {
	case e.Access == schemas.Anyone:
	case c.key != "" && (c.token == "" || d.byKey(e)):
		d.showKey(r, c.key)
	case c.token != "":
		r.SetHeader("Authorization", "Bearer "+c.token)
	}
}

func worthRetrying(resp *resty.Response, err error) bool {
	var ours *schemas.Error
	if err != nil {
		return !errors.As(err, &ours) && !errors.Is(err, resty.ErrResponseBodyTooLarge)
	}
	switch resp.StatusCode() {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return retryAfter(resp.Header()) <= maxRetryWait
	}
	return false
}

// waitAsTold honours Retry-After; zero leaves the pause to resty.
func waitAsTold(_ *resty.Client, resp *resty.Response) (time.Duration, error) {
	return retryAfter(resp.Header()), nil
}

// retryAfter reads Retry-After, or the review contract's time at which the allowance is
// full again, by the server's own clock.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if h.Get("X-RateLimit-Remaining") != "0" {
		return 0
	}
	reset, errReset := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	now, errNow := http.ParseTime(h.Get("Date"))
	if errReset != nil || errNow != nil {
		return 0
	}
	return max(0, time.Unix(reset, 0).Sub(now))
}

func (c *Client) send(r *resty.Request, e schemas.Info, p parts) (*resty.Response, error) {
	address, err := p.address(c.base, dialectOf(e.Contract).prefix(e)+e.Path)
	if err != nil {
		return nil, err
	}
	resp, err := r.Execute(e.Method, address)
	if resp != nil && resp.RawResponse != nil {
		c.noteServer(resp.Header())
	}
	if err != nil {
		return nil, c.unreachable(r.Context(), e.Contract, err)
	}
	if resp.StatusCode() < 200 || resp.StatusCode() > 299 {
		return nil, c.refusal(e.Contract, resp)
	}
	return resp, nil
}

// decode reads an answer, which some contracts wrap. Hosted services' answers are only
// partly documented, so from them a field of another type is passed over; the other
// fields are read.
func (c *Client) decode(contract schemas.Contract, raw []byte, out any) error {
	if len(raw) == 0 {
		return nil
	}
	err := json.Unmarshal(dialectOf(contract).unwrap(raw), out)
	var otherType *json.UnmarshalTypeError
	if err == nil || (errors.As(err, &otherType) && otherType.Field != "" && c.server.Load() != serverOurs) {
		return nil
	}
	return schemas.NewError(schemas.CodeUnavailable, c.at(contract)+" sent an answer that cannot be read: "+err.Error()+". Check that its address is right.")
}

// TaskDocument is a task as the server words it, for what its documentation leaves open.
func (c *Client) TaskDocument(ctx context.Context, taskID string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	e := schemas.GetTask.Info()
	r, p, err := c.prepare(ctx, e, schemas.TaskRequest{TaskID: taskID})
	if err != nil {
		return nil, err
	}
	resp, err := c.send(r.SetResponseBodyLimit(maxJSON), e, p)
	if err != nil {
		return nil, err
	}
	return resp.Body(), nil
}
