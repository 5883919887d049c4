//go:build !unix

package kafkaseal_test

const childVariable = "KAFKASEAL_TEST_CHILD"

func child(string) bool { return false }
