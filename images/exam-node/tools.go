//go:build tools

// What a node of the exam's cluster has beside what a node needs: the programs that people look after one with.
package tools

import (
	_ "go.etcd.io/etcd/etcdctl/v3"
	_ "go.etcd.io/etcd/etcdutl/v3"
	_ "sigs.k8s.io/cri-tools/cmd/crictl"
)
