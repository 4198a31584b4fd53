package main

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quietZone is the light margin that cameras need around a QR code.
const quietZone = 2

// printQR draws text as a QR code. A character holds two modules, one above the other.
// Light modules are drawn, white on black, whatever the terminal's own colours are.
func (p *program) printQR(text string) error {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return fmt.Errorf("draw the link as a QR code: %w", err)
	}
	var b strings.Builder
	colour, reset := "", ""
	if p.terminal() {
		colour, reset = "\x1b[97;40m", "\x1b[0m"
	}
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		b.WriteString("  " + colour)
		for x := -quietZone; x < code.Size+quietZone; x++ {
			lower := y+1 < code.Size+quietZone && !code.Black(x, y+1)
			b.WriteString(halves(!code.Black(x, y), lower))
		}
		b.WriteString(reset + "\n")
	}
	_, err = fmt.Fprint(p.stdout, b.String())
	return err
}

func halves(upper, lower bool) string {
	switch {
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}
