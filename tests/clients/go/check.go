package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"time"
)

const (
	checkTimeout = 30 * time.Second
	patience     = 20 * time.Second
)

// A check is run by name. It panics when what it finds is wrong.
type check struct {
	name string
	body func()
}

// run reports each check, and whether one has failed.
func run(subject string, checks []check, beforeEach func()) bool {
	failed := false
	for _, one := range checks {
		if failure := failureOf(one.body, beforeEach); failure != "" {
			failed = true
			fmt.Printf("FAILED %s: %s\n", subject, one.name)
			fmt.Printf("    %s\n", strings.ReplaceAll(failure, "\n", "\n    "))
		} else {
			fmt.Printf("ok %s: %s\n", subject, one.name)
		}
	}
	return failed
}

func failureOf(body, beforeEach func()) string {
	outcome := make(chan string, 1)
	go func() {
		defer func() {
			if failure := recover(); failure != nil {
				outcome <- fmt.Sprintf("%v\n%s", failure, debug.Stack())
			}
		}()
		beforeEach()
		body()
		outcome <- ""
	}()
	select {
	case failure := <-outcome:
		return failure
	case <-time.After(checkTimeout):
		return "the check does not end"
	}
}

func waitUntil(what string, condition func() bool) {
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			panic(fmt.Sprintf("not within %v: %s", patience, what))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func equal(expected, actual interface{}) {
	if !reflect.DeepEqual(expected, actual) {
		panic(fmt.Sprintf("expected %v, got %v", expected, actual))
	}
}

func holds(condition bool, shown interface{}) {
	if !condition {
		panic(fmt.Sprintf("unexpected: %v", shown))
	}
}

func ok(err error) {
	if err != nil {
		panic(err)
	}
}

func expectError(text string, err error) {
	holds(err != nil && strings.Contains(err.Error(), text), err)
}

// All values of a byte, and what would be understood if it were not counted.
func binary() string {
	var all bytes.Buffer
	for value := 0; value < 256; value++ {
		all.WriteByte(byte(value))
	}
	all.WriteString("\r\n$5\r\n\x00")
	return all.String()
}

func large() string {
	payload := make([]byte, 10_000_000)
	rand.New(rand.NewSource(1)).Read(payload)
	return string(payload)
}

func port() string {
	return os.Getenv("SERVER_PORT")
}
