//go:build tools

// Programs that are built from this module beside its own commands.
package tools

import (
	_ "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
	_ "github.com/rancher/local-path-provisioner"
	_ "helm.sh/helm/v3/cmd/helm"
	_ "sigs.k8s.io/metrics-server/cmd/metrics-server"
)
