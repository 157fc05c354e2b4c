package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

func httpURL(path string) string {
	return "http://127.0.0.1:" + os.Getenv("HTTP_PORT") + path
}

// ask returns the status, the response without its body, and the body.
func ask(method, path, body string) (int, *http.Response, string) {
	request, err := http.NewRequest(method, httpURL(path), strings.NewReader(body))
	ok(err)
	response, err := http.DefaultClient.Do(request)
	ok(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	ok(err)
	return response.StatusCode, response, string(text)
}

func httpCommand(words string) string {
	response, err := http.Post(httpURL("/command"), "application/json", strings.NewReader(words))
	ok(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	ok(err)
	return string(text)
}

func httpPushAndPop() {
	for _, message := range []string{"one", binary(), large()} {
		status, _, body := ask("POST", "/queues/jobs", message)
		equal(202, status)
		equal("{\"length\":1}\n", body)
		status, _, body = ask("GET", "/queues/jobs", "")
		equal(200, status)
		holds(body == message, len(body))
	}
	status, _, _ := ask("GET", "/queues/jobs", "")
	equal(204, status)
}

func httpLongPolls() {
	var group sync.WaitGroup
	got := make(chan string, 20)
	for i := 0; i < 20; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			_, _, body := ask("GET", "/queues/jobs?wait=20", "")
			got <- body
		}()
	}
	waitUntil("they wait", func() bool {
		return strings.Count(httpCommand(`["CLIENT","LIST"]`), "flags=b") == 20
	})
	for i := 0; i < 20; i++ {
		ask("POST", "/queues/jobs", fmt.Sprint(i))
	}
	group.Wait()
	seen := map[string]bool{}
	for i := 0; i < 20; i++ {
		seen[<-got] = true
	}
	equal(20, len(seen))
}

func httpReceipts() {
	httpCommand(`["QUEUE","POLICY","SET","leases","lease*","delivery","at-least-once","acknowledge","explicit"]`)
	ask("POST", "/queues/lease", "x")
	status, response, body := ask("GET", "/queues/lease?wait=5&lease=30", "")
	equal(200, status)
	equal("x", body)
	path := "/queues/lease/inflight/" + response.Header.Get("Tidegate-Receipt")
	status, _, _ = ask("POST", path+"/return", "")
	equal(204, status)
	_, response, _ = ask("GET", "/queues/lease?wait=5", "")
	equal("2", response.Header.Get("Tidegate-Deliveries"))
	path = "/queues/lease/inflight/" + response.Header.Get("Tidegate-Receipt")
	status, _, _ = ask("DELETE", path, "")
	equal(204, status)
	status, _, _ = ask("DELETE", path, "")
	equal(404, status)
}

func httpStream() {
	limited, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, "GET", httpURL("/channels/news"), nil)
	ok(err)
	response, err := http.DefaultClient.Do(request)
	ok(err)
	defer response.Body.Close()
	equal("text/event-stream", response.Header.Get("Content-Type"))
	_, _, body := ask("POST", "/channels/news", "it rains")
	equal("{\"receivers\":1}\n", body)
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if lines.Text() == "data: it rains" {
			return
		}
	}
	panic("the stream has ended")
}

func httpChecks() bool {
	checks := []check{
		{"push and pop", httpPushAndPop},
		{"long polls", httpLongPolls},
		{"receipts", httpReceipts},
		{"a stream", httpStream},
	}
	return run("HTTP with Go", checks, func() { httpCommand(`["FLUSHALL"]`) })
}
