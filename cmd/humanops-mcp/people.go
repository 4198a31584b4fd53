package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"humanops-mcp/client"
	"humanops-mcp/internal/config"
	"humanops-mcp/schemas"
)

func (p *program) peopleCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "people",
		Short:   "Add, list and remove the people who do tasks and decide reviews",
		Example: "  humanops-mcp people add me\n  humanops-mcp people list",
	}, p.peopleAddCommand(), p.peopleListCommand(), p.peopleLinkCommand(), p.peopleRemoveCommand())
}

// withOwner runs a command as the owner, over the local socket; the platform is started
// when it does not run.
func (p *program) withOwner(do func(ctx context.Context, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := p.load(cmd)
		if err != nil {
			return err
		}
		owner, err := p.owner(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		return do(cmd.Context(), owner, args)
	}
}

func (p *program) peopleAddCommand() *cobra.Command {
	var in schemas.AddPersonRequest
	var file string
	var reviewer bool
	var loops []string
	cmd := &cobra.Command{
		Use:   "add me|NAME|--file FILE",
		Short: "Add a person, and show the one-time link for their phone",
		Long: `Add a person, and show the link that signs their phone in, once. "me" is you, the owner.
A name that is there already gets a new link.

A reviewer decides reviews in the loops named (default: default), and does no tasks unless
--role says so too.

A file holds one person a line: name,email,phone; only the name is needed.`,
		Example: `  humanops-mcp people add me
  humanops-mcp people add "Ada Lovelace" --email ada@example.com
  humanops-mcp people add Grace --reviewer --loop payments
  humanops-mcp people add --file team.csv`,
		Args: func(cmd *cobra.Command, args []string) error {
			if (file == "" && len(args) == 1) || (file != "" && len(args) == 0) {
				return nil
			}
			return &usageError{errors.New("people add needs one name, me, or --file FILE"), cmd.CommandPath()}
		},
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			if reviewer && len(in.Roles) == 0 {
				in.Roles = []string{"reviewer"}
			}
			if reviewer && len(loops) == 0 {
				loops = []string{"default"}
			}
			if file != "" {
				return p.addMany(ctx, c, file, in.Roles, loops)
			}
			return p.addOne(ctx, c, args[0], in, loops)
		}),
	}
	cmd.Flags().StringVar(&file, "file", "", "Add everybody in this file: name,email,phone; - reads standard input")
	cmd.Flags().StringVar(&in.Email, "email", "", "Where notices of tasks go")
	cmd.Flags().StringVar(&in.Phone, "phone", "", "Phone number, for your own records")
	cmd.Flags().StringSliceVar(&in.Roles, "role", nil, "operator (the default), reviewer, owner, or several")
	cmd.Flags().BoolVar(&reviewer, "reviewer", false, "They decide reviews")
	cmd.Flags().StringSliceVar(&loops, "loop", nil, "Put them into this loop, by slug or id; may be repeated")
	return p.jsonFlag(cmd)
}

// addTo puts a person who was just added into loops.
func addTo(ctx context.Context, c *client.Client, person schemas.PersonWithLink, loops []string) error {
	for _, loop := range loops {
		if _, err := c.AddMember(ctx, schemas.AddMemberRequest{LoopID: loop, UserID: person.OperatorID}); err != nil {
			return fmt.Errorf("%s (%s) was added, but not to the loop %s: %w", plain(person.Name), person.OperatorID, loop, err)
		}
	}
	return nil
}

func (p *program) addOne(ctx context.Context, c *client.Client, name string, in schemas.AddPersonRequest, loops []string) error {
	in.Name = name
	if name == "me" {
		in.Name, in.Me = ownName(), true
	}
	person, err := c.AddPerson(ctx, in)
	if err == nil {
		err = addTo(ctx, c, person, loops)
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(person)
	}
	if len(loops) > 0 {
		p.say("%s decides reviews in: %s.", plain(person.Name), strings.Join(loops, ", "))
	}
	return p.showLink(person, in.Me)
}

// ownName is the user's name as their system knows it.
func ownName() string {
	u, err := user.Current()
	if err != nil {
		return "Owner"
	}
	name, _, _ := strings.Cut(u.Name, ",") // the field may hold rooms and phones too
	if name = strings.TrimSpace(name); name == "" {
		name = u.Username
	}
	return name
}

func (p *program) showLink(person schemas.PersonWithLink, me bool) error {
	what, whose := "was there already; here is a new link", "their"
	switch {
	case me:
		what, whose = "is you, the owner", "your"
	case person.Created && slices.Contains(person.Roles, "operator"):
		what = "can do tasks now"
	case person.Created:
		what = "can decide reviews now"
	}
	p.say("%s (%s) %s.", plain(person.Name), person.OperatorID, what)
	p.say("Open this on %s phone, once, before %s. Treat it like a password:\n", whose, when(person.ExpiresAt))
	p.say("  %s\n", person.URL)
	if err := p.printQR(person.URL); err != nil {
		return err
	}
	if u, err := url.Parse(person.URL); err == nil && config.IsLoopback(u.Hostname()) {
		p.say("\nThis address works on this computer only. For a phone, let the platform listen to your")
		p.say("network, and then ask for the link again:")
		p.say("  humanops-mcp stop; humanops-mcp serve --listen 0.0.0.0:%s", u.Port())
	}
	return nil
}

