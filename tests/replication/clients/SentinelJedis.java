import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisSentinelClient;
import redis.clients.jedis.exceptions.JedisException;

/** Jedis through a failover: see ../clients.py. The client is a pool, shared by the threads. */
final class SentinelJedis {
    private static final AtomicLong NEXT = new AtomicLong();

    private interface Step {
        void run() throws InterruptedException;
    }

    public static void main(String[] ports) throws Exception {
        Set<HostAndPort> sentinels =
                Stream.of(ports)
                        .map(port -> new HostAndPort("127.0.0.1", Integer.parseInt(port)))
                        .collect(Collectors.toSet());
        var client = RedisSentinelClient.builder().masterName("queues").sentinels(sentinels).build();
        forever(() -> {
            String message = Long.toString(NEXT.getAndIncrement());
            say("sent " + message);
            client.rpush("work", message);
            say("pushed " + message);
            Thread.sleep(2);
        });
        forever(() -> consume(client.blpop(2, "work"), "popped"));
        forever(() -> consume(client.blpop(1, "quiet"), "woken"));
        while (System.in.read() >= 0) {}
        Runtime.getRuntime().halt(0);
    }

    private static void consume(List<String> popped, String word) {
        if (popped != null) {
            say(word + " " + popped.get(1));
        }
    }

    private static void forever(Step step) {
        Thread thread = new Thread(() -> {
            for (; ; ) {
                try {
                    try {
                        step.run();
                    } catch (JedisException error) {
                        say("error " + error);
                        Thread.sleep(50);
                    }
                } catch (InterruptedException end) {
                    return;
                }
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    private static synchronized void say(String line) {
        System.out.println(line);
    }
}
