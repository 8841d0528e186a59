//go:build tools

// The cluster's database.
package tools

import _ "go.etcd.io/etcd/server/v3"
