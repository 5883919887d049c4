//go:debug tls10server=1
//go:debug tlsunsafeekm=1
//go:debug default=go1.20
package main

func main() {}
