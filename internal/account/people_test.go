package account_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

func TestAddPerson(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ada := write(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Name: "Ada  Lovelace\x00\u202e"})
		t.Run("makes an operator with a link", func(t *testing.T) {
			require.True(t, ada.Created)
			require.Equal(t, "Ada Lovelace", ada.Name)
			require.Equal(t, []string{"operator"}, ada.Roles)
			require.Equal(t, b.clock.Now().Add(account.DefaultLinkTTL), ada.ExpiresAt)
			require.False(t, ada.Reachable)
			b.requireNotStored(linkToken(t, ada.URL))
		})
		t.Run("finds the same person by the name in any case, with a new link", func(t *testing.T) {
			again := write(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Name: "ada LOVELACE", Email: "ada@example.com"})
			require.False(t, again.Created)
			require.Equal(t, ada.OperatorID, again.OperatorID)
			require.Equal(t, "Ada Lovelace", again.Name)
			require.Equal(t, "ada@example.com", again.Email)
			require.NotEqual(t, ada.URL, again.URL)
		})
		t.Run("adds roles and keeps what is not given", func(t *testing.T) {
			again := write(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Name: "Ada Lovelace", Roles: []string{"owner"}})
			require.Equal(t, []string{"owner", "operator"}, again.Roles)
			require.Equal(t, "ada@example.com", again.Email)
		})
		t.Run("me is the owner, who becomes an operator", func(t *testing.T) {
			for _, in := range []schemas.AddPersonRequest{{Name: "Me"}, {Me: true}} {
				out := write(b, account.Caller{}, b.AddPerson, in)
				require.False(t, out.Created)
				require.Equal(t, "Owner", out.Name)
				require.Equal(t, []string{"owner", "operator"}, out.Roles)
			}
		})
		t.Run("me with a name names the owner, unless somebody else has it", func(t *testing.T) {
			out := write(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Me: true, Name: "Grace"})
			require.Equal(t, "Grace", out.Name)
			_, err := try(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Me: true, Name: "ada lovelace"})
			requireCode(t, schemas.CodeConflict, err)
		})
		t.Run("me is the owner who asks, where there are several", func(t *testing.T) {
			out := write(b, account.Caller{PersonID: ada.OperatorID, Owner: true}, b.AddPerson, schemas.AddPersonRequest{Me: true})
			require.Equal(t, ada.OperatorID, out.OperatorID)
		})
		t.Run("tells every problem at once", func(t *testing.T) {
			_, err := try(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{
				Name: "\t", Email: "nowhere", Phone: strings.Repeat("1", 41), Roles: []string{"operator", "king"},
			})
			requireCode(t, schemas.CodeInvalid, err)
			var e *schemas.Error
			require.ErrorAs(t, err, &e)
			fields := []string{}
			for _, f := range e.Fields {
				fields = append(fields, f.Field)
			}
			require.Equal(t, []string{"name", "email", "phone", "roles[1]"}, fields)
		})
		t.Run("of ten at once with one name, one is created and all are the same person", func(t *testing.T) {
			ids, created := make([]schemas.PersonWithLink, 10), 0
			won, _ := together(10, func(i int) (err error) {
				ids[i], err = try(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Name: "Linus"})
				return err
			})
			require.Equal(t, 10, won)
			for _, p := range ids {
				require.Equal(t, ids[0].OperatorID, p.OperatorID)
				if p.Created {
					created++
				}
			}
			require.Equal(t, 1, created)
		})
	})
}

func TestFindPerson(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		find := func(name string) (string, error) {
			return read(b, func(ctx context.Context, tx *store.Tx, name string) (string, error) {
				p, err := b.FindPerson(ctx, tx, name)
				return p.ID, err
			}, name)
		}
		ada := b.add("Ada")
		t.Run("finds by id, by name in any case, and the owner as me", func(t *testing.T) {
			for _, name := range []string{ada.OperatorID, "Ada", " ADA "} {
				id, err := find(name)
				require.NoError(t, err)
				require.Equal(t, ada.OperatorID, id)
			}
			owner, err := find("owner")
			require.NoError(t, err)
			id, err := find("me")
			require.NoError(t, err)
			require.Equal(t, owner, id)
		})
		t.Run("an unknown name lists those that are known", func(t *testing.T) {
			_, err := find("Bob")
			requireCode(t, schemas.CodeNotFound, err)
			require.Contains(t, err.Error(), `There is no person called "Bob". Known people: Owner, Ada.`)
		})
		t.Run("at most ten of them", func(t *testing.T) {
			for i := range 12 {
				b.add(fmt.Sprintf("P%02d", i))
			}
			_, err := find("Bob")
			require.Contains(t, err.Error(), "and others.")
			require.Equal(t, 9, strings.Count(err.Error(), ","))
		})
		t.Run("simulated people are nobody's to find", func(t *testing.T) {
			for _, name := range []string{"op_simulated0000001", "Simulated operator 1"} {
				_, err := find(name)
				requireCode(t, schemas.CodeNotFound, err)
			}
		})
	})
}

