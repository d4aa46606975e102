//go:build !old

package main

// pathMTUDiscovery: TCP sends with DF set unless a socket says otherwise.
const pathMTUDiscovery = "on"
