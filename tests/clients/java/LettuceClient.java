import io.lettuce.core.ClientOptions;
import io.lettuce.core.KeyValue;
import io.lettuce.core.KillArgs;
import io.lettuce.core.LMPopArgs;
import io.lettuce.core.LMoveArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanIterator;
import io.lettuce.core.TransactionResult;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import io.lettuce.core.protocol.ProtocolKeyword;
import io.lettuce.core.protocol.ProtocolVersion;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
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
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.IntStream;

/**
 * Lettuce, with the handshake that it makes by itself and with each protocol asked for. Its users
 * share one connection between all threads.
 */
final class LettuceClient {
    private static final ProtocolKeyword NO_SUCH_COMMAND =
            new ProtocolKeyword() {
                @Override
                public byte[] getBytes() {
                    return "NOSUCHCOMMAND".getBytes(StandardCharsets.UTF_8);
                }

                @Override
                public String toString() {
                    return "NOSUCHCOMMAND";
                }
            };

    /** Every reconnection is worth a line to it. */
    private static final Logger LOG = Logger.getLogger("io.lettuce");

    private final String protocol;
    private final RedisClient lettuce = RedisClient.create();
    private final StatefulRedisConnection<String, String> connection;
    private final RedisCommands<String, String> client;
    private final RedisCommands<String, String> other;

    private LettuceClient(String protocol) {
        this.protocol = protocol;
        LOG.setLevel(Level.WARNING);
        switch (protocol) {
            case "2" -> lettuce.setOptions(options(ProtocolVersion.RESP2));
            case "3" -> lettuce.setOptions(options(ProtocolVersion.RESP3));
            default -> {}
        }
        connection = lettuce.connect(address("").build());
        client = connection.sync();
        other = lettuce.connect(address("").build()).sync();
    }

    private static ClientOptions options(ProtocolVersion version) {
        return ClientOptions.builder().protocolVersion(version).build();
    }

    private static RedisURI.Builder address(String clientName) {
        RedisURI.Builder address = RedisURI.builder().withHost("127.0.0.1").withPort(Check.PORT);
        return clientName.isEmpty() ? address : address.withClientName(clientName);
    }

    /** Starts a call, does the rest once it waits, and returns its reply. */
    private <T> T whileBlocked(Callable<T> call, Check.Body then) throws Exception {
        Future<T> reply = Check.THREADS.submit(call);
        Check.waitUntil("a blocked client", () -> Check.showsBlocked(other.clientList()));
        then.run();
        return reply.get(20, TimeUnit.SECONDS);
    }

    private void speaksTheProtocol() {
        try (var named = lettuce.connect(address("worker").build())) {
            Check.equal("worker", named.sync().clientGetname());
            String entry = Check.entryOf(other.clientList(), "name=worker");
            Check.holds(entry.contains(protocol.equals("2") ? " resp=2 " : " resp=3 "), entry);
        }
    }

    private void pushAndPop() {
        Check.equal(3L, client.rpush("q", "a", "b", "c"));
        Check.equal(4L, client.lpush("q", "z"));
        Check.equal(List.of("z", "a", "b", "c"), client.lrange("q", 0, -1));
        Check.equal("z", client.lpop("q"));
        Check.equal(List.of("c", "b"), client.rpop("q", 2));
        Check.equal("a", client.lmove("q", "r", LMoveArgs.Builder.leftRight()));
        Check.equal(0L, client.lpos("r", "a"));
        Check.equal(
                KeyValue.just("r", List.of("a")), client.lmpop(LMPopArgs.Builder.left(), "q", "r"));
        Check.equal(null, client.lpop("q"));
        Check.equal(0L, client.rpushx("q", "nobody there"));
    }

    private void popWithTimeout() {
        Check.equal(null, client.blpop(0.05, "q"));
        Check.equal(null, client.brpop(0.05, "q", "r"));
        Check.equal(null, client.blmove("q", "r", LMoveArgs.Builder.leftRight(), 0.05));
        client.rpush("r", "there", "already");
        Check.equal(KeyValue.just("r", "there"), client.blpop(1, "q", "r"));
    }

    private void blockedPopIsServed() throws Exception {
        // The reply tells the length before the waiting client is served.
        Check.Body push = () -> Check.equal(2L, other.rpush("r", "x", "y"));
        Check.equal(
                KeyValue.just("r", "x"), whileBlocked(() -> client.blpop(0, "q", "r"), push));
        Callable<String> move = () -> client.blmove("q", "r", LMoveArgs.Builder.leftRight(), 0);
        Check.equal("z", whileBlocked(move, () -> other.rpush("q", "z")));
        Check.equal(List.of("y", "z"), client.lrange("r", 0, -1));
        Callable<KeyValue<String, List<String>>> several =
                () -> client.blmpop(0, LMPopArgs.Builder.left().count(10), "q", "s");
        Check.equal(
                KeyValue.just("s", List.of("a", "b")),
                whileBlocked(several, () -> other.rpush("s", "a", "b")));
    }

