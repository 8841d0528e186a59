//go:build tools

// Package tools keeps go.mod's requirements: the programs are built by their import paths.
package tools

import _ "sigs.k8s.io/kueue/cmd/kueue"
