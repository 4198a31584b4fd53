package ask

import (
	"context"
	"regexp"
	"strings"
	"sync"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// UploadPath is what stands before an uploaded file's id in its address.
const UploadPath = "/uploads/"

var uploadAddress = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(UploadPath + "([0-9a-fA-F]{24})") })

// NameUploads writes down which uploaded files a request names in what it shows, so that
// they are found by the file. What it named before stays: it may stand in an earlier round.
func NameUploads(ctx context.Context, tx *store.Tx, r db.Review) error {
	for _, text := range []string{r.Media, r.RequestText, r.Context} {
		if !strings.Contains(text, UploadPath) {
			continue
		}
		for _, m := range uploadAddress().FindAllStringSubmatch(text, -1) {
			if err := tx.NameUpload(ctx, db.NameUploadParams{UploadID: strings.ToLower(m[1]), LoopID: r.LoopID, ReviewID: r.ID}); err != nil {
				return err
			}
		}
	}
	return nil
}
