//go:build tools

// kind itself, where the right version is not on PATH.
package tools

import _ "sigs.k8s.io/kind"
