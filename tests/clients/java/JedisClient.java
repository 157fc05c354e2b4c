import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import redis.clients.jedis.AbstractTransaction;
import redis.clients.jedis.BinaryJedisPubSub;
import redis.clients.jedis.CommandArguments;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.args.ListDirection;
import redis.clients.jedis.commands.ProtocolCommand;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.ClientKillParams;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.util.KeyValue;

/**
 * Jedis, with the handshake that it makes by itself and with each protocol asked for: its client
 * with a pool of connections, and a connection of its own where that is what matters.
 */
final class JedisClient {
    private static final ProtocolCommand NO_SUCH_COMMAND =
            () -> "NOSUCHCOMMAND".getBytes(StandardCharsets.UTF_8);

    private final String protocol;
    private final RedisClient client;
    private final Jedis other;

    private JedisClient(String protocol) {
        this.protocol = protocol;
        client =
                RedisClient.builder()
                        .hostAndPort("127.0.0.1", Check.PORT)
                        .clientConfig(options().build())
                        .build();
        other = connect();
    }

    private DefaultJedisClientConfig.Builder options() {
        DefaultJedisClientConfig.Builder options = DefaultJedisClientConfig.builder();
        return switch (protocol) {
            case "2" -> options.resp2();
            case "3" -> options.resp3();
            default -> options;
        };
    }

    private Jedis connect() {
        return new Jedis("127.0.0.1", Check.PORT, options().build());
    }

    /** Starts a call over the pool, does the rest once it waits, and returns its reply. */
    private <T> T whileBlocked(Callable<T> call, Check.Body then) throws Exception {
        Future<T> reply = Check.THREADS.submit(call);
        Check.waitUntil("a blocked client", () -> Check.showsBlocked(other.clientList()));
        then.run();
        return reply.get(20, TimeUnit.SECONDS);
    }

    /** Any command over the pool. */
    private Object call(ProtocolCommand command, Object... arguments) {
        return client.executeCommand(new CommandArguments(command).addObjects(arguments));
    }

    private void speaksTheProtocol() {
        var named = options().clientName("worker").build();
        try (Jedis connection = new Jedis("127.0.0.1", Check.PORT, named)) {
            Check.equal("worker", connection.clientGetname());
            String entry = Check.entryOf(other.clientList(), "id=" + connection.clientId());
            Check.holds(entry.contains(" name=worker "), entry);
            Check.holds(entry.contains(protocol.equals("3") ? " resp=3 " : " resp=2 "), entry);
        }
    }

    private void pushAndPop() {
        Check.equal(3L, client.rpush("q", "a", "b", "c"));
        Check.equal(4L, client.lpush("q", "z"));
        Check.equal(List.of("z", "a", "b", "c"), client.lrange("q", 0, -1));
        Check.equal("z", client.lpop("q"));
        Check.equal(List.of("c", "b"), client.rpop("q", 2));
        Check.equal("a", client.lmove("q", "r", ListDirection.LEFT, ListDirection.RIGHT));
        Check.equal(0L, client.lpos("r", "a"));
        Check.equal(new KeyValue<>("r", List.of("a")), client.lmpop(ListDirection.LEFT, "q", "r"));
        Check.equal(null, client.lpop("q"));
        Check.equal(0L, client.rpushx("q", "nobody there"));
    }

    private void popWithTimeout() {
        Check.equal(null, client.blpop(0.05, "q"));
        Check.equal(null, client.brpop(0.05, "q", "r"));
        Check.equal(null, client.blmpop(0.05, ListDirection.LEFT, "q"));
        Check.equal(null, client.blmove("q", "r", ListDirection.LEFT, ListDirection.RIGHT, 0.05));
        client.rpush("r", "there", "already");
        Check.equal(new KeyValue<>("r", "there"), client.blpop(1.0, "q", "r"));
    }

    private void blockedPopIsServed() throws Exception {
        // The reply tells the length before the waiting client is served.
        Check.Body push = () -> Check.equal(2L, other.rpush("r", "x", "y"));
        Check.equal(
                new KeyValue<>("r", "x"), whileBlocked(() -> client.blpop(0.0, "q", "r"), push));
        Callable<String> move =
                () -> client.blmove("q", "r", ListDirection.LEFT, ListDirection.RIGHT, 0);
        Check.equal("z", whileBlocked(move, () -> other.rpush("q", "z")));
        Check.equal(List.of("y", "z"), client.lrange("r", 0, -1));
        Callable<KeyValue<String, List<String>>> several =
                () -> client.blmpop(0, ListDirection.LEFT, 10, "q", "s");
        Check.equal(
                new KeyValue<>("s", List.of("a", "b")),
                whileBlocked(several, () -> other.rpush("s", "a", "b")));
    }