    /** Pops that wait behind each other on one connection, each with its own reply. */
    private void popsInARow() throws Exception {
        List<RedisFuture<KeyValue<String, String>>> pops = new ArrayList<>();
        for (int number = 0; number < 8; number++) {
            pops.add(connection.async().blpop(0, "q"));
        }
        for (int number = 0; number < 8; number++) {
            other.rpush("q", "message " + number);
        }
        for (int number = 0; number < 8; number++) {
            var message = pops.get(number).get(20, TimeUnit.SECONDS);
            Check.equal(KeyValue.just("q", "message " + number), message);
        }
    }

    /** Eight threads push over one connection; each message gets there once, in their orders. */
    private void threadsShareOneConnection() throws Exception {
        List<Future<?>> producers = new ArrayList<>();
        for (int producer = 0; producer < 8; producer++) {
            String name = "producer " + producer;
            producers.add(
                    Check.THREADS.submit(
                            () -> {
                                for (int number = 0; number < 100; number++) {
                                    client.rpush("q", name + " " + number);
                                }
                            }));
        }
        for (Future<?> producer : producers) {
            producer.get(20, TimeUnit.SECONDS);
        }
        List<String> messages = client.lrange("q", 0, -1);
        Check.equal(800, messages.size());
        for (int producer = 0; producer < 8; producer++) {
            String name = "producer " + producer + " ";
            Check.equal(
                    IntStream.range(0, 100).mapToObj(number -> name + number).toList(),
                    messages.stream().filter(message -> message.startsWith(name)).toList());
        }
    }

    private void pipeline() throws Exception {
        List<RedisFuture<Long>> lengths = new ArrayList<>();
        try (var batch = lettuce.connect(address("").build())) {
            batch.setAutoFlushCommands(false);
            for (int number = 1; number <= 1000; number++) {
                lengths.add(batch.async().rpush("q", "" + number));
            }
            batch.flushCommands();
            for (int number = 1; number <= 1000; number++) {
                Check.equal((long) number, lengths.get(number - 1).get(20, TimeUnit.SECONDS));
            }
        }
        Check.equal(
                IntStream.rangeClosed(1, 1000).mapToObj(number -> "" + number).toList(),
                client.lrange("q", 0, -1));
    }

    private void transaction() {
        Check.equal("OK", client.multi());
        client.rpush("q", "a");
        client.rpush("q", "b");
        client.lpop("q");
        Check.equal(List.of(1L, 2L, "a"), client.exec().stream().toList());
    }

    private void watchedTransactionWithConflict() {
        client.watch("q");
        other.rpush("q", "first");
        client.multi();
        client.rpush("q", "second");
        TransactionResult done = client.exec();
        Check.holds(done.wasDiscarded(), done);
        Check.equal(List.of("first"), client.lrange("q", 0, -1));
    }

    private static RedisPubSubAdapter<String, String> writeDown(BlockingQueue<String> events) {
        return new RedisPubSubAdapter<>() {
            @Override
            public void message(String channel, String message) {
                events.add("message " + channel + " " + message);
            }

            @Override
            public void message(String pattern, String channel, String message) {
                events.add("pmessage " + pattern + " " + channel + " " + message);
            }

            @Override
            public void unsubscribed(String channel, long count) {
                events.add("unsubscribe " + channel + " " + count);
            }
        };
    }

    private void publishAndSubscribe() throws Exception {
        BlockingQueue<String> events = new LinkedBlockingQueue<>();
        try (StatefulRedisPubSubConnection<String, String> subscriber =
                lettuce.connectPubSub(address("").build())) {
            subscriber.addListener(writeDown(events));
            subscriber.sync().subscribe("news");
            subscriber.sync().psubscribe("n?ws*");
            Check.equal(List.of("news"), other.pubsubChannels());
            Check.equal(2L, other.publish("news", "hello"));
            Check.equal("message news hello", Check.next(events));
            Check.equal("pmessage n?ws* news hello", Check.next(events));
            if (!protocol.equals("2")) {
                // In RESP3 a subscriber may send any command.
                Check.equal(1L, subscriber.sync().rpush("q", "a"));
            }
            subscriber.sync().unsubscribe("news");
            Check.equal("unsubscribe news 1", Check.next(events));
            Check.equal(1L, other.publish("news.sport", "goal"));
            Check.equal("pmessage n?ws* news.sport goal", Check.next(events));
        }
        Check.waitUntil("no subscriber", () -> other.publish("news", "nobody") == 0);
    }

