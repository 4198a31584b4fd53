package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"humanops-mcp/internal/receipt"
	"humanops-mcp/schemas"
)

const (
	maxReceipt   = 2 << 20
	fetchTimeout = 15 * time.Second
)

// verification is what the flags of verify ask for.
type verification struct {
	keys, url, issuer, action string
	approved                  bool
}

const verifyLong = `Check that a receipt is authentic: that the issuer's key signed it, and that nothing in it
was changed since. The receipt is a file or, with -, standard input; an answer of
GET /v1/api/requests/{id}/receipt does as well, and then its action is checked too.

Whether the receipt was used already only the issuer knows: whoever is about to act calls
POST /v1/api/requests/{id}/receipt/consume, which succeeds once.

The exit code is 0 for an authentic receipt, whatever it says; with --approved only for one
that says approved, is not a test and has not expired.`

func (p *program) verifyCommand() *cobra.Command {
	var v verification
	cmd := &cobra.Command{
		Use:     "verify <receipt.json>",
		Short:   "Check that a receipt is authentic",
		Long:    verifyLong,
		Example: "  humanops-mcp verify receipt.json\n  humanops-mcp verify - --url https://people.example.com --action action.json < receipt.json",
		Args:    arguments(cobra.ExactArgs(1), "the receipt's file, or - for standard input"),
		RunE:    func(cmd *cobra.Command, args []string) error { return p.verify(cmd, args[0], v) },
	}
	cmd.Flags().StringVar(&v.keys, "keys", "", "File with the issuer's public keys")
	cmd.Flags().StringVar(&v.url, "url", "", "Issuer to fetch the public keys from (default: the platform on this computer)")
	cmd.Flags().StringVar(&v.issuer, "issuer", "", "Refuse a receipt of any other issuer")
	cmd.Flags().StringVar(&v.action, "action", "", "File with the action that is about to be done, as {tool, arguments}")
	cmd.Flags().BoolVar(&v.approved, "approved", false, "Fail too unless it says approved, is not a test and has not expired")
	return cmd
}

func (p *program) verify(cmd *cobra.Command, path string, v verification) error {
	raw, action, err := p.readReceipt(path)
	if err != nil {
		return err
	}
	keys, err := p.receiptKeys(cmd, v)
	if err != nil {
		return err
	}
	r, err := receipt.VerifyText(raw, keys)
	if err != nil {
		return err
	}
	if v.issuer != "" && strings.TrimSuffix(v.issuer, "/") != r.Issuer {
		return fmt.Errorf("the receipt is of %s, not of %s: do not act on it", plain(r.Issuer), plain(v.issuer))
	}
	if err := p.sameAction(r, action, v.action); err != nil {
		return err
	}
	p.sayReceipt(r)
	if v.approved {
		return p.usable(r)
	}
	return nil
}

// readReceipt reads a receipt, bare or inside an answer, and the answer's action.
func (p *program) readReceipt(path string) (raw json.RawMessage, action *schemas.Action, err error) {
	text, err := p.readSmall(path)
	if err != nil {
		return nil, nil, err
	}
	type answer struct {
		Receipt json.RawMessage `json:"receipt"`
		Action  *schemas.Action `json:"action"`
	}
	var whole struct {
		answer
		Data answer `json:"data"`
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, nil, fmt.Errorf("%s is not a receipt: it has to be a JSON object", path)
	}
	switch {
	case whole.Data.Receipt != nil:
		return whole.Data.Receipt, whole.Data.Action, nil
	case whole.Receipt != nil:
		return whole.Receipt, whole.Action, nil
	}
	return text, nil, nil
}

func (p *program) readSmall(path string) ([]byte, error) {
	in := p.stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close() //nolint:errcheck // only read
		in = file
	}
	return limited(in, path)
}

func limited(in io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxReceipt+1))
	if err == nil && len(text) > maxReceipt {
		err = fmt.Errorf("%s is larger than 2 MiB, which no receipt and no list of keys is", name)
	}
	return text, err
}

