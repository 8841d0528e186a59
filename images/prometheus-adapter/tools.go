//go:build tools

// Names the programs whose modules go.mod pins.
package tools

import (
	_ "sigs.k8s.io/prometheus-adapter/cmd/adapter"
)
