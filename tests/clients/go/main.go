// go-redis, with the handshake that it makes by itself and with each protocol asked for.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	background = context.Background()
	protocol   = os.Args[1]
	client     = connect("")
	other      = connect("")
	blocked    = regexp.MustCompile(`\bflags=\w*b`)
)

// connect makes a client with a pool of connections, the one kind that there is.
func connect(name string) *redis.Client {
	return redis.NewClient(options(name))
}

func options(name string) *redis.Options {
	options := &redis.Options{Addr: "127.0.0.1:" + port(), ClientName: name}
	if protocol != "default" {
		options.Protocol, _ = strconv.Atoi(protocol)
	}
	return options
}

// whileBlocked starts a call, does the rest once it waits, and returns when it has its reply.
func whileBlocked(call, then func()) {
	served := make(chan struct{})
	go func() {
		call()
		close(served)
	}()
	waitUntil("a blocked client", func() bool {
		return blocked.MatchString(other.ClientList(background).Val())
	})
	then()
	select {
	case <-served:
	case <-time.After(patience):
		panic("no reply to a call that waits")
	}
}

// entryOf finds a client's line of CLIENT LIST by one of its fields.
func entryOf(field string) string {
	list := other.ClientList(background).Val()
	for _, line := range strings.Split(list, "\n") {
		if entry := " " + line + " "; strings.Contains(entry, " "+field+" ") {
			return entry
		}
	}
	panic("no " + field + " in " + list)
}

func speaksTheProtocol() {
	named := connect("worker")
	defer named.Close()
	equal("worker", named.ClientGetName(background).Val())
	resp := " resp=3 "
	if protocol == "2" {
		resp = " resp=2 "
	}
	holds(strings.Contains(entryOf("name=worker"), resp), entryOf("name=worker"))
}

func pushAndPop() {
	equal(int64(3), client.RPush(background, "q", "a", "b", "c").Val())
	equal(int64(4), client.LPush(background, "q", "z").Val())
	equal([]string{"z", "a", "b", "c"}, client.LRange(background, "q", 0, -1).Val())
	equal("z", client.LPop(background, "q").Val())
	equal([]string{"c", "b"}, client.RPopCount(background, "q", 2).Val())
	equal("a", client.LMove(background, "q", "r", "LEFT", "RIGHT").Val())
	equal(int64(0), client.LPos(background, "r", "a", redis.LPosArgs{}).Val())
	key, messages, err := client.LMPop(background, "left", 1, "q", "r").Result()
	ok(err)
	equal("r", key)
	equal([]string{"a"}, messages)
	equal(redis.Nil, client.LPop(background, "q").Err())
	equal(int64(0), client.RPushX(background, "q", "nobody there").Val())
}

func popWithTimeout() {
	// It knows whole seconds only.
	equal(redis.Nil, client.BLPop(background, time.Second, "q", "r").Err())
	client.RPush(background, "r", "there", "already")
	equal([]string{"r", "there"}, client.BLPop(background, time.Second, "q", "r").Val())
}

func blockedPopIsServed() {
	whileBlocked(
		func() { equal([]string{"r", "x"}, client.BLPop(background, 0, "q", "r").Val()) },
		// The reply tells the length before the waiting client is served.
		func() { equal(int64(2), other.RPush(background, "r", "x", "y").Val()) },
	)
	whileBlocked(
		func() { equal("z", client.BLMove(background, "q", "r", "LEFT", "RIGHT", 0).Val()) },
		func() { ok(other.RPush(background, "q", "z").Err()) },
	)
	equal([]string{"y", "z"}, client.LRange(background, "r", 0, -1).Val())
	whileBlocked(
		func() {
			key, messages, err := client.BLMPop(background, 0, "left", 10, "q", "s").Result()
			ok(err)
			equal("s", key)
			equal([]string{"a", "b"}, messages)
		},
		func() { ok(other.RPush(background, "s", "a", "b").Err()) },
	)
}