    private void binaryAndLargePayloads() throws Exception {
        byte[] binary = Check.binary();
        byte[] large = Check.large();
        try (var bytes = lettuce.connect(ByteArrayCodec.INSTANCE, address("").build());
                var subscriber =
                        lettuce.connectPubSub(ByteArrayCodec.INSTANCE, address("").build())) {
            Check.equal(3L, bytes.sync().rpush(binary, binary, large, new byte[0]));
            Check.equal(binary, bytes.sync().randomkey());
            Check.equal(binary, bytes.sync().lpop(binary));
            Check.equal(large, bytes.sync().lpop(binary));
            Check.equal(0, bytes.sync().lpop(binary).length);

            BlockingQueue<byte[]> messages = new LinkedBlockingQueue<>();
            subscriber.addListener(
                    new RedisPubSubAdapter<>() {
                        @Override
                        public void message(byte[] channel, byte[] message) {
                            messages.add(message);
                        }
                    });
            subscriber.sync().subscribe(binary);
            Check.equal(1L, bytes.sync().publish(binary, large));
            Check.equal(large, Check.next(messages));
        }
    }

    private void scan() {
        for (int number = 0; number < 500; number++) {
            connection.async().rpush("scan:" + number, "x");
        }
        client.rpush("another", "x");
        Set<String> found = new HashSet<>();
        ScanIterator.scan(client, ScanArgs.Builder.matches("scan:*").limit(50))
                .forEachRemaining(found::add);
        Check.equal(500, found.size());
        Check.equal(501L, client.dbsize());
    }

    private void expiry() throws Exception {
        client.rpush("q", "a");
        Check.holds(client.expire("q", 100), "a key with a life");
        Check.holds(client.ttl("q") > 90, client.ttl("q"));
        Check.holds(client.pexpire("q", 20), "a key with a short life");
        Check.waitUntil("the key has expired", () -> client.exists("q") == 0);
        Check.equal(-2L, client.ttl("q"));
    }

    private void serverInformation() {
        Check.holds(client.info().contains("redis_version:"), client.info());
        String clients = client.configGet("maxclients").get("maxclients");
        Check.holds(Integer.parseInt(clients) > 0, clients);
        Check.equal(client.commandCount(), (long) client.command().size());
    }

    private void errors() {
        expectError("unknown command", () -> send(NO_SUCH_COMMAND));
        expectError(
                "wrong number of arguments for 'rpush' command",
                () -> send(CommandType.RPUSH, "q"));
        expectError("timeout is negative", () -> client.blpop(-1, "q"));
        expectError("EXEC without MULTI", () -> send(CommandType.EXEC));
    }

    private void send(ProtocolKeyword command, String... keys) {
        var arguments = new CommandArgs<>(StringCodec.UTF8).addKeys(keys);
        client.dispatch(command, new StatusOutput<>(StringCodec.UTF8), arguments);
    }

    private static void expectError(String text, Check.Body body) {
        var error = Check.expect(RedisCommandExecutionException.class, body);
        Check.holds(error.getMessage().contains(text), error);
    }

    /** It connects again by itself, and what was sent meanwhile is sent again. */
    private void reconnectAfterKill() throws Exception {
        try (var victim = lettuce.connect(address("").build())) {
            long identity = victim.sync().clientId();
            Check.equal(1L, other.clientKill(KillArgs.Builder.id(identity)));
            Check.holds(victim.sync().clientId() > identity, "a new connection");
            Check.equal("PONG", victim.sync().ping());
        }
    }

    public static void main(String[] arguments) throws Exception {
        LettuceClient lettuce = new LettuceClient(arguments[0]);
        String version = Check.versionOf("io.lettuce", "lettuce-core");
        String subject = "Lettuce " + version + ", protocol " + arguments[0];
        Check check = new Check(subject, () -> lettuce.other.flushall());
        check.run("speaks the protocol", lettuce::speaksTheProtocol);
        check.run("push and pop", lettuce::pushAndPop);
        check.run("pop with timeout", lettuce::popWithTimeout);
        check.run("blocked pop is served", lettuce::blockedPopIsServed);
        check.run("pops in a row", lettuce::popsInARow);
        check.run("threads share one connection", lettuce::threadsShareOneConnection);
        check.run("pipeline", lettuce::pipeline);
        check.run("transaction", lettuce::transaction);
        check.run("watched transaction with conflict", lettuce::watchedTransactionWithConflict);
        check.run("publish and subscribe", lettuce::publishAndSubscribe);
        check.run("binary and large payloads", lettuce::binaryAndLargePayloads);
        check.run("scan", lettuce::scan);
        check.run("expiry", lettuce::expiry);
        check.run("server information", lettuce::serverInformation);
        check.run("errors", lettuce::errors);
        check.run("reconnect after kill", lettuce::reconnectAfterKill);
        check.end();
    }
}
