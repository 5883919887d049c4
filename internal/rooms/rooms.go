// Package rooms tests which packages of this module may import which.
package rooms