// Eight goroutines over the pool.
func workersTakeEachMessageOnce() {
	const workers, messages = 8, 1000
	taken := make(chan string, messages+workers)
	for worker := 0; worker < workers; worker++ {
		go func() {
			for {
				message := client.BLPop(background, 0, "q").Val()[1]
				taken <- message
				if message == "end" {
					return
				}
			}
		}()
	}
	var expected, received []string
	for number := 0; number < messages; number++ {
		expected = append(expected, fmt.Sprintf("message %04d", number))
		ok(other.RPush(background, "q", expected[number]).Err())
	}
	for worker := 0; worker < workers; worker++ {
		ok(other.RPush(background, "q", "end").Err())
	}
	for ends := 0; ends < workers; {
		if message := <-taken; message == "end" {
			ends++
		} else {
			received = append(received, message)
		}
	}
	sort.Strings(received)
	equal(expected, received)
}

func pipeline() {
	batch := client.Pipeline()
	var lengths []*redis.IntCmd
	for number := 1; number <= 1000; number++ {
		lengths = append(lengths, batch.RPush(background, "q", number))
	}
	unknown := batch.Do(background, "NOSUCHCOMMAND")
	all := batch.LRange(background, "q", 0, -1)
	_, err := batch.Exec(background)
	expectError("unknown command", err)
	expectError("unknown command", unknown.Err())
	equal(1000, len(all.Val()))
	for index, length := range lengths {
		equal(int64(index+1), length.Val())
		equal(strconv.Itoa(index+1), all.Val()[index])
	}
}

func transaction() {
	replies, err := client.TxPipelined(background, func(batch redis.Pipeliner) error {
		batch.RPush(background, "q", "a")
		batch.RPush(background, "q", "b")
		batch.LPop(background, "q")
		return nil
	})
	ok(err)
	equal(int64(1), replies[0].(*redis.IntCmd).Val())
	equal(int64(2), replies[1].(*redis.IntCmd).Val())
	equal("a", replies[2].(*redis.StringCmd).Val())
}

func watchedTransactionWithConflict() {
	err := client.Watch(background, func(watched *redis.Tx) error {
		ok(other.RPush(background, "q", "first").Err())
		_, err := watched.TxPipelined(background, func(batch redis.Pipeliner) error {
			batch.RPush(background, "q", "second")
			return nil
		})
		return err
	}, "q")
	equal(redis.TxFailedErr, err)
	equal([]string{"first"}, client.LRange(background, "q", 0, -1).Val())
}

func publishAndSubscribe() {
	subscriber := client.Subscribe(background, "news")
	defer subscriber.Close()
	receive := func() interface{} {
		event, err := subscriber.ReceiveTimeout(background, patience)
		ok(err)
		return event
	}
	equal(&redis.Subscription{Kind: "subscribe", Channel: "news", Count: 1}, receive())
	ok(subscriber.PSubscribe(background, "n?ws*"))
	equal(&redis.Subscription{Kind: "psubscribe", Channel: "n?ws*", Count: 2}, receive())
	equal([]string{"news"}, other.PubSubChannels(background, "*").Val())
	equal(int64(2), other.Publish(background, "news", "hello").Val())
	equal(&redis.Message{Channel: "news", Payload: "hello"}, receive())
	equal(&redis.Message{Channel: "news", Pattern: "n?ws*", Payload: "hello"}, receive())
	ok(subscriber.Ping(background))
	pong := receive()
	holds(strings.HasPrefix(fmt.Sprint(pong), "Pong"), pong)
	ok(subscriber.Unsubscribe(background, "news"))
	equal(&redis.Subscription{Kind: "unsubscribe", Channel: "news", Count: 1}, receive())
	equal(int64(1), other.Publish(background, "news.sport", "goal").Val())
	equal(&redis.Message{Channel: "news.sport", Pattern: "n?ws*", Payload: "goal"}, receive())
	ok(subscriber.Close())
	waitUntil("no subscriber", func() bool {
		return other.Publish(background, "news", "nobody").Val() == 0
	})
}

func binaryAndLargePayloads() {
	binary, large := binary(), large()
	equal(int64(3), client.RPush(background, binary, binary, large, "").Val())
	equal([]string{binary}, client.Keys(background, "*").Val())
	holds(client.LPop(background, binary).Val() == binary, "a short message")
	holds(client.LPop(background, binary).Val() == large, "a large message")
	equal("", client.LPop(background, binary).Val())

	subscriber := client.Subscribe(background, binary)
	defer subscriber.Close()
	_, err := subscriber.Receive(background)
	ok(err)
	equal(int64(1), other.Publish(background, binary, large).Val())
	message, err := subscriber.ReceiveMessage(background)
	ok(err)
	holds(message.Channel == binary && message.Payload == large, "a large message")
}

