package page

import (
	"bytes"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/a-h/templ"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// writer turns Markdown into HTML that holds nothing but words and links: HTML is not
// known to it and stays text, link definitions are text too, so that nothing is hidden,
// and an image is a link, because showing it would tell its server who looks.
var writer = sync.OnceValue(func() goldmark.Markdown {
	return goldmark.New(
		goldmark.WithParser(parser.NewParser(
			parser.WithBlockParsers(without(parser.DefaultBlockParsers(), parser.NewHTMLBlockParser())...),
			parser.WithInlineParsers(without(parser.DefaultInlineParsers(), parser.NewRawHTMLParser())...),
		)),
		goldmark.WithExtensions(
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
			extension.Strikethrough, extension.Linkify,
		),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(links{}, 100))),
	)
})

// without leaves out the parser of one kind.
func without(list []util.PrioritizedValue, kind any) []util.PrioritizedValue {
	name := fmt.Sprintf("%T", kind)
	return slices.DeleteFunc(list, func(v util.PrioritizedValue) bool { return fmt.Sprintf("%T", v.Value) == name })
}

// markdown is an agent's Markdown as HTML. Hidden characters are marked in what comes
// out, where entities are resolved already.
func markdown(source string) templ.Component {
	var out bytes.Buffer
	if err := writer().Convert([]byte(source), &out); err != nil {
		return templ.Raw("<pre>" + html.EscapeString(plain(source)) + "</pre>")
	}
	return templ.Raw(plain(out.String()))
}

// hidesMarkdown tells whether what a reader sees would hold hidden characters.
func hidesMarkdown(source string) bool {
	var out bytes.Buffer
	return hides(source) || writer().Convert([]byte(source), &out) == nil && hides(out.String())
}

// links writes the nodes that lead elsewhere, and headings below the page's own.
type links struct{}

// RegisterFuncs takes the nodes over.
func (links) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindLink, link)
	r.Register(ast.KindImage, image)
	r.Register(ast.KindAutoLink, autoLink)
	r.Register(ast.KindHeading, heading)
}

// opened is the start of a link to an address that may be opened, "" for any other.
func opened(address string) string {
	u, err := url.Parse(address)
	if err != nil || !slices.Contains([]string{"http", "https", "mailto"}, strings.ToLower(u.Scheme)) {
		return ""
	}
	return `<a href="` + html.EscapeString(u.String()) + `" rel="noopener noreferrer nofollow" target="_blank">`
}

// shownAddress is an address in words.
func shownAddress(address, title string) string {
	if title != "" {
		address += " — " + title
	}
	return ` <span class="address">(` + html.EscapeString(address) + `)</span>`
}

func link(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n, ok := node.(*ast.Link)
	if !ok {
		return ast.WalkContinue, nil
	}
	start := opened(string(n.Destination))
	if entering {
		_, err := w.WriteString(start)
		return ast.WalkContinue, err
	}
	if start != "" {
		_, _ = w.WriteString("</a>") // a buffer: it keeps the error for the flush
	}
	_, err := w.WriteString(shownAddress(string(n.Destination), string(n.Title)))
	return ast.WalkContinue, err
}

func image(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n, ok := node.(*ast.Image)
	if !ok {
		return ast.WalkContinue, nil
	}
	start := opened(string(n.Destination))
	if entering {
		_, err := w.WriteString(start + "Image: ")
		return ast.WalkContinue, err
	}
	if start != "" {
		_, _ = w.WriteString("</a>") // a buffer: it keeps the error for the flush
	}
	_, err := w.WriteString(shownAddress(string(n.Destination), string(n.Title)))
	return ast.WalkContinue, err
}

func autoLink(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n, ok := node.(*ast.AutoLink)
	if !ok || !entering {
		return ast.WalkContinue, nil
	}
	address, label := string(n.URL(source)), html.EscapeString(string(n.Label(source)))
	if n.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(strings.ToLower(address), "mailto:") {
		address = "mailto:" + address
	}
	if start := opened(address); start != "" {
		label = start + label + "</a>"
	}
	_, err := w.WriteString(label)
	return ast.WalkContinue, err
}

func heading(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n, ok := node.(*ast.Heading)
	if !ok {
		return ast.WalkContinue, nil
	}
	format := "</h%d>\n"
	if entering {
		format = "<h%d>"
	}
	_, err := fmt.Fprintf(w, format, min(n.Level+2, 6))
	return ast.WalkContinue, err
}