func TestListPeople(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for _, name := range []string{"Ada", "Bob", "Cyd"} {
			b.add(name)
		}
		t.Run("holds the people of the house, never the simulated ones", func(t *testing.T) {
			names, in := []string{}, schemas.PageRequest{Limit: 3}
			for {
				page := write(b, account.Caller{}, b.ListPeople, in)
				require.Equal(t, 4, page.Pagination.Total)
				for _, p := range page.Data {
					names = append(names, p.Name)
				}
				if in.Cursor = page.Pagination.NextCursor; in.Cursor == "" {
					break
				}
			}
			require.Equal(t, []string{"Owner", "Ada", "Bob", "Cyd"}, names)
		})
		t.Run("counts the tasks that a person has", func(t *testing.T) {
			ada := b.add("Ada")
			agent := b.keyCaller(b.credentials.LiveKey).AgentID
			for i, holder := range []string{ada.OperatorID, ada.OperatorID, ""} {
				b.exec(`INSERT INTO subjects (id, kind, agent_id, mode, state, claimed_by, created_at, updated_at) VALUES ($1, 'task', $2, 'live', 's', $3, 1, 1)`,
					fmt.Sprintf("task_%d", i), agent, holder)
			}
			require.Equal(t, 2, write(b, account.Caller{}, b.ListPeople, schemas.PageRequest{}).Data[1].ActiveNow)
		})
	})
}

func TestRemovePerson(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var told []string
		b.OnRemove(func(_ context.Context, _ *store.Tx, personID string) error {
			told = append(told, personID)
			return nil
		})
		ada := b.add("Ada")
		session := b.signIn(ada.URL)
		unused := b.add("Ada")

		t.Run("ends sessions and links and tells the hook", func(t *testing.T) {
			out := write(b, account.Caller{}, b.RemovePerson, schemas.PersonRequest{PersonID: "ada"})
			require.Equal(t, ada.OperatorID, out.OperatorID)
			require.False(t, out.Reachable)
			require.Equal(t, []string{ada.OperatorID}, told)
			_, err := read(b, b.AuthenticateToken, session)
			requireCode(t, schemas.CodeUnauthenticated, err)
			requireCode(t, schemas.CodeGone, b.trySignIn(linkToken(t, unused.URL)))
			require.Empty(t, b.reach("live"))
		})
		t.Run("a removed person is not found, by name or id", func(t *testing.T) {
			for _, name := range []string{"Ada", ada.OperatorID} {
				_, err := try(b, account.Caller{}, b.RemovePerson, schemas.PersonRequest{PersonID: name})
				requireCode(t, schemas.CodeNotFound, err)
			}
		})
		t.Run("the name is free again, for somebody new", func(t *testing.T) {
			again := b.add("Ada")
			require.True(t, again.Created)
			require.NotEqual(t, ada.OperatorID, again.OperatorID)
		})
		t.Run("the only owner stays", func(t *testing.T) {
			_, err := try(b, account.Caller{}, b.RemovePerson, schemas.PersonRequest{PersonID: "me"})
			requireCode(t, schemas.CodeConflict, err)
		})
		t.Run("of two owners who remove each other at once, one stays", func(t *testing.T) {
			write(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Name: "Second", Roles: []string{"owner"}})
			names := []string{"Owner", "Second"}
			won, errs := together(2, func(i int) error {
				_, err := try(b, account.Caller{}, b.RemovePerson, schemas.PersonRequest{PersonID: names[i]})
				return err
			})
			require.Equal(t, 1, won)
			requireCode(t, schemas.CodeConflict, errs[0])
		})
		t.Run("nothing happens when the hook fails", func(t *testing.T) {
			b.OnRemove(func(context.Context, *store.Tx, string) error { return errors.New("no") })
			_, err := try(b, account.Caller{}, b.RemovePerson, schemas.PersonRequest{PersonID: "Ada"})
			require.ErrorContains(t, err, "no")
			require.False(t, b.add("Ada").Created)
		})
	})
}

func TestInReach(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		t.Run("nobody at first, and three simulated operators in test mode", func(t *testing.T) {
			require.Empty(t, b.reach("live"))
			require.Equal(t, []string{"Simulated operator 1", "Simulated operator 2", "Simulated operator 3"}, b.reach("test"))
		})
		t.Run("a person counts once they have signed in", func(t *testing.T) {
			me := b.add("me")
			require.Empty(t, b.reach("live"))
			b.signIn(me.URL)
			require.Equal(t, []string{"Owner"}, b.reach("live"))
		})
		t.Run("or when notices reach them by mail", func(t *testing.T) {
			b.clock.Advance(time.Second)
			write(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Name: "Ada", Email: "ada@example.com"})
			require.Equal(t, []string{"Owner", "Ada"}, b.reach("live"))
			b.Service = account.NewService(account.Config{NoMail: true})
			require.Equal(t, []string{"Owner"}, b.reach("live"))
		})
		t.Run("an owner who is no operator does not count", func(t *testing.T) {
			boss := write(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Name: "Boss", Email: "boss@example.com", Roles: []string{"owner"}})
			require.True(t, boss.Created)
			require.NotContains(t, b.reach("live"), "Boss")
		})
		t.Run("what the commands do is no sign-in", func(t *testing.T) {
			b.exec(`UPDATE people SET last_seen_at = 0`)
			b.clock.Advance(account.DefaultLinkTTL)
			c, err := read(b, b.AuthenticateToken, b.credentials.OwnerToken)
			require.NoError(t, err)
			require.True(t, c.Stale)
			b.touch(c)
			require.Empty(t, b.reach("live"))
		})
	})
}
