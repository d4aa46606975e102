module adapter

go 1.26.3

require (
	golang.org/x/sys v0.12.0
	golang.org/x/time v0.0.0-20220210224613-90d013bbcef8
	gvisor.dev/gvisor v0.0.0-20230927004350-cbd86285d259
)

require github.com/google/btree v1.0.1 // indirect
