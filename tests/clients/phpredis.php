<?php
// phpredis, which speaks RESP2. It has no threads: where two have to act, the other is a child.

const CHECK_TIMEOUT_S = 30;

function connect(): Redis
{
    $connection = new Redis();
    $connection->connect('127.0.0.1', (int) getenv('SERVER_PORT'));
    return $connection;
}

function expect(mixed $expected, mixed $actual): void
{
    if ($expected !== $actual) {
        throw new Exception('expected ' . shown($expected) . ', got ' . shown($actual));
    }
}

function shown(mixed $value): string
{
    return substr(json_encode($value, JSON_INVALID_UTF8_SUBSTITUTE), 0, 200);
}

function wait_until(string $what, callable $condition): void
{
    $deadline = microtime(true) + 20;
    while (!$condition()) {
        if (microtime(true) > $deadline) {
            throw new Exception("not within 20 s: $what");
        }
        usleep(5000);
    }
}

/** Runs `$meanwhile` in a child, with a connection of its own, while `$call` keeps us busy. */
function together(callable $call, callable $meanwhile): mixed
{
    $child = pcntl_fork();
    if ($child === 0) {
        $status = 1;
        try {
            $meanwhile(connect());
            $status = 0;
        } catch (Throwable $error) {
            echo "    in the child: {$error->getMessage()}\n";
        }
        // No destructor of what belongs to the parent.
        posix_kill(posix_getpid(), $status === 0 ? SIGUSR1 : SIGKILL);
    }
    $result = $call();
    pcntl_waitpid($child, $status);
    expect(SIGUSR1, pcntl_wtermsig($status));
    return $result;
}

function wait_until_blocked(Redis $connection): void
{
    wait_until('a blocked client', function () use ($connection) {
        $flags = array_column($connection->client('list'), 'flags');
        return array_filter($flags, fn ($flags) => str_contains($flags, 'b')) !== [];
    });
}

/** Subscribes while a child publishes. The library listens until its connection has gone. */
function listen_until_closed(callable $subscribe, callable $publish): void
{
    $subscriber = connect();
    $listen = function () use ($subscriber, $subscribe) {
        try {
            $subscribe($subscriber);
        } catch (RedisException) {
            // The callback has closed the connection.
        }
    };
    together($listen, $publish);
    expect(true, $subscriber->ping());
    $subscriber->close();
}

$client = connect();
$other = connect();
$binary = implode(array_map('chr', range(0, 255))) . "\r\n\$5\r\n\0";

$checks = [];

$checks['push and pop'] = function () use ($client) {
    expect(3, $client->rPush('q', 'a', 'b', 'c'));
    expect(4, $client->lPush('q', 'z'));
    expect(['z', 'a', 'b', 'c'], $client->lRange('q', 0, -1));
    expect('z', $client->lPop('q'));
    expect('c', $client->rPop('q'));
    expect(['a', 'b'], $client->rawCommand('LPOP', 'q', 5));
    expect(false, $client->lPop('q'));
    expect(0, $client->exists('q'));
};

$checks['pop with timeout'] = function () use ($client) {
    expect([], $client->rawCommand('BLPOP', 'q', '0.05'));
    // Older releases know whole seconds only.
    expect([], $client->blPop('q', 1));
    expect([], $client->brPop(['q', 'r'], 1));
    $client->rPush('r', 'there', 'already');
    expect(['r', 'there'], $client->blPop(['q', 'r'], 1));
};

$checks['blocked pop is served'] = function () use ($client, $other) {
    $popped = together(fn () => $client->blPop(['q', 'r'], 20), function ($pusher) {
        wait_until_blocked($pusher);
        expect(2, $pusher->rPush('r', 'x', 'y'));
    });
    expect(['r', 'x'], $popped);

    $moved = together(fn () => $client->brpoplpush('q', 'r', 20), function ($pusher) {
        wait_until_blocked($pusher);
        expect(1, $pusher->rPush('q', 'z'));
    });
    expect('z', $moved);
    expect(['z', 'y'], $other->lRange('r', 0, -1));
};

