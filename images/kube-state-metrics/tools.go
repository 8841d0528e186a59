//go:build tools

// Names the programs whose modules go.mod pins.
package tools

import (
	_ "k8s.io/kube-state-metrics/v2"
)
