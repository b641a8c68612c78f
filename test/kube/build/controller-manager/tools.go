//go:build tools

// Package tools names what is built, so that the module keeps it.
package tools

import _ "k8s.io/kubernetes/cmd/kube-controller-manager"
