package event

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// Each trail is a chain of its own, so that no change waits for another. Anchors tie them
// together afterwards: each covers the entries numbered since the one before, and holds its
// hash. Who keeps one anchor's hash elsewhere can tell later whether anything before it was
// changed, and whether a whole trail, or its end, is gone.

const (
	anchorSlice = 1000    // hashes read at once
	anchorMost  = 100_000 // entries under one anchor
)

// Anchor covers the entries that were numbered since the last anchor. Without any it
// writes nothing. It is for a periodic job.
func Anchor(ctx context.Context, tx *store.Tx) error {
	last, err := lastAnchor(ctx, tx)
	if err != nil {
		return err
	}
	end, err := tx.LastSeq(ctx)
	if err != nil || end <= last.Seq {
		return err
	}
	next, err := anchorAfter(ctx, tx, last, min(end, last.Seq+anchorMost), store.Micros(tx.Now()))
	if err != nil {
		return err
	}
	_, err = tx.InsertAnchor(ctx, db.InsertAnchorParams(next))
	return err
}

// anchorAfter is the anchor over the entries between the one before and a place.
func anchorAfter(ctx context.Context, tx *store.Tx, before db.Anchor, seq, at int64) (db.Anchor, error) {
	text, entries, err := digest(ctx, tx, before.Seq, seq)
	next := db.Anchor{N: before.N + 1, Seq: seq, Entries: entries, Digest: text, Previous: before.Hash, CreatedAt: at}
	next.Hash = anchorHash(next)
	return next, err
}

func lastAnchor(ctx context.Context, tx *store.Tx) (db.Anchor, error) {
	last, err := tx.LastAnchor(ctx)
	if store.NotFound(err) {
		return db.Anchor{}, nil
	}
	return last, err
}

// digest is over the hashes of the entries between two places, in their order.
func digest(ctx context.Context, tx *store.Tx, after, until int64) (text string, entries int64, err error) {
	sum := sha256.New()
	for {
		rows, err := tx.HashesAfter(ctx, db.HashesAfterParams{After: after, Until: until, Count: anchorSlice})
		if err != nil {
			return "", 0, err
		}
		for _, row := range rows {
			writeLine(sum, row.Hash)
			after = row.Seq.Int64
		}
		entries += int64(len(rows))
		if len(rows) < anchorSlice {
			return hex.EncodeToString(sum.Sum(nil)), entries, nil
		}
	}
}

func writeLine(sum hash.Hash, text string) { sum.Write([]byte(text + "\n")) }

func anchorHash(a db.Anchor) string {
	sum := sha256.New()
	writeLine(sum, fmt.Sprintf("%d %d %d %d", a.N, a.Seq, a.Entries, a.CreatedAt))
	writeLine(sum, a.Digest)
	writeLine(sum, a.Previous)
	return hex.EncodeToString(sum.Sum(nil))
}

// CheckAnchors recomputes every anchor behind one that was checked before, from the trails as
// they are, each in a read of its own, so that it holds nobody up. Of the one before it makes
// sure that it still is what it was; the zero Anchor stands before the first. It tells seen
// of how many entries each covers, and gives the last anchor. A conflict names one that does
// not fit.
func CheckAnchors(ctx context.Context, s *store.Store, from db.Anchor, seen func(entries int64)) (db.Anchor, error) {
	last, err := sameAnchor(ctx, s, from)
	for done := false; !done && err == nil; {
		err = s.Read(ctx, func(tx *store.Tx) error {
			list, err := tx.ListAnchors(ctx, db.ListAnchorsParams{After: last.N, RowLimit: 1})
			if err != nil || len(list) == 0 {
				done = true
				return err
			}
			if err := checkAnchor(ctx, tx, last, list[0]); err != nil {
				return err
			}
			last = list[0]
			seen(last.Entries)
			return nil
		})
	}
	return last, err
}

// sameAnchor makes sure that an anchor is as it was.
func sameAnchor(ctx context.Context, s *store.Store, a db.Anchor) (db.Anchor, error) {
	if a.N == 0 {
		return a, nil
	}
	return a, s.Read(ctx, func(tx *store.Tx) error {
		list, err := tx.ListAnchors(ctx, db.ListAnchorsParams{After: a.N - 1, RowLimit: 1})
		if err == nil && (len(list) == 0 || list[0] != a) {
			return misfit(a)
		}
		return err
	})
}

func checkAnchor(ctx context.Context, tx *store.Tx, before, a db.Anchor) error {
	found, err := anchorAfter(ctx, tx, before, a.Seq, a.CreatedAt)
	if err != nil {
		return err
	}
	if found != a {
		return misfit(a)
	}
	return nil
}

func misfit(a db.Anchor) error {
	return schemas.NewError(schemas.CodeConflict, fmt.Sprintf("anchor %d does not fit the trails: entries from before %s were changed or taken away",
		a.N, store.Time(a.CreatedAt).Format("2006-01-02 15:04:05 UTC")))
}
