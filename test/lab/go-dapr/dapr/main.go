// One binary for every part of Dapr: one compile, one image. The name it is called by chooses the part.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	injector "github.com/dapr/dapr/cmd/injector/app"
	operator "github.com/dapr/dapr/cmd/operator/app"
	placement "github.com/dapr/dapr/cmd/placement/app"
	sentry "github.com/dapr/dapr/cmd/sentry/app"
)

var parts = map[string]func(){
	"daprd":     daprd,
	"injector":  injector.Run,
	"operator":  operator.Run,
	"placement": placement.Run,
	"sentry":    sentry.Run,
}

func main() {
	name := filepath.Base(os.Args[0])
	run, known := parts[name]
	if !known {
		fmt.Fprintf(os.Stderr, "called as %q: link it under the name of a part of Dapr\n", name)
		os.Exit(2)
	}
	run()
}
