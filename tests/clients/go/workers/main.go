// Eight workers in one process, as people write them in Go: goroutines over the pool of a client, which
// acknowledge by value. `go_workers PORT QUEUE`. What the process prints is as in shared_workers.py.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
)

func main() {
	port, queue := os.Args[1], os.Args[2]
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
	for worker := 0; worker < 8; worker++ {
		go work(client, queue)
	}
	select {}
}

func work(client *redis.Client, queue string) {
	background := context.Background()
	for {
		popped, err := client.BLPop(background, 0, queue).Result()
		if err != nil {
			panic(err)
		}
		message := popped[1]
		say("took", message)
		time.Sleep(time.Duration(1+rand.Intn(9)) * time.Millisecond)
		say("done", message)
		err = client.Do(background, "QUEUE", "ACK", queue, "VALUE", message).Err()
		if err != nil {
			panic(err)
		}
	}
}

// A line in one write, so that those of several goroutines do not mix.
func say(word, message string) {
	os.Stdout.WriteString(fmt.Sprintf("%s %s\n", word, message))
}