func (p *program) addMany(ctx context.Context, c *client.Client, file string, roles, loops []string) error {
	people, err := p.readPeople(file)
	if err != nil {
		return err
	}
	added := make([]schemas.PersonWithLink, 0, len(people))
	for i, in := range people {
		in.Roles = roles
		person, err := c.AddPerson(ctx, in)
		if err == nil {
			err = addTo(ctx, c, person, loops)
		}
		if err != nil {
			return fmt.Errorf("%s (person %d of %d) was not added; those before were, and adding them again is harmless: %w", in.Name, i+1, len(people), err)
		}
		added = append(added, person)
	}
	if p.json {
		return p.printJSON(added)
	}
	rows := [][]string{{"NAME", "ID", "LINK, ONCE, BEFORE " + linkEnd(added)}}
	for _, person := range added {
		rows = append(rows, []string{plain(person.Name), person.OperatorID, person.URL})
	}
	return p.table(rows)
}

func linkEnd(people []schemas.PersonWithLink) string {
	if len(people) == 0 {
		return "-"
	}
	return when(people[0].ExpiresAt)
}

func (p *program) readPeople(file string) ([]schemas.AddPersonRequest, error) {
	in := p.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("the file of people cannot be read: %w", err)
		}
		defer f.Close()
		in = f
	}
	people, err := parsePeople(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(people) == 0 {
		return nil, fmt.Errorf("%s holds nobody. Write one person a line: name,email,phone", file)
	}
	return people, nil
}

// parsePeople reads name,email,phone, a person a line, with or without a heading.
func parsePeople(in io.Reader) ([]schemas.AddPersonRequest, error) {
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.TrimLeadingSpace, r.Comment = -1, true, '#'
	records, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	columns := []string{"name", "email", "phone"}
	var people []schemas.AddPersonRequest
	for i, record := range records {
		record[0] = strings.TrimPrefix(record[0], "\ufeff")
		if i == 0 && strings.EqualFold(strings.TrimSpace(record[0]), "name") {
			columns = record
			continue
		}
		person := newPerson(columns, record)
		if person.Name == "" {
			return nil, fmt.Errorf("person %d has no name", len(people)+1)
		}
		people = append(people, person)
	}
	return people, nil
}

func newPerson(columns, record []string) schemas.AddPersonRequest {
	var in schemas.AddPersonRequest
	for i, value := range record[:min(len(record), len(columns))] {
		switch value = strings.TrimSpace(value); strings.ToLower(strings.TrimSpace(columns[i])) {
		case "name":
			in.Name = value
		case "email":
			in.Email = value
		case "phone":
			in.Phone = value
		}
	}
	return in
}

func (p *program) peopleListCommand() *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:     "list",
		Short:   "List the people and whether they can be reached",
		Example: "  humanops-mcp people list\n  humanops-mcp people list --json",
		Args:    noArguments,
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, _ []string) error {
			people, err := everybody(ctx, c)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(people)
			}
			rows := [][]string{{"NAME", "ID", "ROLES", "REACHABLE", "ACTIVE", "LAST SEEN"}}
			for _, person := range people {
				rows = append(rows, []string{
					plain(person.Name), person.OperatorID, strings.Join(person.Roles, ","),
					either(person.Reachable, "yes", "no"), itoa(person.ActiveNow), when(person.LastSeenAt),
				})
			}
			return p.table(rows)
		}),
	})
}

func everybody(ctx context.Context, c *client.Client) ([]schemas.Person, error) {
	people := []schemas.Person{}
	page := schemas.PageRequest{Limit: 100}
	for {
		got, err := c.ListPeople(ctx, page)
		if err != nil {
			return nil, err
		}
		people = append(people, got.Data...)
		if page.Cursor = got.Pagination.NextCursor; page.Cursor == "" {
			return people, nil
		}
	}
}

func (p *program) peopleLinkCommand() *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:     "link NAME|ID",
		Short:   "Make a new one-time link for a person",
		Example: "  humanops-mcp people link Ada",
		Args:    arguments(cobra.ExactArgs(1), "one name or id; see people list"),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			person, err := c.CreateLink(ctx, schemas.PersonRequest{PersonID: args[0]})
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(person)
			}
			return p.showLink(person, false)
		}),
	})
}

func (p *program) peopleRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "remove NAME|ID",
		Short:   "Sign a person out everywhere and give their tasks back",
		Example: "  humanops-mcp people remove Ada",
		Args:    arguments(cobra.ExactArgs(1), "one name or id; see people list"),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			person, err := c.RemovePerson(ctx, schemas.PersonRequest{PersonID: args[0]})
			if err != nil {
				return err
			}
			p.say("%s (%s) is signed out, and their tasks were given back.", plain(person.Name), person.OperatorID)
			return nil
		}),
	}
}
