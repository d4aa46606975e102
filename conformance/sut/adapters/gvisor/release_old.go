//go:build old

package main

// pathMTUDiscovery: TCP sends with DF clear, and sockets cannot ask for anything else.
const pathMTUDiscovery = "off"
