//go:build tools

// Package tools names what is built, so that the module keeps it.
package tools

import _ "go.etcd.io/etcd/server/v3"