$checks['pipeline'] = function () use ($client) {
    $batch = $client->multi(Redis::PIPELINE);
    for ($number = 1; $number <= 1000; $number++) {
        $batch->rPush('q', (string) $number);
    }
    $batch->rawCommand('NOSUCHCOMMAND');
    $batch->lRange('q', 0, -1);
    $replies = $batch->exec();
    expect(array_map('strval', range(1, 1000)), array_pop($replies));
    expect(false, array_pop($replies));
    expect(range(1, 1000), $replies);
    expect(true, str_contains($client->getLastError(), 'unknown command'));
    $client->clearLastError();
};

$checks['transaction'] = function () use ($client) {
    expect([1, 2, 'a'], $client->multi()->rPush('q', 'a')->rPush('q', 'b')->lPop('q')->exec());
};

$checks['watched transaction with conflict'] = function () use ($client, $other) {
    $client->watch('q');
    $other->rPush('q', 'first');
    expect(false, $client->multi()->rPush('q', 'second')->exec());
    expect(['first'], $client->lRange('q', 0, -1));
};

$checks['publish and subscribe'] = function () use ($other, $binary) {
    $received = [];
    $listener = function ($subscriber, ...$message) use (&$received) {
        $received[] = $message;
        expect(['news' => true], $subscriber->unsubscribe(['news']));
        $subscriber->close();
    };
    listen_until_closed(
        fn ($subscriber) => $subscriber->subscribe(['news'], $listener),
        function ($publisher) use ($binary) {
            $subscribed = fn () => $publisher->pubsub('numsub', ['news']) == ['news' => 1];
            wait_until('a subscriber', $subscribed);
            expect(1, $publisher->publish('news', $binary));
        }
    );
    expect([['news', $binary]], $received);

    $received = [];
    $listener = function ($subscriber, ...$message) use (&$received) {
        $received[] = $message;
        if ($message[2] === 'goal') {
            expect(['n?ws*' => true], $subscriber->punsubscribe(['n?ws*']));
            $subscriber->close();
        }
    };
    listen_until_closed(
        fn ($subscriber) => $subscriber->psubscribe(['n?ws*'], $listener),
        function ($publisher) use ($binary) {
            wait_until('a subscriber', fn () => $publisher->pubsub('numpat') === 1);
            expect(0, $publisher->publish('other news', 'nobody'));
            expect(1, $publisher->publish('news', $binary));
            expect(1, $publisher->publish('news.sport', 'goal'));
        }
    );
    expect([['n?ws*', 'news', $binary], ['n?ws*', 'news.sport', 'goal']], $received);
    expect(0, $other->publish('news', 'nobody'));
};

$checks['binary payloads'] = function () use ($client, $binary) {
    expect(2, $client->rPush($binary, $binary, ''));
    expect([$binary], $client->keys('*'));
    expect($binary, $client->lPop($binary));
    expect('', $client->lPop($binary));
};

$checks['ten megabytes'] = function () use ($client) {
    $large = random_bytes(10_000_000);
    expect(2, $client->rPush('q', $large, $large));
    expect([$large, $large], $client->lRange('q', 0, -1));
    expect($large, $client->lPop('q'));
};

// The library looks whether its connection still stands before it sends, and connects again where
// it does not. That works if the connection has gone when CLIENT KILL is answered, each time.
$checks['reconnect after kill'] = function () use ($other) {
    $victim = connect();
    for ($time = 1; $time <= 20; $time++) {
        $identity = $victim->client('id');
        expect(1, $other->rawCommand('CLIENT', 'KILL', 'ID', $identity));
        expect(true, $victim->ping());
        expect(true, $victim->client('id') > $identity);
    }
};

$failed = false;
foreach ($checks as $name => $check) {
    $name = 'phpredis ' . phpversion('redis') . ": $name";
    pcntl_alarm(CHECK_TIMEOUT_S);
    try {
        $other->flushAll();
        $check();
        echo "ok $name\n";
    } catch (Throwable $error) {
        $failed = true;
        echo "FAILED $name\n    line {$error->getLine()}: {$error->getMessage()}\n";
        echo preg_replace('/^/m', '    ', $error->getTraceAsString()), "\n";
    }
}
exit((int) $failed);
