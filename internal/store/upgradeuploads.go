package store

import (
	"context"
	"database/sql"
	"regexp"

	"github.com/pressly/goose/v3"
)

// uploadsVersion is the migration that reads which files the requests of before name. SQL
// alone would compare every request with every file.
const uploadsVersion = 11

// namedUploads is that migration, in the placeholders of one database.
func namedUploads(dialect goose.Dialect) *goose.Migration {
	return goose.NewGoMigration(uploadsVersion, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		u := upgradeOn(dialect)
		u.tx = tx
		return wrap("reading which files requests name", u.nameUploads(ctx))
	}}, nil)
}

// naming is a request, or one of its earlier rounds, with all its words.
type naming struct{ reviewID, loopID, agentID, words string }

func scanNaming(rows *sql.Rows) (n naming, err error) {
	err = rows.Scan(&n.reviewID, &n.loopID, &n.agentID, &n.words)
	return n, err
}

// nameUploads goes through the requests in slices, each with the rounds of its requests.
func (u upgrade) nameUploads(ctx context.Context) error {
	address := regexp.MustCompile("/uploads/([0-9a-f]{24})")
	for after := ""; ; {
		requests, err := collect(ctx, u, scanNaming, `SELECT id, loop_id, agent_id, media || ' ' || request_text || ' ' || context
FROM reviews WHERE id > $1 ORDER BY id LIMIT 500`, after)
		if err != nil || len(requests) == 0 {
			return err
		}
		last := requests[len(requests)-1].reviewID
		rounds, err := collect(ctx, u, scanNaming, `SELECT r.id, r.loop_id, r.agent_id, e.media || ' ' || e.request_text || ' ' || e.context
FROM review_rounds e JOIN reviews r ON r.id = e.review_id WHERE e.review_id > $1 AND e.review_id <= $2`, after, last)
		if err != nil {
			return err
		}
		for _, n := range append(requests, rounds...) {
			for _, m := range address.FindAllStringSubmatch(n.words, -1) {
				if err := u.nameUpload(ctx, n, m[1]); err != nil {
					return err
				}
			}
		}
		after = last
	}
}

func (u upgrade) nameUpload(ctx context.Context, n naming, id string) error {
	return u.exec(ctx, `INSERT INTO review_uploads (upload_id, loop_id, review_id)
SELECT f.id, $1, $2 FROM uploads f WHERE f.id = $3 AND f.agent_id = $4 ON CONFLICT DO NOTHING`, n.loopID, n.reviewID, id, n.agentID)
}
