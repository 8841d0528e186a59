//go:build tools

// Package tools keeps go.mod's requirements: the program is built by its import path.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
