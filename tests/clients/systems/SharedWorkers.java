import io.lettuce.core.KeyValue;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.Supplier;
import redis.clients.jedis.CommandArguments;
import redis.clients.jedis.commands.ProtocolCommand;

/**
 * Eight workers in one process, as people write them in Java: {@code SharedWorkers PORT CLIENT QUEUE}.
 *
 * <p>With {@code jedis} they are threads over its pool, which acknowledge by value; with
 * {@code lettuce} threads on one connection, since its users share one. What the process prints is
 * as in shared_workers.py, and {@code ready} when all have sent their first pop.
 */
final class SharedWorkers {
    private static final int WORKERS = 8;

    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(arguments[0]);
        if (arguments[1].equals("jedis")) {
            withJedis(port, arguments[2]);
        } else {
            withLettuce(port, arguments[2]);
        }
    }

    private static void withJedis(int port, String queue) {
        var client = redis.clients.jedis.RedisClient.create("127.0.0.1", port);
        ProtocolCommand queueCommand = () -> "QUEUE".getBytes(StandardCharsets.UTF_8);
        Consumer<String> acknowledge =
                message ->
                        client.executeCommand(
                                new CommandArguments(queueCommand)
                                        .addObjects("ACK", queue, "VALUE", message));
        Supplier<String> pop = () -> client.blpop(0.0, queue).getValue();
        for (int worker = 0; worker < WORKERS; worker++) {
            new Thread(() -> work(pop, pop, acknowledge)).start();
        }
    }

    private static void withLettuce(int port, String queue) throws Exception {
        RedisURI address = RedisURI.create("127.0.0.1", port);
        address.setTimeout(Duration.ofMinutes(10));
        var connection = RedisClient.create(address).connect();
        Supplier<String> pop = () -> connection.sync().blpop(0, queue).getValue();
        // The first pops in one write.
        connection.setAutoFlushCommands(false);
        List<RedisFuture<KeyValue<String, String>>> pops = new ArrayList<>();
        for (int worker = 0; worker < WORKERS; worker++) {
            pops.add(connection.async().blpop(0, queue));
        }
        connection.flushCommands();
        connection.setAutoFlushCommands(true);
        say("ready");
        for (var first : pops) {
            Supplier<String> popFirst = () -> first.toCompletableFuture().join().getValue();
            new Thread(() -> work(popFirst, pop, message -> {})).start();
        }
    }

    private static void work(
            Supplier<String> popFirst, Supplier<String> pop, Consumer<String> acknowledge) {
        for (String message = popFirst.get(); ; message = pop.get()) {
            say("took " + message);
            try {
                Thread.sleep(ThreadLocalRandom.current().nextInt(1, 10));
            } catch (InterruptedException ended) {
                return;
            }
            say("done " + message);
            acknowledge.accept(message);
        }
    }

    /** A line in one write, so that those of several threads do not mix. */
    private static synchronized void say(String line) {
        byte[] bytes = (line + "\n").getBytes(StandardCharsets.UTF_8);
        System.out.write(bytes, 0, bytes.length);
        System.out.flush();
    }
}
