//go:build tools

// The module whose folder holds the definitions of the Gateway API's resources.
package tools

import _ "sigs.k8s.io/gateway-api/apis/v1"
