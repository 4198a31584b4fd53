package client

import (
	"context"

	"humanops-mcp/schemas"
)

// CheckKey tells an agent about its key (reviews contract §1.2). It is served without
// /api too, as everything is.
func (c *Client) CheckKey(ctx context.Context) (schemas.KeyCheck, error) {
	return call(ctx, c, schemas.CheckKey, schemas.Empty{})
}

// CreateLoop makes a loop: a circle of people who decide (reviews contract §1.5).
func (c *Client) CreateLoop(ctx context.Context, in schemas.CreateLoopRequest) (schemas.LoopCreated, error) {
	return call(ctx, c, schemas.CreateLoop, in)
}

// ListLoops lists the caller's loops and the house's.
func (c *Client) ListLoops(ctx context.Context, in schemas.ListLoopsRequest) (schemas.LoopList, error) {
	return call(ctx, c, schemas.ListLoops, in)
}

// GetLoop gives a loop with its members.
func (c *Client) GetLoop(ctx context.Context, in schemas.LoopRequest) (schemas.LoopAnswer, error) {
	return call(ctx, c, schemas.GetLoop, in)
}

// UpdateLoop changes what is given.
func (c *Client) UpdateLoop(ctx context.Context, in schemas.UpdateLoopRequest) (schemas.LoopAnswer, error) {
	return call(ctx, c, schemas.UpdateLoop, in)
}

// DeleteLoop deletes a loop and everything in it.
func (c *Client) DeleteLoop(ctx context.Context, in schemas.DeleteLoopRequest) (schemas.LoopDeleted, error) {
	return call(ctx, c, schemas.DeleteLoop, in)
}

// ListMembers lists a loop's members.
func (c *Client) ListMembers(ctx context.Context, in schemas.LoopRequest) (schemas.MemberList, error) {
	return call(ctx, c, schemas.ListMembers, in)
}

// AddMember puts a person of the house into a loop; one who waits is admitted.
func (c *Client) AddMember(ctx context.Context, in schemas.AddMemberRequest) (schemas.MemberAnswer, error) {
	return call(ctx, c, schemas.AddMember, in)
}

// RemoveMember takes a person out of a loop; what they had claimed returns to the others.
func (c *Client) RemoveMember(ctx context.Context, in schemas.MemberRequest) (schemas.MemberRemoved, error) {
	return call(ctx, c, schemas.RemoveMember, in)
}

// CreateInvitation makes a code with which people join a loop at once.
func (c *Client) CreateInvitation(ctx context.Context, in schemas.LoopRequest) (schemas.Invitation, error) {
	return call(ctx, c, schemas.CreateInvitation, in)
}

// RevokeInvitations ends every code of a loop.
func (c *Client) RevokeInvitations(ctx context.Context, in schemas.LoopRequest) (schemas.InvitationsRevoked, error) {
	return call(ctx, c, schemas.RevokeInvitations, in)
}

// JoinLoop brings the calling person into a loop.
func (c *Client) JoinLoop(ctx context.Context, in schemas.JoinLoopRequest) (schemas.MemberAnswer, error) {
	return call(ctx, c, schemas.JoinLoop, in)
}

// ListGroups lists the groups of the house.
func (c *Client) ListGroups(ctx context.Context, in schemas.PageRequest) (schemas.Page[schemas.Group], error) {
	return call(ctx, c, schemas.ListGroups, in)
}

// PutGroup makes a group or replaces its members.
func (c *Client) PutGroup(ctx context.Context, in schemas.PutGroupRequest) (schemas.Group, error) {
	return call(ctx, c, schemas.PutGroup, in)
}

// DeleteGroup deletes a group; its people stay.
func (c *Client) DeleteGroup(ctx context.Context, in schemas.GroupRequest) (schemas.Empty, error) {
	return call(ctx, c, schemas.DeleteGroup, in)
}

// GetAvailability tells when a person may be asked.
func (c *Client) GetAvailability(ctx context.Context, in schemas.PersonRequest) (schemas.Availability, error) {
	return call(ctx, c, schemas.GetAvailability, in)
}

// PutAvailability changes it. People change their own; the owner everybody's.
func (c *Client) PutAvailability(ctx context.Context, in schemas.PutAvailabilityRequest) (schemas.Availability, error) {
	return call(ctx, c, schemas.PutAvailability, in)
}