    /** Eight threads over a pool of eight connections. */
    private void workersTakeEachMessageOnce() throws Exception {
        BlockingQueue<String> taken = new LinkedBlockingQueue<>();
        Runnable work =
                () -> {
                    String message = client.blpop(0.0, "q").getValue();
                    while (!message.equals("end")) {
                        taken.add(message);
                        message = client.blpop(0.0, "q").getValue();
                    }
                };
        List<Future<?>> workers = new ArrayList<>();
        for (int worker = 0; worker < 8; worker++) {
            workers.add(Check.THREADS.submit(work));
        }
        List<String> messages = IntStream.range(0, 1000).mapToObj(n -> "message " + n).toList();
        messages.forEach(message -> other.rpush("q", message));
        workers.forEach(worker -> other.rpush("q", "end"));
        for (Future<?> worker : workers) {
            worker.get(20, TimeUnit.SECONDS);
        }
        Check.equal(messages.size(), taken.size());
        Check.equal(Set.copyOf(messages), Set.copyOf(taken));
    }

    private void pipeline() {
        try (var batch = client.pipelined()) {
            IntStream.rangeClosed(1, 1000).forEach(n -> batch.rpush("q", "" + n));
            batch.sendCommand(new CommandArguments(NO_SUCH_COMMAND));
            batch.lrange("q", 0, -1);
            List<Object> replies = batch.syncAndReturnAll();
            Check.equal(
                    LongStream.rangeClosed(1, 1000).boxed().toList(), replies.subList(0, 1000));
            String unknown = replies.get(1000).toString();
            Check.holds(unknown.contains("unknown command"), unknown);
            Check.equal(
                    IntStream.rangeClosed(1, 1000).mapToObj(n -> "" + n).toList(),
                    replies.get(1001));
        }
    }

    private void transaction() {
        try (AbstractTransaction batch = client.multi()) {
            batch.rpush("q", "a");
            batch.rpush("q", "b");
            batch.lpop("q");
            Check.equal(List.of(1L, 2L, "a"), batch.exec());
        }
    }

    private void watchedTransactionWithConflict() {
        try (AbstractTransaction batch = client.transaction(false)) {
            batch.watch("q");
            other.rpush("q", "first");
            batch.multi();
            batch.rpush("q", "second");
            Check.equal(null, batch.exec());
        }
        Check.equal(List.of("first"), client.lrange("q", 0, -1));
    }

    private void publishAndSubscribe() throws Exception {
        BlockingQueue<String> events = new LinkedBlockingQueue<>();
        JedisPubSub subscriber =
                new JedisPubSub() {
                    @Override
                    public void onSubscribe(String channel, int count) {
                        events.add("subscribe " + channel + " " + count);
                    }

                    @Override
                    public void onPSubscribe(String pattern, int count) {
                        events.add("psubscribe " + pattern + " " + count);
                    }

                    @Override
                    public void onMessage(String channel, String message) {
                        events.add("message " + channel + " " + message);
                    }

                    @Override
                    public void onPMessage(String pattern, String channel, String message) {
                        events.add("pmessage " + pattern + " " + channel + " " + message);
                    }
                };
        Future<?> listening = Check.THREADS.submit(() -> client.subscribe(subscriber, "news"));
        Check.equal("subscribe news 1", Check.next(events));
        subscriber.psubscribe("n?ws*");
        Check.equal("psubscribe n?ws* 2", Check.next(events));
        Check.equal(List.of("news"), other.pubsubChannels());
        Check.equal(2L, other.publish("news", "hello"));
        Check.equal("message news hello", Check.next(events));
        Check.equal("pmessage n?ws* news hello", Check.next(events));
        subscriber.unsubscribe("news");
        Check.waitUntil("unsubscribed", () -> other.pubsubChannels().isEmpty());
        Check.equal(1L, other.publish("news.sport", "goal"));
        Check.equal("pmessage n?ws* news.sport goal", Check.next(events));
        subscriber.punsubscribe();
        listening.get(20, TimeUnit.SECONDS);
        Check.equal(0L, other.publish("news", "nobody"));
        Check.equal(1L, client.rpush("q", "commands again"));
    }