// receiptKeys reads the public keys from a file, the issuer or the platform here.
func (p *program) receiptKeys(cmd *cobra.Command, v verification) (keys schemas.ReceiptKeys, err error) {
	switch {
	case v.keys != "" && v.url != "":
		return keys, &usageError{errors.New("--keys and --url say two different things; give one"), cmd.CommandPath()}
	case v.keys == "" && v.url == "":
		return p.localKeys(cmd)
	}
	var text []byte
	if v.keys != "" {
		text, err = p.readSmall(v.keys)
	} else {
		text, err = fetchKeys(cmd.Context(), v.url)
	}
	if err != nil {
		return keys, err
	}
	if err := json.Unmarshal(text, &keys); err != nil || len(keys.Keys) == 0 {
		return keys, fmt.Errorf("there are no public keys in %s%s; they are what %s answers with", v.keys, v.url, schemas.ReceiptKeysPath)
	}
	return keys, nil
}

func (p *program) localKeys(cmd *cobra.Command) (schemas.ReceiptKeys, error) {
	cfg, err := p.load(cmd)
	if err != nil {
		return schemas.ReceiptKeys{}, err
	}
	owner, err := p.owner(cmd.Context(), cfg)
	if err != nil {
		return schemas.ReceiptKeys{}, err
	}
	return owner.GetReceiptKeys(cmd.Context())
}

// fetchKeys reads the issuer's keys from their well-known address. Keys that came over an
// open line would prove nothing.
func fetchKeys(ctx context.Context, issuer string) ([]byte, error) {
	at, err := url.Parse(strings.TrimSuffix(issuer, "/") + schemas.ReceiptKeysPath)
	if err != nil || at.Host == "" {
		return nil, fmt.Errorf("--url has to be the issuer's address, such as https://people.example.com; got %s", plain(issuer))
	}
	here := at.Hostname() == "localhost" || at.Hostname() == "127.0.0.1" || at.Hostname() == "::1"
	if at.Scheme != "https" && (at.Scheme != "http" || !here) {
		return nil, errors.New("--url has to begin with https://, or be on this computer: keys from an open line prove nothing")
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	direct := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := direct.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch the issuer's keys: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s instead of public keys", at, resp.Status)
	}
	return limited(resp.Body, at.String())
}

// sameAction recomputes the digest of the actions that are at hand.
func (p *program) sameAction(r schemas.Receipt, answered *schemas.Action, path string) error {
	actions := map[string]*schemas.Action{"the action in the answer": answered}
	if path != "" {
		text, err := p.readSmall(path)
		if err != nil {
			return err
		}
		var a schemas.Action
		if err := json.Unmarshal(text, &a); err != nil {
			return fmt.Errorf("%s is not an action: it has to be a JSON object with tool and arguments", path)
		}
		actions[path] = &a
	}
	for name, a := range actions {
		if a == nil {
			continue
		}
		_, _, digest, err := receipt.Digest(*a)
		if err != nil {
			return err
		}
		if digest != r.ActionDigest {
			return fmt.Errorf("%s is not what the receipt covers: its digest is %s, the receipt's %s. Do not act on it", name, digest, plain(r.ActionDigest))
		}
	}
	return nil
}

func (p *program) sayReceipt(r schemas.Receipt) {
	p.say("authentic; single use not checked")
	if r.Mode != "live" {
		p.say("TEST MODE: nobody decided this, it is simulated. NEVER ACT ON IT.")
	}
	p.say("decision  %s", plain(r.Decision))
	p.say("by        %s (%s, by %s)", plain(strings.Join(r.DecidedBy, ", ")), plain(r.ResponseSource), plain(r.DecidedVia))
	p.say("at        %s", when(r.DecidedAt))
	p.say("until     %s%s", when(r.ExpiresAt), either(p.expired(r), "  EXPIRED", ""))
	p.say("request   %s, round %d", plain(r.RequestID), r.Round)
	p.say("action    %s", plain(r.ActionDigest))
	p.say("issuer    %s", plain(r.Issuer))
}

func (p *program) expired(r schemas.Receipt) bool { return !p.clock.Now().Before(r.ExpiresAt) }

func (p *program) usable(r schemas.Receipt) error {
	switch {
	case r.Mode != "live":
		return errors.New("the receipt is of test mode: do not act on it")
	case r.Decision != schemas.Approved:
		return fmt.Errorf("the decision is %s, not approved: do not act on it", plain(r.Decision))
	case p.expired(r):
		return errors.New("the receipt has expired: ask for a new review")
	}
	return nil
}
