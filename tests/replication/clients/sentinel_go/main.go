// go-redis through a failover: see ../../clients.py. The client is a pool, shared by the loops.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
)

var background = context.Background()

func forever(step func() error) {
	go func() {
		for {
			if err := step(); err != nil && !errors.Is(err, redis.Nil) {
				fmt.Println("error", err)
				time.Sleep(50 * time.Millisecond)
			}
		}
	}()
}

func main() {
	var addresses []string
	for _, port := range os.Args[1:] {
		addresses = append(addresses, "127.0.0.1:"+port)
	}
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName:    "queues",
		SentinelAddrs: addresses,
		DialTimeout:   time.Second,
	})
	next := 0
	forever(func() error {
		message := fmt.Sprint(next)
		next++
		fmt.Println("sent", message)
		err := client.RPush(background, "work", message).Err()
		if err == nil {
			fmt.Println("pushed", message)
			time.Sleep(2 * time.Millisecond)
		}
		return err
	})
	consume := func(queue, word string) {
		forever(func() error {
			popped, err := client.BLPop(background, 2*time.Second, queue).Result()
			if err == nil {
				fmt.Println(word, popped[1])
			}
			return err
		})
	}
	consume("work", "popped")
	consume("quiet", "woken")
	_, _ = io.Copy(io.Discard, os.Stdin)
}
