import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;

/** What the check programs share: where the server is, how to wait, how to report. */
final class Check {
    static final int PORT = Integer.parseInt(System.getenv("SERVER_PORT"));
    private static final long CHECK_TIMEOUT_S = 30;
    private static final long PATIENCE_MS = 20_000;
    private static final Pattern BLOCKED = Pattern.compile("\\bflags=\\w*b");

    /** Runs whatever waits for the server while a check does something else. */
    static final ExecutorService THREADS =
            Executors.newCachedThreadPool(
                    task -> {
                        Thread thread = new Thread(task);
                        thread.setDaemon(true);
                        return thread;
                    });

    interface Body {
        void run() throws Exception;
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    private final String subject;
    private final Body beforeEach;
    private boolean failed;

    Check(String subject, Body beforeEach) {
        this.subject = subject;
        this.beforeEach = beforeEach;
    }

    void run(String name, Body body) {
        try {
            var check =
                    THREADS.submit(
                            () -> {
                                beforeEach.run();
                                body.run();
                                return null;
                            });
            check.get(CHECK_TIMEOUT_S, TimeUnit.SECONDS);
            System.out.println("ok " + subject + ": " + name);
        } catch (Exception error) {
            failed = true;
            System.out.println("FAILED " + subject + ": " + name);
            Throwable cause = error instanceof TimeoutException ? error : error.getCause();
            System.out.println("    " + cause);
            for (StackTraceElement frame : cause.getStackTrace()) {
                System.out.println("        " + frame);
            }
        }
    }

    /** Ends the program, not held up by a thread of a failed check that still waits. */
    void end() {
        System.out.flush();
        Runtime.getRuntime().halt(failed ? 1 : 0);
    }

    static void waitUntil(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MS);
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("not within " + PATIENCE_MS + " ms: " + what);
            }
            Thread.sleep(5);
        }
    }

    /** Whether the text of CLIENT LIST shows a client that waits in a blocking command. */
    static boolean showsBlocked(String clientList) {
        return BLOCKED.matcher(clientList).find();
    }

    /** A client's line of CLIENT LIST, found by one of its fields, with a space on either side. */
    static String entryOf(String clientList, String field) {
        return clientList
                .lines()
                .map(line -> " " + line + " ")
                .filter(line -> line.contains(" " + field + " "))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no " + field + " in " + clientList));
    }

    /** The next of what comes from another thread. */
    static <T> T next(BlockingQueue<T> events) throws InterruptedException {
        T event = events.poll(PATIENCE_MS, TimeUnit.MILLISECONDS);
        return Objects.requireNonNull(event, "nothing came");
    }

    static void equal(Object expected, Object actual) {
        if (!Objects.deepEquals(expected, actual)) {
            throw new AssertionError("expected " + expected + ", got " + actual);
        }
    }

    static void holds(boolean condition, Object shown) {
        if (!condition) {
            throw new AssertionError("unexpected: " + shown);
        }
    }

    /** Calls, expects the class of error, and returns it for a closer look. */
    static <E extends Throwable> E expect(Class<E> error, Body body) {
        try {
            body.run();
        } catch (Throwable caught) {
            if (error.isInstance(caught)) {
                return error.cast(caught);
            }
            throw new AssertionError("expected " + error.getSimpleName(), caught);
        }
        throw new AssertionError("expected " + error.getSimpleName() + ", got a reply");
    }

    /** The version of a library, as Maven wrote it into its archive. */
    static String versionOf(String group, String artifact) throws IOException {
        String path = "/META-INF/maven/" + group + "/" + artifact + "/pom.properties";
        Properties properties = new Properties();
        try (InputStream text = Check.class.getResourceAsStream(path)) {
            properties.load(text);
        }
        return properties.getProperty("version");
    }

    /** All values of a byte, and what would be understood if it were not counted. */
    static byte[] binary() {
        byte[] tail = {'\r', '\n', '$', '5', '\r', '\n', 0};
        byte[] all = new byte[256 + tail.length];
        for (int value = 0; value < 256; value++) {
            all[value] = (byte) value;
        }
        System.arraycopy(tail, 0, all, 256, tail.length);
        return all;
    }

    static byte[] large() {
        byte[] large = new byte[10_000_000];
        new Random(1).nextBytes(large);
        return large;
    }
}
