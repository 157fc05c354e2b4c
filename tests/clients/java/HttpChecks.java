import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;

/** HTTP with the client of the JDK. It asks to change to HTTP/2 with its first request. */
final class HttpChecks {
    private static final String URL = "http://127.0.0.1:" + System.getenv("HTTP_PORT");
    private static final HttpClient CLIENT =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(20)).build();

    public static void main(String[] args) {
        Check check = new Check("HTTP with Java", () -> command("[\"FLUSHALL\"]"));
        check.run("push and pop", HttpChecks::pushAndPop);
        check.run("long polls", HttpChecks::longPolls);
        check.run("receipts", HttpChecks::receipts);
        check.run("a stream", HttpChecks::stream);
        check.end();
    }

    private static HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(URL + path)).timeout(Duration.ofSeconds(25));
    }

    private static HttpResponse<byte[]> send(HttpRequest.Builder request) throws Exception {
        return CLIENT.send(request.build(), BodyHandlers.ofByteArray());
    }

    private static HttpResponse<byte[]> post(String path, byte[] body) throws Exception {
        return send(request(path).POST(BodyPublishers.ofByteArray(body)));
    }

    private static String command(String words) throws Exception {
        HttpRequest.Builder request =
                request("/command")
                        .header("Content-Type", "application/json")
                        .POST(BodyPublishers.ofString(words));
        return new String(send(request).body());
    }

    private static void pushAndPop() throws Exception {
        for (byte[] message : List.of(Check.binary(), Check.large())) {
            Check.equal(202, post("/queues/jobs", message).statusCode());
            HttpResponse<byte[]> popped = send(request("/queues/jobs"));
            Check.equal(200, popped.statusCode());
            Check.holds(Arrays.equals(message, popped.body()), popped.body().length);
        }
        Check.equal(204, send(request("/queues/jobs")).statusCode());
    }

    private static void longPolls() throws Exception {
        List<CompletableFuture<HttpResponse<String>>> polls = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            HttpRequest poll = request("/queues/jobs?wait=20").build();
            polls.add(CLIENT.sendAsync(poll, BodyHandlers.ofString()));
        }
        Check.waitUntil(
                "they wait",
                () -> command("[\"CLIENT\",\"LIST\"]").split("flags=b", -1).length == 21);
        for (int i = 0; i < 20; i++) {
            post("/queues/jobs", String.valueOf(i).getBytes());
        }
        List<Integer> got = new ArrayList<>();
        for (CompletableFuture<HttpResponse<String>> poll : polls) {
            got.add(Integer.valueOf(poll.get().body()));
        }
        Check.equal(20L, got.stream().distinct().count());
    }

    private static void receipts() throws Exception {
        command(
                "[\"QUEUE\",\"POLICY\",\"SET\",\"leases\",\"lease*\",\"delivery\",\"at-least-once\","
                        + "\"acknowledge\",\"explicit\"]");
        post("/queues/lease", "x".getBytes());
        HttpResponse<byte[]> popped = send(request("/queues/lease?wait=5&lease=30"));
        String receipt = popped.headers().firstValue("Tidegate-Receipt").orElseThrow();
        String path = "/queues/lease/inflight/" + receipt;
        HttpRequest.Builder extend = request(path + "?lease=60");
        Check.equal(204, send(extend.method("PATCH", BodyPublishers.noBody())).statusCode());
        Check.equal(204, send(request(path).DELETE()).statusCode());
        Check.equal(404, send(request(path).DELETE()).statusCode());
    }

    private static void stream() throws Exception {
        HttpRequest subscribe = request("/channels/news").build();
        HttpResponse<Stream<String>> stream = CLIENT.send(subscribe, BodyHandlers.ofLines());
        Check.equal("{\"receivers\":1}\n", new String(post("/channels/news", "rain".getBytes()).body()));
        Iterator<String> lines = stream.body().iterator();
        while (!lines.next().equals("data: rain")) {}
        stream.body().close();
    }
}