    private void binaryAndLargePayloads() throws Exception {
        byte[] binary = Check.binary();
        byte[] large = Check.large();
        Check.equal(3L, client.rpush(binary, binary, large, new byte[0]));
        Check.equal(binary, client.keys("*".getBytes(StandardCharsets.UTF_8)).iterator().next());
        Check.equal(binary, client.lpop(binary));
        Check.equal(large, client.lpop(binary));
        Check.equal(0, client.lpop(binary).length);

        BlockingQueue<byte[]> messages = new LinkedBlockingQueue<>();
        BinaryJedisPubSub subscriber =
                new BinaryJedisPubSub() {
                    @Override
                    public void onMessage(byte[] channel, byte[] message) {
                        messages.add(message);
                    }
                };
        Future<?> listening = Check.THREADS.submit(() -> client.subscribe(subscriber, binary));
        Check.waitUntil("a subscriber", () -> other.publish(binary, large) == 1);
        Check.equal(large, Check.next(messages));
        subscriber.unsubscribe();
        listening.get(20, TimeUnit.SECONDS);
    }

    private void scan() {
        try (var batch = client.pipelined()) {
            IntStream.range(0, 500).forEach(number -> batch.rpush("scan:" + number, "x"));
            batch.rpush("another", "x");
            batch.sync();
        }
        Set<String> found = new HashSet<>();
        String cursor = ScanParams.SCAN_POINTER_START;
        do {
            var some = client.scan(cursor, new ScanParams().match("scan:*").count(50));
            found.addAll(some.getResult());
            cursor = some.getCursor();
        } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
        Check.equal(500, found.size());
        Check.equal(501L, other.dbSize());
    }

    private void expiry() throws Exception {
        client.rpush("q", "a");
        Check.equal(1L, client.expire("q", 100));
        Check.holds(client.ttl("q") > 90, client.ttl("q"));
        Check.equal(1L, client.pexpire("q", 20));
        Check.waitUntil("the key has expired", () -> !client.exists("q"));
        Check.equal(-2L, client.ttl("q"));
    }

    private void serverInformation() {
        Check.holds(other.info().contains("redis_version:"), other.info());
        String clients = other.configGet("maxclients").get("maxclients");
        Check.holds(Integer.parseInt(clients) > 0, clients);
        List<?> commands = (List<?>) call(Protocol.Command.COMMAND);
        Check.equal(other.commandCount(), (long) commands.size());
    }

    private void errors() {
        expectError("unknown command", () -> call(NO_SUCH_COMMAND));
        expectError(
                "wrong number of arguments for 'rpush' command",
                () -> call(Protocol.Command.RPUSH, "q"));
        expectError("timeout is negative", () -> client.blpop(-1.0, "q"));
        expectError("EXEC without MULTI", () -> call(Protocol.Command.EXEC));
    }

    private static void expectError(String text, Check.Body body) {
        var error = Check.expect(JedisDataException.class, body);
        Check.holds(error.getMessage().contains(text), error);
    }

    /** It leaves it to its user to try again, but the pool hands no broken connection out twice. */
    private void connectAgainAfterKill() {
        try (Jedis victim = connect()) {
            kill(victim.clientId());
            Check.expect(JedisConnectionException.class, victim::ping);
            Check.holds(victim.isBroken(), "the connection");
        }
        long identity = (Long) call(Protocol.Command.CLIENT, "ID");
        kill(identity);
        Check.expect(JedisConnectionException.class, client::ping);
        Check.holds((Long) call(Protocol.Command.CLIENT, "ID") > identity, "a new connection");
    }

    private void kill(long identity) {
        Check.equal(1L, other.clientKill(new ClientKillParams().id("" + identity)));
    }

    public static void main(String[] arguments) throws Exception {
        JedisClient jedis = new JedisClient(arguments[0]);
        String version = Check.versionOf("redis.clients", "jedis");
        String subject = "Jedis " + version + ", protocol " + arguments[0];
        Check check = new Check(subject, () -> jedis.other.flushAll());
        check.run("speaks the protocol", jedis::speaksTheProtocol);
        check.run("push and pop", jedis::pushAndPop);
        check.run("pop with timeout", jedis::popWithTimeout);
        check.run("blocked pop is served", jedis::blockedPopIsServed);
        check.run("workers take each message once", jedis::workersTakeEachMessageOnce);
        check.run("pipeline", jedis::pipeline);
        check.run("transaction", jedis::transaction);
        check.run("watched transaction with conflict", jedis::watchedTransactionWithConflict);
        check.run("publish and subscribe", jedis::publishAndSubscribe);
        check.run("binary and large payloads", jedis::binaryAndLargePayloads);
        check.run("scan", jedis::scan);
        check.run("expiry", jedis::expiry);
        check.run("server information", jedis::serverInformation);
        check.run("errors", jedis::errors);
        check.run("connect again after kill", jedis::connectAgainAfterKill);
        check.end();
    }
}