func scan() {
	batch := client.Pipeline()
	for number := 0; number < 500; number++ {
		batch.RPush(background, fmt.Sprintf("scan:%d", number), "x")
	}
	batch.RPush(background, "another", "x")
	_, err := batch.Exec(background)
	ok(err)
	found := map[string]bool{}
	keys := client.Scan(background, 0, "scan:*", 50).Iterator()
	for keys.Next(background) {
		found[keys.Val()] = true
	}
	ok(keys.Err())
	equal(500, len(found))
	equal(int64(501), client.DBSize(background).Val())
}

func expiry() {
	client.RPush(background, "q", "a")
	equal(time.Duration(-1), client.TTL(background, "q").Val())
	equal(true, client.Expire(background, "q", 100*time.Second).Val())
	holds(client.TTL(background, "q").Val() > 90*time.Second, client.TTL(background, "q"))
	equal(true, client.PExpire(background, "q", 20*time.Millisecond).Val())
	waitUntil("the key has expired", func() bool {
		return client.Exists(background, "q").Val() == 0
	})
	equal(time.Duration(-2), client.TTL(background, "q").Val())
}

func serverInformation() {
	info := client.Info(background).Val()
	holds(strings.Contains(info, "redis_version:"), info)
	clients := client.ConfigGet(background, "maxclients").Val()["maxclients"]
	count, err := strconv.Atoi(clients)
	holds(err == nil && count > 0, clients)
	commands := client.Command(background).Val()
	equal(int8(-3), commands["blpop"].Arity)
	count64, err := client.Do(background, "COMMAND", "COUNT").Int64()
	ok(err)
	equal(int(count64), len(commands))
}

func replyErrors() {
	expectError("unknown command", client.Do(background, "NOSUCHCOMMAND").Err())
	expectError(
		"wrong number of arguments for 'rpush' command", client.Do(background, "RPUSH", "q").Err())
	expectError("timeout is negative", client.Do(background, "BLPOP", "q", "-1").Err())
	expectError("EXEC without MULTI", client.Do(background, "EXEC").Err())
}

// A pop that its user gives up leaves the message to the next.
func cancelledPop() {
	soon, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	obedient := options("impatient")
	obedient.ContextTimeoutEnabled = true
	impatient := redis.NewClient(obedient)
	defer impatient.Close()
	err := impatient.BLPop(soon, 0, "q").Err()
	holds(errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err), err)
	waitUntil("its connection is closed", func() bool {
		return !strings.Contains(other.ClientList(background).Val(), " name=impatient ")
	})
	ok(other.RPush(background, "q", "x").Err())
	equal("x", client.LPop(background, "q").Val())
}

// It tries again by itself, on another connection.
func reconnectAfterKill() {
	victim := connect("victim")
	defer victim.Close()
	identity := victim.ClientID(background).Val()
	killed := other.ClientKillByFilter(background, "ID", strconv.FormatInt(identity, 10)).Val()
	equal(int64(1), killed)
	holds(victim.ClientID(background).Val() > identity, "a new connection")
	equal("PONG", victim.Ping(background).Val())
}

func main() {
	if protocol == "http" {
		if httpChecks() {
			os.Exit(1)
		}
		return
	}
	checks := []check{
		{"speaks the protocol", speaksTheProtocol},
		{"push and pop", pushAndPop},
		{"pop with timeout", popWithTimeout},
		{"blocked pop is served", blockedPopIsServed},
		{"workers take each message once", workersTakeEachMessageOnce},
		{"pipeline", pipeline},
		{"transaction", transaction},
		{"watched transaction with conflict", watchedTransactionWithConflict},
		{"publish and subscribe", publishAndSubscribe},
		{"binary and large payloads", binaryAndLargePayloads},
		{"scan", scan},
		{"expiry", expiry},
		{"server information", serverInformation},
		{"errors", replyErrors},
		{"cancelled pop", cancelledPop},
		{"reconnect after kill", reconnectAfterKill},
	}
	subject := fmt.Sprintf("go-redis %s, protocol %s", redis.Version(), protocol)
	if run(subject, checks, func() { ok(other.FlushAll(background).Err()) }) {
		os.Exit(1)
	}
}
